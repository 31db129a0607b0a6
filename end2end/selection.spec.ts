// Selecting keys in the list and revoking them together, with and without a script.

import type { Page } from '@playwright/test';

import { ConsolePage } from './console_page';
import { hydrated } from './support/hydration';
import { addKeys } from './support/stored_keys';
import { type Tenant, expect, signIn, test } from './fixtures';
import type { Server } from './support/server';

const UNUSED = [/^request failed: \S+\.js csp$/, /^console warning: The resource \S+\.wasm was preloaded using link preload but not used/];
const NAMES = Array.from({ length: 30 }, (_, index) => `Scanner ${String(index + 1).padStart(2, '0')}`);

/** Adds 30 keys of the tenant, more than a page; the newest, `Scanner 30`, comes first. */
async function addScanners(server: Server, tenant: Tenant): Promise<void> {
  await tenant.setLimit(100);
  await server.restartOn((database) => {
    addKeys(
      database,
      tenant.slug,
      NAMES.map((name, index) => ({
        name,
        description: '',
        group: tenant.group,
        status: 'active',
        expires: null,
        lastUsed: null,
        created: new Date(Date.now() - (60 - index) * 86_400_000),
      })),
    );
  });
}

const check = (page: Page, name: string) => page.getByRole('checkbox', { name: `Select ${name}`, exact: true });
const bar = (page: Page) => page.getByRole('region', { name: 'Selected keys' });
const dialog = (page: Page) => page.getByRole('alertdialog', { name: /^Revoke \d+ API keys?$/ });

async function statuses(server: Server, tenant: Tenant): Promise<Record<string, string | undefined>> {
  const keys = (await server.json(['key', 'list', '--tenant', tenant.slug])) as { name: string; status: string; revoked_reason?: string | null }[];
  return Object.fromEntries(keys.filter(({ status }) => status === 'revoked').map(({ name, revoked_reason }) => [name, revoked_reason ?? undefined]));
}

for (const width of [1440, 375]) {
  test(`a selection survives paging and filtering, and one request revokes it, ${width} wide`, async ({ openContext, server, tenant }) => {
    await addScanners(server, tenant);
    const context = await openContext({ baseURL: server.origin, viewport: { width, height: 900 } });
    await signIn(context, server.origin, tenant.administrator);
    const page = await context.newPage();
    const keys = new ConsolePage(page);
    await page.goto('/tenant-api-keys');
    await hydrated(page);
    await expect(bar(page)).toHaveCount(0);
    await expect(page.getByRole('button', { name: 'Revoke selected keys' })).toBeHidden();
    await check(page, 'Scanner 30').check();
    await check(page, 'Scanner 29').check();
    await expect(bar(page)).toContainText('2 keys selected');
    await expect(page.getByRole('status').filter({ hasText: /^2 keys selected$/ })).toHaveCount(1);
    await keys.next().click();
    await expect(keys.names()).toHaveCount(5);
    await expect(check(page, 'Scanner 05')).not.toBeChecked();
    await check(page, 'Scanner 05').check();
    await expect(bar(page)).toContainText('3 keys selected');
    await expect(bar(page)).toContainText('2 on other pages');
    await keys.search().fill('Scanner 2');
    await expect(keys.names()).toHaveCount(10);
    await expect(check(page, 'Scanner 29')).toBeChecked();
    await expect(check(page, 'Scanner 28')).not.toBeChecked();
    await expect(bar(page)).toContainText('2 on other pages');
    await keys.search().fill('');
    await expect(check(page, 'Scanner 30')).toBeChecked();

    const sent: string[] = [];
    page.on('request', (request) => {
      if (request.method() === 'POST' && request.url().includes('revoke')) sent.push(request.url());
    });
    await bar(page).getByRole('link', { name: 'Revoke 3 keys', exact: true }).click();
    await expect(page).toHaveURL(/\/tenant-api-keys\/revoke\?ids=/);
    await expect(dialog(page).getByRole('listitem')).toHaveCount(3);
    await expect(dialog(page).getByRole('listitem').first()).toContainText('Last used: Never');
    await expect(dialog(page).getByRole('link', { name: 'Cancel', exact: true })).toBeFocused();
    // Cancelling keeps the selection.
    await page.keyboard.press('Escape');
    await expect(dialog(page)).toBeHidden();
    await expect(bar(page).getByRole('link', { name: 'Revoke 3 keys', exact: true })).toBeFocused();
    await bar(page).getByRole('link', { name: 'Revoke 3 keys', exact: true }).click();
    await dialog(page).getByLabel('Reason (optional)').fill('The scanners were sold');
    await dialog(page).getByRole('button', { name: 'Revoke 3 keys', exact: true }).click();
    await expect(dialog(page)).toBeHidden();
    await expect(page.getByRole('status').filter({ hasText: 'Revoked 3 keys. Their next requests are refused.' })).toBeVisible();
    await expect(bar(page)).toHaveCount(0);
    await expect(keys.row('Scanner 30')).toContainText('Revoked');
    await expect(check(page, 'Scanner 30')).toHaveCount(0);
    await expect(keys.heading('API Keys')).toBeFocused();
    expect(sent).toHaveLength(1);
    const reason = 'The scanners were sold';
    expect(await statuses(server, tenant)).toEqual({ 'Scanner 30': reason, 'Scanner 29': reason, 'Scanner 05': reason });
  });

  test(`without a script, a form leads from the check boxes to the same confirmation, ${width} wide`, async ({ browserLog, openContext, server, tenant }) => {
    for (const complaint of UNUSED) browserLog.expect(complaint);
    browserLog.expectStatus(422);
    await addScanners(server, tenant);
    const context = await openContext({ baseURL: server.origin, javaScriptEnabled: false, viewport: { width, height: 900 } });
    await signIn(context, server.origin, tenant.administrator);
    const page = await context.newPage();
    const keys = new ConsolePage(page);
    await page.goto('/tenant-api-keys?q=Scanner%202&sort=name');
    await expect(page.getByRole('checkbox', { name: /on this page$/ })).toBeHidden();
    const submit = page.getByRole('button', { name: 'Revoke selected keys', exact: true });
    await submit.click();
    await expect(page.getByText('No key is selected. Select keys in the list first.')).toBeVisible();
    await page.getByRole('link', { name: 'Close', exact: true }).click();
    await expect(page).toHaveURL('/tenant-api-keys?q=Scanner%202&sort=name');
    await check(page, 'Scanner 20').check();
    await check(page, 'Scanner 21').check();
    await submit.click();
    await expect(dialog(page).getByRole('listitem')).toHaveCount(2);
    await dialog(page).getByLabel('Reason (optional)').fill('x'.repeat(201));
    await dialog(page).getByRole('button', { name: 'Revoke 2 keys', exact: true }).click();
    await expect(dialog(page).getByText('Must be at most 200 characters')).toBeVisible();
    await dialog(page).getByLabel('Reason (optional)').fill('Sold');
    await dialog(page).getByRole('button', { name: 'Revoke 2 keys', exact: true }).click();
    await expect(page).toHaveURL('/tenant-api-keys?q=Scanner%202&sort=name');
    await expect(keys.row('Scanner 20')).toContainText('Revoked');
    expect(await statuses(server, tenant)).toEqual({ 'Scanner 20': 'Sold', 'Scanner 21': 'Sold' });
  });
}

test('the page’s keys are selected together, and the keyboard reaches the actions', async ({ openContext, server, tenant }) => {
  await addScanners(server, tenant);
  const context = await openContext({ baseURL: server.origin });
  await signIn(context, server.origin, tenant.administrator);
  const page = await context.newPage();
  await page.goto('/tenant-api-keys');
  await hydrated(page);
  const all = page.getByRole('checkbox', { name: 'Select the 25 active keys on this page', exact: true });
  const topOfRow = () => check(page, 'Scanner 30').evaluate((box) => box.getBoundingClientRect().top);
  const top = await topOfRow();
  await all.focus();
  await page.keyboard.press('Space');
  await expect(bar(page)).toContainText('25 keys selected');
  expect(await topOfRow(), 'no row moves').toBe(top);
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Go to the actions for 25 selected keys', exact: true })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(bar(page)).toBeFocused();
  await check(page, 'Scanner 30').uncheck();
  await expect(bar(page)).toContainText('24 keys selected');
  expect(await all.evaluate((box: HTMLInputElement) => [box.checked, box.indeterminate])).toEqual([false, true]);
  await bar(page).getByRole('button', { name: 'Clear selection', exact: true }).click();
  await expect(bar(page)).toHaveCount(0);
  await expect(check(page, 'Scanner 29')).not.toBeChecked();
  await expect(all).toBeFocused();
});

test('a check box that is ticked before the script starts counts', async ({ openContext, server, tenant }) => {
  await addScanners(server, tenant);
  const context = await openContext({ baseURL: server.origin });
  await signIn(context, server.origin, tenant.administrator);
  const page = await context.newPage();
  let release = (): void => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  await page.route('**/*.wasm', async (route) => {
    await released;
    await route.continue();
  });
  await page.goto('/tenant-api-keys');
  await check(page, 'Scanner 30').check();
  release();
  await hydrated(page);
  await expect(bar(page)).toContainText('1 key selected');
  await expect(check(page, 'Scanner 30')).toBeChecked();
});
