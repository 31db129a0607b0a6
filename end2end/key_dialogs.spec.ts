// The dialogs that the page of a key opens: each leads back to that page, which confirms the change.

import { ConsolePage, open } from './console_page';
import { hydrated } from './support/hydration';
import { toast } from './support/waiting';
import { createPerson, expect, signIn, test } from './fixtures';

test('Cancel, Save, Rotate and Revoke lead back to the page of the key', async ({ adminPage: page, tenant }) => {
  const key = await tenant.key('Zapier', { allow: ['198.51.100.0/24'] });
  const path = `/tenant-api-keys/${key.id}`;
  const keys = new ConsolePage(page);
  const press = async (name: string): Promise<void> => {
    await page.getByRole('link', { name, exact: true }).click();
    await page.waitForURL(/from=key$/);
    await hydrated(page);
  };
  await open(page, path);
  await press('Edit');
  await page.locator('#dialog').getByRole('link', { name: 'Cancel', exact: true }).click();
  await expect(page).toHaveURL(path);
  await press('Edit');
  await page.keyboard.press('Escape');
  await expect(page).toHaveURL(path);
  await expect(keys.heading('Zapier')).toBeVisible();

  await press('Edit');
  await keys.name().fill('Mobile App');
  await keys.save().click();
  await expect(page).toHaveURL(path);
  await expect(keys.heading('Mobile App')).toBeVisible();
  await expect(toast(page, 'Saved Mobile App.')).toBeVisible();
  await page.reload();
  await expect(toast(page, 'Saved Mobile App.')).toHaveCount(0);

  await press('Rotate');
  await page.locator('#dialog').getByRole('button', { name: 'Rotate', exact: true }).click();
  await keys.readSecret();
  await keys.copyAndClose();
  await expect(page).toHaveURL(path);
  await expect(toast(page, 'Rotated Mobile App. Its old secret is refused.')).toBeVisible();

  await press('Revoke');
  await page.locator('#dialog').getByRole('button', { name: 'Revoke', exact: true }).click();
  await expect(page).toHaveURL(path);
  await expect(toast(page, 'Revoked Mobile App. Its next request is refused.')).toBeVisible();
  await expect(page.getByRole('link', { name: 'Edit', exact: true })).toHaveCount(0);
});

test('a super user’s confirmations name the tenant, in the list and after a redirect', async ({ context, page, server, tenant }) => {
  const key = await tenant.key('Zapier');
  await signIn(context, server.origin, await createPerson(server, 'super_user'));
  const keys = new ConsolePage(page);
  await keys.openList(`?tenant=${tenant.slug}`);
  await keys.action('Edit', 'Zapier').click();
  await keys.save().click();
  await expect(toast(page, `${tenant.name}: Saved Zapier.`)).toBeVisible();
  await open(page, `/tenant-api-keys/${key.id}?tenant=${tenant.slug}`);
  await page.getByRole('link', { name: 'Revoke', exact: true }).click();
  await page.waitForURL(/from=key$/);
  await hydrated(page);
  await page.locator('#dialog').getByRole('button', { name: 'Revoke', exact: true }).click();
  await expect(page).toHaveURL(`/tenant-api-keys/${key.id}?tenant=${tenant.slug}`);
  await expect(toast(page, `${tenant.name}: Revoked Zapier. Its next request is refused.`)).toBeVisible();
});

test('a new group leads to the form of a key in it', async ({ adminPage: page }) => {
  const keys = new ConsolePage(page);
  await open(page, '/authorization-groups/new');
  await page.getByLabel('Name').fill('Invoices');
  await page.getByRole('textbox', { name: 'Permissions' }).fill('invoices:read');
  await page.locator('.form-actions button').click();
  await page.getByRole('link', { name: 'Generate a key in Invoices' }).click();
  await page.waitForURL(/\/tenant-api-keys\/new\?group=/);
  await hydrated(page);
  await expect(keys.group().locator('option:checked')).toHaveText('Invoices');
  // The chosen group is no typed text that a question guards.
  await page.getByRole('link', { name: 'Cancel', exact: true }).click();
  await expect(page).toHaveURL('/tenant-api-keys');
  await open(page, '/authorization-groups');
  await page.getByRole('link', { name: 'Invoices', exact: true }).click();
  await page.getByRole('link', { name: 'Generate a key in this group' }).click();
  await page.waitForURL(/\/tenant-api-keys\/new\?group=/);
  await hydrated(page);
  await keys.generate({ name: 'Billing' });
  await keys.copyAndClose();
  await expect(keys.row('Billing')).toContainText('Invoices');
});
