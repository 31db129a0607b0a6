// A tenant has used every key of its limit.

import { ConsolePage } from './console_page';
import { expect, test } from './world';

const REASON = 'You have reached your limit of 10 keys. Contact support to raise it.';

test('at 10/10 the button is disabled and says why; a revoked key frees a place', async ({ adminPage, noise, tenant }) => {
  // Pages at the limit may answer /new with a conflict.
  noise.expectStatus(409);
  for (let number = 1; number <= 10; number += 1) {
    await tenant.key(`Scanner ${number}`);
  }
  const keys = new ConsolePage(adminPage);
  await keys.openList();
  await expect(keys.counter('10/10 keys')).toBeVisible();
  await expect(adminPage.getByText(REASON)).toBeVisible();
  const button = adminPage.getByRole('button', { name: 'Generate API Key', exact: true });
  await expect(button).toHaveAttribute('aria-disabled', 'true');
  await expect(button).toHaveAccessibleDescription(REASON);
  await expect(keys.generateLink()).toHaveCount(0);
  // It can be reached, and does nothing.
  await button.focus();
  await expect(button).toBeFocused();
  await adminPage.keyboard.press('Enter');
  await adminPage.keyboard.press('Space');
  await button.click({ force: true });
  await expect(adminPage).toHaveURL('/tenant-api-keys');
  await expect(keys.heading('API Keys')).toBeVisible();

  // Who comes to the form all the same is told there.
  await keys.openForm();
  await expect(adminPage.getByText(REASON)).toBeVisible();

  await keys.openList();
  await keys.row('Scanner 7').getByRole('link', { name: 'Revoke Scanner 7' }).click();
  await keys.revokeDialog().getByRole('button', { name: 'Revoke', exact: true }).click();
  await expect(keys.counter('9/10 keys')).toBeVisible();
  await expect(adminPage.getByText(REASON)).toBeHidden();
  await keys.generateLink().click();
  await keys.generate({ name: 'Scanner 11', group: tenant.group });
});

test('a form that was open when the last place was taken says so and loses nothing', async ({ adminPage, noise, tenant }) => {
  noise.expectStatus(409);
  await tenant.setLimit(1);
  const keys = new ConsolePage(adminPage);
  await keys.openForm();
  await keys.fill({ name: 'ERP nightly sync', description: 'Typed with care', group: tenant.group, allowlist: '192.0.2.7' });
  await tenant.key('Somebody else was faster');
  await keys.submit().click();
  await expect(adminPage.getByRole('alert')).toContainText('You have reached your limit of 1 key');
  await expect(keys.name()).toHaveValue('ERP nightly sync');
  await expect(keys.description()).toHaveValue('Typed with care');
  await expect(keys.allowlist()).toHaveValue('192.0.2.7');
});

test('a limit that was lowered under what is used keeps every key', async ({ adminPage, tenant }) => {
  for (const name of ['Metabase', 'Airflow', 'Zapier']) {
    await tenant.key(name);
  }
  await tenant.setLimit(2);
  const keys = new ConsolePage(adminPage);
  await keys.openList();
  await expect(keys.counter('3/2 keys')).toBeVisible();
  await expect(keys.row('Zapier')).toContainText('Active');
  await expect(adminPage.getByText('You have reached your limit of 2 keys. Contact support to raise it.')).toBeVisible();
});
