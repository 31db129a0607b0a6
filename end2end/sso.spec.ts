// Single sign-on at oidc-provider: a known, a new and a refused person; with and without script.

import { randomBytes } from 'node:crypto';

import type { BrowserContextOptions, Page } from '@playwright/test';

import { ConsolePage, open } from './console_page';
import { hydrated } from './support/hydration';
import { expectAccessible } from './support/accessibility';
import { OidcProvider } from './support/oidc';
import type { Server } from './support/server';
import { type Person, expect, test } from './fixtures';

/** A server with a provider. */
interface Fixture {
  server: Server;
  provider: OidcProvider;
  administrator: Person;
}

/** Starts the provider, and the server with the tenant Acme and its administrator. */
async function start(startServer: (settings?: Record<string, string>) => Promise<Server>, more = {}): Promise<Fixture> {
  const provider = await OidcProvider.start({
    known: { email: 'mira@acme.example', email_verified: true, name: 'Mira Albrecht' },
    new: { email: 'nova@partner.example', email_verified: true, name: 'Nova Lind', tenant: 'acme', groups: ['latchkey-admins'] },
    stranger: { email: 'joe@elsewhere.example', email_verified: true, name: 'Joe Park' },
  });
  const server = await startServer({ ...provider.settings, ...more });
  const administrator = { email: 'mira@acme.example', password: randomBytes(18).toString('base64url') };
  await server.json(['tenant', 'create', '--name', 'Acme Logistics', '--slug', 'acme']);
  const user = ['user', 'create', '--email', administrator.email, '--name', 'Mira Albrecht', '--role', 'tenant_admin', '--tenant', 'acme'];
  await server.json([...user, '--password-stdin'], `${administrator.password}\n`);
  return { server, provider, administrator };
}

/** Follows the button and signs in at the provider as this person. */
async function signInAs(page: Page, person: string): Promise<void> {
  await page.getByRole('link', { name: 'Sign in with Acme' }).click();
  await expect(page.getByRole('heading', { name: 'Provider' })).toBeVisible();
  await page.getByLabel('Person').fill(person);
  await page.getByRole('button', { name: 'Continue' }).click();
}

for (const [how, options] of [
  ['with script', {}],
  ['without script', { javaScriptEnabled: false }],
] satisfies [string, BrowserContextOptions][]) {
  test(`a known and a new person sign in, ${how}`, async ({ openContext, startServer }) => {
    const { server, provider } = await start(startServer);
    for (const [person, name] of [
      ['known', 'Mira Albrecht'],
      ['new', 'Nova Lind'],
    ] as const) {
      const context = await openContext({ baseURL: server.origin, ...options });
      const page = await context.newPage();
      await page.goto(`${server.origin}/audit-log`);
      await expect(page).toHaveURL(/\/sign-in\?return_to=/);
      await signInAs(page, person);
      await expect(page).toHaveURL(`${server.origin}/audit-log`);
      await expect(page.getByRole('heading', { level: 1, name: 'Audit Log' })).toBeVisible();
      await expect(page.getByText(`${name} signed in`).first()).toBeVisible();
    }
    provider.stop();
  });

  test(`a person without an account is told what to do, and a password still signs in, ${how}`, async ({ openContext, startServer }) => {
    const { server, provider, administrator } = await start(startServer);
    const context = await openContext({ baseURL: server.origin, ...options });
    const page = await context.newPage();
    await page.goto(`${server.origin}/sign-in`);
    await signInAs(page, 'stranger');
    await expect(page).toHaveURL(`${server.origin}/sign-in?sso=no-account`);
    await expect(page.getByRole('alert')).toHaveText('You have no account here. Ask your operator for access.');
    expect(server.log).toContain('the claim tenant names no tenant');
    await page.getByLabel('Email').fill(administrator.email);
    await page.getByLabel('Password').fill(administrator.password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page).toHaveURL(`${server.origin}/tenant-api-keys`);
  });
}

test('the sign-in page with single sign-on has no accessibility violation', async ({ openContext, startServer }) => {
  const { server, provider } = await start(startServer);
  const context = await openContext({ baseURL: server.origin });
  const page = await context.newPage();
  await open(page, '/sign-in');
  await expectAccessible(page, 'the sign-in page with single sign-on');
  await open(page, '/sign-in?sso=no-account');
  await expectAccessible(page, 'the sign-in page after a refused single sign-on');
  provider.stop();
});

test('the sign-in page without passwords has only the button', async ({ openContext, startServer }) => {
  const { server, provider } = await start(startServer, { LATCHKEY_PASSWORD_SIGN_IN: 'off' });
  const context = await openContext({ baseURL: server.origin });
  const page = await context.newPage();
  await open(page, '/sign-in');
  await expect(page.getByLabel('Password')).toHaveCount(0);
  await expect(page.getByRole('button', { name: 'Sign in' })).toHaveCount(0);
  await expectAccessible(page, 'the sign-in page without passwords');
  await signInAs(page, 'known');
  await expect(new ConsolePage(page).heading('API Keys')).toBeVisible();
  // The server stops at the end of the test; the page's script must have been loaded by then.
  await hydrated(page);
  provider.stop();
});
