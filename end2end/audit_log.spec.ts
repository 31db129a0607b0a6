// The audit log and the installation log: filters, entries, pages, exports, with and without script; accessibility.

import { readFile } from 'node:fs/promises';

import AxeBuilder from '@axe-core/playwright';
import type { BrowserContext, Locator, Page } from '@playwright/test';

import { type IssuedKey, type Tenant, createPerson, daysFromToday, expect, signIn, test } from './fixtures';
import { animationsEnded } from './support/animations';
import { send } from './support/request';

/** A page of events. */
export class LogPage {
  constructor(readonly page: Page) {}

  readonly heading = (name: string): Locator => this.page.getByRole('heading', { level: 1, name, exact: true });
  /** The entries; their summaries are buttons that unfold them. */
  readonly entries = (): Locator => this.page.getByRole('main').locator('details');
  readonly entry = (text: string | RegExp): Locator => this.entries().filter({ hasText: text });
  readonly filters = (): Locator => this.page.getByRole('search', { name: 'Filters' });
  readonly action = (): Locator => this.filters().getByRole('combobox', { name: 'Action' });
  readonly person = (): Locator => this.filters().getByRole('combobox', { name: 'Person' });
  readonly search = (): Locator => this.filters().getByRole('searchbox', { name: 'Key name or last four' });
  readonly from = (): Locator => this.filters().getByRole('textbox', { name: 'From' });
  readonly to = (): Locator => this.filters().getByRole('textbox', { name: 'to', exact: true });
  readonly apply = (): Locator => this.filters().getByRole('button', { name: 'Apply' });
  readonly clearAll = (): Locator => this.filters().getByRole('link', { name: 'Clear all' });
  readonly pager = (): Locator => this.page.getByRole('navigation', { name: 'Pages' });

  /** Unfolds an entry. */
  async unfold(entry: Locator): Promise<void> {
    await entry.locator('summary').click();
    await expect(entry.getByText('Event ID')).toBeVisible();
  }

  /** Saves an export and returns its text. */
  async download(name: string): Promise<{ file: string; text: string }> {
    const [download] = await Promise.all([this.page.waitForEvent('download'), this.page.getByRole('link', { name, exact: true }).click()]);
    return { file: download.suggestedFilename(), text: await readFile(await download.path(), 'utf8') };
  }
}

/** Edits the description of a key as another key, so often. */
async function edit(origin: string, manager: IssuedKey, key: IssuedKey, times: number): Promise<void> {
  for (let time = 1; time <= times; time += 1) {
    const headers = { 'X-API-Key': manager.secret, 'Content-Type': 'application/json' };
    const body = JSON.stringify({ description: `Edit ${time}` });
    const { status } = await send(`${origin}/api/v1/api-keys/${key.id}`, { method: 'PATCH', headers, body });
    expect(status).toBe(200);
  }
}

async function keysOf(tenant: Tenant): Promise<{ erp: IssuedKey; shop: IssuedKey; manager: IssuedKey }> {
  await tenant.addGroup('Managers', ['api-keys:write', 'orders:read', 'orders:write']);
  return { erp: await tenant.key('ERP nightly sync'), shop: await tenant.key('Shop'), manager: await tenant.key('Manager', { group: 'Managers' }) };
}

async function expectNoScrolling(page: Page, what: string): Promise<void> {
  const excess = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(excess, `${what} scrolls horizontally`).toBe(0);
}

for (const { how, options, width } of [
  { how: 'with script', options: {}, width: 1440 },
  { how: 'with script', options: {}, width: 375 },
  { how: 'without script', options: { javaScriptEnabled: false }, width: 1440 },
  { how: 'without script', options: { javaScriptEnabled: false }, width: 375 },
]) {
  test(`who changed a key, from where and when is found, unfolded and exported, ${how}, ${width} wide`, async ({ browserLog, openContext, server, tenant }) => {
    browserLog.expect(/^request failed: \S+\.js csp$/);
    browserLog.expect(/^console warning: The resource \S+\.wasm was preloaded using link preload but not used/);
    const { erp, shop, manager } = await keysOf(tenant);
    await edit(server.origin, manager, erp, 26);
    const context: BrowserContext = await openContext({ ...options, viewport: { width, height: 900 } });
    await signIn(context, server.origin, tenant.administrator);
    const page = await context.newPage();
    const log = new LogPage(page);

    // From the key's page to its events.
    await page.goto(`/tenant-api-keys/${erp.id}`);
    await page.getByRole('region', { name: 'History', exact: true }).getByRole('link', { name: 'Open in the Audit Log' }).click();
    await expect(page).toHaveURL(`/audit-log?key_id=${erp.id}`);
    await expect(log.heading('Audit Log')).toBeVisible();
    await expect(log.filters().getByRole('link', { name: /^Key: ERP nightly sync/ })).toBeVisible();
    await expect(log.entries()).toHaveCount(25);
    await expect(log.pager()).toContainText('Events 1–25');
    await expectNoScrolling(page, 'the log');
    await log.pager().getByRole('link', { name: 'Next' }).click();
    await expect(log.entries()).toHaveCount(2);
    await expect(log.entries().last()).toContainText('An operator at the command line generated ERP nightly sync');
    await log.pager().getByRole('link', { name: 'Previous' }).click();
    await expect(log.entries().first()).toContainText('Key Manager edited ERP nightly sync');

    // An entry unfolds to the field before and after.
    const newest = log.entries().first();
    await expect(newest.getByText('Event ID')).toBeHidden();
    await log.unfold(newest);
    await expect(newest).toContainText('Before: Edit 25 → After: Edit 26');
    await expect(newest).toContainText('127.0.0.1');
    await expectNoScrolling(page, 'an unfolded entry');
    await newest.getByRole('link', { name: 'Link to this event' }).click();
    await expect(page).toHaveURL(/[?&]event=/);
    await expect(log.entries().first().getByText('Event ID')).toBeVisible();

    // The exports contain what the filters select.
    await log.action().selectOption({ label: 'Key generated' });
    await log.apply().click();
    await expect(page).toHaveURL((url) => url.searchParams.get('key_id') === erp.id && url.searchParams.get('action') === 'api_key.created');
    await expect(log.entries()).toHaveCount(1);
    const csv = await log.download('Export CSV');
    expect(csv.file).toBe(`audit-log-${tenant.slug}-${daysFromToday(0)}.csv`);
    const lines = csv.text.trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^id,at,action,actor_type,/);
    expect(lines[1]).toContain(erp.id);
    const json = await log.download('Export JSON Lines');
    expect(json.file).toMatch(/\.jsonl$/);
    expect(json.text.trimEnd().split('\n').map((line) => JSON.parse(line).target.id)).toEqual([erp.id]);

    // Without the key, by person and by search.
    await log.filters().getByRole('link', { name: /^Key: ERP nightly sync/ }).click();
    await expect(log.entries()).toHaveCount(3);
    await log.action().selectOption({ label: 'Any action' });
    await log.person().selectOption({ label: 'Mira Albrecht' });
    await log.apply().click();
    await expect(log.entries()).toHaveText([/^Mira Albrecht signed in/]);
    await log.clearAll().click();
    await expect(page).toHaveURL('/audit-log');
    await log.search().fill('Shop');
    await log.apply().click();
    await expect(log.entries()).toHaveCount(1);
    await expect(log.entries().first()).toContainText('generated Shop');
    expect(shop.id).not.toBe(erp.id);

    // By date, with a date that is none, and without a match.
    await log.from().fill('17/11/2026');
    await log.apply().click();
    await expect(page.getByRole('alert')).toContainText('From: ');
    await expect(log.from()).toHaveAttribute('aria-invalid', 'true');
    await expect(log.from()).toHaveValue('17/11/2026');
    await log.from().fill(daysFromToday(0));
    await log.to().fill(daysFromToday(0));
    await log.apply().click();
    await expect(log.entries()).toHaveCount(1);
    await log.from().fill(daysFromToday(-9));
    await log.to().fill(daysFromToday(-2));
    await log.apply().click();
    await expect(page.getByRole('heading', { name: 'No event matches these filters' })).toBeVisible();
    await page.getByRole('link', { name: 'Clear all filters' }).click();
    await expect(log.entries()).toHaveCount(25);
  });
}

test('the installation log shows a super user the events of no tenant, and the log of a tenant keeps its tenant', async ({ context, page, server, tenant }) => {
  await tenant.key('ERP nightly sync');
  await signIn(context, server.origin, await createPerson(server, 'super_user', undefined, 'Otis Operator'));
  const log = new LogPage(page);
  await page.goto('/tenant-api-keys');
  await page.getByRole('link', { name: 'Installation Log', exact: true }).click();
  await expect(log.heading('Installation Log')).toBeVisible();
  await expect(log.entry('Otis Operator signed in').first()).toBeVisible();
  await expect(log.entry('ERP nightly sync')).toHaveCount(0);
  await log.action().selectOption({ label: 'Tenant created' });
  await log.apply().click();
  await expect(log.entries().first()).toContainText('created the tenant');
  await page.goto(`/audit-log?tenant=${tenant.slug}`);
  await log.unfold(log.entry('ERP nightly sync'));
  await log.entry('ERP nightly sync').getByRole('link', { name: 'Open the key' }).click();
  await expect(page).toHaveURL(new RegExp(`/tenant-api-keys/[0-9a-f-]+\\?tenant=${tenant.slug}$`));
  await page.goBack();
  await log.search().fill('ERP');
  await log.apply().click();
  await expect(page).toHaveURL((url) => url.searchParams.get('tenant') === tenant.slug && url.searchParams.get('q') === 'ERP');
  const { text } = await log.download('Export JSON Lines');
  expect(text.trimEnd().split('\n')).toHaveLength(1);
});

test('the logs have no accessibility violation, folded, unfolded, empty and with an error', async ({ adminPage: page, openContext, server, tenant }) => {
  const { erp, manager } = await keysOf(tenant);
  await edit(server.origin, manager, erp, 2);
  const expectAccessible = async (where: Page, what: string): Promise<void> => {
    for (const [width, colorScheme] of [[1440, 'light'], [375, 'dark']] as const) {
      await where.setViewportSize({ width, height: 900 });
      await where.emulateMedia({ colorScheme });
      await animationsEnded(where);
      const { violations } = await new AxeBuilder({ page: where }).setLegacyMode().analyze();
      const found = violations.map(({ id, help, nodes }) => ({ id, help, where: nodes.map((node) => node.html) }));
      expect(found, `${what}, ${colorScheme}, ${width} wide`).toEqual([]);
    }
    await where.setViewportSize({ width: 320, height: 900 });
    await expectNoScrolling(where, `${what} at 320`);
  };
  const log = new LogPage(page);
  await page.goto(`/audit-log?key_id=${erp.id}&from=x`);
  await log.unfold(log.entries().first());
  await expectAccessible(page, 'an unfolded entry below a date that is none');
  await page.goto('/audit-log?q=nothing');
  await expectAccessible(page, 'the log without a match');
  const context = await openContext();
  await signIn(context, server.origin, await createPerson(server, 'super_user'));
  const theirs = await context.newPage();
  await theirs.goto('/installation-log');
  await expectAccessible(theirs, 'the installation log');
});
