// The account page, and the changes that end sessions with the next request.

import { randomBytes } from 'node:crypto';

import type { BrowserContext, Page } from '@playwright/test';

import { ConsolePage, open } from './console_page';
import { send } from './support/request';
import { type Person, Tenant, createPerson, expect, signIn, test } from './fixtures';

const CHANGED = 'Password changed. You are signed out everywhere else.';

function newPassword(): string {
  return randomBytes(18).toString('base64url');
}

async function changePassword(page: Page, current: string, fresh: string): Promise<void> {
  await page.getByLabel('Current password', { exact: true }).fill(current);
  await page.getByLabel('New password', { exact: true }).fill(fresh);
  await page.getByRole('button', { name: 'Change password', exact: true }).click();
}

/** Returns the session cookie of a browser context. */
async function sessionOf(context: BrowserContext, origin: string): Promise<string> {
  const session = (await context.cookies(origin)).find(({ name }) => /session/.test(name));
  expect(session).toBeDefined();
  return `${session!.name}=${session!.value}`;
}

/** Checks a session with a page and a server function: 200 and 200, or a redirect to sign-in and 401. */
async function expectSession(origin: string, cookie: string, state: 'good' | 'over'): Promise<void> {
  const page = await send(`${origin}/account`, { headers: { Cookie: cookie } });
  const call = await send(`${origin}/api/pages/get_console`, {
    method: 'POST',
    headers: { Cookie: cookie, Origin: origin, 'Content-Type': 'application/json' },
    body: '{"tenant":null}',
  });
  expect([page.status, call.status]).toEqual(state === 'good' ? [200, 200] : [303, 401]);
  if (state === 'over') expect(page.headers.location).toBe('/sign-in?return_to=%2Faccount');
}

/** Starts three sessions of one person; the first one has a page. */
async function sessions(open: () => Promise<BrowserContext>, origin: string, person: Person): Promise<[BrowserContext, string, string, string]> {
  const contexts = [await open(), await open(), await open()] as const;
  const cookies: string[] = [];
  for (const context of contexts) {
    await signIn(context, origin, person);
    cookies.push(await sessionOf(context, origin));
  }
  return [contexts[0], cookies[0]!, cookies[1]!, cookies[2]!];
}

for (const javaScriptEnabled of [true, false]) {
  test(`p12: a changed password ends every other session of its user at once${javaScriptEnabled ? '' : ', without a script'}`, async ({
    browserLog,
    openContext,
    server,
    tenant,
  }) => {
    browserLog.expect(/\.js csp$|preloaded using link preload but not used/);
    const [context, own, second, third] = await sessions(() => openContext({ javaScriptEnabled }), server.origin, tenant.administrator);
    const [, colleague] = await sessions(openContext, server.origin, await tenant.anotherAdministrator('Jonas Weber'));
    const page = await context.newPage();
    const fresh = newPassword();
    await page.goto('/account');
    await changePassword(page, tenant.administrator.password, fresh);
    await expect(page.getByRole('status').filter({ hasText: CHANGED })).toBeVisible();
    await expectSession(server.origin, second, 'over');
    await expectSession(server.origin, third, 'over');
    // The session that changed the password continues with a new token; its old token is refused.
    await expectSession(server.origin, own, 'over');
    const renewed = await sessionOf(context, server.origin);
    expect(renewed).not.toBe(own);
    await expectSession(server.origin, renewed, 'good');
    await expectSession(server.origin, colleague, 'good');
    await page.goto('/tenant-api-keys');
    await expect(new ConsolePage(page).heading('API Keys')).toBeVisible();

    const other = await openContext();
    await signIn(other, server.origin, { ...tenant.administrator, password: fresh });
    const refused = await other.request.post('/sign-in', {
      form: { ...tenant.administrator, return_to: '/' },
      headers: { Origin: server.origin },
      maxRedirects: 0,
    });
    expect(refused.status(), 'the old password').toBe(422);
  });
}

test('a wrong current password and a guessable new one are refused with messages', async ({
  adminPage: page,
  context,
  browserLog,
  server,
  tenant,
}) => {
  browserLog.expectStatus(422);
  const { email, password } = tenant.administrator;
  const before = await sessionOf(context, server.origin);
  const current = page.getByLabel('Current password', { exact: true });
  const fresh = page.getByLabel('New password', { exact: true });
  await page.goto('/account');
  await expect(page.getByRole('main')).toContainText(email);

  await changePassword(page, `${password}!`, newPassword());
  await expect(current).toHaveAccessibleDescription(/The current password is wrong\./);
  await expect(current).toHaveAttribute('aria-invalid', 'true');
  await expect(current).toHaveValue('');
  for (const [guessed, message] of [
    ['elevenchars', /Must be 12–256 characters/],
    ['password1234', /.+/],
    ['aaaaaaaaaaaa', /.+/],
  ] as const) {
    await changePassword(page, password, guessed);
    await expect(fresh).toHaveAttribute('aria-invalid', 'true');
    await expect(fresh).toHaveAccessibleDescription(message);
    await expect(page.getByText(CHANGED)).toHaveCount(0);
  }
  // The refused form is a full page.
  await expect(page.getByRole('heading', { level: 1, name: 'My account' })).toBeVisible();
  await page.getByRole('link', { name: 'API Keys', exact: true }).click();
  await expect(new ConsolePage(page).heading('API Keys')).toBeVisible();
  await expectSession(server.origin, before, 'good');
});

test('wrong current passwords are throttled like sign-ins', async ({ adminPage: page, context, browserLog, server, tenant }) => {
  browserLog.expectStatus(422);
  browserLog.expectStatus(429);
  const cookie = await sessionOf(context, server.origin);
  const attempt = (current: string) =>
    send(`${server.origin}/account`, {
      method: 'POST',
      headers: { Cookie: cookie, Origin: server.origin, 'Content-Type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ current_password: current, new_password: newPassword() }).toString(),
    });
  for (let failures = 0; failures < 10; failures += 1) {
    expect((await attempt('not a valid password')).status).toBe(422);
  }
  const throttled = await attempt(tenant.administrator.password);
  expect(throttled.status).toBe(429);
  expect(Number(throttled.headers['retry-after'])).toBeGreaterThan(0);
  await page.goto('/account');
  await changePassword(page, tenant.administrator.password, newPassword());
  await expect(page.getByRole('alert')).toContainText(/Too many attempts\. Try again in \d+ minutes?\./);
});

test('the account form of a super user keeps the tenant in its URL', async ({ context, browserLog, page, server, tenant }) => {
  browserLog.expectStatus(422);
  const operator = await createPerson(server, 'super_user');
  await signIn(context, server.origin, operator);
  await page.goto(`/account?tenant=${tenant.slug}`);
  await changePassword(page, 'not the password', newPassword());
  await expect(page.getByText('The current password is wrong.')).toBeVisible();
  await expect(page.getByRole('link', { name: 'API Keys', exact: true })).toHaveAttribute('href', `/tenant-api-keys?tenant=${tenant.slug}`);
  await changePassword(page, operator.password, newPassword());
  await expect(page.getByText(CHANGED)).toBeVisible();
  await expect(page).toHaveURL((url) => url.pathname === '/account' && url.searchParams.get('tenant') === tenant.slug);
});

test('p12: the next request of a disabled user is refused', async ({ openContext, server, tenant }) => {
  const [context, own, second] = await sessions(openContext, server.origin, tenant.administrator);
  const page = await context.newPage();
  const keys = new ConsolePage(page);
  await keys.openList();
  expect((await server.run(['user', 'disable', tenant.administrator.email])).code).toBe(0);
  await expectSession(server.origin, own, 'over');
  await expectSession(server.origin, second, 'over');
  await page.reload();
  await expect(keys.heading('Sign in')).toBeVisible();
});

test('p12: after the session has ended, the next action on an open page leads to sign-in and back', async ({ adminPage: page, browserLog, server, tenant }) => {
  browserLog.expectStatus(401);
  await tenant.key('ERP nightly sync');
  const keys = new ConsolePage(page);
  await keys.openList();
  const { email, password } = tenant.administrator;
  expect((await server.run(['user', 'set-password', '--email', email, '--password-stdin'], `${password}\n`)).code).toBe(0);
  await keys.segment('Status', 'Active').click();
  await expect(page).toHaveURL(/\/sign-in\?return_to=%2Ftenant-api-keys%3Fstatus%3Dactive$/);
  await keys.signIn(tenant.administrator);
  await expect(page).toHaveURL('/tenant-api-keys?status=active');
  await expect(keys.names()).toHaveText(['ERP nightly sync']);
});

test('p12: the next request of every user of a suspended tenant is refused, and of no other user', async ({ openContext, server, tenant }) => {
  const northwind = await Tenant.create(server, { name: 'Northwind' });
  const [, own, second] = await sessions(openContext, server.origin, tenant.administrator);
  const [, member] = await sessions(openContext, server.origin, await tenant.member());
  const [, elsewhere] = await sessions(openContext, server.origin, northwind.administrator);
  expect((await server.run(['tenant', 'suspend', tenant.slug])).code).toBe(0);
  for (const cookie of [own, second, member]) await expectSession(server.origin, cookie, 'over');
  await expectSession(server.origin, elsewhere, 'good');
});

test('p12: the next request is judged by the lowered role', async ({ browserLog, page, startServer }) => {
  browserLog.expectStatus(403);
  // No command lowers a role, so SQL does while the server is stopped. The session survives the restart.
  const server = await startServer();
  const tenant = await Tenant.create(server);
  await tenant.key('ERP nightly sync');
  await signIn(page.context(), server.origin, tenant.administrator);
  await open(page, `${server.origin}/tenant-api-keys`);
  const keys = new ConsolePage(page);
  await expect(keys.names()).toHaveText(['ERP nightly sync']);
  await server.restartOn((database) => {
    database.run("UPDATE users SET role = 'member' WHERE email = ?", [tenant.administrator.email]);
  });
  const response = await page.goto(`${server.origin}/tenant-api-keys`);
  expect(response?.status()).toBe(403);
  await expect(page.getByRole('heading', { name: 'You can’t open API Keys' })).toBeVisible();
  await expectSession(server.origin, await sessionOf(page.context(), server.origin), 'good');
});
