// Typed text is asked about before it is lost: by Cancel, links, Back and reload, in the form and in the edit dialog.

import type { Page } from '@playwright/test';

import { ConsolePage } from './console_page';
import { expect, test } from './fixtures';

const question = (page: Page) => page.getByRole('alertdialog', { name: 'Discard changes?' });

/** Reloads the page and returns whether the browser asked; the reload is refused. */
async function asksOnReload(page: Page): Promise<boolean> {
  let isAsked = false;
  page.once('dialog', async (dialog) => {
    isAsked = dialog.type() === 'beforeunload';
    await dialog.dismiss();
  });
  await page.evaluate(() => setTimeout(() => location.reload()));
  await expect.poll(() => isAsked).toBe(true);
  return isAsked;
}

for (const way of ['Cancel', 'Breadcrumb', 'Back'] as const) {
  test(`Generate: ${way} asks before typed text is lost, and not otherwise`, async ({ adminPage: page }) => {
    const keys = new ConsolePage(page);
    const leave = async (): Promise<void> => {
      if (way === 'Cancel') await page.getByRole('link', { name: 'Cancel', exact: true }).click();
      else if (way === 'Back') await page.evaluate(() => history.back());
      else await page.getByRole('navigation', { name: 'Breadcrumb' }).getByRole('link', { name: 'API Keys' }).click();
    };
    await keys.openList();
    await keys.generateLink().click();
    await expect(keys.heading('Generate API Key')).toBeVisible();
    await leave();
    await expect(keys.heading('API Keys')).toBeVisible();

    await keys.generateLink().click();
    await keys.name().fill('Typed with care');
    await leave();
    await expect(question(page)).toBeVisible();
    await expect(page.getByRole('button', { name: 'Keep editing', exact: true })).toBeFocused();
    await page.getByRole('button', { name: 'Keep editing', exact: true }).click();
    await expect(page).toHaveURL('/tenant-api-keys/new');
    await expect(keys.name()).toHaveValue('Typed with care');
    await expect(keys.name()).toBeFocused();

    await leave();
    await page.getByRole('button', { name: 'Discard', exact: true }).click();
    await expect(page).toHaveURL('/tenant-api-keys');
    await expect(keys.heading('API Keys')).toBeVisible();
    // The hold is over: the next way out is free.
    await keys.generateLink().click();
    await expect(keys.name()).toHaveValue('');
    await leave();
    await expect(keys.heading('API Keys')).toBeVisible();
  });
}

test('Generate and Edit: the browser asks before a reload loses typed text', async ({ adminPage: page, tenant }) => {
  const key = await tenant.key('Zapier');
  const keys = new ConsolePage(page);
  await keys.openForm();
  await keys.name().click();
  await keys.name().fill('Typed with care');
  expect(await asksOnReload(page)).toBe(true);
  await expect(keys.name()).toHaveValue('Typed with care');
  await keys.name().fill('');
  await keys.openList();
  await keys.action('Edit', 'Zapier').click();
  await keys.name().click();
  await keys.name().fill('Zapier, typed');
  expect(await asksOnReload(page)).toBe(true);
  await expect(page).toHaveURL(`/tenant-api-keys/${key.id}/edit`);
  await expect(keys.name()).toHaveValue('Zapier, typed');
});

test('Edit: Back asks before typed text is lost; after a save, nothing asks', async ({ adminPage: page, tenant }) => {
  const key = await tenant.key('Zapier');
  const keys = new ConsolePage(page);
  await keys.openList();
  await keys.action('Edit', 'Zapier').click();
  await keys.name().fill('Zapier, typed');
  await page.evaluate(() => history.back());
  await expect(keys.discardQuestion()).toBeVisible();
  await expect(page).toHaveURL(`/tenant-api-keys/${key.id}/edit`);
  await page.getByRole('button', { name: 'Keep editing', exact: true }).click();
  await expect(keys.name()).toHaveValue('Zapier, typed');
  await page.evaluate(() => history.back());
  await page.getByRole('button', { name: 'Discard', exact: true }).click();
  await expect(keys.editDialog()).toBeHidden();
  await expect(page).toHaveURL('/tenant-api-keys');

  await keys.action('Edit', 'Zapier').click();
  await expect(keys.name()).toHaveValue('Zapier');
  await keys.name().fill('Zapier 2');
  await keys.save().click();
  await expect(keys.editDialog()).toBeHidden();
  await expect(keys.row('Zapier 2')).toBeVisible();
});

test('after a dialog is closed, Back leads to the page before the list', async ({ adminPage: page, tenant }) => {
  await tenant.key('Zapier');
  const keys = new ConsolePage(page);
  await keys.openList();
  await keys.segment('Status', 'Active').click();
  await expect(page).toHaveURL('/tenant-api-keys?status=active');
  await keys.action('Edit', 'Zapier').click();
  await keys.editDialog().getByRole('link', { name: 'Cancel', exact: true }).click();
  await expect(keys.editDialog()).toBeHidden();
  await keys.action('Edit', 'Zapier').click();
  await keys.description().fill('Saved');
  await keys.save().click();
  await expect(keys.editDialog()).toBeHidden();
  await expect(page).toHaveURL('/tenant-api-keys?status=active');
  await page.goBack();
  await expect(page).toHaveURL('/tenant-api-keys');

  // A dialog opened by its URL leads to the list as before. The rows are those of the whole list as soon as it has loaded.
  const edit = keys.action('Edit', 'Zapier');
  await expect(edit).toHaveAttribute('href', /\/edit$/);
  await page.goto((await edit.getAttribute('href'))!);
  await keys.editDialog().getByRole('link', { name: 'Cancel', exact: true }).click();
  await expect(page).toHaveURL('/tenant-api-keys');
});
