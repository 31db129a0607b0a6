// Editing a key, alone and concurrently.

import type { Page } from '@playwright/test';

import { ConsolePage, open } from './console_page';
import { whoami } from './support/request';
import { type IssuedKey, type Person, daysFromToday, expect, signIn, test } from './fixtures';

/** Returns the current fields of a key from `GET /whoami`. */
async function fields(origin: string, { secret }: IssuedKey): Promise<Record<string, unknown>> {
  const { status, body } = await whoami(origin, secret);
  expect(status).toBe(200);
  return JSON.parse(body);
}

test('an edit of name, description, group and allowlist shows in the row and applies to the next request', async ({ adminPage, server, tenant }) => {
  await tenant.addGroup('Reports', ['reports:read']);
  const expires = daysFromToday(90);
  const key = await tenant.key('ERP nightly sync', { description: 'Ask Jonas', expires });
  await tenant.key('Zapier');
  const before = await fields(server.origin, key);

  const keys = new ConsolePage(adminPage);
  await keys.openList();
  await keys.action('Edit', 'ERP nightly sync').click();
  await expect(adminPage).toHaveURL(`/tenant-api-keys/${key.id}/edit`);
  await expect(adminPage).toHaveTitle('Edit API Key – Latchkey');
  await expect(keys.name()).toHaveValue('ERP nightly sync');
  await expect(keys.name()).toBeFocused();
  await expect(keys.description()).toHaveValue('Ask Jonas');
  await expect(keys.group().getByRole('option', { selected: true })).toHaveText(tenant.group);
  await expect(keys.allowlist()).toHaveValue('');

  await keys.fill({ name: '  ERP hourly sync ', description: 'Ask Mira', group: 'Reports', allowlist: '127.0.0.1\n10.1.2.3/8' });
  await keys.save().click();
  await expect(keys.editDialog()).toBeHidden();
  // In effect when the response arrives, not later.
  const after = await fields(server.origin, key);
  expect(after).toMatchObject({
    name: 'ERP hourly sync',
    description: 'Ask Mira',
    authorization_group: { name: 'Reports' },
    permissions: ['reports:read'],
    ip_allowlist: ['127.0.0.1/32', '10.0.0.0/8'],
  });
  for (const kept of ['id', 'hint', 'expires_on', 'created_at', 'rotated_at', 'status']) {
    expect(after[kept], kept).toEqual(before[kept]);
  }

  await expect(adminPage).toHaveURL('/tenant-api-keys');
  const row = keys.row('ERP hourly sync');
  await expect(row).toContainText('Ask Mira');
  await expect(row).toContainText('Reports');
  await expect(row).toContainText(key.hint);
  await expect(row.locator(`time[datetime="${expires}"]`)).toBeVisible();
  await expect(keys.names()).toHaveText(['Zapier', 'ERP hourly sync']);
  await expect(keys.action('Edit', 'ERP hourly sync')).toBeFocused();
  await adminPage.reload();
  await expect(keys.row('ERP hourly sync')).toContainText('Ask Mira');
});

test('an allowlist without the caller refuses its next request', async ({ adminPage, server, tenant }) => {
  const key = await tenant.key('Warehouse');
  expect((await whoami(server.origin, key.secret)).status).toBe(200);
  const keys = new ConsolePage(adminPage);
  await open(adminPage, `/tenant-api-keys/${key.id}/edit`);
  await keys.allowlist().fill('192.0.2.0/24');
  await expect(keys.editDialog()).toContainText('You are connecting from 127.0.0.1, which this list would refuse.');
  await keys.save().click();
  await expect(keys.editDialog()).toBeHidden();
  const refused = await whoami(server.origin, key.secret);
  expect(refused.status).toBe(403);
  expect(JSON.parse(refused.body).code).toBe('ip_not_allowed');

  await keys.action('Edit', 'Warehouse').click();
  await expect(keys.allowlist()).toHaveValue(/^192\.0\.2\.0\/24\n?$/);
  await keys.allowlist().fill('');
  await keys.save().click();
  await expect(keys.editDialog()).toBeHidden();
  expect((await whoami(server.origin, key.secret)).status).toBe(200);
});

test('each invalid field shows its message and keeps its input', async ({ adminPage, server, tenant }) => {
  const key = await tenant.key('Airflow');
  const keys = new ConsolePage(adminPage);
  await open(adminPage, `/tenant-api-keys/${key.id}/edit`);
  const wrong = { name: 'x', description: 'd'.repeat(1_001), allowlist: '192.0.2.7\n\n10.0.0.0/33' };

  // Checked on blur, and then on each keystroke.
  await keys.name().fill(wrong.name);
  await expect(keys.name()).not.toHaveAttribute('aria-invalid', 'true');
  await keys.name().blur();
  await expect(keys.name()).toHaveAccessibleDescription(/Must be 2–200 characters/);
  await keys.name().fill('xy');
  await expect(keys.name()).not.toHaveAttribute('aria-invalid', 'true');

  await keys.fill(wrong);
  await expect(adminPage.getByText('1,001/1,000', { exact: true })).toBeVisible();
  await keys.group().selectOption({ label: 'Choose a group' });
  await keys.save().click();
  const summary = keys.editDialog().getByRole('alert');
  await expect(summary).toBeFocused();
  await expect(summary.getByRole('link')).toHaveText([
    'Key Name: Must be 2–200 characters',
    'Description: Must be at most 1,000 characters',
    'Authorization Group: Choose an authorization group',
    "IP Allowlist: Line 3: '10.0.0.0/33' is not an IP address or CIDR range",
  ]);
  for (const field of [keys.name(), keys.description(), keys.group(), keys.allowlist()]) {
    await expect(field).toHaveAttribute('aria-invalid', 'true');
  }
  await expect(keys.name()).toHaveValue(wrong.name);
  await expect(keys.description()).toHaveValue(wrong.description);
  await expect(keys.allowlist()).toHaveValue(wrong.allowlist);
  await summary.getByRole('link', { name: /^IP Allowlist/ }).click();
  await expect(keys.allowlist()).toBeFocused();
  expect(await fields(server.origin, key)).toMatchObject({ name: 'Airflow', ip_allowlist: [] });
});

test('closing a dialog with unsaved input asks first, closing one without does not', async ({ adminPage, server, tenant }) => {
  const key = await tenant.key('Shopify connector', { expires: daysFromToday(90), description: 'Ask Mira', allow: ['127.0.0.0/8'] });
  const keys = new ConsolePage(adminPage);
  await keys.openList();
  const opener = keys.action('Edit', 'Shopify connector');
  const leave = async (way: 'Escape' | 'Cancel' | 'Close'): Promise<void> => {
    if (way === 'Escape') await adminPage.keyboard.press('Escape');
    else await keys.editDialog().getByRole('link', { name: way, exact: true }).click();
  };

  for (const way of ['Escape', 'Cancel', 'Close'] as const) {
    await opener.click();
    await expect(keys.name()).toBeFocused();
    await leave(way);
    await expect(keys.editDialog(), `${way}, nothing typed`).toBeHidden();
    await expect(adminPage).toHaveURL('/tenant-api-keys');
    await expect(opener).toBeFocused();
  }

  for (const way of ['Escape', 'Cancel', 'Close'] as const) {
    await opener.click();
    await keys.name().fill(`Typed before ${way}`);
    await leave(way);
    await expect(keys.discardQuestion()).toBeVisible();
    await expect(keys.discardQuestion().getByRole('button', { name: 'Keep editing', exact: true })).toBeFocused();
    await keys.discardQuestion().getByRole('button', { name: 'Keep editing', exact: true }).click();
    await expect(keys.name()).toHaveValue(`Typed before ${way}`);
    await expect(keys.name()).toBeFocused();
    await leave(way);
    await keys.discardQuestion().getByRole('button', { name: 'Discard', exact: true }).click();
    await expect(keys.editDialog()).toBeHidden();
    await expect(adminPage).toHaveURL('/tenant-api-keys');
    await expect(opener).toBeFocused();
  }

  // Input that was reverted does not count as unsaved.
  await opener.click();
  await keys.name().fill('Something else');
  await keys.name().fill('Shopify connector');
  await leave('Escape');
  await expect(keys.editDialog()).toBeHidden();
  expect(await fields(server.origin, key)).toMatchObject({ name: 'Shopify connector', description: 'Ask Mira' });
});

test('the dialog has no field for the expiration date and no secret', async ({ adminPage, tenant }) => {
  const key = await tenant.key('Grafana', { expires: daysFromToday(12) });
  const keys = new ConsolePage(adminPage);
  const response = await adminPage.goto(`/tenant-api-keys/${key.id}/edit`);
  expect(await response?.text()).not.toContain(key.secret);
  await keys.openList('?status=active');
  await keys.action('Edit', 'Grafana').click();
  await expect(keys.editDialog()).toBeVisible();
  await expect(keys.editDialog().locator('input[type=date], time')).toHaveCount(0);
  await expect(keys.editDialog()).not.toContainText(/secret/i);
  // The expiration date is text, with a link to the dialog that changes it.
  await expect(keys.editDialog()).toContainText(/Expires \d+ \w+ \d{4}\. Rotate to change it\./);
  await expect(adminPage).toHaveURL(`/tenant-api-keys/${key.id}/edit?status=active`);
  await adminPage.goBack();
  await expect(keys.editDialog()).toBeHidden();
  await expect(adminPage).toHaveURL('/tenant-api-keys?status=active');
});

test('the link to Rotate replaces the dialog, and closing leads to the list', async ({ adminPage, tenant }) => {
  const key = await tenant.key('Grafana');
  const keys = new ConsolePage(adminPage);
  await keys.openList('?status=active');
  await keys.action('Edit', 'Grafana').click();
  await keys.editDialog().getByRole('link', { name: 'Rotate', exact: true }).click();
  await expect(adminPage).toHaveURL(`/tenant-api-keys/${key.id}/rotate?status=active`);
  await expect(keys.rotateDialog()).toBeVisible();
  await keys.rotateDialog().getByRole('link', { name: 'Cancel', exact: true }).click();
  await expect(adminPage).toHaveURL('/tenant-api-keys?status=active');
  await expect(adminPage.getByRole('dialog')).toHaveCount(0);
});

test('a key that was revoked meanwhile shows one message and no Save', async ({ adminPage, browserLog, server, tenant }) => {
  browserLog.expectStatus(409);
  const key = await tenant.key('Shopify connector');
  const jonas = await tenant.anotherAdministrator('Jonas Weber');
  const other = await openAs(await adminPage.context().browser()!.newContext().then((context) => context.newPage()), server.origin, jonas, key);
  const keys = new ConsolePage(adminPage);
  await open(adminPage, `/tenant-api-keys/${key.id}/edit`);
  await other.description().fill('Theirs');
  await other.save().click();
  await expect(other.editDialog()).toBeHidden();
  await keys.description().fill('Mine');
  await keys.save().click();
  await expect(keys.conflict()).toBeVisible();
  expect((await server.run(['key', 'revoke', key.id])).code).toBe(0);
  await keys.saveAnyway().click();
  await expect(keys.editDialog().getByRole('alert')).toHaveText(/This key is revoked\./);
  await expect(keys.editDialog().getByRole('button', { name: /^Save/ })).toHaveCount(0);
  await keys.editDialog().getByRole('link', { name: 'Close', exact: true }).last().click();
  await expect(keys.editDialog()).toBeHidden();
  await expect(keys.row('Shopify connector')).toContainText('Revoked');
  await other.page.context().close();
});

/** Signs a person in on a new page and opens the key's dialog. */
async function openAs(page: Page, origin: string, person: Person, key: IssuedKey): Promise<ConsolePage> {
  await signIn(page.context(), origin, person);
  await open(page, `/tenant-api-keys/${key.id}/edit`);
  const keys = new ConsolePage(page);
  await expect(keys.editDialog()).toBeVisible();
  return keys;
}

test('p48: the second of two concurrent edits sees who saved first, keeps its input and can save anyway', async ({
  openContext,
  page,
  server,
  tenant,
}) => {
  await tenant.addGroup('Reports', ['reports:read']);
  const key = await tenant.key('ERP nightly sync', { description: 'Ask Jonas', expires: daysFromToday(90) });
  const jonas = await tenant.anotherAdministrator('Jonas Weber');
  const second = await openAs(page, server.origin, tenant.administrator, key);
  const first = await openAs(await (await openContext()).newPage(), server.origin, jonas, key);

  await second.fill({ name: 'Typed by Mira', allowlist: '127.0.0.1' });
  await first.fill({ name: 'Typed by Jonas', description: '', group: 'Reports' });
  await first.save().click();
  await expect(first.editDialog()).toBeHidden();

  await second.save().click();
  await expect(second.conflict()).toContainText('Jonas Weber changed this key while you were editing.');
  await expect(second.conflict()).toContainText('What you typed is kept.');
  await expect(second.conflict()).toContainText('Typed by Jonas');
  await expect(second.conflict()).toContainText('Description is now empty.');
  await expect(second.conflict()).toContainText('Reports');
  await expect(second.conflict()).toBeFocused();
  // The input is neither saved nor lost.
  expect(await fields(server.origin, key)).toMatchObject({ name: 'Typed by Jonas', ip_allowlist: [] });
  await expect(second.name()).toHaveValue('Typed by Mira');
  await expect(second.description()).toHaveValue('Ask Jonas');
  await expect(second.allowlist()).toHaveValue('127.0.0.1');
  await expect(second.save()).toHaveCount(0);

  await second.saveAnyway().click();
  await expect(second.editDialog()).toBeHidden();
  expect(await fields(server.origin, key)).toMatchObject({
    name: 'Typed by Mira',
    description: 'Ask Jonas',
    authorization_group: { name: tenant.group },
    ip_allowlist: ['127.0.0.1/32'],
  });
  await expect(second.row('Typed by Mira')).toBeVisible();
});

test('p48: the second edit can take over the first one, and a third change is a new conflict', async ({ openContext, page, server, tenant }) => {
  const key = await tenant.key('ERP nightly sync', { description: 'Ask Jonas', expires: daysFromToday(90) });
  const jonas = await tenant.anotherAdministrator('Jonas Weber');
  const second = await openAs(page, server.origin, tenant.administrator, key);
  const first = await openAs(await (await openContext()).newPage(), server.origin, jonas, key);
  const changeFirst = async (name: string): Promise<void> => {
    await open(first.page, `/tenant-api-keys/${key.id}/edit`);
    await first.fill({ name, allowlist: '127.0.0.0/8\n::1' });
    await first.save().click();
    await expect(first.editDialog()).toBeHidden();
  };

  await second.fill({ name: 'Typed by Mira', description: 'Ask Mira' });
  await changeFirst('Typed by Jonas');
  await second.save().click();
  await expect(second.conflict()).toContainText('Typed by Jonas');
  await changeFirst('Typed by Jonas again');
  await second.saveAnyway().click();
  await expect(second.conflict()).toContainText('Typed by Jonas again');
  await expect(second.name()).toHaveValue('Typed by Mira');

  await second.conflict().getByRole('link', { name: 'Use theirs', exact: true }).click();
  await expect(second.conflict()).toHaveCount(0);
  await expect(second.name()).toHaveValue('Typed by Jonas again');
  await expect(second.name()).toBeFocused();
  await expect(second.description()).toHaveValue('Ask Jonas');
  await expect(second.allowlist()).toHaveValue(/^127\.0\.0\.0\/8\n::1\/128\n?$/);
  // The dialog now shows the saved values: it can be closed without a question, or edited.
  await second.description().fill('Ask both');
  await second.save().click();
  await expect(second.editDialog()).toBeHidden();
  expect(await fields(server.origin, key)).toMatchObject({
    name: 'Typed by Jonas again',
    description: 'Ask both',
    ip_allowlist: ['127.0.0.0/8', '::1/128'],
  });
});

test('p48: equal edits, or one form sent twice, are no conflict', async ({ openContext, page, server, tenant }) => {
  const key = await tenant.key('Zapier');
  const jonas = await tenant.anotherAdministrator('Jonas Weber');
  const second = await openAs(page, server.origin, tenant.administrator, key);
  const first = await openAs(await (await openContext()).newPage(), server.origin, jonas, key);
  for (const keys of [first, second]) {
    await keys.name().fill('Zapier production');
    await keys.save().click();
    await expect(keys.editDialog()).toBeHidden();
    await expect(keys.row('Zapier production')).toBeVisible();
  }
});

test('an edit of a key that was revoked meanwhile is refused with a message', async ({ adminPage, browserLog, server, tenant }) => {
  browserLog.expectStatus(409);
  const key = await tenant.key('Contractor laptop');
  const keys = new ConsolePage(adminPage);
  await open(adminPage, `/tenant-api-keys/${key.id}/edit`);
  await keys.name().fill('Typed with care');
  expect((await server.run(['key', 'revoke', key.id])).code).toBe(0);
  await keys.save().click();
  await expect(keys.editDialog().getByRole('alert')).toContainText('This key is revoked. Nothing re-activates a revoked key.');
  await expect(keys.name()).toHaveValue('Typed with care');

  await open(adminPage, `/tenant-api-keys/${key.id}/edit`);
  await expect(keys.editDialog()).toContainText('This key is revoked. Nothing re-activates a revoked key.');
  await expect(keys.name()).toHaveCount(0);
  await keys.editDialog().getByRole('link', { name: 'Close', exact: true }).click();
  await expect(adminPage).toHaveURL('/tenant-api-keys');
  // A revoked key has no actions: its only link is its name.
  await expect(keys.row('Contractor laptop').getByRole('link')).toHaveText(['Contractor laptop']);
});

test('a session that ends under an open dialog keeps the input', async ({ adminPage, context, browserLog, server, tenant }) => {
  browserLog.expectStatus(401);
  const key = await tenant.key('Billing export');
  const keys = new ConsolePage(adminPage);
  await open(adminPage, `/tenant-api-keys/${key.id}/edit`);
  await keys.name().fill('Typed with care');
  const { email, password } = tenant.administrator;
  expect((await server.run(['user', 'set-password', '--email', email, '--password-stdin'], `${password}\n`)).code).toBe(0);
  await keys.save().click();
  await expect(keys.editDialog().getByRole('alert')).toContainText('Your session has ended.');
  await expect(keys.name()).toHaveValue('Typed with care');
  await signIn(context, server.origin, tenant.administrator);
  await keys.save().click();
  await expect(keys.editDialog()).toBeHidden();
  await expect(keys.row('Typed with care')).toBeVisible();
});
