// The authorization groups, with and without JavaScript: create, edit with its effect, refused deletion, deletion.

import type { Page } from '@playwright/test';

import { type Tenant, createPerson, expect, signIn, test as base } from './fixtures';
import { expectAccessibleIn } from './support/accessibility';

const test = base.extend<{ width: number; hasScript: boolean }>({
  width: [1440, { option: true }],
  hasScript: [false, { option: true }],
  context: async ({ openContext, hasScript, width }, use) =>
    use(await openContext({ javaScriptEnabled: hasScript, viewport: { width, height: 900 } })),
});

class GroupsPage {
  constructor(readonly page: Page) {}

  readonly row = (name: string) => this.page.getByRole('table', { name: 'Authorization groups' }).getByRole('row').filter({ hasText: name });
  readonly name = () => this.page.getByRole('textbox', { name: 'Name' });
  readonly permissions = () => this.page.getByRole('textbox', { name: 'Permissions' });
  readonly button = (name: string) => this.page.getByRole('button', { name, exact: true });
  readonly change = (start: string) => this.page.getByRole('listitem').filter({ hasText: start });
  readonly refusal = () => this.page.getByRole('paragraph').filter({ hasText: 'cannot be deleted' });
  readonly notice = () => this.page.getByRole('status');
}

async function fourKeys(tenant: Tenant): Promise<void> {
  for (const name of ['Shop', 'ERP', 'Reports', 'Till']) await tenant.key(name);
}

for (const { hasScript, width } of [
  { hasScript: false, width: 1440 },
  { hasScript: false, width: 375 },
  { hasScript: true, width: 1440 },
  { hasScript: true, width: 375 },
]) {
  test.describe(`at ${width} pixels, ${hasScript ? 'with' : 'without'} script`, () => {
    test.use({ hasScript, width });

    test('a group is created, edited, refused deletion, and deleted', async ({ adminPage: page, openContext, server, tenant, browserLog }) => {
      browserLog.expectStatus(409);
      browserLog.expectStatus(422);
      await fourKeys(tenant);
      const withScript = await openContext({ viewport: { width, height: 900 } });
      await signIn(withScript, server.origin, tenant.administrator);
      const accessible = await withScript.newPage();
      const groups = new GroupsPage(page);

      await page.goto('/authorization-groups');
      await expect(groups.row('Orders read/write')).toContainText('4 keys');
      await expect(groups.row('Orders read/write')).toContainText('0 used in 7 days');
      await expectAccessibleIn(accessible, page.url(), 'the list');

      await page.getByRole('link', { name: 'New group' }).click();
      await groups.name().fill('Stock');
      await groups.permissions().fill('stock:read\nStock');
      await groups.button('Create group').click();
      await expect(page.getByText("'Stock' is not a permission")).toBeVisible();
      await expect(groups.name()).toHaveValue('Stock');
      await groups.permissions().fill('stock:read\nstock:adjust');
      await page.getByText(/^Show \d+ known permissions$/).click();
      await expect(page.getByRole('list', { name: 'Known permissions' })).toContainText('in use by Orders read/write');
      await groups.button('Create group').click();
      await expect(groups.notice()).toContainText('Created Stock.');
      await expect(groups.row('Stock')).toContainText('stock:adjust');

      await page.getByRole('link', { name: 'Edit Orders read/write' }).click();
      await expect(page.getByText('4 keys have this group; 0 of them were used in the last 7 days.')).toBeVisible();
      await expectAccessibleIn(accessible, page.url(), 'the form');
      await groups.permissions().fill('orders:read\nshipments:read');
      await groups.button('Check').click();
      await expect(groups.change('They gain')).toHaveText('They gain shipments:read.');
      await expect(groups.change('They lose')).toHaveText('They lose orders:write: their next request for it is refused with missing_permission.');
      await groups.button('Save').click();
      await expect(groups.notice()).toContainText('Saved Orders read/write.');
      await expect(groups.row('Orders read/write')).toContainText('shipments:read');

      await page.getByRole('link', { name: 'Delete Orders read/write' }).click();
      await expect(groups.refusal()).toContainText('Orders read/write cannot be deleted. 4 keys have it: ERP, Reports, Shop, Till');
      await expect(groups.button('Delete')).toHaveCount(0);
      await expectAccessibleIn(accessible, page.url(), 'the refused deletion');
      await page.getByRole('link', { name: 'Back to the groups' }).click();

      await page.getByRole('link', { name: 'Delete Stock' }).click();
      await expectAccessibleIn(accessible, page.url(), 'the deletion');
      await groups.button('Delete').click();
      await expect(groups.notice()).toContainText('The group was deleted.');
      await expect(groups.row('Stock')).toHaveCount(0);
    });
  });
}

test('Enter in the name saves; only the button Check checks', async ({ adminPage: page, tenant }) => {
  const groups = new GroupsPage(page);
  await page.goto('/authorization-groups');
  await page.getByRole('link', { name: `Edit ${tenant.group}` }).click();
  await groups.name().fill('Orders');
  await groups.name().press('Enter');
  await expect(groups.notice()).toContainText('Saved Orders.');
  await expect(groups.row('Orders')).toContainText('orders:read');
});

for (const hasScript of [true, false]) {
  test.describe(`${hasScript ? 'with' : 'without'} script`, () => {
    test.use({ hasScript });

    test('the empty list of a tenant without a group leads to the form of a group', async ({ context, page, server, tenant }) => {
      const slug = `${tenant.slug}-new`;
      await server.json(['tenant', 'create', '--name', 'Northwind', '--slug', slug]);
      await signIn(context, server.origin, await createPerson(server, 'tenant_admin', slug));
      await page.goto('/tenant-api-keys');
      await expect(page.getByText('First create an authorization group')).toBeVisible();
      await page.getByRole('link', { name: 'Create a group' }).click();
      const groups = new GroupsPage(page);
      await groups.name().fill('Orders');
      await groups.permissions().fill('orders:read');
      await groups.button('Create group').click();
      await expect(groups.notice()).toContainText('Created Orders.');
      await page.goto('/tenant-api-keys');
      await expect(page.getByText('First create an authorization group')).toHaveCount(0);
      await expect(page.getByRole('link', { name: 'Generate API Key' })).toHaveCount(2);
    });
  });
}
