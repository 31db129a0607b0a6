// As waiting.spec.ts, for paging, the dialog for several keys, the account, and the pages without a script of their own.

import type { Locator, Page } from '@playwright/test';

import { ConsolePage, open } from './console_page';
import { HeldDocuments, HeldRequests, expectBusy, style, toast } from './support/waiting';
import { expect, test } from './fixtures';

/** Presses a button or link whose document is held, and expects that it and the page show it. `verb` is what the button shows. */
async function expectPageBusy(page: Page, pressed: Locator, verb?: string): Promise<void> {
  await pressed.click({ noWaitAfter: true });
  await expect(pressed).toHaveAttribute('aria-busy', 'true');
  const main = page.locator('#main');
  await expect(main).toHaveAttribute('aria-busy', 'true');
  await expect.poll(() => style(main, 'visibility', '::before')).toBe('visible');
  if (!verb) return;
  await expect.poll(() => style(pressed, 'content', '::after')).toBe(`"${verb}"`);
  for (const part of ['::before', '::after']) await expect.poll(() => style(pressed, 'visibility', part)).toBe('visible');
}

/** Expects that a form whose document is held shows it, and is sent once however often its button is pressed. */
async function expectSentOnce(page: Page, button: Locator, verb: string, request: string): Promise<void> {
  const documents = await HeldDocuments.of(page);
  await expectPageBusy(page, button, verb);
  await button.click({ noWaitAfter: true });
  const isPrevented = await button.evaluate((element: HTMLButtonElement) => {
    let isPrevented = false;
    addEventListener('submit', (event) => (isPrevented = event.defaultPrevented), { once: true });
    element.click();
    return isPrevented;
  });
  expect(isPrevented, verb).toBe(true);
  expect(documents.requests, verb).toEqual([request]);
}

test('the next page: the old rows are dimmed, and it is asked for once', async ({ adminPage: page, tenant }) => {
  await tenant.setLimit(26);
  for (let number = 1; number <= 26; number += 1) await tenant.key(`Scanner ${number}`);
  const keys = new ConsolePage(page);
  await keys.openList();
  const requests = await HeldRequests.of(page);
  await keys.next().dblclick();
  await requests.called('list_api_keys');
  const table = page.getByRole('table', { name: 'API keys' });
  await expect(table).toHaveAttribute('aria-busy', 'true');
  await expect.poll(() => style(table.locator('tbody'), 'opacity')).toBe('0.5');
  await expect(toast(page, 'Loading…')).toHaveCount(1);
  await requests.release();
  await expect(table).not.toHaveAttribute('aria-busy');
  await expect(keys.names()).toHaveText(['Scanner 1']);
  expect(requests.count('list_api_keys')).toBe(1);
});

test('the dialog for several keys opens with placeholders, shows that it waits, and is sent once', async ({ adminPage: page, tenant }) => {
  for (const name of ['Zapier', 'Mobile App']) await tenant.key(name);
  const keys = new ConsolePage(page);
  await keys.openList();
  for (const name of ['Zapier', 'Mobile App']) await page.getByRole('checkbox', { name: `Select ${name}`, exact: true }).check();
  let requests = await HeldRequests.of(page);
  await page.getByRole('link', { name: 'Revoke 2 keys' }).click();
  const pending = page.locator('#pending-dialog');
  await expect(pending).toHaveAccessibleName('Revoke 2 API keys');
  await expect(pending.getByRole('status')).toHaveText('Loading…');
  await requests.release();
  const dialog = page.locator('#dialog');
  const revoke = dialog.getByRole('button', { name: 'Revoke', exact: false });
  await expect(revoke).toBeVisible();
  requests = await HeldRequests.of(page);
  await revoke.dblclick();
  await expectBusy(dialog, 'Revoking…');
  for (const way of ['Cancel', 'Close']) await expect(dialog.getByRole('link', { name: way, exact: true })).toHaveAttribute('aria-disabled', 'true');
  await page.keyboard.press('Escape');
  await expect(dialog).toBeVisible();
  await requests.release();
  await expect(page.locator('dialog')).toHaveCount(0);
  expect(requests.count('revoke_api_keys')).toBe(1);
  await expect(toast(page, 'Revoked 2 keys. Their next requests are refused.')).toBeVisible();
});

test('the account opens with placeholders, and its form is sent once', async ({ adminPage: page, tenant }) => {
  const keys = new ConsolePage(page);
  await keys.openList();
  const requests = await HeldRequests.of(page);
  await page.getByRole('button', { name: tenant.administrator.email }).click();
  await page.getByRole('link', { name: 'My account' }).click();
  await expect(keys.heading('My account')).toBeVisible();
  await expect(page.locator('.pending .skeleton').first()).toBeVisible();
  await requests.release();
  await page.getByLabel('Current password').fill(tenant.administrator.password);
  await page.getByLabel('New password').fill('four unrelated words here');
  await expectSentOnce(page, page.getByRole('button', { name: 'Change password' }), 'Changing…', 'POST /account');
});

test('the filters of the audit log show that they wait, and are sent once', async ({ adminPage: page }) => {
  await open(page, '/audit-log');
  await page.getByLabel('From').fill('2026-01-01');
  await expectSentOnce(page, page.getByRole('button', { name: 'Apply' }), 'Applying…', 'GET /audit-log');
});

test('the groups show that they wait, and their forms are sent once', async ({ adminPage: page, tenant }) => {
  await open(page, '/authorization-groups');
  const documents = await HeldDocuments.of(page);
  await expectPageBusy(page, page.getByRole('link', { name: 'New group' }));
  expect(documents.requests).toEqual(['GET /authorization-groups/new']);
  await page.unroute('**/*');

  await open(page, '/authorization-groups/new');
  await page.getByLabel('Name').fill('Invoices');
  await page.getByLabel('Permissions').fill('invoices:read');
  await expectSentOnce(page, page.getByRole('button', { name: 'Create group' }).last(), 'Saving…', 'POST /authorization-groups/new');
  await page.unroute('**/*');

  await open(page, '/authorization-groups');
  await expectSentOnce(page, page.getByRole('button', { name: 'Search' }), 'Searching…', 'GET /authorization-groups');
  await page.unroute('**/*');

  await open(page, '/authorization-groups');
  await page.getByRole('link', { name: tenant.group }).first().click();
  await expect(page.getByRole('heading', { name: `Edit ${tenant.group}` })).toBeVisible();
  const path = new URL(page.url()).pathname;
  await expectSentOnce(page, page.getByRole('button', { name: 'Save' }).last(), 'Saving…', `POST ${path}`);
  await page.unroute('**/*');

  await open(page, `${path}/delete`);
  await expectSentOnce(page, page.getByRole('button', { name: 'Delete' }), 'Deleting…', `POST ${path}/delete`);
});
