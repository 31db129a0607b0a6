// A super user: the list of tenants, the tenant that each page names, its suspension, and the menu of recent tenants.

import type { Page } from '@playwright/test';

import { ConsolePage, open } from './console_page';
import { Tenant, createPerson, expect, signIn, test } from './fixtures';

const row = (page: Page, name: string) => page.getByRole('table', { name: 'Tenants' }).getByRole('row').filter({ hasText: name });
const banner = (page: Page) => page.getByRole('region', { name: 'Acting as super user' });
const suspension = (page: Page) => page.getByRole('region', { name: 'Suspended tenant' });

async function search(page: Page, text: string): Promise<void> {
  await page.getByRole('searchbox', { name: 'Search names and slugs' }).fill(text);
  await page.getByRole('button', { name: 'Search', exact: true }).click();
}

for (const width of [1440, 375]) {
  for (const javaScriptEnabled of [true, false]) {
    const how = `${width} wide, ${javaScriptEnabled ? 'with' : 'without'} script`;

    test(`a super user finds a tenant, opens it and sees whose keys they are: ${how}`, async ({ openContext, server, tenant }) => {
      const key = await tenant.key('ERP nightly sync');
      const context = await openContext({ viewport: { width, height: 900 }, javaScriptEnabled });
      await signIn(context, server.origin, await createPerson(server, 'super_user'));
      const page = await context.newPage();
      await page.goto('/audit-log');
      await expect(page).toHaveURL('/tenants?page=%2Faudit-log');
      await search(page, tenant.slug.toUpperCase());
      await expect(row(page, tenant.slug)).toContainText('1/10 keys');
      await expect(row(page, tenant.slug)).toContainText('Active');
      // The link opens the page that was requested.
      await page.getByRole('link', { name: `Open ${tenant.name}` }).click();
      await expect(page).toHaveURL(`/audit-log?tenant=${tenant.slug}`);
      await expect(page).toHaveTitle(`${tenant.name} · Audit Log – Latchkey`);
      await expect(banner(page)).toContainText(`You are acting in ${tenant.name}`);
      await expect(page.getByRole('navigation', { name: 'Breadcrumb' })).toContainText(tenant.name);

      const revoke = `/tenant-api-keys/${key.id}/revoke?tenant=${tenant.slug}`;
      await (javaScriptEnabled ? open(page, revoke) : page.goto(revoke));
      await expect(page).toHaveTitle(`${tenant.name} · Revoke API Key – Latchkey`);
      const dialog = new ConsolePage(page).revokeDialog();
      await expect(dialog).toContainText(`ERP nightly sync of ${tenant.name}?`);
      await expect(suspension(page)).toHaveCount(0);

      await server.run(['tenant', 'suspend', tenant.slug]);
      await page.goto(`/tenants?q=${tenant.slug}`);
      await expect(row(page, tenant.slug)).toContainText(/Suspended\s*since \d+ \w+ \d+/);
      await page.goto(`/tenant-api-keys?tenant=${tenant.slug}`);
      await expect(suspension(page)).toContainText(/^Suspended since \d+ \w+ \d+: every key of this tenant is refused\.\s*Resume…$/);
    });

    test(`an unknown tenant is named, and the search finds the right one: ${how}`, async ({ browserLog, openContext, server, tenant }) => {
      browserLog.expectStatus(404);
      const context = await openContext({ viewport: { width, height: 900 }, javaScriptEnabled });
      await signIn(context, server.origin, await createPerson(server, 'super_user'));
      const page = await context.newPage();
      await page.goto('/authorization-groups?tenant=nope');
      await expect(page.getByRole('heading', { name: "There is no tenant 'nope'" })).toBeVisible();
      await search(page, tenant.slug);
      await page.getByRole('link', { name: `Open ${tenant.name}` }).click();
      await expect(page).toHaveURL(`/authorization-groups?tenant=${tenant.slug}`);
    });
  }
}

test('the menu switches between the tenants that were opened last, and names the new one', async ({ context, page, server, tenant }) => {
  const northwind = await Tenant.create(server, { name: 'Northwind' });
  await tenant.key('Acme scanner');
  await northwind.key('Northwind shop');
  await signIn(context, server.origin, await createPerson(server, 'super_user'));
  await open(page, `/tenant-api-keys?tenant=${northwind.slug}`);
  await open(page, `/tenant-api-keys?tenant=${tenant.slug}`);
  await page.getByRole('button', { name: 'Switch tenant' }).click();
  const menu = page.locator('#tenants');
  await expect(menu.getByRole('link')).toHaveText([tenant.name, 'Northwind', 'All tenants']);
  await menu.getByRole('link', { name: 'Northwind' }).click();
  await expect(page).toHaveURL(`/tenant-api-keys?tenant=${northwind.slug}`);
  await expect(new ConsolePage(page).row('Northwind shop')).toBeVisible();
  await expect(page).toHaveTitle('Northwind · API Keys – Latchkey');
  await expect(banner(page)).toContainText('You are acting in Northwind');
  await expect(page.getByText(tenant.name, { exact: true }).locator('visible=true')).toHaveCount(0);
});

test('without a tenant in the link, a page leads to the list of tenants', async ({ context, page, server }) => {
  await signIn(context, server.origin, await createPerson(server, 'super_user'));
  await page.goto('/account');
  await page.getByRole('link', { name: 'Latchkey', exact: true }).locator('visible=true').click();
  await expect(page).toHaveURL('/tenants');
  await expect(page.getByRole('heading', { name: 'Tenants' })).toBeVisible();
  await expect(page.getByRole('navigation', { name: 'Operator' })).toBeVisible();
  await expect(page.getByRole('navigation', { name: 'Settings' })).toHaveCount(0);
});
