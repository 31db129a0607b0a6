// An administrator replaces a key's secret.

import { ConsolePage, open } from './console_page';
import { whoami } from './support/request';
import { daysFromToday, expect, test } from './fixtures';

test('after rotating, the next requests are refused with the old secret and accepted with the new one', async ({ adminPage, context, server, tenant }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: server.origin });
  const key = await tenant.key('ERP nightly sync', { allow: ['127.0.0.0/8'] });
  const before = await whoami(server.origin, key.secret);
  expect(before.status).toBe(200);

  const keys = new ConsolePage(adminPage);
  await keys.openList();
  await keys.row('ERP nightly sync').getByRole('link', { name: 'Rotate ERP nightly sync' }).click();
  await expect(adminPage).toHaveURL(`/tenant-api-keys/${key.id}/rotate`);
  const dialog = keys.rotateDialog();
  await expect(dialog).toHaveAccessibleName('Rotate API key ERP nightly sync');
  await expect(dialog).toContainText('ERP nightly sync');
  await expect(dialog).toContainText('All applications using the current secret lose access immediately.');
  await expect(dialog).toContainText(key.hint);
  await expect(dialog.getByRole('link', { name: 'Cancel', exact: true })).toBeFocused();
  await expect(keys.expires()).toHaveValue('');

  await dialog.getByRole('button', { name: 'Rotate', exact: true }).click();
  const secret = await keys.readSecret();
  const [old, fresh] = [await whoami(server.origin, key.secret), await whoami(server.origin, secret)];
  expect(old.status).toBe(401);
  expect(JSON.parse(old.body).code).toBe('invalid_api_key');
  expect(fresh.status).toBe(200);
  // All fields but the secret are unchanged.
  const kept = ['id', 'name', 'description', 'expires_on', 'ip_allowlist', 'authorization_group', 'created_at', 'status'];
  const pick = (body: string): unknown => Object.fromEntries(kept.map((field) => [field, JSON.parse(body)[field]]));
  expect(pick(fresh.body)).toEqual(pick(before.body));
  expect(secret).not.toBe(key.secret);

  await keys.copy().click();
  await expect(keys.copied()).toBeVisible();
  expect(await adminPage.evaluate(() => navigator.clipboard.readText())).toBe(secret);
  await keys.close().click();
  await expect(keys.secretDialog()).toBeHidden();
  await expect(adminPage).toHaveURL('/tenant-api-keys');
  await expect(keys.row('ERP nightly sync')).toContainText(`lk_…${secret.slice(-4)}`);
  await expect(keys.counter('1/10 keys')).toBeVisible();
});

test('cancelling rotates nothing and returns to the list with the focus on the button', async ({ adminPage, server, tenant }) => {
  const key = await tenant.key('Zapier');
  const keys = new ConsolePage(adminPage);
  await keys.openList();
  const opener = keys.row('Zapier').getByRole('link', { name: 'Rotate Zapier' });
  for (const leave of ['Cancel', 'Close', 'Escape', 'Back'] as const) {
    await opener.click();
    await expect(keys.rotateDialog()).toBeVisible();
    if (leave === 'Escape') await adminPage.keyboard.press('Escape');
    else if (leave === 'Back') await adminPage.goBack();
    else await keys.rotateDialog().getByRole('link', { name: leave, exact: true }).click();
    await expect(keys.rotateDialog()).toBeHidden();
    await expect(adminPage).toHaveURL('/tenant-api-keys');
    if (leave !== 'Back') await expect(opener).toBeFocused();
  }
  expect((await whoami(server.origin, key.secret)).status).toBe(200);
});

test('the rotate dialog offers the current expiry, which can be kept, changed or removed', async ({ adminPage, server, tenant }) => {
  const current = daysFromToday(10);
  const key = await tenant.key('CI smoke tests', { expires: current });
  const keys = new ConsolePage(adminPage);
  const later = daysFromToday(60);

  for (const [typed, expected] of [
    [undefined, current],
    [later, later],
    ['', null],
  ] as const) {
    await open(adminPage, `/tenant-api-keys/${key.id}/rotate`);
    if (typed === undefined) await expect(keys.expires()).toHaveValue(current);
    else await keys.expires().fill(typed);
    await keys.rotateDialog().getByRole('button', { name: 'Rotate', exact: true }).click();
    const secret = await keys.readSecret();
    expect(JSON.parse((await whoami(server.origin, secret)).body).expires_on).toBe(expected);
    await keys.copyAndClose();
  }
  await expect(keys.row('CI smoke tests')).toContainText('Never');
});

test('a date that is not in the future is refused, and the old secret still works', async ({ adminPage, server, tenant }) => {
  const key = await tenant.key('Airflow');
  const keys = new ConsolePage(adminPage);
  await open(adminPage, `/tenant-api-keys/${key.id}/rotate`);
  await keys.expires().fill(daysFromToday(0));
  await keys.rotateDialog().getByRole('button', { name: 'Rotate', exact: true }).click();
  await expect(keys.expires()).toHaveAttribute('aria-invalid', 'true');
  await expect(keys.expires()).toHaveAccessibleDescription(/Must be a future date/);
  await expect(keys.expires()).toHaveValue(daysFromToday(0));
  expect((await whoami(server.origin, key.secret)).status).toBe(200);
});

test('the dialog shows when and from where the current secret was last used', async ({ adminPage, server, tenant }) => {
  const key = await tenant.key('Metabase dashboards');
  const keys = new ConsolePage(adminPage);
  await open(adminPage, `/tenant-api-keys/${key.id}/rotate`);
  await expect(keys.rotateDialog()).toContainText(/Last used\s*Never/);
  expect((await whoami(server.origin, key.secret)).status).toBe(200);
  // Last use is written within 5 seconds.
  await expect(async () => {
    await adminPage.reload();
    await expect(keys.rotateDialog()).toContainText('from 127.0.0.1', { timeout: 1_000 });
  }).toPass({ timeout: 15_000 });
});

test('a key that was revoked meanwhile is not rotated', async ({ adminPage, browserLog, server, tenant }) => {
  browserLog.expectStatus(409);
  const key = await tenant.key('Shopify connector');
  const keys = new ConsolePage(adminPage);
  await open(adminPage, `/tenant-api-keys/${key.id}/rotate`);
  expect((await server.run(['key', 'revoke', key.id])).code).toBe(0);
  await keys.rotateDialog().getByRole('button', { name: 'Rotate', exact: true }).click();
  await expect(adminPage.getByRole('alert')).toContainText(/revoked/i);
  await expect(keys.secretDialog()).toBeHidden();
});
