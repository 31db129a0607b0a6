// From sign-in to revoking with the keyboard only.

import { ConsolePage } from './console_page';
import { hydrated } from './support/hydration';
import { expectFocusSeen, tabTo, test } from './support/keyboard';
import { whoami } from './support/request';
import { daysFromToday, expect } from './fixtures';

test('every step from sign-in to revoking works by keyboard, with a visible focus that returns to its origin', async ({
  keyboardPage: page,
  context,
  server,
  tenant,
}) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: server.origin });
  await tenant.addGroup('Reports', ['reports:read']);
  const keys = new ConsolePage(page);
  const { keyboard } = page;
  const { email, password } = tenant.administrator;

  await page.goto('/');
  await expect(page.getByLabel('Email')).toBeFocused();
  await expectFocusSeen(page);
  await keyboard.type(email);
  await tabTo(page, page.getByLabel('Password'));
  await keyboard.type(password);
  await keyboard.press('Enter');
  await expect(keys.heading('API Keys')).toBeVisible();
  await hydrated(page);

  // The first stop is the link that skips the menu.
  await tabTo(page, page.getByRole('link', { name: 'Skip to content' }));
  await keyboard.press('Enter');
  await expect(page.getByRole('main')).toBeFocused();
  await tabTo(page, keys.generateLink());
  await keyboard.press('Enter');
  await expect(keys.heading('Generate API Key')).toBeVisible();
  await expect(page.getByRole('main')).toBeFocused();

  await tabTo(page, keys.name());
  await keyboard.press('Enter');
  await expect(page.getByRole('alert')).toBeFocused();
  await tabTo(page, page.getByRole('alert').getByRole('link', { name: /^Key Name/ }));
  await keyboard.press('Enter');
  await expect(keys.name()).toBeFocused();
  await keyboard.type('ERP nightly sync');
  await tabTo(page, keys.description());
  await keyboard.type('Ask Mira');
  await tabTo(page, keys.group());
  await keyboard.type('Orders');
  await expect(keys.group().getByRole('option', { selected: true })).toHaveText(tenant.group);
  await tabTo(page, keys.expires());
  const expires = daysFromToday(90);
  const [year = '', month = '', day = ''] = expires.split('-');
  // In the format of Chromium's English date field.
  await keyboard.type(`${month}${day}${year}`);
  await expect(keys.expires()).toHaveValue(expires);
  await tabTo(page, keys.allowlist());
  await keyboard.type('127.0.0.1');
  await tabTo(page, keys.submit());
  await keyboard.press('Enter');

  const secret = await keys.readSecret();
  await expect(keys.copy()).toBeFocused();
  await keyboard.press('Enter');
  await expect(keys.copied()).toBeFocused();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(secret);
  await tabTo(page, keys.close());
  await keyboard.press('Enter');
  await expect(keys.secretDialog()).toBeHidden();
  await expect(page).toHaveURL('/tenant-api-keys');
  // The list is shown, and the focus continues from its page.
  await expect(keys.action('Edit', 'ERP nightly sync')).toBeVisible();
  await expect(page.getByRole('main')).toBeFocused();
  expect((await whoami(server.origin, secret)).status).toBe(200);

  // Filters and sorting: the focus stays on the chosen element.
  await tabTo(page, keys.search());
  await keyboard.type('erp');
  await expect(page).toHaveURL('/tenant-api-keys?q=erp');
  await tabTo(page, keys.segment('Status', 'Active'));
  await keyboard.press('Enter');
  await expect(page).toHaveURL('/tenant-api-keys?status=active&q=erp');
  await expect(keys.segment('Status', 'Active')).toBeFocused();
  await tabTo(page, keys.head('Name').getByRole('link'));
  await keyboard.press('Enter');
  await expect(keys.head('Name')).toHaveAttribute('aria-sort', 'ascending');
  await expect(keys.head('Name').getByRole('link')).toBeFocused();

  const edit = keys.action('Edit', 'ERP nightly sync');
  await tabTo(page, edit);
  await keyboard.press('Enter');
  await expect(keys.name()).toBeFocused();
  await keyboard.press('Escape');
  await expect(edit).toBeFocused();
  await keyboard.press('Enter');
  await expect(keys.name()).toBeFocused();
  await keyboard.press('End');
  await keyboard.type(', hourly');
  await keyboard.press('Escape');
  await expect(keys.discardQuestion().getByRole('button', { name: 'Keep editing' })).toBeFocused();
  await keyboard.press('Enter');
  await expect(keys.name()).toBeFocused();
  // The focus cycles within the dialog.
  await tabTo(page, keys.save());
  await tabTo(page, keys.name());
  await keyboard.press('Enter');
  await expect(keys.editDialog()).toBeHidden();
  await expect(keys.action('Edit', 'ERP nightly sync, hourly')).toBeFocused();
  expect(JSON.parse((await whoami(server.origin, secret)).body).name).toBe('ERP nightly sync, hourly');

  const rotate = keys.action('Rotate', 'ERP nightly sync, hourly');
  await tabTo(page, rotate);
  for (const key of ['Escape', 'Enter']) {
    await keyboard.press('Enter');
    // Cancel.
    await expect(keys.rotateDialog().getByRole('link', { name: 'Cancel' })).toBeFocused();
    await expectFocusSeen(page);
    await keyboard.press(key);
    await expect(keys.rotateDialog()).toBeHidden();
    await expect(rotate).toBeFocused();
  }
  await keyboard.press('Enter');
  await tabTo(page, keys.rotateDialog().getByRole('button', { name: 'Rotate', exact: true }));
  await keyboard.press('Enter');
  const rotated = await keys.readSecret();
  await expect(keys.copy()).toBeFocused();
  await expectFocusSeen(page);
  await tabTo(page, keys.close());
  await keyboard.press('Enter');
  await expect(keys.closeQuestion()).toBeVisible();
  await tabTo(page, keys.secretDialog().getByRole('button', { name: 'Close anyway' }));
  await keyboard.press('Enter');
  await expect(keys.secretDialog()).toBeHidden();
  await expect(rotate).toBeFocused();
  expect((await whoami(server.origin, secret)).status).toBe(401);
  expect((await whoami(server.origin, rotated)).status).toBe(200);

  await tabTo(page, keys.action('Revoke', 'ERP nightly sync, hourly'));
  await keyboard.press('Enter');
  await expect(keys.revokeDialog().getByRole('link', { name: 'Cancel' })).toBeFocused();
  await tabTo(page, keys.revokeDialog().getByRole('button', { name: 'Revoke', exact: true }));
  await keyboard.press('Enter');
  await expect(keys.revokeDialog()).toBeHidden();
  await expect(keys.heading('API Keys')).toBeFocused();
  await expect(keys.noMatch()).toBeVisible();
  expect((await whoami(server.origin, rotated)).status).toBe(401);

  // The menus, which are popovers, and signing out.
  const account = page.getByRole('button', { name: email });
  await tabTo(page, account, 'Shift+Tab');
  await keyboard.press('Enter');
  await keyboard.press('Escape');
  await expect(account).toBeFocused();
  await keyboard.press('Enter');
  await tabTo(page, page.getByRole('button', { name: 'Sign out', exact: true }).first());
  await keyboard.press('Enter');
  await expect(keys.heading('Sign in')).toBeVisible();
});

test('on a narrow screen the menu and the filter sheet open and close by keyboard and return the focus', async ({ adminPage, keyboardPage: page, tenant }) => {
  expect(adminPage).toBe(page);
  await page.setViewportSize({ width: 375, height: 700 });
  await tenant.key('ERP nightly sync');
  const keys = new ConsolePage(page);
  await keys.openList();
  for (const [name, inside] of [
    ['Menu', page.getByRole('link', { name: 'API Keys', exact: true })],
    ['Filters', keys.segment('Status', 'Revoked')],
  ] as const) {
    const opener = page.getByRole('button', { name, exact: true });
    await tabTo(page, opener);
    await page.keyboard.press('Enter');
    await tabTo(page, inside);
    await page.keyboard.press('Escape');
    await expect(inside).toBeHidden();
    await expect(opener).toBeFocused();
    await expectFocusSeen(page);
  }
  await page.keyboard.press('Enter');
  await tabTo(page, keys.segment('Status', 'Revoked'));
  await page.keyboard.press('Enter');
  await expect(keys.noMatch()).toBeVisible();
  await expect(page.getByRole('button', { name: 'Filters', exact: true })).toBeFocused();
});
