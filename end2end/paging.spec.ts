// Sorting by column heads and paging, with up to 100,000 keys.

import type { Page } from '@playwright/test';

import { ConsolePage, open } from './console_page';
import { KEYS, MANY_KEYS, daysFromToday, expect, expirationOf, namesOf, test } from './stocked_fixtures';
import { type StoredKey, addKeys } from './support/stored_keys';
import { Tenant, test as emptyTest, signIn } from './fixtures';

/** Each column: its value in the URL, its sort key, and whether the first click sorts descending. */
const COLUMNS: { head: string; sort: string; value: (key: StoredKey) => string | null; largestFirst: boolean }[] = [
  { head: 'Name', sort: 'name', value: ({ name }) => name.toLowerCase(), largestFirst: false },
  { head: 'Status', sort: 'status', value: ({ status }) => status, largestFirst: false },
  { head: 'Authorization group', sort: 'authorization_group', value: ({ group }) => group.toLowerCase(), largestFirst: false },
  { head: 'Expires', sort: 'expires_on', value: ({ expires }) => expires, largestFirst: false },
  { head: 'Last used', sort: 'last_used_at', value: ({ lastUsed }) => lastUsed && lastUsed.toISOString(), largestFirst: true },
  { head: 'Created', sort: 'created_at', value: ({ created }) => created.toISOString(), largestFirst: true },
];

/** Sorts values like the list: empty ones last in both directions. */
function sorted(values: (string | null)[], descending: boolean): (string | null)[] {
  const present = values.filter((value) => value !== null).sort();
  return [...(descending ? present.reverse() : present), ...values.filter((value) => value === null)];
}

test('each column head sorts by its column in both directions', async ({ adminPage }) => {
  // Wide enough to show every column.
  await adminPage.setViewportSize({ width: 1440, height: 900 });
  const byName = new Map(KEYS.map((key) => [key.name, key]));
  const keys = new ConsolePage(adminPage);
  await keys.openList('?status=&q=');
  await expect(keys.head('Created')).toHaveAttribute('aria-sort', 'descending');

  /** Compares values instead of keys, because the order of keys with equal values is not specified. */
  const expectSorted = async (column: (typeof COLUMNS)[number], descending: boolean): Promise<void> => {
    await expect(keys.head(column.head)).toHaveAttribute('aria-sort', descending ? 'descending' : 'ascending');
    await expect(adminPage.locator('th[aria-sort]')).toHaveCount(1);
    const expected = sorted(KEYS.map(column.value), descending);
    await expect
      .poll(async () => {
        const names = await keys.names().allInnerTexts();
        return names.map((name) => column.value(byName.get(name)!));
      }, `${column.head}, ${descending ? 'largest' : 'smallest'} first`)
      .toEqual(expected);
    expect((await keys.names().allInnerTexts()).sort()).toEqual(namesOf(() => true).sort());
  };

  for (const column of COLUMNS) {
    for (const descending of [column.largestFirst, !column.largestFirst]) {
      await keys.head(column.head).getByRole('link').click();
      const word = `${descending ? '-' : ''}${column.sort}`;
      // The default order is not in the URL.
      await expect(adminPage).toHaveURL(word === '-created_at' ? '/tenant-api-keys' : `/tenant-api-keys?sort=${word}`);
      await expectSorted(column, descending);
    }
  }
  // The same order by URL, rendered on the server, and after Back.
  await adminPage.goBack();
  await expectSorted(COLUMNS[5]!, true);
  await adminPage.goto('/tenant-api-keys?sort=-expires_on');
  await expectSorted(COLUMNS[3]!, true);
});

/** Expects these keys in the list and `text` as their position. */
async function expectPage(page: Page, names: string[], text: string): Promise<void> {
  const keys = new ConsolePage(page);
  await expect(keys.pager()).toContainText(text);
  await expect(keys.names()).toHaveText(names);
}

test('paging works by links and by the browser’s Back and Forward', async ({ context, page, server, stocked }) => {
  await signIn(context, server.origin, stocked.tenantOfMany.administrator);
  const keys = new ConsolePage(page);
  const all = namesOf(() => true, MANY_KEYS);
  const pages = [
    [all.slice(0, 25), '1–25 of 60 keys'],
    [all.slice(25, 50), '26–50 of 60 keys'],
    [all.slice(50), '51–60 of 60 keys'],
  ] as const;
  const previous = keys.pager().getByRole('button', { name: 'Previous', exact: true });
  const next = keys.pager().getByRole('button', { name: 'Next', exact: true });

  await keys.openList();
  await expectPage(page, ...pages[0]);
  await expect(previous).toBeDisabled();
  await keys.next().click();
  await expectPage(page, ...pages[1]);
  await keys.next().click();
  await expectPage(page, ...pages[2]);
  await expect(next).toBeDisabled();
  const lastPage = page.url();
  await keys.previous().click();
  await expectPage(page, ...pages[1]);
  await keys.previous().click();
  await expectPage(page, ...pages[0]);
  await expect(previous).toBeDisabled();

  await page.goBack();
  await expectPage(page, ...pages[1]);
  await page.goBack();
  await expectPage(page, ...pages[2]);
  await page.goForward();
  await expectPage(page, ...pages[1]);

  // A page has a URL; changing filters or order starts at the first page.
  await page.goto(lastPage);
  await expectPage(page, ...pages[2]);
  await keys.openList();
  await keys.next().click();
  await expectPage(page, ...pages[1]);
  await keys.segment('Status', 'Active').click();
  const active = namesOf(({ status }) => status === 'active', MANY_KEYS);
  await expectPage(page, active.slice(0, 25), '1–25 of 48 keys');
  await keys.next().click();
  await expectPage(page, active.slice(25), '26–48 of 48 keys');
  await expect(page).toHaveURL(/\?status=active&cursor=[\w-]+$/);
  await keys.head('Name').getByRole('link').click();
  await expectPage(page, [...active].reverse().slice(0, 25), '1–25 of 48 keys');
  await expect(page).toHaveURL('/tenant-api-keys?status=active&sort=name');
});

const HUNDRED_THOUSAND = 100_000;

emptyTest('a tenant of 100,000 keys: every sort and filter, and from page to page', async ({ context, page, startServer }) => {
  // Most of the time is spent on inserting the keys.
  test.setTimeout(150_000);
  const server = await startServer({ LATCHKEY_REVOKED_KEYS_KEPT: `${HUNDRED_THOUSAND}` });
  const tenant = await Tenant.create(server, { keyLimit: HUNDRED_THOUSAND });
  await tenant.addGroup('Reports', ['reports:read']);
  const stored = Array.from({ length: HUNDRED_THOUSAND }, (_, index) => manyfold(index, tenant.group));
  await server.restartOn((database) => addKeys(database, tenant.slug, stored));
  const origin = server.origin;
  await signIn(context, origin, tenant.administrator);
  await page.setViewportSize({ width: 1440, height: 900 });
  const keys = new ConsolePage(page);
  const listOf = (query: string): string => `${origin}/tenant-api-keys${query}`;

  await page.goto(listOf(''));
  await expect(keys.counter('80,000/100,000 keys')).toBeVisible();
  for (const { sort, value } of COLUMNS) {
    for (const descending of [false, true]) {
      await page.goto(listOf(`?sort=${descending ? '-' : ''}${sort}`));
      await expect(keys.pager()).toContainText('1–25 of 100,000 keys');
      const names = await keys.names().allInnerTexts();
      expect(names).toHaveLength(25);
      const extreme = sorted(stored.map(value), descending).slice(0, 25);
      expect(names.map((name) => value(stored[numberOf(name)]!)), `${sort}, ${descending ? 'largest' : 'smallest'} first`).toEqual(extreme);
    }
  }

  const filters: [query: string, matches: (key: StoredKey) => boolean][] = [
    ['status=active', ({ status }) => status === 'active'],
    ['status=revoked', ({ status }) => status === 'revoked'],
    ['expiration=valid', (key) => expirationOf(key) === 'valid'],
    ['expiration=expiring_soon', (key) => expirationOf(key) === 'expiring_soon'],
    ['expiration=expired', (key) => expirationOf(key) === 'expired'],
    ['status=revoked&expiration=expired', (key) => key.status === 'revoked' && expirationOf(key) === 'expired'],
    ['q=9999', ({ name }) => name.includes('9999')],
    ['status=active&expiration=valid&q=777', (key) => key.status === 'active' && expirationOf(key) === 'valid' && key.name.includes('777')],
  ];
  for (const [query, matches] of filters) {
    await page.goto(listOf(`?${query}`));
    const expected = stored.filter(matches).map(({ name }) => name).reverse();
    await expectPage(page, expected.slice(0, 25), `1–${Math.min(25, expected.length)} of ${expected.length.toLocaleString('en')} keys`);
  }

  // With script: forward, back, and forward again.
  const newest = stored.map(({ name }) => name).reverse();
  await open(page, listOf(''));
  const firsts = [0, 25, 50, 75, 50, 25, 0, 25];
  for (const [step, first] of firsts.entries()) {
    await expectPage(page, newest.slice(first, first + 25), `${first + 1}–${first + 25} of 100,000 keys`);
    const then = firsts[step + 1];
    if (then !== undefined) await (then < first ? keys.previous() : keys.next()).click();
  }
});

/** Key number `index` of many: all states, and a different order in each column. */
function manyfold(index: number, group: string): StoredKey {
  const scattered = (index * 7_919) % HUNDRED_THOUSAND;
  return {
    name: `Key ${String(scattered).padStart(6, '0')} of ${index}`,
    description: `Nightly job of warehouse ${index % 12}`,
    group: index % 3 === 0 ? 'Reports' : group,
    status: index % 5 === 0 ? 'revoked' : 'active',
    expires: index % 4 === 0 ? null : daysFromToday((scattered % 365) - 100),
    lastUsed: index % 7 === 0 ? null : new Date(1_770_000_000_000 + scattered * 1_000),
    created: new Date(1_760_000_000_000 + index * 1_000),
  };
}

/** The index of the key with this name. */
function numberOf(name: string): number {
  return Number(/ of (\d+)$/.exec(name)?.[1]);
}
