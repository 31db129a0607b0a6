// The WebAssembly loads late: until then, links and forms work as they do without script.

import type { Page } from '@playwright/test';

import { ConsolePage } from './console_page';
import { hydrated, scriptOf } from './support/hydration';
import { whoami } from './support/request';
import { expect, test as base } from './fixtures';

/** A WebAssembly response that is held back until a test releases it. */
class Script {
  readonly came: Promise<void>;
  comes: () => void = () => {};

  constructor() {
    this.came = new Promise((resolve) => (this.comes = resolve));
  }
}

const test = base.extend<{ script: Script }>({
  script: async ({}, use) => use(new Script()),
  browserLog: async ({ browserLog }, use) => {
    // Chromium warns about a preload that is used late.
    browserLog.expect(/^console warning: The resource \S+\.wasm was preloaded using link preload but not used/);
    await use(browserLog);
  },
  context: async ({ openContext, script }, use) => {
    const context = await openContext();
    await context.route('**/*.wasm', async (route) => {
      await script.came;
      // The page that requested it may be closed by now.
      await route.continue().catch(() => {});
    });
    await use(context);
    script.comes();
    await context.unrouteAll({ behavior: 'ignoreErrors' });
  },
});

/** Opens a page without waiting for its subresources. */
async function openEarly(page: Page, path: string): Promise<void> {
  await page.goto(path, { waitUntil: 'commit' });
}

/** Expects that the page is not hydrated yet, so that every step so far worked without script. */
async function expectNotLive(page: Page): Promise<void> {
  expect(await scriptOf(page), 'the script has run already').toBe('');
}

test('links work before hydration: a row’s action, a filter, a column head, and the form', async ({ adminPage: page, tenant }) => {
  const key = await tenant.key('ERP nightly sync');
  const keys = new ConsolePage(page);
  await openEarly(page, '/tenant-api-keys');
  await keys.segment('Status', 'Active').click();
  await expect(page).toHaveURL('/tenant-api-keys?status=active');
  await expect(keys.currentSegment('Status')).toHaveText(['Active']);
  await expectNotLive(page);
  await keys.action('Rotate', 'ERP nightly sync').click();
  await expect(page).toHaveURL(`/tenant-api-keys/${key.id}/rotate?status=active`);
  await expect(keys.rotateDialog()).toBeVisible();
  await expectNotLive(page);
  await keys.rotateDialog().getByRole('link', { name: 'Cancel', exact: true }).click();
  await expect(page).toHaveURL('/tenant-api-keys?status=active');
  await keys.head('Name').getByRole('link').click();
  await expect(page).toHaveURL('/tenant-api-keys?status=active&sort=name');
  await expect(keys.names()).toHaveText(['ERP nightly sync']);
  await keys.generateLink().click();
  await expect(keys.heading('Generate API Key')).toBeVisible();
  await expectNotLive(page);
});

test('a dialog opened before hydration becomes modal after it', async ({ adminPage: page, script, server, tenant }) => {
  const key = await tenant.key('ERP nightly sync', { description: 'Ask Jonas' });
  const keys = new ConsolePage(page);
  await openEarly(page, '/tenant-api-keys');
  await keys.action('Edit', 'ERP nightly sync').click();
  await expect(keys.editDialog()).toBeVisible();
  await keys.name().fill('Typed before the script');
  await expectNotLive(page);
  script.comes();
  await hydrated(page);
  await expect(keys.name()).toHaveValue('Typed before the script');
  await expect(keys.description()).toHaveValue('Ask Jonas');
  expect(await keys.editDialog().evaluate((dialog) => dialog.matches(':modal'))).toBe(true);
  // The hydrated dialog has the input and asks before discarding it.
  await page.keyboard.press('Escape');
  await expect(keys.discardQuestion()).toBeVisible();
  await keys.discardQuestion().getByRole('button', { name: 'Keep editing' }).click();
  await keys.save().click();
  await expect(keys.editDialog()).toBeHidden();
  expect(JSON.parse((await whoami(server.origin, key.secret)).body).name).toBe('Typed before the script');
});

test('input typed before hydration is kept, and checked after it', async ({ adminPage: page, script, tenant }) => {
  const keys = new ConsolePage(page);
  await openEarly(page, '/tenant-api-keys/new');
  await keys.fill({ name: 'x', description: 'seven!!', group: tenant.group, allowlist: '10.0.0.0/33' });
  await keys.description().focus();
  await expectNotLive(page);
  script.comes();
  await hydrated(page);
  await expect(keys.name()).toHaveValue('x');
  await expect(keys.allowlist()).toHaveValue('10.0.0.0/33');
  await expect(keys.group().getByRole('option', { selected: true })).toHaveText(tenant.group);
  await expect(page.getByText('7/1,000', { exact: true })).toBeVisible();
  await expect(page.getByText('Grants orders:read, orders:write')).toBeVisible();
  // Hydration does not move the focus.
  await expect(keys.description()).toBeFocused();
  await keys.submit().click();
  await expect(page.getByRole('alert').getByRole('link')).toHaveText([
    'Key Name: Must be 2–200 characters',
    "IP Allowlist: Line 1: '10.0.0.0/33' is not an IP address or CIDR range",
  ]);
  await keys.generate({ name: 'ERP nightly sync', allowlist: '' });
  await keys.copyAndClose();
  await expect(keys.row('ERP nightly sync')).toBeVisible();
});

test('a form sent before hydration leads to the page without script that shows the secret', async ({ adminPage: page, server, tenant }) => {
  const keys = new ConsolePage(page);
  await openEarly(page, '/tenant-api-keys/new');
  await keys.fill({ name: 'ERP nightly sync', group: tenant.group });
  await expectNotLive(page);
  await keys.submit().click();
  await expect(page.getByText('This secret will not be shown again.')).toBeVisible();
  const secret = (await page.getByRole('textbox', { name: 'Secret' }).innerText()).trim();
  expect((await whoami(server.origin, secret)).status).toBe(200);
  await expect(page.locator('script')).toHaveCount(0);
  await page.getByRole('link', { name: 'Close', exact: true }).click();
  await expect(keys.row('ERP nightly sync')).toBeVisible();
});

test('a refused form sent before hydration hydrates with its messages', async ({ adminPage: page, browserLog, script, tenant }) => {
  browserLog.expectStatus(422);
  const keys = new ConsolePage(page);
  await openEarly(page, '/tenant-api-keys/new');
  await keys.fill({ name: 'x', description: 'Typed\nwith care', group: tenant.group });
  await expectNotLive(page);
  await keys.submit().click();
  await expect(page.getByRole('alert')).toContainText('Must be 2–200 characters');
  script.comes();
  await hydrated(page);
  await expect(page.getByRole('alert')).toContainText('Must be 2–200 characters');
  await expect(keys.name()).toHaveValue('x');
  await expect(keys.name()).toHaveAttribute('aria-invalid', 'true');
  await expect(keys.description()).toHaveValue('Typed\nwith care');
  await keys.name().fill('ERP nightly sync');
  await expect(keys.name()).not.toHaveAttribute('aria-invalid', 'true');
  await keys.generate({});
});

test('a search typed before hydration is applied after it', async ({ adminPage: page, script, tenant }) => {
  await tenant.key('ERP nightly sync');
  await tenant.key('Zapier');
  const keys = new ConsolePage(page);
  await openEarly(page, '/tenant-api-keys');
  await keys.search().fill('erp');
  await expectNotLive(page);
  script.comes();
  await hydrated(page);
  await expect(page).toHaveURL('/tenant-api-keys?q=erp');
  await expect(keys.names()).toHaveText(['ERP nightly sync']);
  await expect(keys.search()).toHaveValue('erp');
});

test('revoking and rotating work before hydration', async ({ adminPage: page, server, tenant }) => {
  const rotated = await tenant.key('ERP nightly sync');
  const revoked = await tenant.key('Zapier');
  const keys = new ConsolePage(page);
  await openEarly(page, `/tenant-api-keys/${revoked.id}/revoke`);
  await keys.revokeDialog().getByRole('button', { name: 'Revoke', exact: true }).click();
  await expect(page).toHaveURL('/tenant-api-keys');
  await expect(keys.row('Zapier')).toContainText('Revoked');
  expect((await whoami(server.origin, revoked.secret)).status).toBe(401);
  await keys.action('Rotate', 'ERP nightly sync').click();
  await expectNotLive(page);
  await keys.rotateDialog().getByRole('button', { name: 'Rotate', exact: true }).click();
  await expect(page.getByText('This secret will not be shown again.')).toBeVisible();
  expect((await whoami(server.origin, rotated.secret)).status).toBe(401);
});
