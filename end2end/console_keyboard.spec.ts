// The key's page, the audit log and the authorization groups with the keyboard only.

import { expect, signIn } from './fixtures';
import { tabTo, test } from './support/keyboard';
import { whoami } from './support/request';

test('a key’s page, the audit log and the groups are used by keyboard, with a visible focus', async ({ keyboardPage: page, context, server, tenant }) => {
  const key = await tenant.key('ERP nightly sync');
  expect((await whoami(server.origin, key.secret)).status).toBe(200);
  await signIn(context, server.origin, tenant.administrator);
  const { keyboard } = page;
  const press = async (name: string, role: 'link' | 'button' = 'link'): Promise<void> => {
    await tabTo(page, page.getByRole('main').getByRole(role, { name, exact: true }));
    await keyboard.press('Enter');
  };

  // The key's page: the numbers as a table, a question, and the way to its events.
  const summary = page.locator('summary').filter({ hasText: 'Show the numbers as a table' });
  // Uses are written every 5 seconds.
  await expect(async () => {
    await page.goto(`/tenant-api-keys/${key.id}`);
    await expect(summary).toBeVisible({ timeout: 100 });
  }).toPass({ timeout: 20_000 });
  await tabTo(page, summary);
  await keyboard.press('Enter');
  await expect(page.getByRole('region', { name: 'Usage, last 30 days' }).getByRole('table')).toBeVisible();
  await tabTo(page, page.getByLabel('From address', { exact: true }));
  await keyboard.type('192.0.2.7');
  await tabTo(page, page.getByLabel(/^Permission/));
  await keyboard.type('orders:delete');
  await press('Check', 'button');
  await expect(page.getByRole('region', { name: 'Would it pass?' }).getByRole('status')).toContainText('Refused: 403 missing_permission');
  await expect(page).toHaveURL((url) => url.searchParams.get('ip') === '192.0.2.7' && url.searchParams.get('permission') === 'orders:delete');
  const history = page.getByRole('region', { name: 'History', exact: true }).getByRole('link', { name: 'Open in the Audit Log' });
  await tabTo(page, history);
  await keyboard.press('Enter');

  // The audit log: an entry, a filter, and its removal.
  await expect(page).toHaveURL(`/audit-log?key_id=${key.id}`);
  const entry = page.getByRole('main').locator('details').first();
  await tabTo(page, entry.locator('summary'));
  await keyboard.press('Enter');
  await expect(entry.getByText('Event ID')).toBeVisible();
  await tabTo(page, entry.getByRole('link', { name: 'Only events by the command line' }));
  await keyboard.press('Enter');
  await expect(page).toHaveURL('/audit-log?actor=cli');
  const action = page.getByRole('combobox', { name: 'Action' });
  await tabTo(page, action);
  await keyboard.type('Key revoked');
  await expect(action.getByRole('option', { selected: true })).toHaveText('Key revoked');
  await press('Apply', 'button');
  await expect(page.getByRole('heading', { name: 'No event matches these filters' })).toBeVisible();
  await press('Clear all filters');
  await expect(page).toHaveURL('/audit-log');

  // The groups: create, edit with the effect, a refused and a successful deletion.
  const menu = page.getByRole('navigation').getByRole('link', { name: 'Authorization Groups', exact: true });
  await tabTo(page, menu);
  await keyboard.press('Enter');
  await expect(page).toHaveURL('/authorization-groups');
  await press('New group');
  await tabTo(page, page.getByLabel('Name', { exact: true }));
  await keyboard.type('Stock');
  await tabTo(page, page.getByLabel('Permissions', { exact: true }));
  await keyboard.type('stock:read');
  await press('Create group', 'button');
  await expect(page.getByRole('status').filter({ hasText: 'Created Stock.' })).toBeVisible();
  await press(`Edit ${tenant.group}`);
  await expect(page.getByText(/^1 key has this group; .*used in the last 7 days\.$/)).toBeVisible();
  await press('Check', 'button');
  await press('Save', 'button');
  await expect(page).toHaveURL(/^[^?]*\/authorization-groups(\?|$)/);
  await press(`Delete ${tenant.group}`);
  await expect(page.getByRole('paragraph').filter({ hasText: 'cannot be deleted' })).toContainText('ERP nightly sync');
  await press('Back to the groups');
  await press('Delete Stock');
  await press('Delete', 'button');
  await expect(page.getByRole('status').filter({ hasText: 'The group was deleted.' })).toBeVisible();
});
