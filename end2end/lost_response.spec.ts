// P67: the server executes a change and its response is lost. The page reports an unknown outcome and reloads the list,
// and a repeat returns the outcome of the first request.

import type { Page, Route } from '@playwright/test';

import { ConsolePage } from './console_page';
import { whoami } from './support/request';
import type { Server } from './support/server';
import { type Tenant, expect, test } from './fixtures';

/** The ways in which a response is lost after the server has sent it. */
const LOSSES: Record<string, (route: Route) => Promise<void>> = {
  'the connection is reset': async (route) => {
    await route.fetch();
    await route.abort('connectionreset');
  },
  'a proxy responds with 504 with a page of its own': async (route) => {
    await route.fetch();
    await route.fulfill({ status: 504, contentType: 'text/html', body: '<html><body><h1>504 Gateway Time-out</h1></body></html>' });
  },
};

/** Drops the next response of a server function. */
async function dropNextResponse(page: Page, name: string, loss: (route: Route) => Promise<void>): Promise<void> {
  await page.route(`**/api/pages/${name}`, loss, { times: 1 });
}

async function keysOf(server: Server, tenant: Tenant): Promise<{ name: string; hint: string; status: string }[]> {
  return server.json(['key', 'list', '--tenant', tenant.slug]);
}

const unknown = (done: string): string => `Latchkey did not answer. The key may have been ${done}: look at the list.`;

for (const [what, loss] of Object.entries(LOSSES)) {
  test.describe(what, () => {
    test.beforeEach(({ browserLog }) => {
      browserLog.expect(/^request failed: |^response 504|Failed to load resource/);
      browserLog.expectStatus(409);
    });

    test('p67 Generate: repeated presses make one key, and the page states that its secret is lost', async ({ adminPage: page, server, tenant }) => {
      const keys = new ConsolePage(page);
      await keys.openForm();
      await dropNextResponse(page, 'generate_api_key', loss);
      await keys.fill({ name: 'ERP nightly sync', group: tenant.group });
      await keys.submit().click();
      await expect(page.getByRole('alert')).toContainText(unknown('created'));
      await expect(keys.name()).toHaveValue('ERP nightly sync');
      expect(await keysOf(server, tenant)).toHaveLength(1);
      await keys.submit().click();
      await expect(page.getByRole('alert')).toContainText('This secret was already shown, or it was lost on its way to you.');
      expect(await keysOf(server, tenant)).toHaveLength(1);
      await page.getByRole('alert').getByRole('link', { name: 'Go to API Keys' }).click();
      await expect(keys.row('ERP nightly sync')).toContainText('Active');
      // The next form has a new idempotency key.
      await keys.generateLink().click();
      await keys.generate({ name: 'Zapier', group: tenant.group });
      expect(await keysOf(server, tenant)).toHaveLength(2);
    });

    test('p67 Rotate: the list shows the new hint, and a repeat does not rotate again', async ({ adminPage: page, server, tenant }) => {
      const key = await tenant.key('ERP nightly sync');
      const keys = new ConsolePage(page);
      await keys.openList();
      await expect(keys.row('ERP nightly sync')).toContainText(key.hint);
      await keys.action('Rotate', 'ERP nightly sync').click();
      await dropNextResponse(page, 'rotate_api_key', loss);
      const rotate = keys.rotateDialog().getByRole('button', { name: 'Rotate', exact: true });
      await rotate.click();
      await expect(keys.rotateDialog().getByRole('alert')).toContainText(unknown('rotated'));
      expect((await whoami(server.origin, key.secret)).status).toBe(401);
      const [rotated] = await keysOf(server, tenant);
      await rotate.click();
      await expect(keys.rotateDialog().getByRole('alert')).toContainText('was rotated once, and not again');
      expect((await keysOf(server, tenant))[0]?.hint).toBe(rotated?.hint);
      await keys.rotateDialog().getByRole('link', { name: 'Cancel', exact: true }).click();
      await expect(keys.rotateDialog()).toBeHidden();
      await expect(keys.row('ERP nightly sync')).toContainText(rotated!.hint);
      await expect(keys.row('ERP nightly sync')).not.toContainText(key.hint);
      await keys.action('Rotate', 'ERP nightly sync').click();
      await rotate.click();
      expect((await whoami(server.origin, await keys.readSecret())).status).toBe(200);
    });

    test('p67 Revoke: the row shows Revoked after the dialog is closed', async ({ adminPage: page, server, tenant }) => {
      const key = await tenant.key('ERP nightly sync');
      const keys = new ConsolePage(page);
      await keys.openList();
      await keys.action('Revoke', 'ERP nightly sync').click();
      await dropNextResponse(page, 'revoke_api_key', loss);
      await keys.revokeDialog().getByRole('button', { name: 'Revoke', exact: true }).click();
      await expect(keys.revokeDialog().getByRole('alert')).toContainText(unknown('revoked'));
      expect((await whoami(server.origin, key.secret)).status).toBe(401);
      await page.keyboard.press('Escape');
      await expect(keys.revokeDialog()).toBeHidden();
      await expect(keys.row('ERP nightly sync')).toContainText('Revoked');
    });

    test('p67 Edit: a repeat does not save again, and the list shows the saved values', async ({ adminPage: page, server, tenant }) => {
      await tenant.key('ERP nightly sync');
      const keys = new ConsolePage(page);
      await keys.openList();
      await keys.action('Edit', 'ERP nightly sync').click();
      await keys.name().fill('ERP hourly sync');
      await dropNextResponse(page, 'edit_api_key', loss);
      await keys.save().click();
      await expect(keys.editDialog().getByRole('alert')).toContainText(unknown('changed'));
      await expect(keys.name()).toHaveValue('ERP hourly sync');
      expect((await keysOf(server, tenant))[0]?.name).toBe('ERP hourly sync');
      await keys.save().click();
      await expect(keys.editDialog()).toBeHidden();
      await expect(keys.row('ERP hourly sync')).toBeVisible();
    });
  });
}

test('while a response is pending, Cancel, Escape, Back and other links do not leave the page', async ({ adminPage: page, server, tenant }) => {
  const keys = new ConsolePage(page);
  await keys.openList();
  await keys.generateLink().click();
  let comes = (): void => {};
  const came = new Promise<void>((resolve) => (comes = resolve));
  await page.route('**/api/pages/generate_api_key', async (route) => {
    await came;
    await route.continue();
  });
  await keys.fill({ name: 'ERP nightly sync', group: tenant.group });
  await keys.submit().click();
  const cancel = page.getByRole('link', { name: 'Cancel', exact: true });
  await expect(cancel).toHaveAttribute('aria-disabled', 'true');
  await cancel.click({ force: true });
  await page.getByRole('navigation', { name: 'Breadcrumb' }).getByRole('link', { name: 'API Keys' }).click();
  await page.keyboard.press('Escape');
  await page.evaluate(() => history.back());
  await expect(page).toHaveURL('/tenant-api-keys/new');
  await expect(keys.heading('Generate API Key')).toBeVisible();
  comes();
  const secret = await keys.readSecret();
  expect((await whoami(server.origin, secret)).status).toBe(200);
});

test('Back, reload and closing the tab ask before leaving an uncopied secret', async ({ adminPage: page, tenant }) => {
  const keys = new ConsolePage(page);
  await keys.openList();
  await keys.generateLink().click();
  const secret = await keys.generate({ name: 'ERP nightly sync', group: tenant.group });

  // Back is handled by the router, so the page itself asks.
  await page.evaluate(() => history.back());
  await expect(keys.closeQuestion()).toBeVisible();
  await expect(page).toHaveURL('/tenant-api-keys/new');
  await expect(keys.secretText()).toHaveText(secret);
  await keys.secretDialog().getByRole('button', { name: 'Go back' }).click();

  // For a reload or a closed tab, the browser asks.
  const asked: string[] = [];
  page.on('dialog', async (dialog) => {
    asked.push(dialog.type());
    await dialog.dismiss();
  });
  const isHeld = (): Promise<boolean> =>
    page.evaluate(() => {
      const event = new Event('beforeunload', { cancelable: true });
      window.dispatchEvent(event);
      return event.defaultPrevented;
    });
  expect(await isHeld()).toBe(true);
  await page.close({ runBeforeUnload: true });
  await expect.poll(() => asked).toEqual(['beforeunload']);
  await expect(keys.secretText()).toHaveText(secret);

  await keys.copy().click();
  await expect(keys.copied()).toBeVisible();
  expect(await isHeld()).toBe(false);
  await page.evaluate(() => history.back());
  await expect(page).toHaveURL('/tenant-api-keys');
  await expect(keys.row('ERP nightly sync')).toBeVisible();
  expect(await page.content()).not.toContain(secret);
});

test('without a clipboard API the page copies by execCommand, or names the keys to press', async ({ adminPage: page, tenant }) => {
  await page.addInitScript(() => {
    Reflect.deleteProperty(Navigator.prototype, 'clipboard');
  });
  const keys = new ConsolePage(page);
  await keys.openForm();
  await keys.generate({ name: 'ERP nightly sync', group: tenant.group });
  await keys.copy().click();
  await expect(keys.copied()).toBeVisible();
});

test('if the clipboard never responds, the secret is selected and the page names the keys to press', async ({ adminPage: page, tenant }) => {
  await page.addInitScript(() => {
    Object.defineProperty(navigator.clipboard, 'writeText', { value: () => new Promise<void>(() => {}) });
  });
  const keys = new ConsolePage(page);
  await keys.openForm();
  const secret = await keys.generate({ name: 'ERP nightly sync', group: tenant.group });
  await keys.copy().click();
  await expect(keys.secretDialog().getByRole('button', { name: 'Press Ctrl+C' })).toBeVisible();
  expect(await page.evaluate(() => getSelection()?.toString().trim())).toBe(secret);
});
