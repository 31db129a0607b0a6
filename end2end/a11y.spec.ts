// axe finds no violation on any page, light and dark.

import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';

import { ConsolePage, open } from './console_page';
import { createPerson, daysFromToday, expect, signIn, test } from './world';

async function expectAccessible(page: Page, what: string): Promise<void> {
  // Entries fade in, and half-faded text has half the contrast.
  await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {}))));
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.map(({ id, help, nodes }) => ({ id, help, where: nodes.map((node) => node.html) }));
  expect(found, what).toEqual([]);
}

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(`in ${colorScheme}`, () => {
    test.beforeEach(async ({ page }) => page.emulateMedia({ colorScheme }));

    test('signing in', async ({ noise, page }) => {
      noise.expectStatus(401);
      noise.expectStatus(422);
      await open(page, '/sign-in');
      await expectAccessible(page, 'the sign-in page');
      await new ConsolePage(page).signIn({ email: 'nobody@acme.example', password: 'not a password of anybody' });
      await expect(page.getByText('Email or password is wrong.')).toBeVisible();
      await expectAccessible(page, 'the sign-in page after a refusal');
    });

    test('the list and its dialogs', async ({ adminPage: page, server, tenant }) => {
      const keys = new ConsolePage(page);
      await keys.openList();
      await expectAccessible(page, 'the empty list');
      await tenant.key('ERP nightly sync', { expires: daysFromToday(3) });
      const revoked = await tenant.key('Contractor laptop', { expires: daysFromToday(3) });
      await server.run(['key', 'revoke', revoked.id]);
      await keys.openList();
      await expectAccessible(page, 'the list');
      await keys.row('ERP nightly sync').getByRole('link', { name: 'Rotate ERP nightly sync' }).click();
      await expect(keys.rotateDialog()).toBeVisible();
      await expectAccessible(page, 'the rotate dialog');
      await page.keyboard.press('Escape');
      await keys.row('ERP nightly sync').getByRole('link', { name: 'Revoke ERP nightly sync' }).click();
      await expect(keys.revokeDialog()).toBeVisible();
      await expectAccessible(page, 'the revoke dialog');
      await tenant.setLimit(1);
      await keys.openList();
      await expectAccessible(page, 'the list at its limit');
    });

    test('the form and the secret modal', async ({ adminPage: page, tenant }) => {
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

    test('the other pages', async ({ adminPage: page, noise, openContext, server, tenant }) => {
      noise.expectStatus(403);
      noise.expectStatus(404);
      await open(page, '/account');
      await expectAccessible(page, 'the account');
      await open(page, '/nothing/here');
      await expectAccessible(page, 'the 404 page');
      for (const person of [await tenant.member(), await createPerson(server, 'super_user')]) {
        const context = await openContext({ colorScheme });
        await signIn(context, server.origin, person);
        const theirs = await context.newPage();
        await open(theirs, '/tenant-api-keys');
        await expectAccessible(theirs, 'the 403 page, and the list of tenants');
      }
    });

    test('the list on a narrow screen, with its menu', async ({ adminPage: page, tenant }) => {
      await page.setViewportSize({ width: 375, height: 800 });
      await tenant.key('ERP nightly sync', { expires: daysFromToday(3) });
      await new ConsolePage(page).openList();
      await expectAccessible(page, 'the list as cards');
      await page.getByRole('button', { name: 'Menu' }).click();
      await expect(page.getByRole('navigation', { name: 'Settings' })).toBeVisible();
      await expectAccessible(page, 'the menu');
    });
  });
}
