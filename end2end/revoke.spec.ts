// Revoking a key, which is permanent.

import { ConsolePage, open } from './console_page';
import { whoami } from './support/request';
import { expect, test } from './fixtures';

test('revoking a key refuses its next request, and the row shows Revoked', async ({ adminPage, server, tenant }) => {
  const key = await tenant.key('Zapier');
  await tenant.key('ERP nightly sync');
  const keys = new ConsolePage(adminPage);
  await keys.openList();
  await expect(keys.counter('2/10 keys')).toBeVisible();
  await keys.row('Zapier').getByRole('link', { name: 'Revoke Zapier' }).click();
  await expect(adminPage).toHaveURL(`/tenant-api-keys/${key.id}/revoke`);
  const dialog = keys.revokeDialog();
  await expect(
    dialog.getByText(
      'Are you sure you want to revoke the API key Zapier? This action cannot be undone and any applications using this key will lose access immediately.',
    ),
  ).toBeVisible();
  await expect(dialog).toContainText(key.hint);
  await expect(dialog.getByRole('link', { name: 'Cancel', exact: true })).toBeFocused();
  expect((await whoami(server.origin, key.secret)).status).toBe(200);

  await dialog.getByRole('button', { name: 'Revoke', exact: true }).click();
  await expect(dialog).toBeHidden();
  const refused = await whoami(server.origin, key.secret);
  expect(refused.status).toBe(401);
  expect(JSON.parse(refused.body).code).toBe('revoked_api_key');

  await expect(adminPage).toHaveURL('/tenant-api-keys');
  const row = keys.row('Zapier');
  await expect(row).toContainText('Revoked');
  await expect(row).not.toContainText('Active');
  await expect(row.getByRole('link', { name: /^(Edit|Rotate|Revoke) / })).toHaveCount(0);
  await expect(row.getByRole('button')).toHaveCount(0);
  await expect(keys.counter('1/10 keys')).toBeVisible();
  // The row's button is gone, so the focus is on the page's title.
  await expect(keys.heading('API Keys')).toBeFocused();
});

test('cancelling revokes nothing', async ({ adminPage, server, tenant }) => {
  const key = await tenant.key('Metabase dashboards');
  const keys = new ConsolePage(adminPage);
  await keys.openList();
  const opener = keys.row('Metabase dashboards').getByRole('link', { name: 'Revoke Metabase dashboards' });
  for (const leave of ['Cancel', 'Escape'] as const) {
    await opener.click();
    await expect(keys.revokeDialog()).toBeVisible();
    if (leave === 'Escape') await adminPage.keyboard.press('Escape');
    else await keys.revokeDialog().getByRole('link', { name: leave, exact: true }).click();
    await expect(keys.revokeDialog()).toBeHidden();
    await expect(adminPage).toHaveURL('/tenant-api-keys');
    await expect(opener).toBeFocused();
  }
  await expect(keys.row('Metabase dashboards')).toContainText('Active');
  expect((await whoami(server.origin, key.secret)).status).toBe(200);
});

test('the revoke dialog has a URL that can be opened and reloaded, and leads back to the list', async ({ adminPage, tenant }) => {
  const key = await tenant.key('Airflow');
  const keys = new ConsolePage(adminPage);
  await open(adminPage, `/tenant-api-keys/${key.id}/revoke`);
  await expect(keys.revokeDialog()).toBeVisible();
  await adminPage.reload();
  await expect(keys.revokeDialog()).toBeVisible();
  await open(adminPage, `/tenant-api-keys/${key.id}/revoke`);
  await keys.revokeDialog().getByRole('link', { name: 'Cancel', exact: true }).click();
  await expect(adminPage).toHaveURL('/tenant-api-keys');
  await expect(keys.row('Airflow')).toContainText('Active');
});

test('a reason can be given; one that is too long is reported and revokes nothing', async ({ adminPage, server, tenant }) => {
  const key = await tenant.key('Zapier');
  const keys = new ConsolePage(adminPage);
  await open(adminPage, `/tenant-api-keys/${key.id}/revoke`);
  const dialog = keys.revokeDialog();
  const reason = dialog.getByLabel('Reason (optional)');
  await expect(dialog.getByText('0/200', { exact: true })).toBeVisible();
  await reason.fill('x'.repeat(201));
  await expect(dialog.getByText('201/200', { exact: true })).toBeVisible();
  await dialog.getByRole('button', { name: 'Revoke', exact: true }).click();
  await expect(reason).toBeFocused();
  await expect(reason).toHaveAttribute('aria-invalid', 'true');
  await expect(reason).toHaveAccessibleDescription(/Must be at most 200 characters/);
  expect((await whoami(server.origin, key.secret)).status).toBe(200);
  await reason.fill('The supplier left');
  await dialog.getByRole('button', { name: 'Revoke', exact: true }).click();
  await expect(dialog).toBeHidden();
  const revoked = (await server.json(['key', 'list', '--tenant', tenant.slug])) as { revoked_reason?: string }[];
  expect(revoked.map((each) => each.revoked_reason)).toEqual(['The supplier left']);
});
