// Every page hydrates without console messages under the strict Content Security Policy. Run against the debug and the release build.

import type { Page, Response } from '@playwright/test';

import { ConsolePage } from './console_page';
import { hydrated } from './support/hydration';
import { send } from './support/request';
import { createPerson, expect, signIn, test } from './fixtures';

/** Parses a policy into names and values. */
function policyOf(response: Response): Map<string, string> {
  const header = response.headers()['content-security-policy'] ?? '';
  return new Map(
    header.split(';').map((directive) => {
      const [name = '', ...values] = directive.trim().split(/\s+/);
      return [name, values.join(' ')] as const;
    }),
  );
}

/** Loads a page, waits for hydration, and checks its policy. Console messages fail the test (fixtures.ts). */
async function expectLive(page: Page, path: string, status = 200): Promise<void> {
  const bundle: string[] = [];
  const listen = (response: Response): void => {
    if (/\.(wasm|js|css)$/.test(new URL(response.url()).pathname)) bundle.push(response.url());
  };
  page.on('response', listen);
  const response = await page.goto(path);
  expect(response, path).not.toBeNull();
  expect(response!.status(), path).toBe(status);
  await hydrated(page);
  page.off('response', listen);
  for (const kind of ['.wasm', '.js', '.css']) {
    expect(bundle.some((url) => url.endsWith(kind)), `${path} loads ${kind}`).toBe(true);
  }

  const policy = policyOf(response!);
  const nonce = /'nonce-([A-Za-z0-9+/_=-]{22,})'/.exec(policy.get('script-src') ?? '')?.[1];
  expect(nonce, 'script-src has a nonce').toBeDefined();
  expect([...policy.values()].join(' ')).not.toMatch(/unsafe-inline|'unsafe-eval'|unsafe-hashes|\*|https?:(?!\/)/);
  expect(policy.get('default-src')).toBe("'none'");
  for (const directive of ['base-uri', 'frame-ancestors']) {
    expect(policy.get(directive), directive).toBe("'none'");
  }
  const again = await page.request.get(path, { maxRedirects: 5 });
  expect(again.headers()['content-security-policy'], 'the nonce is new').not.toContain(nonce);
}

/** Marks the document: loading another document removes the mark. */
async function markDocument(page: Page): Promise<void> {
  await page.evaluate(() => Object.assign(window, { sameDocument: true }));
}

async function expectSameDocument(page: Page): Promise<void> {
  expect(await page.evaluate(() => 'sameDocument' in window), 'no document was loaded').toBe(true);
}

test('the sign-in page has no script', async ({ page }) => {
  const response = await page.goto('/sign-in');
  expect(response!.status()).toBe(200);
  await expect(page.locator('script[src], script[type="module"], link[rel="modulepreload"]')).toHaveCount(0);
});

test('the list hydrates, empty and with keys, and opens its dialogs without loading a document', async ({ adminPage, tenant }) => {
  await expectLive(adminPage, '/tenant-api-keys');
  const key = await tenant.key('ERP nightly sync', { expires: '2999-12-31' });
  await tenant.key('Zapier');
  await expectLive(adminPage, '/tenant-api-keys');
  await markDocument(adminPage);
  const keys = new ConsolePage(adminPage);
  await keys.row('ERP nightly sync').getByRole('link', { name: 'Rotate ERP nightly sync' }).click();
  await expect(keys.rotateDialog()).toBeVisible();
  await adminPage.keyboard.press('Escape');
  await expect(keys.rotateDialog()).toBeHidden();
  await keys.row('ERP nightly sync').getByRole('link', { name: 'Revoke ERP nightly sync' }).click();
  await expect(keys.revokeDialog()).toBeVisible();
  await adminPage.keyboard.press('Escape');
  await expect(keys.revokeDialog()).toBeHidden();
  await expectSameDocument(adminPage);

  await expectLive(adminPage, `/tenant-api-keys/${key.id}/rotate`);
  await expect(keys.rotateDialog()).toBeVisible();
  await expectLive(adminPage, `/tenant-api-keys/${key.id}/revoke`);
  await expect(keys.revokeDialog()).toBeVisible();
});

test('the form and the secret modal hydrate', async ({ adminPage, tenant }) => {
  await expectLive(adminPage, '/tenant-api-keys/new');
  await markDocument(adminPage);
  const keys = new ConsolePage(adminPage);
  await keys.description().pressSequentially('seven!!');
  await expect(adminPage.getByText('7/1,000', { exact: true })).toBeVisible();
  await keys.generate({ name: 'ERP nightly sync', group: tenant.group });
  await keys.copyAndClose();
  await expect(keys.row('ERP nightly sync')).toBeVisible();
  await expectSameDocument(adminPage);
});

test('the account page and the 404 page have the console’s frame without script', async ({ adminPage, browserLog, tenant }) => {
  browserLog.expectStatus(404);
  await adminPage.goto('/account');
  await expect(adminPage.getByText(tenant.administrator.email).first()).toBeVisible();
  await expect(adminPage.getByRole('navigation', { name: 'Settings' })).toBeVisible();
  await expect(adminPage.locator('script[src], script[type="module"]')).toHaveCount(0);
  const response = await adminPage.goto('/nothing/here');
  expect(response?.status()).toBe(404);
  await expect(adminPage.getByRole('navigation', { name: 'Settings' })).toBeVisible();
  await expect(adminPage.locator('script[src], script[type="module"]')).toHaveCount(0);
});

test('a tenant and an unknown tenant hydrate', async ({ browserLog, context, page, server, tenant }) => {
  browserLog.expectStatus(404);
  await signIn(context, server.origin, await createPerson(server, 'super_user'));
  await expectLive(page, '/tenant-api-keys?tenant=nope', 404);
  await expectLive(page, `/tenant-api-keys?tenant=${tenant.slug}`);
  await expectLive(page, `/tenant-api-keys/new?tenant=${tenant.slug}`);
});

test('the 403 page hydrates', async ({ context, browserLog, page, server, tenant }) => {
  browserLog.expectStatus(403);
  await signIn(context, server.origin, await tenant.member());
  await expectLive(page, '/tenant-api-keys', 403);
});

test('pages are complete under concurrent requests', async ({ context, server, tenant }) => {
  const key = await tenant.key('ERP nightly sync');
  await signIn(context, server.origin, tenant.administrator);
  const cookies = await context.cookies(server.origin);
  const headers = { Cookie: cookies.map(({ name, value }) => `${name}=${value}`).join('; ') };
  const pages = [
    { path: '/tenant-api-keys', whole: /<h1[^]*ERP nightly sync[^]*<\/html>/ },
    { path: '/tenant-api-keys/new', whole: /<h1[^]*<\/form>[^]*<\/html>/ },
    { path: `/tenant-api-keys/${key.id}/rotate`, whole: /<h1[^]*<dialog[^]*ERP nightly sync[^]*<\/html>/ },
    { path: `/tenant-api-keys/${key.id}/revoke`, whole: /<h1[^]*<dialog[^]*ERP nightly sync[^]*<\/html>/ },
  ];
  // The parts of a page resolve in any order and on any thread: a race shows in about one response of a hundred.
  const broken: string[] = [];
  for (let round = 0; round < 30; round += 1) {
    await Promise.all(
      [...pages, ...pages].map(async ({ path, whole }) => {
        const { status, body } = await send(server.origin + path, { headers });
        if (status !== 200 || !whole.test(body)) broken.push(`${path}: ${status}, ${body.length} bytes`);
      }),
    );
  }
  expect(broken).toEqual([]);
});
