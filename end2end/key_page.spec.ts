// The page of a key: facts, usage, refusals, "Would it pass?" and history, with and without script; by keyboard; accessibility.

import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';

import { ConsolePage } from './console_page';
import { type IssuedKey, daysFromToday, expect, signIn, test } from './fixtures';
import { animationsEnded } from './support/animations';
import { whoami } from './support/request';

/** The page of one key. */
class KeyPage {
  constructor(readonly page: Page) {}

  readonly heading = (name: string) => this.page.getByRole('heading', { level: 1, name, exact: true });
  readonly card = (name: string) => this.page.getByRole('region', { name, exact: true });
  readonly usage = () => this.card('Usage, last 30 days');
  readonly refusals = () => this.card('Refusals, last 7 days');
  readonly addresses = () => this.card('Addresses, last 7 days');
  readonly trial = () => this.card('Would it pass?');
  readonly history = () => this.card('History');
  readonly facts = () => this.page.getByRole('complementary', { name: 'About this key' });
  readonly address = () => this.page.getByLabel('From address', { exact: true });
  readonly permission = () => this.page.getByLabel(/^Permission/);
  readonly time = () => this.page.getByLabel(/^When, UTC/);
  readonly check = () => this.page.getByRole('button', { name: 'Check', exact: true });
  readonly verdict = () => this.trial().getByRole('status');
}

/** Sends so many requests with the key. */
async function use(origin: string, key: IssuedKey, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent += 1) await whoami(origin, key.secret);
}

/** Opens the page of the key and waits until it counts these requests. */
async function expectCounted(page: Page, key: IssuedKey, accepted: number, refused: number): Promise<void> {
  const shown = new KeyPage(page);
  // Uses are written every 5 seconds.
  await expect(async () => {
    await page.goto(`/tenant-api-keys/${key.id}`);
    await expect(shown.usage()).toContainText(`${accepted} accepted`, { timeout: 100 });
    await expect(shown.usage()).toContainText(`${refused} refused`, { timeout: 100 });
  }).toPass({ timeout: 20_000 });
}

for (const { how, options, width } of [
  { how: 'with script', options: {}, width: 1440 },
  { how: 'with script', options: {}, width: 375 },
  { how: 'without script', options: { javaScriptEnabled: false }, width: 1440 },
  { how: 'without script', options: { javaScriptEnabled: false }, width: 375 },
]) {
  test(`a refused address is found, asked about, added and accepted, ${how}, ${width} wide`, async ({ browserLog, openContext, server, tenant }) => {
    test.setTimeout(120_000);
    browserLog.expect(/^request failed: \S+\.js csp$/);
    browserLog.expect(/^console warning: The resource \S+\.wasm was preloaded using link preload but not used/);
    const context = await openContext({ ...options, viewport: { width, height: 900 } });
    const page = await context.newPage();
    await signIn(context, server.origin, tenant.administrator);
    const key = await tenant.key('Shopify connector', { description: 'Orders in', allow: ['198.51.100.0/24'], expires: daysFromToday(40) });
    const keys = new ConsolePage(page);
    const shown = new KeyPage(page);
    await page.goto('/tenant-api-keys');
    await page.getByRole('link', { name: 'Shopify connector', exact: true }).click();
    await expect(page).toHaveURL(`/tenant-api-keys/${key.id}`);
    await expect(shown.heading('Shopify connector')).toBeVisible();
    await expect(shown.usage()).toContainText('No requests yet');
    await expect(shown.refusals()).toContainText('No request was refused in the last 7 days');
    await expect(shown.facts()).toContainText(key.hint);
    await expect(shown.facts()).toContainText('In 40 days.');
    await expect(shown.history()).toContainText('An operator at the command line generated the key');

    await use(server.origin, key, 3);
    await expectCounted(page, key, 0, 3);
    const refusal = shown.refusals().getByRole('listitem').first();
    await expect(refusal).toContainText('The address is not in the allowlist 403 ip_not_allowed');
    await expect(refusal).toContainText('127.0.0.1');
    await expect(refusal).toContainText('3 times');

    await page.getByRole('link', { name: 'Would it pass? 127.0.0.1' }).click();
    await expect(page).toHaveURL(`/tenant-api-keys/${key.id}?ip=127.0.0.1#probe-title`);
    await expect(shown.address()).toHaveValue('127.0.0.1');
    await expect(shown.verdict()).toContainText('Refused: 403 ip_not_allowed');
    await shown.verdict().getByRole('link', { name: 'Add it to the allowlist' }).click();
    await expect(keys.allowlist()).toHaveValue('198.51.100.0/24\n127.0.0.1/32');
    await expect(keys.editDialog()).toContainText('Added 127.0.0.1/32 to the IP allowlist. Save to apply it.');
    await keys.save().click();
    await expect(keys.editDialog()).toHaveCount(0);

    await use(server.origin, key, 2);
    await expectCounted(page, key, 2, 3);
    await expect(shown.addresses().getByRole('row', { name: /127\.0\.0\.1/ })).toContainText('2');
    await expect(shown.facts()).toContainText('127.0.0.1/32');
    await expect(shown.history()).toContainText('Before: 198.51.100.0/24 → After: 198.51.100.0/24, 127.0.0.1/32');

    // The question stays in the URL and in the form.
    await shown.address().fill('127.0.0.1');
    await shown.permission().fill('orders:delete');
    await shown.check().click();
    await expect(shown.verdict()).toContainText('Refused: 403 missing_permission');
    await expect(shown.verdict()).toContainText('The group Orders read/write lacks orders:delete.');
    await expect(shown.verdict().getByRole('listitem').filter({ hasText: 'decided here' })).toHaveText(/Group has orders:delete/);
    await page.reload();
    await expect(shown.permission()).toHaveValue('orders:delete');
    await shown.permission().fill('orders:read');
    await shown.check().click();
    await expect(shown.verdict()).toContainText('Accepted');
    await shown.time().fill(`${daysFromToday(41)} 00:00`);
    await shown.check().click();
    await expect(shown.verdict()).toContainText('Refused: 401 expired_api_key');
    await shown.time().fill('tomorrow');
    await shown.check().click();
    await expect(shown.time()).toHaveAccessibleDescription(/^Must be a time, like 2027-07-01 00:00/);
    await expect(shown.time()).toHaveAttribute('aria-invalid', 'true');
    await expect(shown.verdict()).toHaveCount(0);

    await page.getByRole('main').getByRole('link', { name: 'Revoke', exact: true }).click();
    await keys.revokeDialog().getByRole('button', { name: 'Revoke', exact: true }).click();
    // The dialog leads back to the page from which it was opened.
    await expect(page).toHaveURL(`/tenant-api-keys/${key.id}`);
    await expect(shown.facts().getByRole('term').first()).toHaveText('Revoked');
    for (const action of ['Edit', 'Rotate', 'Revoke']) {
      await expect(page.getByRole('main').getByRole('link', { name: action, exact: true })).toHaveCount(0);
    }
  });
}

test('the page is used by keyboard alone', async ({ adminPage: page, server, tenant }) => {
  const key = await tenant.key('ERP nightly sync');
  await use(server.origin, key, 1);
  await expectCounted(page, key, 1, 0);
  const shown = new KeyPage(page);
  const summary = page.getByText('Show the numbers as a table');
  await summary.focus();
  await page.keyboard.press('Enter');
  const table = shown.usage().getByRole('table');
  await expect(table.getByRole('row')).toHaveCount(31);
  await expect(table.getByRole('row').nth(1)).toContainText('(so far)');
  await page.keyboard.press('Tab');
  await expect(page.getByRole('region', { name: 'Requests a day' })).toBeFocused();
  await page.keyboard.press('Tab');
  await expect(shown.address()).toBeFocused();
  await page.keyboard.type('2001:db8::7');
  await page.keyboard.press('Enter');
  await expect(shown.verdict()).toContainText('A request from 2001:db8::7 passes.');
});

for (const width of [1440, 375]) {
  for (const colorScheme of ['light', 'dark'] as const) {
    test(`the page has no accessibility violation, ${colorScheme}, ${width} wide`, async ({ adminPage: page, server, tenant }) => {
      const key = await tenant.key('ERP nightly sync', { description: 'Pulls orders into the ERP', allow: ['198.51.100.0/24'] });
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      const expectAccessible = async (what: string): Promise<void> => {
        await animationsEnded(page);
        const { violations } = await new AxeBuilder({ page }).setLegacyMode().analyze();
        const found = violations.map(({ id, help, nodes }) => ({ id, help, where: nodes.map((node) => node.html) }));
        expect(found, what).toEqual([]);
      };
      await page.goto(`/tenant-api-keys/${key.id}?ip=x&permission=y&at=z`);
      await expectAccessible('an unused key and a question that cannot be read');
      await use(server.origin, key, 2);
      await expectCounted(page, key, 0, 2);
      await page.goto(`/tenant-api-keys/${key.id}?ip=127.0.0.1`);
      await page.getByText('Show the numbers as a table').click();
      await expectAccessible('a used key with an answer');
      expect((await server.run(['key', 'revoke', key.id])).code).toBe(0);
      await page.goto(`/tenant-api-keys/${key.id}`);
      await expectAccessible('a revoked key');
      await page.setViewportSize({ width: 320, height: 900 });
      const excess = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      expect(excess, 'no horizontal scrolling at 320').toBe(0);
    });
  }
}
