// Long names, right-to-left names and names with markup: shown as text, complete in a tooltip or card, without horizontal scrolling.

import type { Page } from '@playwright/test';

import { ConsolePage, open } from './console_page';
import { whoami } from './support/request';
import { expect, test } from './fixtures';

const EMOJI = '😀'.repeat(200);
const WORD = 'Lieferkettensorgfaltspflichtenüberwachung'.repeat(5).slice(0, 200);
const SENTENCE = 'Sends every order of the past night to the warehouse in Lübeck and '.repeat(3).slice(0, 199).trim();
const HEBREW = 'סנכרון הזמנות לילי של מערכת ה־ERP אל המחסן בחיפה';
const ARABIC = 'مزامنة الطلبات الليلية (ERP) 2027';
const MARKUP = '<img src=/never onerror="document.title=`owned`">';

test('p57: an edit refuses control and bidirectional-override characters and 201 emoji, and accepts 200', async ({ adminPage, server, tenant }) => {
  const key = await tenant.key('Warehouse');
  const keys = new ConsolePage(adminPage);
  await open(adminPage, `/tenant-api-keys/${key.id}/edit`);
  for (const [name, message] of [
    ['ERP\u202Eexe', /Must not contain control or text-direction characters/],
    ['ERP\u0007', /Must not contain control or text-direction characters/],
    [' \u2003 ', /Must be 2–200 characters/],
    [`${EMOJI}😀`, /Must be 2–200 characters/],
  ] as const) {
    await keys.name().fill(name);
    await keys.save().click();
    await expect(keys.name()).toHaveAccessibleDescription(message);
    await expect(keys.editDialog().getByRole('alert').getByRole('link')).toHaveCount(1);
  }
  await keys.name().focus();
  await adminPage.keyboard.press('End');
  await adminPage.keyboard.press('Backspace');
  await keys.save().click();
  await expect(keys.editDialog()).toBeHidden();
  await expect(keys.row(EMOJI)).toBeVisible();
  expect(JSON.parse((await whoami(server.origin, key.secret)).body).name).toBe(EMOJI);
});

test('p57: a name with markup is text in the dialog, its title, its conflict and the list', async ({ adminPage, openContext, server, tenant }) => {
  const key = await tenant.key(MARKUP, { description: '</textarea><script>document.title="owned"</script>' });
  const asked: string[] = [];
  adminPage.on('request', (request) => asked.push(new URL(request.url()).pathname));
  const keys = new ConsolePage(adminPage);
  await open(adminPage, `/tenant-api-keys/${key.id}/edit`);
  await expect(keys.name()).toHaveValue(MARKUP);
  await expect(keys.description()).toHaveValue('</textarea><script>document.title="owned"</script>');
  const other = new ConsolePage(await (await openContext({ storageState: await adminPage.context().storageState() })).newPage());
  await open(other.page, `/tenant-api-keys/${key.id}/edit`);
  await other.name().fill(`${MARKUP}!`);
  await other.save().click();
  await expect(other.editDialog()).toBeHidden();
  await keys.name().fill('<b>mine</b>');
  await keys.save().click();
  await expect(keys.conflict()).toContainText(`Key Name is now “${MARKUP}!”.`);
  await keys.saveAnyway().click();
  await expect(keys.row('<b>mine</b>')).toBeVisible();
  await expect(adminPage).not.toHaveTitle(/owned/);
  expect(asked).not.toContain('/never');
  expect(JSON.parse((await whoami(server.origin, key.secret)).body).name).toBe('<b>mine</b>');
});

async function expectNoSidewaysScrolling(page: Page, what: string): Promise<void> {
  const overflow = await page.evaluate(() => {
    const scrollers = [document.documentElement, ...document.querySelectorAll('dialog, .dialog-body, [popover]')];
    return scrollers.map(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth).filter((pixels) => pixels > 0);
  });
  expect(overflow, `${what} is wider than the screen`).toEqual([]);
}

test('with long and right-to-left names no page scrolls horizontally at 375 and 1440 pixels', async ({ adminPage, server, tenant }) => {
  const names = [WORD, SENTENCE, HEBREW, ARABIC, EMOJI];
  const keys = new ConsolePage(adminPage);
  const issued = await Promise.all(names.map((name) => tenant.key(name, { description: 'w'.repeat(1_000) })));
  await server.run(['key', 'revoke', issued[3]!.id]);
  for (const width of [375, 1440]) {
    await adminPage.setViewportSize({ width, height: 800 });
    await adminPage.goto('/tenant-api-keys');
    await expect(keys.names()).toHaveCount(names.length);
    await expectNoSidewaysScrolling(adminPage, `the list at ${width}`);
    for (const [dialog, key] of [['edit', issued[0]!], ['rotate', issued[4]!], ['revoke', issued[0]!]] as const) {
      await adminPage.goto(`/tenant-api-keys/${key.id}/${dialog}`);
      await expect(adminPage.locator('dialog')).toContainText(key.name);
      await expectNoSidewaysScrolling(adminPage, `${dialog} at ${width}`);
    }
    // A search text has at most 100 characters. A word of ASCII letters this long would be shortened as a secret.
    await adminPage.goto(`/tenant-api-keys?q=${'ж'.repeat(99)}x`);
    await expect(keys.noMatch()).toBeVisible();
    await expectNoSidewaysScrolling(adminPage, `no match at ${width}`);
  }
});

test('a right-to-left name is isolated from the text around it', async ({ adminPage, tenant }) => {
  const key = await tenant.key(ARABIC);
  const keys = new ConsolePage(adminPage);
  await keys.openList();
  const directions = keys.names().locator('[dir=auto]').or(keys.names().and(adminPage.locator('[dir=auto]')));
  await expect(directions).toHaveCount(1);
  expect(await directions.evaluate((name) => getComputedStyle(name).direction)).toBe('rtl');
  expect(await keys.row(ARABIC).evaluate((row) => getComputedStyle(row).direction)).toBe('ltr');
  for (const dialog of ['edit', 'rotate', 'revoke']) {
    await adminPage.goto(`/tenant-api-keys/${key.id}/${dialog}`);
    const name = adminPage.locator('dialog').getByText(ARABIC, { exact: true });
    await expect(name).toBeVisible();
    expect(await name.evaluate((element) => getComputedStyle(element).direction), dialog).toBe('rtl');
  }
  await open(adminPage, `/tenant-api-keys/${key.id}/edit`);
  expect(await keys.name().evaluate((field) => getComputedStyle(field).direction), 'the field').toBe('rtl');
});

/** The text of a name's tooltip; empty while none is shown. */
function tooltip(page: Page, name: number): Promise<string> {
  return new ConsolePage(page).names().nth(name).evaluate((element) => {
    const { content, visibility } = getComputedStyle(element, '::after');
    return visibility === 'visible' && content !== 'none' ? content : '';
  });
}

/** Whether the name is truncated. */
function isCut(page: Page, name: number): Promise<boolean> {
  return new ConsolePage(page).names().nth(name).evaluate((element) => {
    const text = element.querySelector('.truncate') ?? element;
    return text.scrollWidth > text.clientWidth;
  });
}

test('a truncated name has a tooltip on hover and on focus, closed by Escape', async ({ adminPage, server, tenant }) => {
  await tenant.key('Zapier');
  const revoked = await tenant.key(SENTENCE);
  await server.run(['key', 'revoke', revoked.id]);
  await tenant.key(WORD);
  const keys = new ConsolePage(adminPage);
  await keys.openList();
  for (const [name, text] of [[0, WORD], [1, SENTENCE]] as const) {
    expect(await isCut(adminPage, name)).toBe(true);
    await adminPage.mouse.move(1, 1);
    await expect.poll(() => tooltip(adminPage, name)).toBe('');
    await keys.names().nth(name).hover();
    await expect.poll(() => tooltip(adminPage, name), 'hover').toContain(text);
    await adminPage.keyboard.press('Escape');
    await expect.poll(() => tooltip(adminPage, name), 'Escape').toBe('');
    await adminPage.mouse.move(1, 1);
    // By keyboard, because a mouse does not show the focus.
    await adminPage.keyboard.press('Tab');
    await keys.names().nth(name).focus();
    await expect.poll(() => tooltip(adminPage, name), 'focus').toContain(text);
  }
  // A name that fits has no tooltip.
  await keys.names().nth(2).hover();
  expect(await isCut(adminPage, 2)).toBe(false);
  expect(await tooltip(adminPage, 2)).toBe('');
  // On a narrow screen the card shows the whole name.
  await adminPage.setViewportSize({ width: 375, height: 800 });
  for (const name of [0, 1, 2]) expect(await isCut(adminPage, name), 'a card wraps the name').toBe(false);
});

test('a truncated name of few wide letters has a tooltip, too', async ({ adminPage, tenant }) => {
  const names = ['Warehouse management sys', 'WAREHOUSE MAIN ERP', '受注データ夜間同期バッチ'];
  for (const name of names) await tenant.key(name);
  const keys = new ConsolePage(adminPage);
  // The width at which the name column is narrowest: just wide enough for the table and the menu.
  for (const width of [700, 961]) {
    await adminPage.setViewportSize({ width, height: 800 });
    await keys.openList();
    for (const [index, name] of [...names].reverse().entries()) {
      if (!(await isCut(adminPage, index))) continue;
      await keys.names().nth(index).hover();
      await expect.poll(() => tooltip(adminPage, index), `${name} at ${width}`).toContain(name);
    }
  }
});
