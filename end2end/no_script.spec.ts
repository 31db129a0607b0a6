// The console without JavaScript: links, forms, and secrets that are shown once.

import type { Page, Response } from '@playwright/test';

import { ConsolePage, SECRET_FORM } from './console_page';
import { send, whoami } from './support/request';
import { MANY_KEYS, expect, namesOf, test as stockedTest } from './stocked_fixtures';
import { createPerson, daysFromToday, signIn, test as base } from './fixtures';

const WITHOUT_SCRIPT = { javaScriptEnabled: false };

/** Chromium warns that each page's script and its preloads are unused. */
const UNUSED = [/^request failed: \S+\.js csp$/, /^console warning: The resource \S+\.wasm was preloaded using link preload but not used/];

const test = base.extend({
  browserLog: async ({ browserLog }, use) => {
    for (const complaint of UNUSED) browserLog.expect(complaint);
    await use(browserLog);
  },
  context: async ({ openContext }, use) => use(await openContext(WITHOUT_SCRIPT)),
});

const ALREADY_SHOWN = 'This secret was already shown';

/** The page that shows a new secret: no dialog and no script. */
class SecretPage {
  constructor(readonly page: Page) {}

  readonly secret = () => this.page.getByRole('textbox', { name: 'Secret' });
  readonly close = () => this.page.getByRole('link', { name: 'Close', exact: true });

  /** Clicks a button that creates a secret, checks the response, and returns the secret. */
  async from(click: () => Promise<void>): Promise<string> {
    const response = this.page.waitForResponse((response) => response.request().method() === 'POST');
    await click();
    await expect(this.page.getByText('This secret will not be shown again.')).toBeVisible();
    await expect(this.secret()).toHaveText(new RegExp(`^${SECRET_FORM}$`));
    await expectNothingKeptOrRun(await response);
    return (await this.secret().innerText()).trim();
  }
}

/** Expects a response with a secret to be uncacheable and without script. */
async function expectNothingKeptOrRun(response: Response): Promise<void> {
  const headers = await response.allHeaders();
  expect(headers['cache-control']).toBe('no-store, no-transform');
  const policy = headers['content-security-policy'] ?? '';
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toMatch(/script-src|nonce|strict-dynamic|wasm/);
  const body = await response.text();
  expect(body).not.toMatch(/<script|modulepreload|\.wasm|\son\w+=|javascript:/i);
}

/** Chromium's error when a history step would resend a form. */
const REFUSED_RESEND = /ERR_CACHE_MISS/;

/** Goes one step in the history, possibly to the response of a form, and expects no secret. */
async function goInHistory(page: Page, step: 'Back' | 'Forward', secret: string): Promise<void> {
  const refused = (error: Error): void => expect(error.message).toMatch(REFUSED_RESEND);
  await (step === 'Back' ? page.goBack() : page.goForward()).catch(refused);
  await expect(async () => expect((await page.content()).includes(secret), step).toBe(false)).toPass();
}

async function tableOf(server: { json: (command: string[]) => Promise<unknown> }, slug: string): Promise<{ name: string; status: string }[]> {
  return (await server.json(['key', 'list', '--tenant', slug])) as { name: string; status: string }[];
}

test('sign-in leads to the requested page, and signing out works', async ({ browserLog, page, tenant }) => {
  browserLog.expectStatus(422);
  const keys = new ConsolePage(page);
  const { email, password } = tenant.administrator;
  await page.goto('/tenant-api-keys/new');
  await expect(page).toHaveURL(/\/sign-in\?return_to=/);
  await keys.signIn({ email, password: 'not a valid password' });
  await expect(page.getByRole('alert')).toHaveText('Email or password is wrong.');
  await expect(page.getByLabel('Email')).toHaveValue(email);
  await keys.signIn({ email, password });
  await expect(page).toHaveURL('/tenant-api-keys/new');
  await keys.signOut(email);
  await expect(page).toHaveURL(/\/sign-in/);
  await page.goto('/tenant-api-keys');
  await expect(keys.heading('Sign in')).toBeVisible();
});

test('generating a key shows all errors at once, keeps the input, and shows the secret once, not on reload or Back', async ({
  adminPage: page,
  browserLog,
  server,
  tenant,
}) => {
  browserLog.expectStatus(422);
  browserLog.expectStatus(409);
  browserLog.expect(REFUSED_RESEND);
  const keys = new ConsolePage(page);
  await page.goto('/tenant-api-keys');
  await keys.generateLink().click();
  const wrong = {
    name: ' x ',
    description: `${'d'.repeat(1_001)}\n</textarea>`,
    group: tenant.group,
    expires: daysFromToday(0),
    allowlist: '\n192.0.2.7\n10.0.0.0/33\n010.0.0.0/8',
  };
  await keys.fill(wrong);
  await keys.submit().click();
  await expect(page).toHaveURL('/tenant-api-keys/new');
  await expect(page.getByRole('alert').getByRole('link')).toHaveText([
    'Key Name: Must be 2–200 characters',
    'Description: Must be at most 1,000 characters',
    'Expiration Date: Must be a future date',
    "IP Allowlist: Line 3: '10.0.0.0/33' is not an IP address or CIDR range",
    "IP Allowlist: Line 4: '010.0.0.0/8' is not an IP address or CIDR range",
  ]);
  for (const [field, value] of [
    [keys.name(), wrong.name],
    [keys.description(), wrong.description],
    [keys.expires(), wrong.expires],
    [keys.allowlist(), wrong.allowlist],
  ] as const) {
    await expect(field).toHaveValue(value);
    await expect(field).toHaveAttribute('aria-invalid', 'true');
  }
  await expect(keys.group().getByRole('option', { selected: true })).toHaveText(tenant.group);
  await expect(keys.name()).toHaveAccessibleDescription(/Must be 2–200 characters/);

  await keys.fill({ name: 'ERP nightly sync', description: 'Two\nlines', expires: daysFromToday(90), allowlist: '127.0.0.1\n' });
  const shown = new SecretPage(page);
  const secret = await shown.from(() => keys.submit().click());
  expect(page.url()).not.toContain(secret);
  const response = await whoami(server.origin, secret);
  expect(response.status).toBe(200);
  expect(JSON.parse(response.body)).toMatchObject({ name: 'ERP nightly sync', description: 'Two\nlines', ip_allowlist: ['127.0.0.1/32'] });
  await expect(page.getByText(/^curl /)).toContainText(secret);

  // A reload resends the form.
  const repeated = page.waitForResponse((response) => response.request().method() === 'POST');
  await page.reload();
  await expect(keys.heading(ALREADY_SHOWN)).toBeVisible();
  expect(await page.content()).not.toContain(secret);
  await expectNothingKeptOrRun(await repeated);
  expect(await tableOf(server, tenant.slug)).toHaveLength(1);
  expect((await whoami(server.origin, secret)).status, 'the first secret still works').toBe(200);

  await goInHistory(page, 'Back', secret);
  await page.goto('/tenant-api-keys');
  await expect(keys.row('ERP nightly sync')).toContainText('Active');
  await expect(keys.counter('1/10 keys')).toBeVisible();
  expect(await page.content()).not.toContain(secret);
});

test('Close leads from the secret to the list, and Back from there does not show the secret', async ({ adminPage: page, browserLog, tenant }) => {
  browserLog.expect(REFUSED_RESEND);
  const keys = new ConsolePage(page);
  await page.goto('/tenant-api-keys/new');
  await keys.fill({ name: 'Zapier', group: tenant.group });
  const shown = new SecretPage(page);
  const secret = await shown.from(() => keys.submit().click());
  await shown.close().click();
  await expect(page).toHaveURL('/tenant-api-keys');
  await expect(keys.row('Zapier')).toContainText(`lk_…${secret.slice(-4)}`);
  for (const step of ['Back', 'Back', 'Forward', 'Forward'] as const) {
    await goInHistory(page, step, secret);
  }
});

test('the form at the key limit shows the reason and keeps the input', async ({ adminPage: page, browserLog, tenant }) => {
  browserLog.expectStatus(409);
  await tenant.setLimit(1);
  const keys = new ConsolePage(page);
  await page.goto('/tenant-api-keys/new');
  await keys.fill({ name: 'ERP nightly sync', description: 'Typed with care', group: tenant.group });
  await tenant.key('Another key');
  await keys.submit().click();
  await expect(page.getByRole('alert')).toContainText('You have reached your limit of 1 key');
  await expect(keys.name()).toHaveValue('ERP nightly sync');
  await expect(keys.description()).toHaveValue('Typed with care');
});

test('editing a key shows errors and the conflict with a concurrent edit', async ({ adminPage: page, browserLog, openContext, server, tenant }) => {
  browserLog.expectStatus(422);
  browserLog.expectStatus(409);
  await tenant.addGroup('Reports', ['reports:read']);
  const key = await tenant.key('ERP nightly sync', { description: 'Ask Jonas', expires: daysFromToday(90) });
  const keys = new ConsolePage(page);
  await page.goto('/tenant-api-keys?status=active');
  await keys.action('Edit', 'ERP nightly sync').click();
  await expect(page).toHaveURL(`/tenant-api-keys/${key.id}/edit?status=active`);
  await keys.fill({ name: 'x', allowlist: '10.0.0.0/33' });
  await keys.save().click();
  await expect(keys.editDialog().getByRole('alert').getByRole('link')).toHaveText([
    'Key Name: Must be 2–200 characters',
    "IP Allowlist: Line 1: '10.0.0.0/33' is not an IP address or CIDR range",
  ]);
  await expect(keys.name()).toHaveValue('x');
  await expect(keys.allowlist()).toHaveValue('10.0.0.0/33');
  await keys.fill({ name: 'Typed by Mira', allowlist: '127.0.0.1' });

  // A concurrent edit, also without script.
  const jonas = await openContext(WITHOUT_SCRIPT);
  await signIn(jonas, server.origin, await tenant.anotherAdministrator('Jonas Weber'));
  const first = new ConsolePage(await jonas.newPage());
  await first.page.goto(`/tenant-api-keys/${key.id}/edit`);
  await first.fill({ name: 'Typed by Jonas', group: 'Reports' });
  await first.save().click();
  await expect(first.page).toHaveURL('/tenant-api-keys');
  await expect(first.row('Typed by Jonas')).toContainText('Reports');

  await keys.save().click();
  await expect(keys.conflict()).toContainText('Jonas Weber changed this key while you were editing.');
  await expect(keys.conflict()).toContainText('What you typed is kept.');
  await expect(keys.conflict()).toContainText('Typed by Jonas');
  await expect(keys.name()).toHaveValue('Typed by Mira');
  await expect(keys.allowlist()).toHaveValue('127.0.0.1');
  await expect(keys.group().getByRole('option', { selected: true })).toHaveText(tenant.group);
  // Taking over the other edit reopens the dialog with the saved values.
  await keys.conflict().getByRole('link', { name: 'Use theirs', exact: true }).click();
  await expect(keys.editDialog()).toBeVisible();
  await expect(keys.name()).toHaveValue('Typed by Jonas');
});

test('a conflicting edit can be saved anyway', async ({ adminPage: page, browserLog, openContext, server, tenant }) => {
  browserLog.expectStatus(409);
  const key = await tenant.key('ERP nightly sync');
  const keys = new ConsolePage(page);
  await page.goto(`/tenant-api-keys/${key.id}/edit?q=erp`);
  await keys.name().fill('ERP by Mira');
  const other = await openContext(WITHOUT_SCRIPT);
  await signIn(other, server.origin, tenant.administrator);
  const first = new ConsolePage(await other.newPage());
  await first.page.goto(`/tenant-api-keys/${key.id}/edit`);
  await first.name().fill('ERP in another tab');
  await first.save().click();
  await keys.save().click();
  await keys.saveAnyway().click();
  // The list with the filters from which the dialog was opened.
  await expect(page).toHaveURL('/tenant-api-keys?q=erp');
  await expect(keys.names()).toHaveText(['ERP by Mira']);
  expect(JSON.parse((await whoami(server.origin, key.secret)).body).name).toBe('ERP by Mira');
});

test('a key is rotated once, together with its expiry', async ({ adminPage: page, browserLog, server, tenant }) => {
  browserLog.expectStatus(422);
  browserLog.expectStatus(409);
  const key = await tenant.key('ERP nightly sync', { expires: daysFromToday(10) });
  const keys = new ConsolePage(page);
  await page.goto('/tenant-api-keys');
  await keys.action('Rotate', 'ERP nightly sync').click();
  await expect(keys.rotateDialog()).toContainText('All applications using the current secret lose access immediately.');
  const rotate = keys.rotateDialog().getByRole('button', { name: 'Rotate', exact: true });
  await expect(keys.expires()).toHaveValue(daysFromToday(10));
  await keys.expires().fill(daysFromToday(0));
  await rotate.click();
  await expect(keys.expires()).toHaveAccessibleDescription(/Must be a future date/);
  await expect(keys.expires()).toHaveValue(daysFromToday(0));
  expect((await whoami(server.origin, key.secret)).status).toBe(200);

  await keys.expires().fill(daysFromToday(60));
  const shown = new SecretPage(page);
  const secret = await shown.from(() => rotate.click());
  expect((await whoami(server.origin, key.secret)).status).toBe(401);
  expect(JSON.parse((await whoami(server.origin, secret)).body)).toMatchObject({ id: key.id, expires_on: daysFromToday(60) });
  await page.reload();
  await expect(keys.heading(ALREADY_SHOWN)).toBeVisible();
  expect(await page.content()).not.toContain(secret);
  // The resent form rotated nothing.
  expect((await whoami(server.origin, secret)).status).toBe(200);
  await page.getByRole('link', { name: 'Rotate', exact: true }).click();
  await expect(keys.rotateDialog()).toContainText('ERP nightly sync');
  const next = await new SecretPage(page).from(() => rotate.click());
  expect(next).not.toBe(secret);
  await page.getByRole('link', { name: 'Close', exact: true }).click();
  await expect(page).toHaveURL('/tenant-api-keys');
});

test('revoking a key, and a second open form reports that it is revoked', async ({ adminPage: page, browserLog, openContext, server, tenant }) => {
  browserLog.expectStatus(409);
  const key = await tenant.key('Zapier');
  const keys = new ConsolePage(page);
  const other = await openContext(WITHOUT_SCRIPT);
  await signIn(other, server.origin, tenant.administrator);
  const open = new ConsolePage(await other.newPage());
  await open.page.goto(`/tenant-api-keys/${key.id}/rotate`);

  await page.goto('/tenant-api-keys');
  await keys.action('Revoke', 'Zapier').click();
  await expect(keys.revokeDialog()).toContainText('Are you sure you want to revoke the API key Zapier?');
  await keys.revokeDialog().getByRole('button', { name: 'Revoke', exact: true }).click();
  await expect(page).toHaveURL('/tenant-api-keys');
  await expect(keys.row('Zapier')).toContainText('Revoked');
  await expect(keys.counter('0/10 keys')).toBeVisible();
  expect((await whoami(server.origin, key.secret)).status).toBe(401);

  await open.rotateDialog().getByRole('button', { name: 'Rotate', exact: true }).click();
  await expect(open.page.getByText('This key is revoked. Nothing re-activates a revoked key.')).toBeVisible();
});

test('every Cancel and every × leads back to the list with its filters', async ({ adminPage: page, tenant }) => {
  await tenant.key('Airflow');
  const keys = new ConsolePage(page);
  const list = '/tenant-api-keys?status=active&q=air&sort=name';
  await page.goto(list);
  for (const [verb, dialog] of [['Edit', keys.editDialog()], ['Rotate', keys.rotateDialog()], ['Revoke', keys.revokeDialog()]] as const) {
    for (const way of ['Cancel', 'Close']) {
      await keys.action(verb, 'Airflow').click();
      await dialog.getByRole('link', { name: way, exact: true }).click();
      await expect(page).toHaveURL(list);
      await expect(dialog).toHaveCount(0);
    }
  }
  await page.goto('/tenant-api-keys/new');
  await page.getByRole('link', { name: 'Cancel', exact: true }).click();
  await expect(page).toHaveURL('/tenant-api-keys');
  await expect(keys.row('Airflow')).toContainText('Active');
});

test('every form keeps the tenant of a super user', async ({ context, browserLog, page, server, tenant }) => {
  browserLog.expectStatus(422);
  browserLog.expectStatus(409);
  await signIn(context, server.origin, await createPerson(server, 'super_user'));
  const inTenant = `tenant=${tenant.slug}`;
  const key = await tenant.key('ERP nightly sync');
  const keys = new ConsolePage(page);
  const shown = new SecretPage(page);
  await page.goto(`/tenants?q=${tenant.slug}`);
  await page.getByRole('link', { name: `Open ${tenant.name}`, exact: true }).click();

  await keys.generateLink().click();
  await keys.submit().click();
  await expect(page).toHaveURL(`/tenant-api-keys/new?${inTenant}`);
  await expect(page.getByRole('alert')).toContainText('Must be 2–200 characters');
  await keys.fill({ name: 'Made by the operator', group: tenant.group });
  const secret = await shown.from(() => keys.submit().click());
  expect(JSON.parse((await whoami(server.origin, secret)).body).tenant.slug).toBe(tenant.slug);
  await page.reload();
  await page.getByRole('link', { name: 'Go to API Keys' }).click();
  await expect(page).toHaveURL(`/tenant-api-keys?${inTenant}`);

  await keys.action('Edit', 'ERP nightly sync').click();
  await keys.name().fill('x');
  await keys.save().click();
  await keys.name().fill('ERP hourly sync');
  await keys.save().click();
  await expect(page).toHaveURL(`/tenant-api-keys?${inTenant}`);
  await expect(keys.row('ERP hourly sync')).toBeVisible();

  await keys.action('Rotate', 'ERP hourly sync').click();
  await shown.from(() => keys.rotateDialog().getByRole('button', { name: 'Rotate', exact: true }).click());
  await shown.close().click();
  await expect(page).toHaveURL(`/tenant-api-keys?${inTenant}`);

  await keys.action('Revoke', 'ERP hourly sync').click();
  await expect(page).toHaveURL(`/tenant-api-keys/${key.id}/revoke?${inTenant}`);
  await keys.revokeDialog().getByRole('button', { name: 'Revoke', exact: true }).click();
  await expect(page).toHaveURL(`/tenant-api-keys?${inTenant}`);
  await expect(keys.row('ERP hourly sync')).toContainText('Revoked');

  await keys.search().fill('operator');
  await keys.search().press('Enter');
  await expect(page).toHaveURL(`/tenant-api-keys?q=operator&${inTenant}`);
  await expect(keys.names()).toHaveText(['Made by the operator']);
});

test('a form after the session has ended leads to sign-in and changes nothing', async ({ adminPage: page, context, server, tenant }) => {
  const keys = new ConsolePage(page);
  await page.goto('/tenant-api-keys/new');
  await keys.fill({ name: 'Too late', group: tenant.group });
  await context.clearCookies();
  await keys.submit().click();
  await expect(page).toHaveURL('/sign-in?return_to=%2Ftenant-api-keys%2Fnew');
  expect(await tableOf(server, tenant.slug)).toEqual([]);
});

test('a form from another site, or with extra or missing fields, changes nothing', async ({ adminPage: page, context, server, tenant }) => {
  await page.goto('/tenant-api-keys/new');
  const id = await page.locator('input[name=form_id]').inputValue();
  const group = await new ConsolePage(page).group().getByRole('option', { name: tenant.group }).getAttribute('value');
  const cookie = (await context.cookies(server.origin)).map(({ name, value }) => `${name}=${value}`).join('; ');
  const fields = { form_id: id, name: 'Planted', description: '', authorization_group_id: group ?? '', expires_on: '', ip_allowlist: '' };
  const post = (body: Record<string, string>, headers: Record<string, string>) =>
    send(`${server.origin}/tenant-api-keys/new`, {
      method: 'POST',
      headers: { Cookie: cookie, 'Content-Type': 'application/x-www-form-urlencoded', ...headers },
      body: new URLSearchParams(body).toString(),
    });
  const own = { Origin: server.origin };
  expect((await post(fields, { Origin: 'https://attacker.example' })).status).toBe(403);
  expect((await post(fields, { 'Sec-Fetch-Site': 'cross-site' })).status).toBe(403);
  expect((await post(fields, {})).status).toBe(403);
  const { form_id: _form_id, ...less } = fields;
  expect((await post(less, own)).status).toBe(422);
  expect((await post({ ...fields, tenant: 'acme' }, own)).status).toBe(422);
  expect((await post({ ...fields, form_id: 'not-an-id' }, own)).status).toBe(422);
  expect(await tableOf(server, tenant.slug)).toEqual([]);
  // The same form unchanged is accepted.
  expect((await post(fields, own)).status).toBe(200);
  expect((await post(fields, own)).status).toBe(409);
  expect(await tableOf(server, tenant.slug)).toHaveLength(1);
});

stockedTest('filters, search, sorting and pages are links and a form', async ({ browserLog, openContext, server, stocked, tenant }) => {
  for (const complaint of UNUSED) browserLog.expect(complaint);
  const context = await openContext(WITHOUT_SCRIPT);
  const page = await context.newPage();
  const keys = new ConsolePage(page);
  await signIn(context, server.origin, tenant.administrator);
  await page.goto('/tenant-api-keys');
  await keys.segment('Status', 'Revoked').click();
  await keys.segment('Expiration', 'Expired').click();
  await expect(page).toHaveURL('/tenant-api-keys?status=revoked&expiration=expired');
  await expect(keys.names()).toHaveText(['Hotfix-bot']);
  await expect(keys.currentSegment('Status')).toHaveText(['Revoked']);
  await page.goBack();
  await expect(keys.names()).toHaveText(namesOf(({ status }) => status === 'revoked'));
  await keys.head('Name').getByRole('link').click();
  await keys.search().fill('100%');
  await keys.search().press('Enter');
  await expect(keys.names()).toHaveText(['Grafana 100%']);
  expect(Object.fromEntries(new URL(page.url()).searchParams)).toEqual({ q: '100%', status: 'revoked', sort: 'name' });
  await keys.search().fill('no such key');
  await keys.search().press('Enter');
  await keys.noMatch().getByRole('link', { name: 'Clear all filters' }).click();
  await expect(page).toHaveURL('/tenant-api-keys?sort=name');
  await page.getByRole('link', { name: '3 keys expire within 30 days' }).click();
  await expect(keys.names()).toHaveText(['ERP nightly sync', 'Data lake', 'CI smoke tests']);

  // The sheet of a narrow screen opens without script, too.
  await page.setViewportSize({ width: 375, height: 800 });
  await page.getByRole('button', { name: 'Filters', exact: true }).click();
  await keys.segment('Expiration', 'Valid').click();
  await expect(page).toHaveURL('/tenant-api-keys?status=active&expiration=valid');
  await page.setViewportSize({ width: 1280, height: 800 });

  await context.clearCookies();
  await signIn(context, server.origin, stocked.tenantOfMany.administrator);
  await page.goto('/tenant-api-keys');
  const all = namesOf(() => true, MANY_KEYS);
  await keys.next().click();
  await expect(keys.names()).toHaveText(all.slice(25, 50));
  await keys.next().click();
  await expect(keys.pager()).toContainText('51–60 of 60 keys');
  await keys.previous().click();
  await expect(keys.names()).toHaveText(all.slice(25, 50));
});
