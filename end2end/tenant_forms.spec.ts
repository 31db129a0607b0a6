// A super user creates, limits, suspends and resumes a tenant, with and without JavaScript.

import type { Page } from '@playwright/test';

import { createPerson, expect, signIn, test } from './fixtures';
import { expectAccessibleIn } from './support/accessibility';

const row = (page: Page, name: string) => page.getByRole('table', { name: 'Tenants' }).getByRole('row').filter({ hasText: name });
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });

for (const { hasScript, width } of [
  { hasScript: false, width: 1440 },
  { hasScript: false, width: 375 },
  { hasScript: true, width: 1440 },
]) {
  test(`a tenant is created, limited, suspended and resumed at ${width} pixels, ${hasScript ? 'with' : 'without'} script`, async ({ browserLog, openContext, request, server, tenant }) => {
    browserLog.expectStatus(409);
    browserLog.expectStatus(422);
    const key = await tenant.key('ERP');
    const superUser = await createPerson(server, 'super_user');
    const context = await openContext({ viewport: { width, height: 900 }, javaScriptEnabled: hasScript });
    await signIn(context, server.origin, superUser);
    const withScript = await openContext({ viewport: { width, height: 900 } });
    await signIn(withScript, server.origin, superUser);
    const accessible = await withScript.newPage();
    const page = await context.newPage();
    const whoami = () => request.get(`${server.origin}/api/v1/whoami`, { headers: { 'X-API-Key': key.secret } });

    await page.goto('/tenants');
    await page.getByRole('link', { name: 'New tenant' }).click();
    await page.getByRole('textbox', { name: 'Name' }).fill('Northwind');
    await page.getByRole('textbox', { name: 'Slug' }).fill(tenant.slug);
    await page.getByRole('textbox', { name: 'Key limit' }).fill('ten');
    await button(page, 'Create tenant').click();
    await expect(page.getByText('Must be a whole number from 0 to 1,000,000')).toBeVisible();
    await page.getByRole('textbox', { name: 'Key limit' }).fill('7');
    await button(page, 'Create tenant').click();
    await expect(page.getByText(`There is a tenant with the slug “${tenant.slug}” already`)).toBeVisible();
    await expectAccessibleIn(accessible, page.url(), 'the form of a new tenant');
    const slug = `${tenant.slug}-north`;
    await page.getByRole('textbox', { name: 'Slug' }).fill(slug);
    await button(page, 'Create tenant').click();
    await expect(page.getByRole('status')).toContainText('Created Northwind.');

    await page.goto(`/tenants?q=${slug}`);
    await expect(row(page, slug)).toContainText('0/7 keys');
    await expectAccessibleIn(accessible, page.url(), 'the list');
    await page.getByRole('link', { name: 'Edit name and limit of Northwind' }).click();
    await page.getByRole('textbox', { name: 'Name' }).fill('Northwind Freight');
    await page.getByRole('textbox', { name: 'Key limit' }).fill('9');
    await expectAccessibleIn(accessible, page.url(), 'the form of a tenant');
    await button(page, 'Save').click();
    await expect(page.getByRole('status')).toContainText('Saved Northwind Freight.');
    await page.goto(`/tenants?q=${slug}`);
    await expect(row(page, slug)).toContainText('0/9 keys');

    await page.goto(`/tenants?q=${tenant.slug}`);
    await page.getByRole('link', { name: `Suspend ${tenant.name}` }).click();
    await expect(page.getByText('1 key and 1 user stop at once.')).toBeVisible();
    await expectAccessibleIn(accessible, page.url(), 'the suspension');
    await button(page, 'Suspend').click();
    await expect(page.getByRole('status')).toContainText(`Suspended ${tenant.name}. Its keys and sessions are refused.`);
    expect((await whoami()).status()).toBe(403);

    await page.goto(`/tenant-api-keys?tenant=${tenant.slug}`);
    await page.getByRole('link', { name: 'Resume…' }).click();
    await expectAccessibleIn(accessible, page.url(), 'the end of the suspension');
    await button(page, 'Resume').click();
    await expect(page.getByRole('status')).toContainText(`Resumed ${tenant.name}. Its keys work again.`);
    expect((await whoami()).status()).toBe(200);

    // The event names the super user and the tenant.
    await page.goto('/installation-log?action=tenant.suspended');
    await expect(page.getByText('Mira Albrecht suspended the tenant').filter({ hasText: tenant.name }).first()).toBeVisible();
  });
}
