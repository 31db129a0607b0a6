// A secret is shown once and is not found anywhere afterwards.

import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';

import type { BrowserContext, Page, Response } from '@playwright/test';

import { ConsolePage, open } from './console_page';
import { hydrated } from './support/hydration';
import { send, whoami } from './support/request';
import { Tenant, expect, test } from './fixtures';

/** Encodings in which a value might be stored. */
function spellings(value: string): string[] {
  const bytes = Buffer.from(value);
  return [
    value,
    encodeURIComponent(value),
    bytes.toString('hex'),
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('base64url'),
  ];
}

function expectWithout(where: string, text: string, values: Record<string, string>): void {
  for (const [what, value] of Object.entries(values)) {
    for (const spelling of spellings(value)) {
      // Not `expect(text).not.toContain`: its message would print both.
      expect(text.includes(spelling), `${what} in ${where}`).toBe(false);
    }
  }
}

/** All content of a page that a script can read, as one text. */
async function everythingIn(page: Page): Promise<string> {
  return page.evaluate(async () => {
    const fields = [...document.querySelectorAll('input, textarea, select')].map((field) => (field as HTMLInputElement).value);
    const databases = (await indexedDB.databases()).map((database) => database.name);
    const cached: string[] = [];
    for (const name of await caches.keys()) {
      for (const request of await (await caches.open(name)).keys()) {
        cached.push(request.url, await (await (await caches.open(name)).match(request))!.text());
      }
    }
    return JSON.stringify([
      location.href,
      document.referrer,
      document.title,
      document.cookie,
      document.documentElement.outerHTML,
      fields,
      history.state,
      window.name,
      { ...localStorage },
      { ...sessionStorage },
      databases,
      cached,
      performance.getEntries().map((entry) => entry.name),
    ]);
  });
}

/** A response that a context received. The body is read at once, because a navigation discards it. */
interface Received {
  response: Response;
  body: Promise<Buffer>;
}

function recordResponses(context: BrowserContext): Received[] {
  const responses: Received[] = [];
  context.on('response', (response) => {
    // A redirect has no body.
    responses.push({ response, body: response.body().catch(() => Buffer.alloc(0)) });
  });
  return responses;
}

/** The paths of the responses that contain the value in body, URL, headers, or request. */
async function responsesWith(responses: Received[], value: string): Promise<string[]> {
  const found: string[] = [];
  for (const { response, body } of responses) {
    const request = response.request();
    const head = [response.url(), response.headers(), request.headers(), request.postData()];
    if ((await body).includes(value) || JSON.stringify(head).includes(value)) {
      found.push(new URL(response.url()).pathname);
    }
  }
  return found;
}

test('p31, p53: after Close the secret is in no page, storage, log or database, and was in exactly one response', async ({
  context,
  page,
  startServer,
}) => {
  test.setTimeout(120_000);
  const server = await startServer({ RUST_LOG: 'trace' });
  const tenant = await Tenant.create(server);
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: server.origin });
  const responses = recordResponses(context);
  const keys = new ConsolePage(page);
  await open(page, `${server.origin}/tenant-api-keys/new`);
  await keys.signIn(tenant.administrator);
  await expect(keys.heading('Generate API Key')).toBeVisible();
  await hydrated(page);

  const generated = await keys.generate({ name: 'ERP nightly sync', group: tenant.group });
  expectWithout('the address', page.url(), { 'the secret': generated });
  expect((await everythingIn(page)).includes(generated), 'the search finds a present secret').toBe(true);
  await keys.copyAndClose();
  await expect(keys.row('ERP nightly sync')).toBeVisible();
  expect((await whoami(server.origin, generated)).status).toBe(200);

  await keys.row('ERP nightly sync').getByRole('link', { name: 'Rotate ERP nightly sync' }).click();
  await keys.rotateDialog().getByRole('button', { name: 'Rotate', exact: true }).click();
  const rotated = await keys.readSecret();
  await keys.copyAndClose();
  const secrets = { 'the generated secret': generated, 'the rotated secret': rotated };

  // On every page that the browser visits next.
  expectWithout('the list after Close', await everythingIn(page), secrets);
  for (const direction of ['Back', 'Back', 'Back', 'Forward', 'Forward', 'Forward'] as const) {
    const from = page.url();
    await (direction === 'Back' ? page.goBack() : page.goForward());
    await page.waitForLoadState();
    // The history starts with an empty page, which has no storage.
    if (page.url() === 'about:blank') continue;
    await expect(keys.secretDialog()).toHaveCount(0);
    expectWithout(`${page.url()}, ${direction} from ${from}`, await everythingIn(page), secrets);
  }
  await open(page, `${server.origin}/tenant-api-keys`);
  await page.reload();
  await hydrated(page);
  expectWithout('the list after a reload', await everythingIn(page), secrets);
  const second = await context.newPage();
  for (const address of ['/tenant-api-keys', '/tenant-api-keys/new', '/account']) {
    await open(second, `${server.origin}${address}`);
    expectWithout(`${address} in a second tab`, await everythingIn(second), secrets);
  }
  expectWithout('the state of the browser', JSON.stringify(await context.storageState({ indexedDB: true })), secrets);

  expect(await responsesWith(responses, generated), 'responses with the generated secret').toHaveLength(1);
  expect(await responsesWith(responses, rotated), 'responses with the rotated secret').toHaveLength(1);

  // A secret in the wrong place of a request is in no log either.
  await send(`${server.origin}/api/v1/whoami?api_key=${rotated}`);
  await send(`${server.origin}/api/v1/whoami`, { headers: { Cookie: `api_key=${rotated}`, Authorization: `Bearer ${rotated}` } });
  await send(`${server.origin}/api/v1/whoami`, { method: 'POST', body: rotated });
  expect((await whoami(server.origin, rotated)).status).toBe(200);
  expect((await whoami(server.origin, `${rotated}x`)).status).toBe(401);

  const session = (await context.cookies(server.origin)).map((cookie) => [`the cookie ${cookie.name}`, cookie.value]);
  const everything = { ...secrets, 'the password': tenant.administrator.password, ...Object.fromEntries(session) };
  await expectDatabaseWithout(server.folder, everything);
  await server.stop({ keep: true });
  expect(server.log.includes('DEBUG'), 'the log level is trace').toBe(true);
  expectWithout('the log', server.log, everything);
  await expectDatabaseWithout(server.folder, everything);
});

test('a shown secret is gone after a reload and after Back', async ({ adminPage, tenant }) => {
  const keys = new ConsolePage(adminPage);
  await keys.openForm();
  const secret = { 'the secret': await keys.generate({ name: 'Zapier', group: tenant.group }) };
  // The browser asks before it leaves the page.
  adminPage.on('dialog', (dialog) => dialog.accept());
  await adminPage.reload();
  await hydrated(adminPage);
  await expect(keys.secretDialog()).toHaveCount(0);
  expectWithout('the page after a reload', await everythingIn(adminPage), secret);
  await keys.openList();
  await adminPage.goBack();
  await adminPage.waitForLoadState();
  await expect(keys.secretDialog()).toHaveCount(0);
  expectWithout('the page after Back', await everythingIn(adminPage), secret);
});

/** Searches every file beside the database: the database itself, its write-ahead log, its shared memory. */
async function expectDatabaseWithout(folder: string, values: Record<string, string>): Promise<void> {
  let everything = '';
  for (const { name } of (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isFile())) {
    const bytes = (await readFile(path.join(folder, name))).toString('latin1');
    expectWithout(name, bytes, values);
    everything += bytes;
  }
  expect(everything.includes('ERP nightly sync'), 'the search covers the stored keys').toBe(true);
}
