// The users of a tenant, with and without JavaScript: invite, accept, sign in, change the role, disable, enable; a forgotten password.

import type { Page } from '@playwright/test';

import { expect, signIn, test as base } from './fixtures';
import { expectAccessibleIn } from './support/accessibility';

const test = base.extend<{ width: number; hasScript: boolean }>({
  width: [1440, { option: true }],
  hasScript: [false, { option: true }],
  context: async ({ openContext, hasScript, width }, use) =>
    use(await openContext({ javaScriptEnabled: hasScript, viewport: { width, height: 900 } })),
});

const PASSWORD = 'crimson teapot 9 glacier mandolin';
const SECOND_PASSWORD = 'kestrel harbour 47 tundra lantern';
/** As long as an address may be in a table without breaking its layout. */
const LONG = `${'a-very-long-local-part-of-an-address-'.repeat(3)}@${'department.'.repeat(8)}acme.example`;

class UsersPage {
  constructor(readonly page: Page) {}

  readonly row = (text: string) => this.page.getByRole('table', { name: 'Users' }).getByRole('row').filter({ hasText: text });
  readonly action = (name: string) => this.page.getByRole('link', { name, exact: true });
  readonly button = (name: string) => this.page.getByRole('button', { name, exact: true });
  readonly notice = () => this.page.getByRole('status');
  readonly link = () => this.page.getByRole('textbox', { name: 'Link' });

  async invite(email: string): Promise<string> {
    await this.page.goto('/users');
    await this.action('Invite user').click();
    await this.page.getByLabel('E-mail address').fill(email);
    await this.button('Create invitation').click();
    await expect(this.page.getByRole('heading', { name: 'Invitation created' })).toBeVisible();
    return (await this.link().innerText()).trim();
  }

  async confirm(action: string, button: string): Promise<void> {
    await this.action(action).click();
    await this.button(button).click();
  }
}

for (const { hasScript, width } of [
  { hasScript: false, width: 1440 },
  { hasScript: false, width: 375 },
  { hasScript: true, width: 1440 },
]) {
  test.describe(`at ${width} pixels, ${hasScript ? 'with' : 'without'} script`, () => {
    test.use({ hasScript, width });

    test('p12: a person is invited, accepts, signs in, gets a role, is disabled and enabled', async ({ adminPage: page, openContext, server, tenant, browserLog }) => {
      for (const status of [403, 409, 410, 422]) browserLog.expectStatus(status);
      const withScript = await openContext({ viewport: { width, height: 900 } });
      await signIn(withScript, server.origin, tenant.administrator);
      const accessible = await withScript.newPage();
      const users = new UsersPage(page);
      const email = `sanne@${tenant.slug}.example`;

      await page.goto('/users/invite');
      await page.getByLabel('E-mail address').fill(tenant.administrator.email);
      await users.button('Create invitation').click();
      await expect(page.getByText('This address cannot be invited')).toBeVisible();
      await expect(page.getByLabel('E-mail address')).toHaveValue(tenant.administrator.email);

      await users.invite(LONG);
      const link = await users.invite(email);
      await users.action('Close').click();
      await expect(users.row(email)).toContainText('Invited');
      await expect(users.row(email)).toContainText('until');
      await expectAccessibleIn(accessible, '/users', 'the list of users');
      await expectAccessibleIn(accessible, '/users/invite', 'the form of an invitation');
      await expectAccessibleIn(accessible, link, 'the page of an invitation');

      const theirs = await openContext({ javaScriptEnabled: hasScript, viewport: { width, height: 900 } });
      const person = await theirs.newPage();
      await person.goto(link);
      await expect(person.getByText(`as member`)).toBeVisible();
      await person.getByLabel('Your name').fill('Sanne Vos');
      await person.getByLabel('Password').fill('short');
      await person.getByRole('button', { name: 'Accept invitation' }).click();
      await expect(person.getByText('Must be 12–256 characters')).toBeVisible();
      await expect(person.getByLabel('Your name')).toHaveValue('Sanne Vos');
      await person.getByLabel('Password').fill(PASSWORD);
      await person.getByRole('button', { name: 'Accept invitation' }).click();
      await expect(person.getByRole('heading', { name: 'Welcome' })).toBeVisible();
      await person.goto(link);
      await expect(person.getByRole('heading', { name: 'This link does not work' })).toBeVisible();
      await signIn(theirs, server.origin, { email, password: PASSWORD });
      await person.goto('/users');
      await expect(person).toHaveURL(/users/);
      await expect(person.getByText('403')).toBeVisible();

      await page.goto('/users');
      await users.action('Change role of Sanne Vos').click();
      await expectAccessibleIn(accessible, page.url(), 'the change of a role');
      await page.getByLabel('Role').selectOption('tenant_admin');
      await users.button('Change role').click();
      await expect(users.notice().filter({ hasText: 'Changed the role of Sanne Vos.' })).toBeVisible();
      await person.goto('/users');
      await expect(person.getByRole('heading', { name: 'Users' })).toBeVisible();

      await users.action('Disable Sanne Vos').click();
      await expectAccessibleIn(accessible, page.url(), 'the confirmation of disabling');
      await users.button('Disable').click();
      await expect(users.row(email)).toContainText('Disabled');
      await person.goto('/users');
      await expect(person).toHaveURL(/sign-in/);
      await users.confirm('Enable Sanne Vos', 'Enable');
      await expect(users.row(email)).toContainText('Active');
      await signIn(theirs, server.origin, { email, password: PASSWORD });
      await person.goto('/users');
      await expect(person.getByRole('heading', { name: 'Users' })).toBeVisible();
    });

    test('p12: a user who forgot the password sets a new one by a link', async ({ adminPage: page, openContext, server, tenant }) => {
      const users = new UsersPage(page);
      const email = `sanne@${tenant.slug}.example`;
      const theirs = await openContext({ javaScriptEnabled: hasScript, viewport: { width, height: 900 } });
      const person = await theirs.newPage();
      await person.goto(await users.invite(email));
      await person.getByLabel('Your name').fill('Sanne Vos');
      await person.getByLabel('Password').fill(PASSWORD);
      await person.getByRole('button', { name: 'Accept invitation' }).click();
      await signIn(theirs, server.origin, { email, password: PASSWORD });

      await page.goto('/users');
      await users.confirm('New link for Sanne Vos', 'Create link');
      const link = (await users.link().innerText()).trim();
      const another = await (await openContext({ javaScriptEnabled: hasScript })).newPage();
      await another.goto(link);
      await another.getByLabel('Password').fill(SECOND_PASSWORD);
      await another.getByRole('button', { name: 'Set a new password' }).click();
      await expect(another.getByRole('heading', { name: 'Your password is set' })).toBeVisible();
      await person.goto('/account');
      await expect(person).toHaveURL(/sign-in/);
      await signIn(theirs, server.origin, { email, password: SECOND_PASSWORD });
    });
  });
}
