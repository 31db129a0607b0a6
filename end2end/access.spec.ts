// Access to pages by role: signed out, member, administrator, super user.

import type { Page } from '@playwright/test';

import { ConsolePage, open } from './console_page';
import { send, whoami } from './support/request';
import { Tenant, createPerson, expect, signIn, test } from './fixtures';

test('sign-in leads back to the requested page', async ({ page, tenant }) => {
  const keys = new ConsolePage(page);
  await open(page, '/tenant-api-keys/new');
  await expect(page).toHaveURL(/\/sign-in\?return_to=(%2F|\/)tenant-api-keys(%2F|\/)new$/);
  await expect(keys.heading('Sign in')).toBeVisible();
  await keys.signIn(tenant.administrator);
  await expect(page).toHaveURL('/tenant-api-keys/new');
  await expect(keys.heading('Generate API Key')).toBeVisible();
});

test('sign-in leads back to the requested dialog with its query', async ({ page, tenant }) => {
  const key = await tenant.key('ERP nightly sync');
  const keys = new ConsolePage(page);
  await open(page, `/tenant-api-keys/${key.id}/rotate?status=active`);
  await expect(page).toHaveURL(/\/sign-in\?return_to=/);
  await keys.signIn(tenant.administrator);
  await expect(page).toHaveURL(`/tenant-api-keys/${key.id}/rotate?status=active`);
  await expect(keys.rotateDialog()).toBeVisible();
});

test('return_to never leads to another site', async ({ context, page, server, tenant }) => {
  const foreign: string[] = [];
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== server.origin) foreign.push(request.url());
  });
  const keys = new ConsolePage(page);
  for (const elsewhere of ['https://attacker.example/', '//attacker.example/', '/\\attacker.example/', '\t//attacker.example/', 'javascript:alert(1)']) {
    await context.clearCookies();
    await open(page, `/sign-in?return_to=${encodeURIComponent(elsewhere)}`);
    await keys.signIn(tenant.administrator);
    await expect(keys.heading('API Keys'), elsewhere).toBeVisible();
    await expect(page).toHaveURL('/tenant-api-keys');
    expect(foreign, elsewhere).toEqual([]);
  }
});

test('a wrong password shows one message that does not reveal the account, and keeps the email', async ({ browserLog, page, tenant }) => {
  browserLog.expectStatus(401);
  browserLog.expectStatus(422);
  const keys = new ConsolePage(page);
  const { email, password } = tenant.administrator;
  await open(page, '/sign-in?return_to=%2Ftenant-api-keys%2Fnew');
  for (const wrong of [email, 'nobody@acme.example']) {
    await keys.signIn({ email: wrong, password: `${password}!` });
    await expect(page.getByText('Email or password is wrong.')).toBeVisible();
    await expect(page.getByLabel('Email')).toHaveValue(wrong);
    await expect(page.getByLabel('Password')).toHaveValue('');
    await expect(page.getByLabel('Password')).toBeFocused();
  }
  // The return path is kept through refusals.
  await keys.signIn({ email, password });
  await expect(page).toHaveURL('/tenant-api-keys/new');
});

test('a member gets the 403 page and a menu with only the account', async ({ context, browserLog, page, server, tenant }) => {
  browserLog.expectStatus(403);
  const key = await tenant.key('ERP nightly sync');
  const member = await tenant.member();
  const keys = new ConsolePage(page);
  await open(page, '/');
  await keys.signIn(member);
  // A member's first page is their account.
  await expect(page).toHaveURL('/account');
  await expect(page.getByRole('link', { name: 'API Keys', exact: true })).toHaveCount(0);

  for (const path of ['', '/new', `/${key.id}/rotate`, `/${key.id}/revoke`]) {
    const response = await page.goto(`/tenant-api-keys${path}`);
    expect(response?.status(), path).toBe(403);
    expect(await response?.text()).not.toContain('ERP nightly sync');
    await expect(page.getByRole('heading', { name: 'You can’t open API Keys' })).toBeVisible();
  }
  await page.getByRole('link', { name: 'Go to My account' }).click();
  await expect(page).toHaveURL('/account');
  await expect(page.getByText(member.email).first()).toBeVisible();
  expect((await context.cookies(server.origin)).length).toBeGreaterThan(0);
});

test('a key of another tenant is not found', async ({ adminPage, browserLog, openContext, server, tenant }) => {
  browserLog.expectStatus(404);
  const key = await tenant.key('ERP nightly sync');
  const northwind = await Tenant.create(server, { name: 'Northwind' });
  const context = await openContext();
  await signIn(context, server.origin, northwind.administrator);
  const page = await context.newPage();
  for (const dialog of ['rotate', 'revoke']) {
    const response = await page.goto(`/tenant-api-keys/${key.id}/${dialog}`);
    expect(response?.status()).toBe(404);
    expect(await response?.text()).not.toContain('ERP nightly sync');
  }
  // The administrator of its own tenant finds it.
  const response = await adminPage.goto(`/tenant-api-keys/${key.id}/rotate`);
  expect(response?.status()).toBe(200);
});

test('a tenant administrator cannot choose a tenant by URL', async ({ adminPage, browserLog, server }) => {
  browserLog.expectStatus(403);
  const northwind = await Tenant.create(server, { name: 'Northwind' });
  await northwind.key('Northwind shop');
  for (const path of ['/tenant-api-keys', '/tenant-api-keys/new']) {
    const response = await adminPage.goto(`${path}?tenant=${northwind.slug}`);
    expect(response?.status()).toBe(403);
    expect(await response?.text()).not.toContain('Northwind shop');
  }
});

test('an unknown page is 404 with a link back', async ({ adminPage, browserLog }) => {
  browserLog.expectStatus(404);
  for (const path of ['/nothing/here', '/tenant-api-keys/not-an-id/rotate', '/tenant-api-keys/00000000-0000-7000-8000-000000000000/revoke']) {
    const response = await adminPage.goto(path);
    expect(response?.status(), path).toBe(404);
    await expect(adminPage.getByRole('heading', { name: 'This page does not exist' })).toBeVisible();
  }
  await adminPage.getByRole('link', { name: 'Go to API Keys' }).click();
  await expect(adminPage).toHaveURL('/tenant-api-keys');
});

test('a super user chooses a tenant and every link keeps it', async ({ page, server, tenant, context }) => {
  const northwind = await Tenant.create(server, { name: `Northwind ${tenant.slug}` });
  await northwind.key('Northwind shop');
  await signIn(context, server.origin, await createPerson(server, 'super_user'));
  const keys = new ConsolePage(page);
  await open(page, '/tenant-api-keys');
  await expect(page).toHaveURL('/tenants');
  await page.getByRole('searchbox', { name: 'Search names and slugs' }).fill(northwind.slug);
  await page.getByRole('button', { name: 'Search', exact: true }).click();
  await page.getByRole('main').getByRole('link', { name: northwind.name, exact: true }).click();
  await expect(page).toHaveURL(`/tenant-api-keys?tenant=${northwind.slug}`);
  await expect(keys.row('Northwind shop')).toBeVisible();
  // Every link of the page that leads to keys names the tenant.
  const links = await page.getByRole('link').evaluateAll((all) => all.map((link) => (link as HTMLAnchorElement).href));
  const toKeys = links.map((href) => new URL(href)).filter((url) => url.pathname.startsWith('/tenant-api-keys'));
  expect(toKeys.length).toBeGreaterThan(2);
  for (const url of toKeys) {
    // Only the tenant switcher leads to other tenants.
    expect(url.searchParams.get('tenant'), url.href).not.toBeNull();
  }
  await keys.row('Northwind shop').getByRole('link', { name: 'Revoke Northwind shop' }).click();
  await expect(page).toHaveURL(new RegExp(`/revoke\\?tenant=${northwind.slug}$`));
  await keys.revokeDialog().getByRole('button', { name: 'Revoke', exact: true }).click();
  await expect(page).toHaveURL(`/tenant-api-keys?tenant=${northwind.slug}`);
  await expect(keys.row('Northwind shop')).toContainText('Revoked');
});

test('two tabs of a super user in two tenants stay separate', async ({ context, browserLog, server, tenant }) => {
  // The last step requests an unknown tenant.
  browserLog.expectStatus(404);
  const northwind = await Tenant.create(server, { name: 'Northwind' });
  await tenant.key('Acme scanner');
  await northwind.key('Northwind shop');
  await signIn(context, server.origin, await createPerson(server, 'super_user'));
  const acmeTab = new ConsolePage(await context.newPage());
  const northwindTab = new ConsolePage(await context.newPage());
  await acmeTab.page.bringToFront();
  await acmeTab.openForm(`?tenant=${tenant.slug}`);
  await acmeTab.fill({ name: 'Typed in the Acme tab', group: tenant.group });

  // While this form is open, the other tab works in the other tenant, using links only.
  await northwindTab.page.bringToFront();
  await northwindTab.openList(`?tenant=${northwind.slug}`);
  await northwindTab.generateLink().click();
  await expect(northwindTab.page).toHaveURL(`/tenant-api-keys/new?tenant=${northwind.slug}`);
  const northwindSecret = await northwindTab.generate({ name: 'Typed in the Northwind tab', group: northwind.group });
  await northwindTab.copyAndClose();
  await expect(northwindTab.page).toHaveURL(`/tenant-api-keys?tenant=${northwind.slug}`);

  await acmeTab.page.bringToFront();
  const acmeSecret = await acmeTab.generate({});
  await acmeTab.copyAndClose();
  await expect(acmeTab.page).toHaveURL(`/tenant-api-keys?tenant=${tenant.slug}`);

  const slugOf = async (secret: string): Promise<string> => JSON.parse((await whoami(server.origin, secret)).body).tenant.slug;
  expect(await slugOf(acmeSecret)).toBe(tenant.slug);
  expect(await slugOf(northwindSecret)).toBe(northwind.slug);
  await expectOnly(acmeTab, ['Acme scanner', 'Typed in the Acme tab'], ['Northwind shop', 'Typed in the Northwind tab']);
  await expectOnly(northwindTab, ['Northwind shop', 'Typed in the Northwind tab'], ['Acme scanner', 'Typed in the Acme tab']);
  await acmeTab.page.reload();
  await northwindTab.page.reload();
  await expectOnly(acmeTab, ['Acme scanner'], ['Northwind shop']);
  await expectOnly(northwindTab, ['Northwind shop'], ['Acme scanner']);

  const response = await acmeTab.page.goto('/tenant-api-keys?tenant=nobody-has-this');
  expect(response?.status()).toBe(404);
});

async function expectOnly(tab: ConsolePage, own: string[], foreign: string[]): Promise<void> {
  await expect(tab.counter('2/10 keys')).toBeVisible();
  for (const name of own) await expect(tab.row(name)).toBeVisible();
  for (const name of foreign) await expect(tab.page.getByText(name)).toHaveCount(0);
}

test('p08: the session cookie is HttpOnly, Path=/, SameSite=Lax, without a domain, and random', async ({ context, page, server, tenant }) => {
  await open(page, '/sign-in');
  await new ConsolePage(page).signIn(tenant.administrator);
  await expect(page).toHaveURL('/tenant-api-keys');
  const session = await sessionCookie(page);
  expect(session).toMatchObject({ httpOnly: true, path: '/', sameSite: 'Lax', secure: false, domain: '127.0.0.1' });
  expect(session.value).toMatch(/^[0-9a-f]{64}$/);
  expect(await page.evaluate(() => document.cookie)).not.toContain(session.value);
  expect((await context.cookies(server.origin)).every((cookie) => cookie.httpOnly)).toBe(true);
});

test('p09: a planted cookie is no session, and signing in replaces it', async ({ context, page, server, tenant }) => {
  await open(page, '/sign-in');
  await new ConsolePage(page).signIn(tenant.administrator);
  await expect(page).toHaveURL('/tenant-api-keys');
  const { name } = await sessionCookie(page);
  const planted = '5e'.repeat(32);
  await context.clearCookies();
  await context.addCookies([{ name, value: planted, url: server.origin }]);
  await open(page, '/tenant-api-keys');
  await expect(page).toHaveURL(/\/sign-in\?/);
  await new ConsolePage(page).signIn(tenant.administrator);
  await expect(page).toHaveURL('/tenant-api-keys');
  expect((await sessionCookie(page)).value).not.toBe(planted);
  const response = await send(`${server.origin}/tenant-api-keys`, { headers: { Cookie: `${name}=${planted}` } });
  expect(response.headers.location).toMatch(/^\/sign-in\?/);
});

test('p10: after signing out the old cookie is refused everywhere, and Back shows no data', async ({ adminPage, browserLog, server, tenant }) => {
  browserLog.expectStatus(401);
  const key = await tenant.key('ERP nightly sync');
  const calls: { url: string; headers: Record<string, string>; body: string }[] = [];
  adminPage.on('request', (request) => {
    if (request.method() === 'POST' && new URL(request.url()).pathname.startsWith('/api/pages/')) {
      calls.push({ url: request.url(), headers: request.headers(), body: request.postData() ?? '' });
    }
  });
  const keys = new ConsolePage(adminPage);
  await keys.openForm();
  await keys.generate({ name: 'Zapier', group: tenant.group });
  await keys.copyAndClose();
  await expect(keys.row('ERP nightly sync')).toBeVisible();
  const { name, value } = await sessionCookie(adminPage);
  const cookie = { Cookie: `${name}=${value}` };
  expect((await send(`${server.origin}/tenant-api-keys`, { headers: cookie })).status).toBe(200);

  await keys.signOut(tenant.administrator.email);
  await expect(adminPage).toHaveURL(/\/sign-in/);
  await adminPage.goBack();
  await expect(keys.heading('Sign in')).toBeVisible();
  await expect(adminPage.getByText('ERP nightly sync')).toHaveCount(0);

  for (const path of ['/', '/account', '/tenant-api-keys', '/tenant-api-keys/new', `/tenant-api-keys/${key.id}/rotate`]) {
    const response = await send(`${server.origin}${path}`, { headers: cookie });
    expect([302, 303], path).toContain(response.status);
    expect(response.body).not.toContain('ERP nightly sync');
  }
  expect(calls.length, 'the page has called server functions').toBeGreaterThan(0);
  for (const call of calls) {
    const headers = { ...call.headers, ...cookie, 'Sec-Fetch-Site': 'same-origin', Origin: server.origin };
    const response = await send(call.url, { method: 'POST', headers, body: call.body });
    expect(response.status, call.url).toBe(401);
    expect(response.body).not.toContain('ERP nightly sync');
  }
  expect((await send(`${server.origin}/api/v1/api-keys`, { headers: cookie })).status).toBe(401);
});

/** Returns the session cookie of the page. */
async function sessionCookie(page: Page): Promise<{ name: string; value: string }> {
  const cookies = await page.context().cookies();
  const session = cookies.find((cookie) => /session/.test(cookie.name));
  expect(session, 'a session cookie exists').toBeDefined();
  return session as { name: string; value: string };
}
