// Accessibility of every page and dialog: no axe violation in light and dark, narrow and wide; no horizontal scrolling at 320 pixels;
// no layout shift.

import type { Page } from '@playwright/test';

import { ConsolePage, open } from './console_page';
import { expectAccessible, NARROW_SCREENS } from './support/accessibility';
import { test as stockedTest } from './stocked_fixtures';
import { createPerson, daysFromToday, expect, signIn, test } from './fixtures';

test('sign-in has no accessibility violation', async ({ browserLog, page, server, tenant }) => {
  browserLog.expectStatus(422);
  browserLog.expectStatus(403);
  await open(page, '/sign-in');
  await expectAccessible(page, 'the sign-in page');
  await new ConsolePage(page).signIn({ email: 'nobody@acme.example', password: 'not a valid password' });
  await expect(page.getByText('Email or password is wrong.')).toBeVisible();
  await expectAccessible(page, 'the sign-in page after a refusal');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByText('Enter your password.')).toBeVisible();
  await expect(page.getByLabel('Password')).toHaveAttribute('aria-invalid', 'true');
  await expectAccessible(page, 'the sign-in page with an empty field');
  expect((await server.run(['tenant', 'suspend', tenant.slug])).code).toBe(0);
  await new ConsolePage(page).signIn(tenant.administrator);
  await expect(page.getByText('is suspended. Ask your operator.')).toBeVisible();
  await expectAccessible(page, 'the sign-in page of a suspended tenant');
});

test('the list has no violation: empty, with keys, without a match, at the limit', async ({ adminPage: page, server, tenant }) => {
  const keys = new ConsolePage(page);
  await keys.openList();
  await expectAccessible(page, 'the empty list');
  await tenant.key('ERP nightly sync', { expires: daysFromToday(3), description: 'Pulls orders into the ERP at 02:00 UTC' });
  const revoked = await tenant.key('Contractor laptop of the agency that left', { expires: daysFromToday(3) });
  await server.run(['key', 'revoke', revoked.id]);
  await keys.openList('?sort=name');
  await expectAccessible(page, 'the list');
  await keys.segment('Expiration', 'Expired').click();
  await expect(keys.noMatch()).toBeVisible();
  await expectAccessible(page, 'the list where no key matches');
  await tenant.setLimit(1);
  await keys.openList();
  await expectAccessible(page, 'the list at its limit');
});

test('the menu and the filter sheet of a narrow screen have no violation', async ({ adminPage: page, tenant }) => {
  await page.setViewportSize({ width: 375, height: 800 });
  await tenant.key('ERP nightly sync');
  const keys = new ConsolePage(page);
  await keys.openList();
  await page.getByRole('button', { name: 'Filters', exact: true }).click();
  await expect(keys.segment('Sort by', 'Newest')).toBeVisible();
  await expectAccessible(page, 'the sheet of filters', NARROW_SCREENS);
  await page.setViewportSize({ width: 375, height: 800 });
  await keys.openList();
  await page.getByRole('button', { name: 'Menu' }).click();
  await expect(page.getByRole('navigation', { name: 'Settings' })).toBeVisible();
  await expectAccessible(page, 'the menu', NARROW_SCREENS);
});

test('the dialogs of a key have no violation', async ({ adminPage: page, browserLog, server, tenant }) => {
  browserLog.expectStatus(409);
  const key = await tenant.key('ERP nightly sync', { description: 'Ask Jonas', expires: daysFromToday(3) });
  const keys = new ConsolePage(page);
  await keys.openList();
  await keys.action('Rotate', 'ERP nightly sync').click();
  await expect(keys.rotateDialog()).toBeVisible();
  await keys.expires().fill(daysFromToday(0));
  await keys.rotateDialog().getByRole('button', { name: 'Rotate', exact: true }).click();
  await expect(keys.expires()).toHaveAttribute('aria-invalid', 'true');
  await expectAccessible(page, 'the rotate dialog with an error');
  await page.keyboard.press('Escape');
  await keys.action('Revoke', 'ERP nightly sync').click();
  await expect(keys.revokeDialog()).toBeVisible();
  await expectAccessible(page, 'the revoke dialog');
  expect((await server.run(['key', 'revoke', key.id])).code).toBe(0);
  await open(page, `/tenant-api-keys/${key.id}/revoke`);
  await expectAccessible(page, 'the dialog of a key that is revoked');
});

test('the selection bar and the dialog that revokes several keys have no violation', async ({ adminPage: page, tenant }) => {
  for (const name of ['Airflow', 'Grafana', 'Zapier']) await tenant.key(name);
  const keys = new ConsolePage(page);
  await keys.openList();
  for (const name of ['Airflow', 'Zapier']) await page.getByRole('checkbox', { name: `Select ${name}`, exact: true }).check();
  const bar = page.getByRole('region', { name: 'Selected keys' });
  await expect(bar).toContainText('2 keys selected');
  await expectAccessible(page, 'the selection bar');
  await bar.getByRole('link', { name: 'Revoke 2 keys', exact: true }).click();
  const dialog = page.getByRole('alertdialog', { name: 'Revoke 2 API keys' });
  await expect(dialog.getByRole('listitem')).toHaveCount(2);
  await expectAccessible(page, 'the dialog that revokes several keys');
});

test('the edit dialog has no violation: unchanged, with errors, with a conflict, with the question to discard', async ({ adminPage: page, openContext, server, tenant }) => {
  const key = await tenant.key('ERP nightly sync', { description: 'Ask Jonas' });
  const keys = new ConsolePage(page);
  await open(page, `/tenant-api-keys/${key.id}/edit`);
  await expectAccessible(page, 'the edit dialog');
  await keys.fill({ name: 'x', allowlist: '0.0.0.0/0\n10.0.0.0/33' });
  await keys.save().click();
  await expect(keys.editDialog().getByRole('alert')).toBeVisible();
  await expectAccessible(page, 'the edit dialog with errors');

  const other = await openContext();
  await signIn(other, server.origin, await tenant.anotherAdministrator('Jonas Weber'));
  const theirs = new ConsolePage(await other.newPage());
  await open(theirs.page, `/tenant-api-keys/${key.id}/edit`);
  await theirs.fill({ name: 'ERP hourly sync', description: '', allowlist: '127.0.0.1' });
  await theirs.save().click();
  await expect(theirs.editDialog()).toBeHidden();
  await keys.fill({ name: 'ERP', allowlist: '' });
  await keys.save().click();
  await expect(keys.conflict()).toBeVisible();
  await expectAccessible(page, 'the edit dialog with a conflict');
  await page.keyboard.press('Escape');
  await expect(keys.discardQuestion()).toBeVisible();
  await expectAccessible(page, 'the edit dialog with its question');
});

test('the form and the secret modal have no violation', async ({ adminPage: page, tenant }) => {
  const keys = new ConsolePage(page);
  await keys.openForm();
  await expectAccessible(page, 'the form');
  await keys.fill({ expires: daysFromToday(0), allowlist: '0.0.0.0/0\n10.0.0.0/33' });
  await keys.submit().click();
  await expect(page.getByRole('alert')).toBeFocused();
  await expectAccessible(page, 'the form with errors');
  await keys.generate({ name: 'ERP nightly sync', group: tenant.group, expires: '', allowlist: '0.0.0.0/0' });
  await expectAccessible(page, 'the secret modal');
  await keys.close().click();
  await expect(keys.closeQuestion()).toBeVisible();
  await expectAccessible(page, 'the question of the secret modal');
});

test('without script, the page with the secret and the page after it have no violation', async ({ browserLog, openContext, server, tenant }) => {
  browserLog.expectStatus(409);
  browserLog.expect(/\.js csp$|preloaded using link preload but not used/);
  // axe needs scripts; only the pages' own scripts are blocked.
  const context = await openContext({ bypassCSP: true });
  await context.route('**/*.wasm', (route) => route.abort());
  browserLog.expect(/\.wasm|Failed to fetch|ERR_FAILED/);
  await signIn(context, server.origin, tenant.administrator);
  const page = await context.newPage();
  const keys = new ConsolePage(page);
  await page.goto('/tenant-api-keys/new');
  await keys.fill({ name: 'ERP nightly sync', group: tenant.group });
  await keys.submit().click();
  await expect(page.getByText('This secret will not be shown again.')).toBeVisible();
  await expectAccessible(page, 'the page with the secret');
  await page.reload();
  await expect(keys.heading('This secret was already shown')).toBeVisible();
  await expectAccessible(page, 'the page after the secret was shown');
});

test('the account page and its refused form have no violation', async ({ adminPage: page, browserLog, tenant }) => {
  browserLog.expectStatus(422);
  await page.goto('/account');
  await expectAccessible(page, 'the account');
  const change = async (current: string, fresh: string): Promise<void> => {
    await page.getByLabel('Current password').fill(current);
    await page.getByLabel('New password').fill(fresh);
    await page.getByRole('button', { name: 'Change password' }).click();
  };
  await change('not the password', 'nine unrelated words do well');
  await expect(page.getByText('The current password is wrong.')).toBeVisible();
  await expectAccessible(page, 'the account with a wrong password');
  await change(tenant.administrator.password, 'password1234');
  await expect(page.getByLabel('New password')).toHaveAttribute('aria-invalid', 'true');
  await expectAccessible(page, 'the account with a password that is guessed');
  await change(tenant.administrator.password, 'nine unrelated words do well');
  await expect(page.getByText('Password changed.')).toBeVisible();
  await expectAccessible(page, 'the account after the change');
});

test('the guide and the API documentation have no violation, with and without a session', async ({ adminPage: page, browserLog, openContext }) => {
  // axe takes seconds for each of these long pages.
  test.setTimeout(240_000);
  browserLog.expectStatus(404);
  for (const path of ['/help#ip_not_allowed', '/api/docs#list_api_keys']) {
    await page.goto(path);
    await expectAccessible(page, path);
  }
  const stranger = await (await openContext()).newPage();
  for (const path of ['/help', '/nothing/here']) {
    await stranger.goto(path);
    await expectAccessible(stranger, `${path} without a session`, NARROW_SCREENS);
  }
});

test('the other pages have no violation', async ({ adminPage: page, browserLog, openContext, server, tenant }) => {
  browserLog.expectStatus(403);
  browserLog.expectStatus(404);
  await open(page, '/nothing/here');
  await expectAccessible(page, 'the 404 page');
  const operator = await createPerson(server, 'super_user');
  for (const person of [await tenant.member(), operator]) {
    const context = await openContext();
    await signIn(context, server.origin, person);
    const theirs = await context.newPage();
    await open(theirs, '/tenant-api-keys');
    await expectAccessible(theirs, 'the 403 page, and the list of tenants');
    if (person.email === operator.email) {
      await server.run(['tenant', 'suspend', tenant.slug]);
      for (const path of [`/tenants?q=${tenant.slug}`, `/tenant-api-keys?tenant=${tenant.slug}`, '/audit-log?tenant=nope', '/tenants?q=nope']) {
        await open(theirs, path);
        await expectAccessible(theirs, `${path} of a super user`);
      }
    }
  }
});

/** Records the layout shifts of a page since it was loaded, with their elements. */
async function watchShifts(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const shifts: { value: number; what: string[] }[] = [];
    Object.assign(window, { shifts });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as (PerformanceEntry & { value: number; sources: { node: Element | null }[] })[]) {
        shifts.push({ value: entry.value, what: entry.sources.map(({ node }) => node?.outerHTML?.slice(0, 80) ?? '') });
      }
    }).observe({ type: 'layout-shift', buffered: true });
  });
}

for (const width of [375, 1440]) {
  stockedTest(`nothing moves while a page loads, a list is filtered and a page is turned, ${width} wide`, async ({ context, page, server, stocked }) => {
    await signIn(context, server.origin, stocked.tenantOfMany.administrator);
    await page.setViewportSize({ width, height: 800 });
    await watchShifts(page);
    const keys = new ConsolePage(page);
    const expectNoShift = async (what: string): Promise<void> => {
      // Layout shifts are reported in the following frame.
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
      expect(await page.evaluate(() => (window as unknown as { shifts: unknown[] }).shifts), what).toEqual([]);
    };
    for (const path of ['/tenant-api-keys/new', '/account', '/tenant-api-keys']) {
      // The account has no script.
      await (path === '/account' ? page.goto(path) : open(page, path));
      await page.evaluate(() => document.fonts.ready);
      await expectNoShift(`${path} while it loads`);
    }
    // Clicked by script: shifts after user input do not count. A narrow screen hides some of the links.
    const clickFirst = (name: string): Promise<void> =>
      page.getByRole('link', { name, exact: true, includeHidden: true }).first().evaluate((link) => (link as HTMLElement).click());
    // Both pages are full: fewer rows would move the elements below them.
    await clickFirst('Next');
    await expect(keys.pager()).toContainText('26–50 of 60 keys');
    await clickFirst('Previous');
    await expect(keys.pager()).toContainText('1–25 of 60 keys');
    await expectNoShift('pages that are turned');
    // Filter to filter: the first filter adds the button that clears it. The card of an active key is higher than that of a revoked one.
    await keys.openList('?status=active');
    await clickFirst('Name');
    await expect(keys.names().first()).toHaveText('Scanner 01');
    await expectNoShift('a sort');
    await clickFirst('Valid');
    await expect(page).toHaveURL(/expiration=valid/);
    await expect(keys.resultCount()).toHaveText('48 keys');
    await expectNoShift('a filter');
  });
}
