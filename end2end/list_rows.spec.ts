// The rows of the list: the server renders them, the script leaves them in place and later replaces them as a whole.

import type { Page } from '@playwright/test';

import { ConsolePage, open } from './console_page';
import { hydrated } from './support/hydration';
import { HeldRequests } from './support/waiting';
import { expect, test } from './fixtures';

const MARKUP = '<img src=/never onerror="document.title=`owned`">';

/** The names in the data that the page carries for the script, as often as they occur. */
async function namesInData(page: Page, name: string): Promise<number> {
  const scripts = await page.locator('body script, head script').allTextContents();
  return scripts.join('').split(name).length - 1;
}

test('hydration leaves the server’s rows in place, and the page contains them once', async ({ adminPage: page, tenant }) => {
  await tenant.key('Zapier', { description: 'Orders of the shop' });
  // The script arrives when the test releases it.
  let release = (): void => {};
  const isReleased = new Promise<void>((resolve) => (release = resolve));
  await page.route('**/*.wasm', async (route) => {
    await isReleased;
    await route.continue();
  });
  await page.goto('/tenant-api-keys');
  const row = new ConsolePage(page).row('Zapier');
  await row.evaluate((element) => Object.assign(element, { isOfServer: true }));
  expect(await namesInData(page, 'Orders of the shop')).toBe(0);
  release();
  await hydrated(page);
  expect(await row.evaluate((element) => 'isOfServer' in element)).toBe(true);
});

test('new rows keep the focus where it was, mark the changed key, and show its text as text', async ({ adminPage: page, tenant }) => {
  await tenant.key('Zapier');
  await tenant.key('Mobile App');
  const keys = new ConsolePage(page);
  await keys.openList();
  await keys.action('Edit', 'Zapier').click();
  await keys.name().fill(MARKUP);
  let requests = await HeldRequests.of(page);
  await keys.save().click();
  await requests.called('edit_api_key');
  await requests.release();
  await expect(page.getByRole('status').filter({ hasText: `Saved ${MARKUP}.` })).toBeVisible();
  await expect(keys.row(MARKUP)).toHaveClass(/is-new/);
  await expect(keys.action('Edit', MARKUP)).toBeFocused();
  await expect(page).not.toHaveTitle(/owned/);

  // A later list marks nothing.
  requests = await HeldRequests.of(page);
  await keys.segment('Status', 'Active').click();
  await requests.called('list_api_keys');
  await requests.release();
  await expect(page.getByRole('table', { name: 'API keys' })).not.toHaveAttribute('aria-busy');
  await expect(keys.row(MARKUP)).toBeVisible();
  await expect(page.locator('tr.is-new')).toHaveCount(0);
  // Their links keep the filter.
  await keys.action('Edit', MARKUP).click();
  await expect(page).toHaveURL(/\/edit\?status=active$/);
});

test('the list has its rows again after a failure that replaced it', async ({ adminPage: page, browserLog, tenant }) => {
  browserLog.expectStatus(404);
  await tenant.key('Zapier');
  const keys = new ConsolePage(page);
  await keys.openList();
  await page.route('**/api/pages/open_edit_form', (route) => route.fulfill({ status: 404, contentType: 'application/json', body: '{}' }));
  await keys.action('Edit', 'Zapier').click();
  await expect(page.getByRole('table', { name: 'API keys' })).toHaveCount(0);
  await page.goBack();
  await expect(keys.row('Zapier')).toBeVisible();
  await expect(keys.action('Edit', 'Zapier')).toBeVisible();
});

for (const { width, columns } of [
  { width: 1440, columns: ['Name', 'Status', 'Authorization group', 'Expires', 'Last used', 'Created'] },
  { width: 1280, columns: ['Name', 'Status', 'Authorization group', 'Expires', 'Last used'] },
  { width: 1024, columns: ['Name', 'Status', 'Expires', 'Last used'] },
  { width: 375, columns: [] },
]) {
  test(`every fact of a key can be read and sorted by, ${width} pixels wide`, async ({ adminPage: page, tenant }) => {
    await page.setViewportSize({ width, height: 800 });
    await tenant.key('Zapier', { expires: '2999-12-31' });
    const keys = new ConsolePage(page);
    await keys.openList();
    const row = keys.row('Zapier');
    for (const column of columns) await expect(keys.head(column), column).toBeVisible();
    for (const fact of [tenant.group, '31 Dec 2999', 'Active', /^(Created )?\d+ \w+ \d{4}$/, 'Never']) {
      await expect(row.getByText(fact, { exact: true }).filter({ visible: true }).first(), String(fact)).toBeVisible();
    }
    if (columns.length === 6) return;
    // Where heads are missing, the menu or the sheet has every order.
    const menu = page.getByText('Sort: Newest', { exact: true }).or(page.getByRole('button', { name: 'Filters' })).filter({ visible: true });
    await menu.first().click();
    await page.getByRole('link', { name: 'Group', exact: true }).filter({ visible: true }).click();
    await expect(page).toHaveURL(/sort=authorization_group/);
    await expect(keys.row('Zapier')).toBeVisible();
  });
}

test('on a touch screen every link of a card is at least 24 pixels high', async ({ openContext, server, tenant, adminPage }) => {
  await tenant.key('Zapier', { expires: new Date(Date.now() + 86_400_000).toISOString().slice(0, 10) });
  const storageState = await adminPage.context().storageState();
  const context = await openContext({ baseURL: server.origin, hasTouch: true, isMobile: true, storageState, viewport: { width: 375, height: 800 } });
  const page = await context.newPage();
  await open(page, '/tenant-api-keys');
  const small = await page.evaluate(() => {
    const targets = [...document.querySelectorAll<HTMLElement>('main a[href], main button, main .check-target')];
    const height = (element: HTMLElement): number => {
      const before = getComputedStyle(element, '::before');
      const grown = before.position === 'absolute' && before.content !== 'none' ? Number.parseFloat(before.height) : 0;
      return Math.max(element.getBoundingClientRect().height, grown || 0);
    };
    return targets.filter((element) => element.offsetParent !== null && height(element) < 24).map((element) => element.outerHTML);
  });
  expect(small).toEqual([]);
});
