// While a response is awaited, the page shows it and nothing can be sent twice. The requests are held until the test releases them, so that
// a busy machine changes nothing.

import { ConsolePage, open } from './console_page';
import { HeldRequests, expectBusy, style, toast } from './support/waiting';
import { expect, signIn, test } from './fixtures';

test('a filter, a search, a sort and a page: the old rows are dimmed until the new ones arrive', async ({ adminPage: page, tenant }) => {
  await tenant.key('Zapier');
  const keys = new ConsolePage(page);
  const steps: [string, () => Promise<void>][] = [
    ['a filter', () => keys.segment('Status', 'Revoked').click()],
    ['a search', () => keys.search().fill('nothing')],
    ['a sort', () => keys.head('Name').getByRole('link').click()],
  ];
  for (const [what, act] of steps) {
    await keys.openList();
    const requests = await HeldRequests.of(page);
    await act();
    await requests.called('list_api_keys');
    const table = page.getByRole('table', { name: 'API keys' });
    await expect(table, what).toHaveAttribute('aria-busy', 'true');
    await expect.poll(() => style(table.locator('tbody'), 'opacity'), what).toBe('0.5');
    await expect(toast(page, 'Loading…'), what).toHaveCount(1);
    await expect(keys.row('Zapier'), what).toBeVisible();
    await requests.release();
    await expect(table, what).not.toHaveAttribute('aria-busy');
    await expect(toast(page, 'Loading…'), what).toHaveCount(0);
  }
});

test('a dialog opens with its name and placeholders, can be closed, and is replaced by its form', async ({ adminPage: page, tenant }) => {
  await tenant.key('Zapier');
  const keys = new ConsolePage(page);
  await keys.openList();
  for (const verb of ['Edit', 'Rotate', 'Revoke'] as const) {
    const requests = await HeldRequests.of(page);
    const pending = page.locator('#pending-dialog');
    await keys.action(verb, 'Zapier').click();
    await expect(pending).toHaveAccessibleName(`${verb} API key Zapier`);
    await expect(pending.getByRole('status')).toHaveText('Loading…');
    await expect(pending.getByRole('link', { name: 'Cancel', exact: true })).toBeFocused();
    // The list behind is not being loaded.
    await expect(page.locator('table[aria-busy]')).toHaveCount(0);
    await page.keyboard.press('Escape');
    await expect(pending).toBeHidden();
    await expect(keys.action(verb, 'Zapier')).toBeFocused();
    await keys.action(verb, 'Zapier').click();
    await expect(pending).toBeVisible();
    await requests.release();
    await expect(pending).toBeHidden();
    await expect(page.getByRole(verb === 'Revoke' ? 'alertdialog' : 'dialog', { name: `${verb} API key` })).toBeVisible();
    await page.keyboard.press('Escape');
    await expect(page.locator('dialog')).toHaveCount(0);
  }
});

test('the form and the account open with their title and placeholders', async ({ adminPage: page, tenant }) => {
  await tenant.key('Zapier');
  const keys = new ConsolePage(page);
  await keys.openList();
  const requests = await HeldRequests.of(page);
  await keys.generateLink().click();
  await expect(keys.heading('Generate API Key')).toBeVisible();
  await expect(page.locator('.pending .skeleton').first()).toBeVisible();
  await requests.release();
  await expect(keys.name()).toBeVisible();
  await expect(page.locator('.pending')).toHaveCount(0);
});

test('Generate, Save, Rotate and Revoke show that they wait, and send once', async ({ adminPage: page, tenant }) => {
  const keys = new ConsolePage(page);
  await keys.openForm();
  await keys.fill({ name: 'Mobile App', group: tenant.group });
  let requests = await HeldRequests.of(page);
  await keys.submit().dblclick();
  await expectBusy(page.locator('form.form'), 'Generating…');
  await page.keyboard.press('Enter');
  const cancel = page.getByRole('link', { name: 'Cancel', exact: true });
  await expect(cancel).toHaveAttribute('aria-disabled', 'true');
  await cancel.click({ force: true });
  await requests.release();
  await keys.readSecret();
  expect(requests.count('generate_api_key')).toBe(1);
  await keys.copyAndClose();
  await expect(toast(page, 'Generated Mobile App.')).toBeVisible();
  await expect(keys.row('Mobile App')).toHaveClass(/is-new/);
  await expect(keys.counter('1/10 keys')).toBeVisible();

  const steps = [
    ['Edit', 'Save', 'Saving…', 'edit_api_key', 'Saved Mobile App.'],
    ['Rotate', 'Rotate', 'Rotating…', 'rotate_api_key', 'Rotated Mobile App. Its old secret is refused.'],
    ['Revoke', 'Revoke', 'Revoking…', 'revoke_api_key', 'Revoked Mobile App. Its next request is refused.'],
  ] as const;
  for (const [action, button, verb, name, confirmation] of steps) {
    await keys.action(action, 'Mobile App').click();
    const dialog = page.locator('#dialog');
    await expect(dialog.getByRole('button', { name: button, exact: true })).toBeVisible();
    requests = await HeldRequests.of(page);
    await dialog.getByRole('button', { name: button, exact: true }).dblclick();
    await expectBusy(dialog, verb);
    for (const way of ['Cancel', 'Close']) await expect(dialog.getByRole('link', { name: way, exact: true })).toHaveAttribute('aria-disabled', 'true');
    await page.keyboard.press('Escape');
    await expect(dialog).toBeVisible();
    await requests.release();
    if (action === 'Rotate') await keys.copyAndClose();
    await expect(page.locator('dialog')).toHaveCount(0);
    expect(requests.count(name), name).toBe(1);
    await expect(toast(page, confirmation)).toBeVisible();
    await expect(keys.row('Mobile App')).toHaveClass(/is-new/);
  }
});

test('a plain form shows that it was sent, and is sent once', async ({ adminPage: page, tenant }) => {
  const key = await tenant.key('Zapier');
  await page.goto(`/tenant-api-keys/${key.id}`);
  // Held, so that the page stays.
  await page.route('**/tenant-api-keys/*?*', () => {});
  const seen = await page.evaluate(async () => {
    const button = [...document.querySelectorAll('button')].find(({ textContent }) => textContent === 'Check')!;
    let isSecondSent = true;
    button.click();
    window.addEventListener('submit', (event) => (isSecondSent = !event.defaultPrevented), { once: true });
    button.click();
    const shown = (): boolean => getComputedStyle(button, '::after').visibility === 'visible';
    while (!shown()) await new Promise((resolve) => setTimeout(resolve, 10));
    const isPageBusy = document.getElementById('main')?.getAttribute('aria-busy') === 'true';
    return { isSecondSent, isPageBusy, verb: getComputedStyle(button, '::after').content };
  });
  expect(seen).toEqual({ isSecondSent: false, isPageBusy: true, verb: '"Checking…"' });
});

test('without a script, the next page confirms a change once, and not by its URL', async ({ openContext, server, tenant }) => {
  const context = await openContext({ javaScriptEnabled: false });
  await signIn(context, server.origin, tenant.administrator);
  const page = await context.newPage();
  const key = await tenant.key('Zapier');
  await page.goto(`/tenant-api-keys/${key.id}/revoke`);
  await page.getByRole('button', { name: 'Revoke', exact: true }).click();
  await expect(page).toHaveURL(`${server.origin}/tenant-api-keys`);
  await expect(toast(page, 'Revoked Zapier. Its next request is refused.')).toBeVisible();
  await expect(new ConsolePage(page).row('Zapier')).toHaveClass(/is-new/);
  await page.reload();
  await expect(toast(page, 'Revoked Zapier')).toHaveCount(0);
});

test('the confirmation hides by itself, and stays under the pointer', async ({ adminPage: page, tenant }) => {
  const key = await tenant.key('Zapier');
  await open(page, `/tenant-api-keys/${key.id}/edit`);
  const keys = new ConsolePage(page);
  await keys.save().click();
  const confirmation = page.locator('.toast');
  await expect(confirmation).toBeVisible();
  expect(await confirmation.evaluate((element) => element.getAnimations().map(({ playState }) => playState))).toEqual(['running']);
  await confirmation.hover();
  expect(await confirmation.evaluate((element) => element.getAnimations().map(({ playState }) => playState))).toEqual(['paused']);
  await confirmation.evaluate((element) => element.getAnimations().forEach((animation) => animation.finish()));
  await expect(confirmation).toBeHidden();
});
