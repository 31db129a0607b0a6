// The edit dialog names the addresses of the last days that a changed allowlist would refuse: while typing and, without script, by Check.

import type { Page } from '@playwright/test';

import { ConsolePage, open } from './console_page';
import { type IssuedKey, expect, signIn, test } from './fixtures';
import { whoami } from './support/request';

const SENTENCE = 'Of 1 address that used this key in the last 7 days, 1 would be refused: 127.0.0.1 (today).';

/** Uses the key from 127.0.0.1, and waits until the use is stored. */
async function use(page: Page, origin: string, key: IssuedKey): Promise<void> {
  expect((await whoami(origin, key.secret)).status).toBe(200);
  await expect(async () => {
    await page.goto(`/tenant-api-keys/${key.id}`);
    await expect(page.getByRole('region', { name: 'Addresses, last 7 days' })).toContainText('127.0.0.1', { timeout: 500 });
  }).toPass({ timeout: 20_000 });
}

test('typing shows which addresses the list would refuse, and Save is not blocked', async ({ adminPage: page, server, tenant }) => {
  const key = await tenant.key('Warehouse');
  await use(page, server.origin, key);
  const keys = new ConsolePage(page);
  await open(page, `/tenant-api-keys/${key.id}/edit`);
  const effect = page.locator('#allowlist-effect');
  await expect(effect).toBeEmpty();
  await expect(page.getByRole('button', { name: 'Check', exact: true })).toBeHidden();

  await keys.allowlist().fill('192.0.2.0/24');
  await expect(effect).toContainText(SENTENCE);
  await expect(effect).toContainText(/Counted from \d+ \w+ \d{4} to \d+ \w+ \d{4}, UTC\./);
  await keys.allowlist().fill('192.0.2.0/24\n127.0.0.0/8');
  await expect(effect).toContainText('Of 1 address that used this key in the last 7 days, none would be refused.');
  // An invalid or unchanged list has no effect to show.
  await keys.allowlist().fill('192.0.2.0/24\n127.0.0');
  await expect(effect).toBeEmpty();
  await keys.allowlist().fill('');
  await expect(effect).toBeEmpty();

  await keys.allowlist().fill('192.0.2.0/24');
  await expect(effect).toContainText(SENTENCE);
  await keys.save().click();
  await expect(keys.editDialog()).toBeHidden();
  expect((await whoami(server.origin, key.secret)).status).toBe(403);
});

test('one request is under way at a time, and the effect of the newest text is shown', async ({ adminPage: page, server, tenant }) => {
  const key = await tenant.key('Warehouse');
  await use(page, server.origin, key);
  const keys = new ConsolePage(page);
  await open(page, `/tenant-api-keys/${key.id}/edit`);
  const asked: string[] = [];
  let release = (): void => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  await page.route('**/api/pages/preview_allowlist', async (route) => {
    asked.push(route.request().postDataJSON().lines);
    if (asked.length === 1) await released;
    await route.continue();
  });
  await keys.allowlist().fill('192.0.2.1');
  await expect.poll(() => asked).toEqual(['192.0.2.1']);
  await keys.allowlist().fill('192.0.2.2');
  await keys.allowlist().fill('127.0.0.1');
  const effect = page.locator('#allowlist-effect');
  await expect(effect).toHaveAttribute('aria-busy', 'true');
  release();
  await expect(effect).toContainText('none would be refused.');
  await expect(effect).not.toHaveAttribute('aria-busy', 'true');
  expect(asked).toEqual(['192.0.2.1', '127.0.0.1']);
});

test('a check that fails is reported and blocks no save', async ({ adminPage: page, browserLog, server, tenant }) => {
  browserLog.expect(/^request failed: |Failed to load resource/);
  const key = await tenant.key('Warehouse');
  const keys = new ConsolePage(page);
  await open(page, `/tenant-api-keys/${key.id}/edit`);
  await page.route('**/api/pages/preview_allowlist', (route) => route.abort('connectionreset'));
  await keys.allowlist().fill('192.0.2.1');
  await expect(page.locator('#allowlist-effect')).toContainText('could not check which addresses this list would refuse');
  await keys.save().click();
  await expect(keys.editDialog()).toBeHidden();
  expect((await whoami(server.origin, key.secret)).status).toBe(403);
});

test('without script, Check shows the same and keeps the input, and Enter saves', async ({ browserLog, openContext, server, tenant }) => {
  browserLog.expect(/^request failed: \S+\.js csp$/);
  browserLog.expect(/^console warning: The resource \S+\.wasm was preloaded using link preload but not used/);
  const context = await openContext({ javaScriptEnabled: false });
  await signIn(context, server.origin, tenant.administrator);
  const page = await context.newPage();
  const key = await tenant.key('Warehouse');
  await use(page, server.origin, key);
  const keys = new ConsolePage(page);
  await page.goto(`/tenant-api-keys/${key.id}/edit`);
  await keys.fill({ name: 'Warehouse 2', allowlist: '192.0.2.0/24' });
  await page.getByRole('button', { name: 'Check', exact: true }).click();
  await expect(page.locator('#allowlist-effect')).toContainText(SENTENCE);
  await expect(keys.name()).toHaveValue('Warehouse 2');
  await expect(keys.allowlist()).toHaveValue('192.0.2.0/24');
  expect(JSON.parse((await whoami(server.origin, key.secret)).body)).toMatchObject({ name: 'Warehouse', ip_allowlist: [] });
  await keys.name().press('Enter');
  await expect(page).toHaveURL('/tenant-api-keys');
  await expect(keys.row('Warehouse 2')).toBeVisible();
  expect((await whoami(server.origin, key.secret)).status).toBe(403);
});
