// As waiting.spec.ts, for paging, the dialog for several keys, the account, and the pages without a script of their own.

import type { Locator, Page } from '@playwright/test';

import { ConsolePage, open } from './console_page';
import { HeldDocuments, HeldRequests, expectBusy, style, toast } from './support/waiting';
import { expect, test } from './fixtures';

/**
 * Presses a button or link, a button twice, and expects that it and the page show it and that one document is asked for. `verb` is what the
 * button shows. While a document is awaited, Playwright's own locators wait too, so the page observes itself.
 */
async function expectSentOnce(page: Page, pressed: Locator, request: string, verb?: string): Promise<void> {
  const documents = await HeldDocuments.of(page);
  const seen = await pressed.evaluate(async (element: HTMLElement) => {
    const main = document.getElementById('main')!;
    const shows = (of: Element, part: string): boolean => getComputedStyle(of, part).visibility === 'visible';
    const isButton = element instanceof HTMLButtonElement;
    element.click();
    let isSecondPrevented = false;
    if (isButton) {
      addEventListener('submit', (event) => (isSecondPrevented = event.defaultPrevented), { once: true });
      element.click();
    }
    const isBusy = (): boolean => [element, main].every((each) => each.getAttribute('aria-busy') === 'true');
    const isShown = (): boolean => isBusy() && shows(main, '::before') && (!isButton || shows(element, '::after'));
    while (!isShown()) await new Promise((resolve) => setTimeout(resolve, 10));
    return { isSecondPrevented, verb: isButton ? getComputedStyle(element, '::after').content : undefined };
  });
  expect(seen).toEqual({ isSecondPrevented: verb !== undefined, verb: verb && `"${verb}"` });
  await expect.poll(() => documents.requests).toEqual([request]);
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

for (const { button, verb } of [
  { button: 'Change password', verb: 'Changing…' },
  { button: 'Save name', verb: 'Saving…' },
  { button: 'Save theme', verb: 'Saving…' },
]) {
  test(`${button} of the account is sent once`, async ({ adminPage: page, tenant }) => {
    await open(page, '/account');
    await page.getByLabel('Current password').fill(tenant.administrator.password);
    await page.getByLabel('New password').fill('four unrelated words here');
    const pressed = page.getByRole('button', { name: button });
    const target = await pressed.evaluate((element: HTMLButtonElement) => new URL(element.form!.action).pathname);
    await expectSentOnce(page, pressed, `POST ${target}`, verb);
  });
}

test('the filters of the audit log show that they wait, and are sent once', async ({ adminPage: page }) => {
  await open(page, '/audit-log');
  await page.getByLabel('From').fill('2026-01-01');
  await expectSentOnce(page, page.getByRole('button', { name: 'Apply' }), 'GET /audit-log', 'Applying…');
});

test('the link to the form of a group shows that it waits', async ({ adminPage: page }) => {
  await open(page, '/authorization-groups');
  await expectSentOnce(page, page.getByRole('link', { name: 'New group' }), 'GET /authorization-groups/new');
});

test('a new group is sent once', async ({ adminPage: page }) => {
  await open(page, '/authorization-groups/new');
  await page.getByLabel('Name').fill('Invoices');
  await page.getByRole('textbox', { name: 'Permissions' }).fill('invoices:read');
  await expectSentOnce(page, page.locator('.form-actions button'), 'POST /authorization-groups/new', 'Saving…');
});

test('a search for groups is sent once', async ({ adminPage: page }) => {
  await open(page, '/authorization-groups');
  await expectSentOnce(page, page.getByRole('button', { name: 'Search' }), 'GET /authorization-groups', 'Searching…');
});

for (const { what, below, button, verb } of [
  { what: 'an edit', below: '', button: '.form-actions button', verb: 'Saving…' },
  { what: 'a check', below: '', button: '.field button[value=check]', verb: 'Checking…' },
  { what: 'a deletion', below: '/delete', button: '.button-danger', verb: 'Deleting…' },
]) {
  test(`${what} of a group is sent once`, async ({ adminPage: page, tenant }) => {
    await open(page, '/authorization-groups');
    await page.getByRole('link', { name: tenant.group, exact: true }).click();
    await page.waitForURL(/\/authorization-groups\/[0-9a-f-]+$/);
    const path = new URL(page.url()).pathname + below;
    await open(page, path);
    await expectSentOnce(page, page.locator(button), `POST ${path}`, verb);
  });
}
