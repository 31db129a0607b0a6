// Filters and search: by URL and by click, alone and combined, with Back and Forward.

import type { Locator, Page } from '@playwright/test';

import { ConsolePage } from './console_page';
import { KEYS, expirationOf, expect, namesOf, test } from './stocked_fixtures';
import { createPerson, signIn } from './fixtures';
import { hydrated } from './support/hydration';

const STATUSES = ['', 'active', 'revoked'];
const EXPIRATIONS = ['', 'valid', 'expiring_soon', 'expired'];
/** The labels of the segments. */
const WORDS: Record<string, string> = {
  '': 'All',
  active: 'Active',
  revoked: 'Revoked',
  valid: 'Valid',
  expiring_soon: 'Expiring Soon',
  expired: 'Expired',
};

/** The URL of the list with these filters. */
function listUrl(filters: Record<string, string>): string {
  const query = new URLSearchParams(Object.entries(filters).filter(([, value]) => value !== ''));
  return `/tenant-api-keys${query.size > 0 ? `?${query.toString().replaceAll('+', '%20')}` : ''}`;
}

/** The names of the keys that match both filters, newest first. */
function matchingNames(status: string, expiration: string): string[] {
  return namesOf((key) => (status === '' || key.status === status) && (expiration === '' || expirationOf(key) === expiration));
}

/** Expects the filtered keys in the list, and matching segments, URL and live region. */
async function expectFiltered(page: Page, status: string, expiration: string): Promise<void> {
  const keys = new ConsolePage(page);
  const expected = matchingNames(status, expiration);
  await expect(page).toHaveURL(listUrl({ status, expiration }));
  await expect(keys.names()).toHaveText(expected);
  await expect(keys.currentSegment('Status')).toHaveText([WORDS[status] ?? '']);
  await expect(keys.currentSegment('Expiration')).toHaveText([WORDS[expiration] ?? '']);
  const count = `${expected.length} ${expected.length === 1 ? 'key' : 'keys'}`;
  await expect(keys.pager()).toHaveText(new RegExp(`^${count}`));
  if (status || expiration) await expect(keys.resultCount()).toHaveText(count);
  else await expect(keys.resultCount()).toHaveCount(0);
}

test('every combination of filters works by URL', async ({ adminPage }) => {
  for (const status of STATUSES) {
    for (const expiration of EXPIRATIONS) {
      await adminPage.goto(listUrl({ status, expiration }));
      await expectFiltered(adminPage, status, expiration);
    }
  }
});

test('every filter works by click, Back and Forward, without loading a document', async ({ adminPage }) => {
  const keys = new ConsolePage(adminPage);
  await keys.openList();
  await adminPage.evaluate(() => Object.assign(window, { sameDocument: true }));
  const visited = [{ status: '', expiration: '' }];
  for (const status of STATUSES) {
    for (const expiration of EXPIRATIONS) {
      const before = visited.at(-1);
      // Changes one filter at a time, and never chooses the current one.
      if (before?.status !== status) {
        await keys.segment('Status', WORDS[status] ?? '').click();
        visited.push({ status, expiration: before?.expiration ?? '' });
        await expect(keys.currentSegment('Status')).toHaveText([WORDS[status] ?? '']);
      }
      if (visited.at(-1)?.expiration !== expiration) {
        await keys.segment('Expiration', WORDS[expiration] ?? '').click();
        visited.push({ status, expiration });
      }
      await expectFiltered(adminPage, status, expiration);
    }
  }
  for (const { status, expiration } of visited.slice(0, -1).reverse()) {
    await adminPage.goBack();
    await expectFiltered(adminPage, status, expiration);
  }
  for (const { status, expiration } of visited.slice(1)) {
    await adminPage.goForward();
    await expectFiltered(adminPage, status, expiration);
  }
  expect(await adminPage.evaluate(() => 'sameDocument' in window), 'no document was loaded').toBe(true);
});

test('a search replaces the history entry after typing, a segment adds one', async ({ adminPage }) => {
  const keys = new ConsolePage(adminPage);
  await keys.openList('?status=active');
  await keys.segment('Expiration', 'Expiring Soon').click();
  await expect(keys.names()).toHaveText(matchingNames('active', 'expiring_soon'));
  const steps = await adminPage.evaluate(() => history.length);

  await keys.search().pressSequentially('ERP', { delay: 30 });
  await expect(adminPage).toHaveURL(listUrl({ status: 'active', expiration: 'expiring_soon', q: 'ERP' }));
  await expect(keys.names()).toHaveText(['ERP nightly sync']);
  await expect(keys.resultCount()).toHaveText('1 key');
  await expect(keys.search()).toBeFocused();
  await keys.search().press('End');
  await keys.search().pressSequentially(' n');
  await expect(adminPage).toHaveURL(listUrl({ status: 'active', expiration: 'expiring_soon', q: 'ERP n' }));
  expect(await adminPage.evaluate(() => history.length), 'typing adds no history entry').toBe(steps);

  await keys.segment('Expiration', 'All').click();
  await expect(adminPage).toHaveURL(listUrl({ status: 'active', q: 'ERP n' }));
  expect(await adminPage.evaluate(() => history.length)).toBe(steps + 1);
  await adminPage.goBack();
  await expect(adminPage).toHaveURL(listUrl({ status: 'active', expiration: 'expiring_soon', q: 'ERP n' }));
  await adminPage.goBack();
  await expect(adminPage).toHaveURL(listUrl({ status: 'active' }));
  await expect(keys.search()).toHaveValue('');
  await expect(keys.names()).toHaveText(matchingNames('active', ''));
  await adminPage.goForward();
  await expect(keys.search()).toHaveValue('ERP n');
  await expect(keys.names()).toHaveText(['ERP nightly sync']);
});

test('Enter applies a search at once, and clearing the field ends it', async ({ adminPage }) => {
  const keys = new ConsolePage(adminPage);
  await keys.openList();
  await keys.search().fill('nightly');
  await keys.search().press('Enter');
  await expect(adminPage).toHaveURL(listUrl({ q: 'nightly' }));
  // Matches in a name and in a description.
  await expect(keys.names()).toHaveText(['ERP nightly sync', 'Airflow']);
  await keys.search().fill('');
  await expect(adminPage).toHaveURL('/tenant-api-keys');
  await expect(keys.names()).toHaveCount(KEYS.length);
  await expect(keys.resultCount()).toHaveCount(0);
});

test('p60: characters special to LIKE, SQL or HTML are searched for literally', async ({ adminPage }) => {
  const keys = new ConsolePage(adminPage);
  const found: Record<string, string[]> = {
    '100%': ['Grafana 100%'],
    '%': ['Grafana 100%'],
    'x_b': ['Hotfix_bot'],
    'X_B': ['Hotfix_bot'],
    _: ['Hotfix_bot'],
    "'": ['O\'Reilly "feeds" \\ <b>'],
    '"feeds"': ['O\'Reilly "feeds" \\ <b>'],
    '\\': ['O\'Reilly "feeds" \\ <b>'],
    '<b>': ['O\'Reilly "feeds" \\ <b>'],
    'it & m': ['O\'Reilly "feeds" \\ <b>'],
    "' OR 1=1 --": [],
  };
  await keys.openList();
  for (const [q, expected] of Object.entries(found)) {
    await keys.search().fill(q);
    await expect(adminPage).toHaveURL((url) => url.searchParams.get('q') === q);
    await expect(keys.names(), q).toHaveText(expected);
  }
  for (const [q, expected] of Object.entries(found).slice(0, 3)) {
    await adminPage.goto(`/tenant-api-keys?q=${encodeURIComponent(q)}`);
    await expect(keys.search()).toHaveValue(q);
    await expect(keys.names(), `${q} by URL`).toHaveText(expected);
  }
});

test('without a match the page names the set filters and clears them', async ({ adminPage }) => {
  const keys = new ConsolePage(adminPage);
  await keys.openList('?status=active&expiration=expired&q=%3Ci%3Eerp&sort=name');
  await expect(keys.noMatch()).toContainText('Active, Expired, matching “<i>erp”');
  // Filters and column heads remain.
  await expect(keys.currentSegment('Status')).toHaveText(['Active']);
  await expect(keys.head('Name')).toHaveAttribute('aria-sort', 'ascending');
  await expect(keys.pager()).toBeHidden();
  await expect(keys.resultCount()).toHaveText('0 keys');
  await keys.noMatch().getByRole('link', { name: 'Clear all filters', exact: true }).click();
  // The sort order is not a filter.
  await expect(adminPage).toHaveURL(listUrl({ sort: 'name' }));
  await expect(keys.names()).toHaveCount(KEYS.length);
  await expect(keys.search()).toHaveValue('');

  await keys.segment('Status', 'Revoked').click();
  await keys.clearAll().click();
  await expect(adminPage).toHaveURL(listUrl({ sort: 'name' }));
  await expect(keys.clearAll()).toHaveCount(0);
});

test('the number of keys that expire soon links to that filter', async ({ adminPage }) => {
  const keys = new ConsolePage(adminPage);
  // The notice counts the tenant's keys, independent of the list's filters.
  await keys.openList('?status=revoked');
  await adminPage.getByRole('link', { name: '3 keys expire within 30 days', exact: true }).click();
  await expectFiltered(adminPage, 'active', 'expiring_soon');
});

test('unknown filter values are ignored and not carried on', async ({ adminPage }) => {
  // Wide enough to show every column.
  await adminPage.setViewportSize({ width: 1440, height: 900 });
  const keys = new ConsolePage(adminPage);
  for (const query of ['?status=on&expiration=soon&sort=secret_digest', '?status=ACTIVE&sort=-id', '?foo=bar&status=&q=']) {
    await keys.openList(query);
    await expect(keys.names()).toHaveText(namesOf(() => true));
    await expect(keys.currentSegment('Status')).toHaveText(['All']);
    await expect(keys.currentSegment('Expiration')).toHaveText(['All']);
    await expect(keys.head('Created')).toHaveAttribute('aria-sort', 'descending');
    await expect(keys.clearAll()).toHaveCount(0);
  }
  await keys.segment('Status', 'Active').click();
  await expect(adminPage).toHaveURL(listUrl({ status: 'active' }));
});

test('filtering, searching, sorting and clearing keep the tenant of a super user', async ({ context, page, server, tenant }) => {
  await signIn(context, server.origin, await createPerson(server, 'super_user'));
  const keys = new ConsolePage(page);
  await keys.openList(`?tenant=${tenant.slug}&status=active&q=nothing-like-this`);
  const links = await page.getByRole('main').getByRole('link').evaluateAll((all) => all.map((link) => (link as HTMLAnchorElement).href));
  // Segments, column heads, Clear all, Clear all filters, Generate.
  expect(links.length).toBeGreaterThan(15);
  // The banner's link to the list of tenants belongs to none.
  for (const href of links.filter((href) => new URL(href).pathname !== '/tenants')) {
    expect(new URL(href).searchParams.get('tenant'), href).toBe(tenant.slug);
  }
  await keys.search().fill('nightly');
  await expect(page).toHaveURL(listUrl({ tenant: tenant.slug, status: 'active', q: 'nightly' }));
  await expect(keys.names()).toHaveText(['ERP nightly sync', 'Airflow']);
  await keys.segment('Expiration', 'Expiring Soon').click();
  await expect(page).toHaveURL(listUrl({ tenant: tenant.slug, status: 'active', expiration: 'expiring_soon', q: 'nightly' }));
  await keys.clearAll().click();
  await expect(page).toHaveURL(listUrl({ tenant: tenant.slug }));
  await page.getByRole('link', { name: '3 keys expire within 30 days' }).click();
  await expect(page).toHaveURL(listUrl({ tenant: tenant.slug, status: 'active', expiration: 'expiring_soon' }));
  await expect(keys.names()).toHaveText(matchingNames('active', 'expiring_soon'));
});

test('a dialog opens over the filtered list and leads back to it', async ({ adminPage }) => {
  const keys = new ConsolePage(adminPage);
  await keys.openList('?status=active&expiration=expiring_soon&q=data');
  for (const [verb, dialog] of [['Edit', keys.editDialog()], ['Rotate', keys.rotateDialog()], ['Revoke', keys.revokeDialog()]] as const) {
    await keys.action(verb, 'Data lake').click();
    await expect(dialog).toBeVisible();
    await expect(keys.names()).toHaveText(['Data lake']);
    await dialog.getByRole('link', { name: 'Cancel', exact: true }).click();
    await expect(dialog).toBeHidden();
    await expect(adminPage).toHaveURL(listUrl({ status: 'active', expiration: 'expiring_soon', q: 'data' }));
  }
});

test('on a narrow screen filters and sorting are in a sheet', async ({ adminPage }) => {
  await adminPage.setViewportSize({ width: 375, height: 800 });
  const keys = new ConsolePage(adminPage);
  await keys.openList();
  await expect(keys.segment('Status', 'Active')).toBeHidden();
  const opener = adminPage.getByRole('button', { name: 'Filters', exact: true });
  for (const [filter, word, url] of [
    ['Status', 'Active', '?status=active'],
    ['Expiration', 'Expired', '?status=active&expiration=expired'],
    ['Sort by', 'Name', '?status=active&expiration=expired&sort=name'],
  ] as const) {
    await opener.click();
    await expect(keys.segment(filter, word)).toBeVisible();
    await keys.segment(filter, word).click();
    await expect(adminPage).toHaveURL(`/tenant-api-keys${url}`);
    // The chosen option is visible.
    await expect(keys.segment(filter, word)).toBeHidden();
  }
  await expect(keys.names()).toHaveText(['Fax gateway']);
  await opener.click();
  await expect(keys.currentSegment('Sort by')).toHaveText(['Name']);
  await adminPage.getByRole('button', { name: 'Show keys', exact: true }).click();
  await expect(keys.segment('Status', 'Active')).toBeHidden();
  await opener.click();
  await adminPage.keyboard.press('Escape');
  await expect(keys.segment('Status', 'Active')).toBeHidden();
  await expect(opener).toBeFocused();
});

/** The names of the active keys that never expire, newest first. */
const NEVER_EXPIRING = namesOf(({ status, expires }) => status === 'active' && expires === null);
/** Chromium warns that each page's script and its preloads are unused. */
const UNUSED = [/^request failed: \S+\.js csp$/, /^console warning: The resource \S+\.wasm was preloaded using link preload but not used/];

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? 'with a script' : 'without a script';
  for (const width of [1440, 375]) {
    test(`keys that never expire and unused keys can be filtered, ${how}, ${width} wide`, async ({ browserLog, openContext, server, tenant }) => {
      if (!javaScriptEnabled) for (const complaint of UNUSED) browserLog.expect(complaint);
      const context = await openContext({ javaScriptEnabled, viewport: { width, height: 900 } });
      await signIn(context, server.origin, tenant.administrator);
      const page = await context.newPage();
      const keys = new ConsolePage(page);
      const choose = async (link: Locator): Promise<void> => {
        if (width < 640) await page.getByRole('button', { name: 'Filters', exact: true }).click();
        await link.click();
      };
      await page.goto('/tenant-api-keys?status=active&q=a');
      if (javaScriptEnabled) await hydrated(page);
      await choose(keys.segment('Expiration', 'Never expires'));
      await expect(page).toHaveURL(listUrl({ status: 'active', lifetime: 'never', q: 'a' }));
      await expect(keys.names()).toHaveText(NEVER_EXPIRING.filter((name) => /a/i.test(name) || name.startsWith('O')));
      // The other filter is kept, and an expiration state replaces the lifetime.
      await choose(page.getByRole('link', { name: 'Not used in 90 days', exact: true }));
      await expect(page).toHaveURL(listUrl({ status: 'active', lifetime: 'never', unused_days: '90', q: 'a' }));
      await expect(keys.noMatch()).toContainText('Active, Never expires, Not used in 90 days, matching “a”');
      await choose(keys.segment('Expiration', 'Expired'));
      await expect(page).toHaveURL(listUrl({ status: 'active', expiration: 'expired', unused_days: '90', q: 'a' }));
      // Sorting and searching keep both.
      await page.goto('/tenant-api-keys?lifetime=never&unused_days=90');
      if (javaScriptEnabled) await hydrated(page);
      await keys.search().fill('scan');
      await keys.search().press('Enter');
      await expect(page).toHaveURL((url) => url.searchParams.get('q') === 'scan' && url.searchParams.get('lifetime') === 'never' && url.searchParams.get('unused_days') === '90');
      await choose(page.getByRole('link', { name: 'Not used in 90 days', exact: true }));
      await expect(page).toHaveURL((url) => url.searchParams.get('unused_days') === null && url.searchParams.get('lifetime') === 'never');
      // No key matches, so the link is in the table instead of the bar.
      await expect(keys.clearAll()).toBeHidden();
      await keys.noMatch().getByRole('link', { name: 'Clear all filters' }).click();
      await expect(page).toHaveURL('/tenant-api-keys');
      await expect(keys.names()).toHaveCount(KEYS.length);
      // Revoked keys are not asked for, unless a status is chosen.
      await choose(page.getByRole('link', { name: 'Not used in 90 days', exact: true }));
      await expect(page).toHaveURL(listUrl({ status: 'active', unused_days: '90' }));
    });
  }
}

test('between the phone and the wide table, a menu sorts', async ({ adminPage }) => {
  await adminPage.setViewportSize({ width: 1024, height: 800 });
  const keys = new ConsolePage(adminPage);
  await keys.openList('?status=active');
  const menu = adminPage.getByText('Sort: Newest', { exact: true });
  await menu.focus();
  await adminPage.keyboard.press('Enter');
  await adminPage.keyboard.press('Tab');
  await adminPage.keyboard.press('Tab');
  await adminPage.keyboard.press('Enter');
  await expect(adminPage).toHaveURL(listUrl({ status: 'active', sort: 'name' }));
  const summary = adminPage.getByText('Sort: Name', { exact: true });
  await expect(summary).toBeFocused();
  await expect(adminPage.locator('.sort')).not.toHaveAttribute('open');
});
