// The security policy, with and without JavaScript: set, what it finds, its effect on forms, API, badge and filter, a conflict.

import type { Page } from '@playwright/test';

import { ConsolePage, open } from './console_page';
import { daysFromToday, expect, signIn, test as base } from './fixtures';
import { expectAccessibleIn } from './support/accessibility';

const test = base.extend<{ width: number; hasScript: boolean }>({
  width: [1440, { option: true }],
  hasScript: [false, { option: true }],
  context: async ({ openContext, hasScript, width }, use) =>
    use(await openContext({ javaScriptEnabled: hasScript, viewport: { width, height: 900 } })),
});

class PolicyPage {
  constructor(readonly page: Page) {}

  readonly required = () => this.page.getByRole('checkbox', { name: 'An expiration date is required' });
  readonly longest = () => this.page.getByRole('textbox', { name: 'Longest lifetime' });
  readonly preselected = () => this.page.getByRole('textbox', { name: 'Preselected lifetime' });
  readonly allowlist = () => this.page.getByRole('textbox', { name: 'Tenant-wide IP allowlist' });
  readonly secondFactor = () => this.page.getByRole('checkbox', { name: 'Every user needs a second factor' });
  readonly button = (name: string) => this.page.getByRole('button', { name, exact: true });
  readonly notice = () => this.page.getByRole('status');

  async goto(): Promise<void> {
    await this.page.goto('/security-policy');
  }
}

for (const { hasScript, width } of [
  { hasScript: false, width: 1440 },
  { hasScript: false, width: 375 },
  { hasScript: true, width: 1440 },
]) {
  test.describe(`at ${width} pixels, ${hasScript ? 'with' : 'without'} script`, () => {
    test.use({ hasScript, width });

    test('a policy is set, refuses new keys outside of it, and marks existing ones', async ({ adminPage: page, openContext, request, server, tenant, browserLog }) => {
      browserLog.expectStatus(422);
      await tenant.key('Endless');
      const long = await tenant.key('Long', { expires: daysFromToday(300) });
      await tenant.key('Short', { expires: daysFromToday(60) });
      const withScript = await openContext({ viewport: { width, height: 900 } });
      await signIn(withScript, server.origin, tenant.administrator);
      const accessible = await withScript.newPage();
      const policy = new PolicyPage(page);

      await policy.goto();
      await expect(page.getByText('1 active key never expires.')).toBeVisible();
      await expectAccessibleIn(accessible, page.url(), 'the empty policy');
      await policy.required().check();
      await policy.longest().fill('180');
      await policy.preselected().fill('200');
      await policy.allowlist().fill('203.0.113.0/24\n10.0.0.0/33');
      await policy.button('Save').click();
      await expect(page.getByText('Must be at most the longest lifetime, 180')).toBeVisible();
      await expect(page.getByText("Line 2: '10.0.0.0/33' is not an IP address or CIDR range")).toBeVisible();
      await expect(policy.required()).toBeChecked();
      await policy.preselected().fill('90');
      await policy.allowlist().fill('203.0.113.0/24');
      await policy.button('Check').click();
      await expect(page.getByText('127.0.0.1: no line admits it.')).toBeVisible();
      await expect(page.getByText('1 active key lives longer.')).toBeVisible();
      await page.getByRole('button', { name: /^Add it ?: 127\.0\.0\.1$/ }).click();
      await expect(policy.allowlist()).toHaveValue('203.0.113.0/24\n127.0.0.1');
      await expect(page.getByText('127.0.0.1: line 2 admits it.')).toBeVisible();
      await policy.button('Save').click();
      await expect(policy.notice()).toContainText('Saved the security policy.');
      await expect(policy.longest()).toHaveValue('180');
      await expectAccessibleIn(accessible, page.url(), 'the policy');

      // The form suggests the preselected lifetime and refuses a later date than permitted, as the API does.
      await (hasScript ? open(page, '/tenant-api-keys/new') : page.goto('/tenant-api-keys/new'));
      const list = new ConsolePage(page);
      const date = list.expires();
      await expect(date).toHaveValue(daysFromToday(90));
      await list.fill({ name: 'Later', group: tenant.group, expires: daysFromToday(181) });
      await page.getByRole('button', { name: 'Generate', exact: true }).click();
      await expect(page.getByText('Must be at most 180 days from today').first()).toBeVisible();
      const refused = await server.run(['key', 'create', '--tenant', tenant.slug, '--name', 'Later', '--group', tenant.group]);
      expect(JSON.stringify(refused)).toContain('An expiration date is required');

      await page.goto('/security-policy');
      await page.getByRole('link', { name: 'Show it' }).last().click();
      await expect(page).toHaveURL(/status=active&policy=outside/);
      await expect(list.row('Long')).toContainText('Outside policy');
      await expect(list.row('Endless')).toContainText('Outside policy');
      await expect(list.row('Short')).toHaveCount(0);
      await page.goto(`/tenant-api-keys/${long.id}`);
      await expect(page.getByText('300 days from creation, the policy allows 180. The key works.')).toBeVisible();
      const used = await request.get(`${server.origin}/api/v1/whoami`, { headers: { 'X-API-Key': long.secret } });
      expect(used.status()).toBe(200);
      expect((await used.json()).outside_policy).toBe(true);
    });
  });
}

test('an address that the tenant-wide list excludes is refused, and the check names the list', async ({ adminPage: page, request, server, tenant }) => {
  const key = await tenant.key('ERP');
  const policy = new PolicyPage(page);
  await policy.goto();
  await policy.allowlist().fill('203.0.113.0/24');
  await policy.button('Save').click();
  await expect(policy.notice()).toContainText('Saved the security policy.');
  const refused = await request.get(`${server.origin}/api/v1/whoami`, { headers: { 'X-API-Key': key.secret } });
  expect(refused.status()).toBe(403);
  expect((await refused.json()).code).toBe('ip_not_allowed');
  await page.goto(`/tenant-api-keys/${key.id}?ip=198.51.100.7`);
  await expect(page.getByText('198.51.100.7 is not in the tenant-wide allowlist.')).toBeVisible();
  await expect(page.getByRole('listitem').filter({ hasText: 'Address in the tenant-wide allowlist' })).toContainText('decided here');
});

test('a save of an outdated page keeps what was typed and shows the policy as it is', async ({ adminPage: page, browserLog, openContext, server, tenant }) => {
  browserLog.expectStatus(409);
  const policy = new PolicyPage(page);
  await policy.goto();
  const other = await openContext();
  await signIn(other, server.origin, tenant.administrator);
  const theirs = new PolicyPage(await other.newPage());
  await theirs.goto();
  await theirs.longest().fill('90');
  await theirs.button('Save').click();
  await expect(theirs.notice()).toContainText('Saved the security policy.');
  await policy.longest().fill('30');
  await policy.longest().press('Enter');
  await expect(page.getByRole('alert')).toContainText('The security policy was changed since you opened it.');
  await expect(page.getByText('Longest lifetime: 90 days')).toBeVisible();
  await expect(policy.longest()).toHaveValue('30');
  await policy.button('Save').click();
  await expect(policy.notice()).toContainText('Saved the security policy.');
  await expect(policy.longest()).toHaveValue('30');
});
