// A tenant at its key limit.

import { ConsolePage } from './console_page';
import { addKeys } from './support/stored_keys';
import { daysFromToday, expect, signIn, test } from './fixtures';

const REASON = 'You have reached your limit of 10 keys. Contact support to raise it.';

test('at 10/10 keys the button is disabled with a reason, and revoking a key enables it', async ({ adminPage, browserLog, tenant }) => {
  // Pages at the limit may respond to /new with a conflict.
  browserLog.expectStatus(409);
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
  // The button is focusable and has no effect.
  await button.focus();
  await expect(button).toBeFocused();
  await adminPage.keyboard.press('Enter');
  await adminPage.keyboard.press('Space');
  await button.click({ force: true });
  await expect(adminPage).toHaveURL('/tenant-api-keys');
  await expect(keys.heading('API Keys')).toBeVisible();

  // The form opened by URL shows the reason, too.
  await keys.openForm();
  await expect(adminPage.getByText(REASON)).toBeVisible();
  await expect(keys.submit()).toHaveAttribute('aria-disabled', 'true');
  await expect(keys.submit()).toHaveAccessibleDescription(new RegExp(REASON));
  await keys.submit().click({ force: true });
  await expect(adminPage).toHaveURL('/tenant-api-keys/new');
  await adminPage.getByRole('link', { name: 'see your active keys' }).click();
  await expect(adminPage).toHaveURL('/tenant-api-keys?status=active');

  await keys.openList();
  await keys.row('Scanner 7').getByRole('link', { name: 'Revoke Scanner 7' }).click();
  await keys.revokeDialog().getByRole('button', { name: 'Revoke', exact: true }).click();
  await expect(keys.counter('9/10 keys')).toBeVisible();
  await expect(adminPage.getByText(REASON)).toBeHidden();
  await keys.generateLink().click();
  await keys.generate({ name: 'Scanner 11', group: tenant.group });
});

test('a form submitted after the limit was reached shows the reason and keeps its input', async ({ adminPage, browserLog, tenant }) => {
  browserLog.expectStatus(409);
  await tenant.setLimit(1);
  const keys = new ConsolePage(adminPage);
  await keys.openForm();
  await keys.fill({ name: 'ERP nightly sync', description: 'Typed with care', group: tenant.group, allowlist: '192.0.2.7' });
  await tenant.key('Another key');
  await keys.submit().click();
  await expect(adminPage.getByRole('alert')).toContainText('You have reached your limit of 1 key');
  await expect(keys.name()).toHaveValue('ERP nightly sync');
  await expect(keys.description()).toHaveValue('Typed with care');
  await expect(keys.allowlist()).toHaveValue('192.0.2.7');
});

test('a limit lowered below the number of keys deletes none', async ({ adminPage, tenant }) => {
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

test('at the limit, the header links to the expired keys', async ({ adminPage, server, tenant }) => {
  const keys = new ConsolePage(adminPage);
  await server.restartOn((database) => {
    addKeys(
      database,
      tenant.slug,
      ['Fax', 'Pager', 'Telex'].map((name, index) => ({
        name,
        description: '',
        group: tenant.group,
        status: 'active',
        expires: index < 2 ? daysFromToday(-1) : null,
        lastUsed: null,
        created: new Date(Date.now() - (9 - index) * 86_400_000),
      })),
    );
  });
  await signIn(adminPage.context(), server.origin, tenant.administrator);
  await adminPage.goto(`${server.origin}/tenant-api-keys`);
  await expect(keys.counter('3/10 keys')).toBeVisible();
  const link = adminPage.getByRole('link', { name: '2 of them are expired', exact: true });
  await expect(link).toHaveCount(0);
  await tenant.setLimit(3);
  await adminPage.reload();
  await link.click();
  await expect(adminPage).toHaveURL(`${server.origin}/tenant-api-keys?status=active&expiration=expired`);
  await expect(keys.names()).toHaveText(['Pager', 'Fax']);
});

test('a tenant without keys can generate one from the header', async ({ adminPage }) => {
  const keys = new ConsolePage(adminPage);
  await keys.openList();
  await expect(adminPage.getByRole('heading', { name: 'No API keys yet' })).toBeVisible();
  await adminPage.getByRole('main').getByRole('link', { name: 'Generate API Key', exact: true }).first().click();
  await expect(adminPage).toHaveURL('/tenant-api-keys/new');
});
