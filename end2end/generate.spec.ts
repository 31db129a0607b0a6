// An administrator generates a key in the console, and an integration uses it.

import { ConsolePage, open } from './console_page';
import { PLAIN_HTTP_NAME } from './support/chromium';
import { hydrated } from './support/hydration';
import { whoami } from './support/request';
import { run } from './support/server';
import { daysFromToday, expect, test } from './fixtures';

const CLIPBOARD = ['clipboard-read', 'clipboard-write'];

test('an administrator signs in, generates a key, copies its secret, and an integration uses it', async ({
  context,
  page,
  server,
  tenant,
}) => {
  await context.grantPermissions(CLIPBOARD, { origin: server.origin });
  const keys = new ConsolePage(page);
  await open(page, '/');
  await keys.signIn(tenant.administrator);
  await expect(keys.heading('API Keys')).toBeVisible();
  await expect(page.getByText('No API keys yet')).toBeVisible();
  await expect(keys.counter('0/10 keys')).toBeVisible();

  await hydrated(page);
  await keys.generateLink().click();
  await expect(page).toHaveURL('/tenant-api-keys/new');
  await expect(keys.heading('Generate API Key')).toBeVisible();
  const expires = daysFromToday(90);
  const secret = await keys.generate({
    name: 'ERP nightly sync',
    description: 'Pulls orders into the ERP at 02:00 UTC',
    group: tenant.group,
    expires,
    allowlist: '127.0.0.1\n10.1.2.3/8',
  });
  await expect(keys.secretDialog()).toContainText('ERP nightly sync');
  await expect(keys.copy()).toBeFocused();

  await keys.copy().click();
  await expect(keys.copied()).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(secret);
  // The button keeps its state, and closing no longer asks.
  await keys.close().click();
  await expect(keys.secretDialog()).toBeHidden();
  await expect(page).toHaveURL('/tenant-api-keys');

  const row = keys.row('ERP nightly sync');
  await expect(row).toContainText('Pulls orders into the ERP at 02:00 UTC');
  await expect(row).toContainText(`lk_…${secret.slice(-4)}`);
  await expect(row).toContainText('Active');
  await expect(row).toContainText(tenant.group);
  await expect(row.locator(`time[datetime="${expires}"]`)).toBeVisible();
  await expect(keys.counter('1/10 keys')).toBeVisible();

  const response = await whoami(server.origin, secret);
  expect(response.status).toBe(200);
  expect(JSON.parse(response.body)).toMatchObject({
    name: 'ERP nightly sync',
    description: 'Pulls orders into the ERP at 02:00 UTC',
    status: 'active',
    expires_on: expires,
    ip_allowlist: ['127.0.0.1/32', '10.0.0.0/8'],
    authorization_group: { name: tenant.group },
    tenant: { slug: tenant.slug },
    permissions: ['orders:read', 'orders:write'],
    client_ip: '127.0.0.1',
  });
});

test('closing before copying asks first, by the button and by Escape', async ({ adminPage, tenant }) => {
  const keys = new ConsolePage(adminPage);
  await keys.openForm();
  const secret = await keys.generate({ name: 'Zapier', group: tenant.group });

  for (const attempt of ['Close', 'Escape', 'Escape'] as const) {
    await (attempt === 'Close' ? keys.close().click() : adminPage.keyboard.press('Escape'));
    await expect(keys.closeQuestion()).toBeVisible();
    await expect(keys.secretText()).toHaveText(secret);
    await keys.secretDialog().getByRole('button', { name: 'Go back', exact: true }).click();
    await expect(keys.closeQuestion()).toBeHidden();
    await expect(keys.secretText()).toHaveText(secret);
  }

  await keys.close().click();
  await keys.secretDialog().getByRole('button', { name: 'Close anyway', exact: true }).click();
  await expect(keys.secretDialog()).toBeHidden();
  await expect(adminPage).toHaveURL('/tenant-api-keys');
  await expect(keys.row('Zapier')).toBeVisible();
});

test('a manual copy counts as a copy', async ({ adminPage, context, server, tenant }) => {
  await context.grantPermissions(CLIPBOARD, { origin: server.origin });
  const keys = new ConsolePage(adminPage);
  await keys.openForm();
  const secret = await keys.generate({ name: 'Shopify connector', group: tenant.group });
  await keys.secretText().selectText();
  await adminPage.keyboard.press('Control+C');
  expect(await adminPage.evaluate(() => navigator.clipboard.readText())).toBe(secret);
  await keys.close().click();
  await expect(keys.secretDialog()).toBeHidden();
});

test('copying the curl command counts as a copy, and the command gets 200 in a shell', async ({ adminPage, context, server, tenant }) => {
  await context.grantPermissions(CLIPBOARD, { origin: server.origin });
  const keys = new ConsolePage(adminPage);
  await keys.openForm();
  await keys.generate({ name: 'CI smoke tests', group: tenant.group });
  const line = (await keys.secretDialog().getByText(/^curl /).innerText()).trim();
  await keys.secretDialog().getByRole('button', { name: 'Copy the curl command' }).click();
  await expect.poll(() => adminPage.evaluate(() => navigator.clipboard.readText())).toBe(line);
  const { code, stdout } = await run('sh', ['-c', `${line} --silent --show-error --write-out '\n%{http_code}'`]);
  expect(code).toBe(0);
  expect(stdout).toContain('"CI smoke tests"');
  expect(stdout.trim().split('\n').at(-1)).toBe('200');
  await keys.close().click();
  await expect(keys.secretDialog()).toBeHidden();
});

test('copying works on a plain-HTTP page of a local network, which has no clipboard API', async ({
  context,
  browserLog,
  page,
  server,
  tenant,
}) => {
  // Chromium logs that it ignores headers that require a secure context.
  browserLog.expect(/Cross-Origin-Opener-Policy header has been ignored/);
  await context.grantPermissions(CLIPBOARD, { origin: server.origin });
  const origin = server.origin.replace('127.0.0.1', PLAIN_HTTP_NAME);
  const keys = new ConsolePage(page);
  await open(page, `${origin}/tenant-api-keys/new`);
  await keys.signIn(tenant.administrator);
  await expect(keys.heading('Generate API Key')).toBeVisible();
  await hydrated(page);
  expect(await page.evaluate(() => navigator.clipboard), 'this page has no clipboard API').toBeUndefined();

  const secret = await keys.generate({ name: 'Warehouse', group: tenant.group });
  await keys.copy().click();
  const byHand = keys.secretDialog().getByRole('button', { name: 'Press Ctrl+C' });
  await expect(keys.copied().or(byHand)).toBeVisible();
  if (await byHand.isVisible()) {
    await page.keyboard.press('Control+C');
    await expect(keys.copied()).toBeVisible();
  }
  // Only a page in a secure context may read the clipboard.
  const reader = await context.newPage();
  await reader.goto(`${server.origin}/healthz`);
  await reader.bringToFront();
  expect(await reader.evaluate(() => navigator.clipboard.readText())).toBe(secret);

  await page.bringToFront();
  await keys.close().click();
  await expect(keys.secretDialog()).toBeHidden();
  await expect(keys.row('Warehouse')).toBeVisible();
});

test('if the clipboard refuses, the secret is selected and the page names the keys to press', async ({
  adminPage,
  context,
  server,
  tenant,
}) => {
  await context.grantPermissions(CLIPBOARD, { origin: server.origin });
  await adminPage.addInitScript(() => {
    navigator.clipboard.writeText = () => Promise.reject(new DOMException('denied', 'NotAllowedError'));
    document.execCommand = () => false;
  });
  const keys = new ConsolePage(adminPage);
  await keys.openForm();
  const secret = await keys.generate({ name: 'Airflow', group: tenant.group });
  await keys.copy().click();
  await expect(keys.secretDialog().getByRole('button', { name: 'Press Ctrl+C' })).toBeVisible();
  expect(await adminPage.evaluate(() => getSelection()?.toString().trim())).toBe(secret);
  // Nothing was copied yet, so closing still asks.
  await keys.close().click();
  await expect(keys.closeQuestion()).toBeVisible();
  await keys.secretDialog().getByRole('button', { name: 'Go back', exact: true }).click();

  await keys.secretText().selectText();
  await adminPage.keyboard.press('Control+C');
  await keys.close().click();
  await expect(keys.secretDialog()).toBeHidden();
});

test('the new key is in the list of another tab after its reload, and focus is on the page after Close', async ({
  adminPage,
  context,
  server,
  tenant,
}) => {
  await context.grantPermissions(CLIPBOARD, { origin: server.origin });
  const keys = new ConsolePage(adminPage);
  const other = new ConsolePage(await context.newPage());
  await other.openList();
  // A background tab draws no frames and is slower.
  await adminPage.bringToFront();
  await keys.openForm();
  await keys.generate({ name: 'Contractor laptop', group: tenant.group });
  await keys.copyAndClose();
  expect(await adminPage.evaluate(() => document.activeElement?.tagName)).not.toBe('BODY');
  await other.page.bringToFront();
  await other.page.reload();
  await expect(other.row('Contractor laptop')).toBeVisible();
  await expect(other.counter('1/10 keys')).toBeVisible();
});
