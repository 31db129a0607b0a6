// The key form: messages of each field, and keeping the input.

import type { Locator, Page } from '@playwright/test';

import { ConsolePage, open } from './console_page';
import { whoami } from './support/request';
import { daysFromToday, expect, signIn, test } from './fixtures';

/** For each field: an invalid input and its message. */
const BROKEN = [
  { field: 'Key Name', value: ' x ', message: 'Must be 2–200 characters' },
  { field: 'Description', value: 'd'.repeat(1_001), message: 'Must be at most 1,000 characters' },
  { field: 'Expiration Date', value: daysFromToday(0), message: 'Must be a future date' },
  {
    field: 'IP Allowlist',
    value: '192.0.2.7\n\n10.0.0.0/33\n010.0.0.0/8',
    message: "Line 3: '10.0.0.0/33' is not an IP address or CIDR range",
  },
] as const;

function labelled(page: Page, field: string): Locator {
  return page.getByLabel(new RegExp(`^${field}`));
}

/** Expects exactly these messages at a field, linked to it for screen readers. */
async function expectMessages(field: Locator, messages: string[]): Promise<void> {
  await expect(field).toHaveAttribute('aria-invalid', 'true');
  for (const message of messages) {
    await expect(field).toHaveAccessibleDescription(new RegExp(escape(message)));
  }
}

async function expectNoMessage(field: Locator): Promise<void> {
  await expect(field).not.toHaveAttribute('aria-invalid', 'true');
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

test('each field is checked on blur, and then on each keystroke', async ({ adminPage }) => {
  const keys = new ConsolePage(adminPage);
  await keys.openForm();
  const good = { 'Key Name': 'xy', Description: 'd', 'Expiration Date': daysFromToday(1), 'IP Allowlist': '::1' };
  for (const { field, value, message } of BROKEN) {
    const control = labelled(adminPage, field);
    await expectNoMessage(control);
    await control.fill(value);
    await expectNoMessage(control);
    await control.blur();
    await expectMessages(control, [message]);
    await expect(adminPage.getByText(message)).toBeVisible();
    await control.fill(good[field]);
    await expectNoMessage(control);
    await expect(adminPage.getByText(message)).toBeHidden();
  }
});

test('submitting an empty form lists the required fields with links to them', async ({ adminPage, tenant }) => {
  const keys = new ConsolePage(adminPage);
  await keys.openForm();
  // No group is preselected.
  await expect(keys.group().getByRole('option', { selected: true })).not.toHaveText(tenant.group);
  await keys.submit().click();

  const summary = adminPage.getByRole('alert');
  await expect(summary).toBeFocused();
  await expect(summary.getByRole('link')).toHaveText([
    'Key Name: Must be 2–200 characters',
    'Authorization Group: Choose an authorization group',
  ]);
  await expectMessages(keys.name(), ['Must be 2–200 characters']);
  await expectMessages(keys.group(), ['Choose an authorization group']);
  await summary.getByRole('link', { name: /^Authorization Group/ }).click();
  await expect(keys.group()).toBeFocused();
  await summary.getByRole('link', { name: /^Key Name/ }).click();
  await expect(keys.name()).toBeFocused();
  await expect(adminPage).toHaveURL(/\/tenant-api-keys\/new/);
});

test('a refused submit shows every error at once and keeps the input', async ({ adminPage, tenant }) => {
  const keys = new ConsolePage(adminPage);
  await keys.openForm();
  for (const { field, value } of BROKEN) {
    await labelled(adminPage, field).fill(value);
  }
  await keys.group().selectOption({ label: tenant.group });
  await keys.submit().click();

  const summary = adminPage.getByRole('alert');
  await expect(summary).toBeFocused();
  await expect(summary.getByRole('link')).toHaveText([
    'Key Name: Must be 2–200 characters',
    'Description: Must be at most 1,000 characters',
    'Expiration Date: Must be a future date',
    "IP Allowlist: Line 3: '10.0.0.0/33' is not an IP address or CIDR range",
    "IP Allowlist: Line 4: '010.0.0.0/8' is not an IP address or CIDR range",
  ]);
  for (const { field, value, message } of BROKEN) {
    await expect(labelled(adminPage, field)).toHaveValue(value);
    await expectMessages(labelled(adminPage, field), [message]);
  }
  await expect(keys.group().getByRole('option', { selected: true })).toHaveText(tenant.group);

  // The corrected form generates the key.
  await keys.generate({ name: 'xy', description: 'd', expires: daysFromToday(1), allowlist: '192.0.2.7' });
});

test('the description counter counts characters while typing, also beyond the limit', async ({ adminPage }) => {
  const keys = new ConsolePage(adminPage);
  await keys.openForm();
  await expect(adminPage.getByText('0/1,000', { exact: true })).toBeVisible();
  await keys.description().pressSequentially('47 Zeichen');
  await expect(adminPage.getByText('10/1,000', { exact: true })).toBeVisible();
  await keys.description().fill('😀'.repeat(1_000));
  await expect(adminPage.getByText('1,000/1,000', { exact: true })).toBeVisible();
  await keys.description().press('End');
  await adminPage.keyboard.insertText('é!');
  await expect(adminPage.getByText('1,002/1,000', { exact: true })).toBeVisible();
  await keys.description().blur();
  await expectMessages(keys.description(), ['Must be at most 1,000 characters']);
});

test('an allowlist of 1,001 entries is refused, one of 1,000 is stored', async ({ browserLog, openContext, server, tenant }) => {
  browserLog.expectStatus(422);
  browserLog.expect(/\.js csp$|preloaded using link preload but not used/);
  const lines = Array.from({ length: 1_001 }, (_, index) => `10.0.${index >> 8}.${index & 255}`);
  // Without script: a debug build of the WebAssembly takes half a minute for this many lines.
  const context = await openContext({ javaScriptEnabled: false });
  await signIn(context, server.origin, tenant.administrator);
  const page = await context.newPage();
  const keys = new ConsolePage(page);
  await page.goto('/tenant-api-keys/new');
  await keys.fill({ name: 'Warehouse', group: tenant.group, allowlist: lines.join('\n') });
  await keys.submit().click();
  await expect(page.getByRole('alert').getByRole('link')).toHaveText(['IP Allowlist: Must be at most 1,000 entries']);
  await expectMessages(keys.allowlist(), ['Must be at most 1,000 entries']);
  await expect(keys.allowlist()).toHaveValue(lines.join('\n'));
  // 1,000 entries and one duplicate: the duplicate is merged.
  await keys.allowlist().fill(['127.0.0.1', ...lines.slice(0, 999), '127.0.0.1/32'].join('\n'));
  await keys.submit().click();
  const response = await whoami(server.origin, (await page.getByRole('textbox', { name: 'Secret' }).innerText()).trim());
  expect(response.status).toBe(200);
  expect(JSON.parse(response.body).ip_allowlist).toHaveLength(1_000);
});

test('at most ten messages are shown at a field, and none about the number of 1,000 entries', async ({ browserLog, openContext, server, tenant }) => {
  browserLog.expectStatus(422);
  browserLog.expect(/\.js csp$|preloaded using link preload but not used/);
  const context = await openContext({ javaScriptEnabled: false });
  await signIn(context, server.origin, tenant.administrator);
  const page = await context.newPage();
  const keys = new ConsolePage(page);
  await page.goto('/tenant-api-keys/new');
  await keys.fill({ name: 'Warehouse', group: tenant.group, allowlist: Array.from({ length: 1_000 }, () => '10.0.0.0/33').join('\n') });
  await keys.submit().click();
  const messages = page.locator('#allowlist-error p');
  await expect(messages).toHaveCount(11);
  await expect(messages.first()).toHaveText("Line 1: '10.0.0.0/33' is not an IP address or CIDR range");
  await expect(messages.last()).toHaveText('990 more');
  await expect(page.getByText('Must be at most 1,000 entries')).toHaveCount(0);
  // The field scrolls inside.
  expect((await page.locator('.lines').boundingBox())!.height).toBeLessThan(400);
});

test('the date is shown in words, and presets fill it', async ({ adminPage, tenant }) => {
  const keys = new ConsolePage(adminPage);
  const key = await tenant.key('Zapier', { expires: daysFromToday(10) });
  for (const path of ['/tenant-api-keys/new', `/tenant-api-keys/${key.id}/rotate`]) {
    await open(adminPage, path);
    const preset = (name: string) => adminPage.getByRole('group', { name: 'Presets of the expiration date' }).getByRole('button', { name, exact: true });
    await keys.expires().fill(daysFromToday(400));
    await expect(adminPage.getByText(/^Works until \d+ \w{3} \d{4}, 23:59 UTC \(in 400 days\)\.$/)).toBeVisible();
    await expect(keys.expires()).toHaveAccessibleDescription(/Works until .* \(in 400 days\)/);
    for (const days of [30, 90, 365]) {
      await preset(`${days} days`).click();
      await expect(keys.expires()).toHaveValue(daysFromToday(days));
      await expect(preset(`${days} days`)).toHaveAttribute('aria-pressed', 'true');
      await expect(adminPage.getByText(`(in ${days} days).`)).toBeVisible();
    }
    await preset('Never').click();
    await expect(keys.expires()).toHaveValue('');
    await expect(adminPage.getByText('Never expires.', { exact: true })).toBeVisible();
    await keys.expires().fill(daysFromToday(0));
    await keys.expires().blur();
    await expect(adminPage.getByText('Must be a future date')).toBeVisible();
    await preset('90 days').click();
    await expect(adminPage.getByText('Must be a future date')).toBeHidden();
  }
});

test('the form has the sections Key Information and Restrictions, and examples as placeholders; the edit dialog has no examples', async ({ adminPage, tenant }) => {
  const keys = new ConsolePage(adminPage);
  await keys.openForm();
  const section = (name: string) => adminPage.getByRole('region', { name, exact: true });
  await expect(section('Key Information').getByRole('textbox')).toHaveCount(2);
  await expect(section('Key Information').getByRole('combobox')).toHaveCount(1);
  await expect(section('Restrictions').getByLabel(/^Expiration Date/)).toBeVisible();
  await expect(section('Restrictions').getByLabel(/^IP Allowlist/)).toBeVisible();
  await expect(keys.name()).toHaveAttribute('placeholder', 'ERP nightly sync');
  await expect(keys.allowlist()).toHaveAttribute('placeholder', /203\.0\.113\.24/);
  // In a stored key's empty field, an example would look like its value.
  const { id } = await tenant.key('Shop');
  await open(adminPage, `/tenant-api-keys/${id}/edit`);
  await expect(keys.editDialog()).toBeVisible();
  for (const field of [keys.description(), keys.allowlist()]) await expect(field).not.toHaveAttribute('placeholder');
});

test('the form warns about a range that admits every address, and accepts it', async ({ adminPage, tenant }) => {
  const keys = new ConsolePage(adminPage);
  await keys.openForm();
  await keys.allowlist().fill('192.0.2.7\n0.0.0.0/0');
  await expect(adminPage.getByText('0.0.0.0/0 admits every IPv4 address.')).toBeVisible();
  await keys.allowlist().fill('::/0');
  await expect(adminPage.getByText('::/0 admits every IPv6 address.')).toBeVisible();
  await expect(adminPage.getByText('0.0.0.0/0 admits every IPv4 address.')).toBeHidden();
  await keys.generate({ name: 'Load test', group: tenant.group });
});

test('the form shows the own address, warns when the allowlist excludes it, and adds it', async ({ adminPage }) => {
  const keys = new ConsolePage(adminPage);
  await keys.openForm();
  const connection = adminPage.getByText(/You are connecting from/);
  await expect(connection).toContainText('127.0.0.1');
  await expect(connection).not.toContainText('would refuse');
  await keys.allowlist().fill('192.0.2.0/24');
  await expect(connection).toContainText('You are connecting from 127.0.0.1, which this list would refuse.');
  await adminPage.getByRole('button', { name: 'Add it', exact: true }).click();
  await expect(keys.allowlist()).toHaveValue(/192\.0\.2\.0\/24\n127\.0\.0\.1/);
  await expect(connection).not.toContainText('would refuse');
});

test('only key groups of this tenant are offered, and the form explains when the expiration date ends', async ({ adminPage, tenant }) => {
  await tenant.groupOfPeople('Console people');
  const keys = new ConsolePage(adminPage);
  await keys.openForm();
  await expect(keys.group().getByRole('option', { name: tenant.group })).toHaveCount(1);
  await expect(keys.group().getByRole('option', { name: 'Console people' })).toHaveCount(0);
  await expect(keys.expires()).toHaveAccessibleDescription(/The key works until the end of that day, UTC\./);
});

test('p57: a name of 200 emoji is accepted and shown, one of 201 is refused', async ({ adminPage, server, tenant }) => {
  const longest = '😀'.repeat(200);
  const keys = new ConsolePage(adminPage);
  await keys.openForm();
  await keys.name().focus();
  // Inserted like an input method does, so that a `maxlength` would apply.
  await adminPage.keyboard.insertText(`${longest}😀`);
  await keys.name().blur();
  await expectMessages(keys.name(), ['Must be 2–200 characters']);
  await keys.name().focus();
  await adminPage.keyboard.press('End');
  await adminPage.keyboard.press('Backspace');
  await expect(keys.name()).toHaveValue(longest);
  await expectNoMessage(keys.name());
  const secret = await keys.generate({ group: tenant.group });
  expect(JSON.parse((await whoami(server.origin, secret)).body).name).toBe(longest);
  await keys.copyAndClose();
  await expect(keys.row(longest)).toBeVisible();
});

test('p57: control and bidirectional-override characters in a name are refused', async ({ adminPage }) => {
  const keys = new ConsolePage(adminPage);
  await keys.openForm();
  for (const [name, message] of [
    ['ERP\u202Eexe', 'Must not contain control or text-direction characters'],
    ['ERP\u0007', 'Must not contain control or text-direction characters'],
    [' \u2003 ', 'Must be 2–200 characters'],
  ] as const) {
    await keys.name().fill(name);
    await keys.name().blur();
    await expectMessages(keys.name(), [message]);
  }
});

test('p57: a name of markup is text in the modal, the list, the dialogs and the title', async ({ adminPage, tenant }) => {
  const name = '<img src=/never onerror="document.title=`owned`">';
  const asked: string[] = [];
  adminPage.on('request', (request) => asked.push(new URL(request.url()).pathname));
  const keys = new ConsolePage(adminPage);
  await keys.openForm();
  await keys.generate({ name, description: '<script>document.title="owned"</script>', group: tenant.group });
  await expect(keys.secretDialog().getByText(name)).toBeVisible();
  await keys.copyAndClose();
  await expect(keys.row(name)).toContainText('<script>document.title="owned"</script>');

  await adminPage.getByRole('link', { name: `Rotate ${name}` }).click();
  await expect(keys.rotateDialog()).toContainText(name);
  await keys.rotateDialog().getByRole('link', { name: 'Cancel', exact: true }).click();
  await adminPage.getByRole('link', { name: `Revoke ${name}` }).click();
  await expect(keys.revokeDialog()).toContainText(name);
  await adminPage.reload();
  await expect(keys.revokeDialog()).toContainText(name);

  await expect(adminPage).not.toHaveTitle(/owned/);
  expect(asked).not.toContain('/never');
  await expect(adminPage.getByRole('img', { includeHidden: true }).and(adminPage.locator('img'))).toHaveCount(0);
});
