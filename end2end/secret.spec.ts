// The secret is shown once. Where could it be found afterwards? Nowhere.

import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';

import type { BrowserContext, Page, Response } from '@playwright/test';

import { ConsolePage, open } from './console_page';
import { hydrated } from './support/hydration';
import { send, whoami } from './support/request';
import { Tenant, expect, test } from './world';

/** Forms in which a value might be written down. */
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

/** Everything that a page of the browser holds and a script could read, as one text. */
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

/** An answer that a context received; bodies are read at once, since a navigation throws them away. */
interface Received {
  response: Response;
  body: Promise<Buffer>;
}

function recordAnswers(context: BrowserContext): Received[] {
  const answers: Received[] = [];
  context.on('response', (response) => {
    // A redirect has no body to read.
    answers.push({ response, body: response.body().catch(() => Buffer.alloc(0)) });
  });
  return answers;
}

/** The paths of the answers that have the value in body, address, headers, or in what they answer to. */
async function answersWith(answers: Received[], value: string): Promise<string[]> {
  const found: string[] = [];
  for (const { response, body } of answers) {
    const request = response.request();
    const head = [response.url(), response.headers(), request.headers(), request.postData()];
    if ((await body).includes(value) || JSON.stringify(head).includes(value)) {
      found.push(new URL(response.url()).pathname);
    }
  }
  return found;
}

test('p31, p53: after Close the secret is in no page, storage, log or database, and was in one answer alone', async ({
  context,
  page,
  startServer,
}) => {
  test.setTimeout(120_000);
  const server = await startServer({ RUST_LOG: 'trace' });
  const tenant = await Tenant.create(server);
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: server.origin });
  const answers = recordAnswers(context);
  const keys = new ConsolePage(page);
  await open(page, `${server.origin}/tenant-api-keys/new`);
  await keys.signIn(tenant.administrator);
  await expect(keys.heading('Generate API Key')).toBeVisible();
  await hydrated(page);

  const generated = await keys.generate({ name: 'ERP nightly sync', group: tenant.group });
  expectWithout('the address', page.url(), { 'the secret': generated });
  expect((await everythingIn(page)).includes(generated), 'the search finds a secret that is there').toBe(true);
  await keys.copyAndClose();
  await expect(keys.row('ERP nightly sync')).toBeVisible();
  expect((await whoami(server.origin, generated)).status).toBe(200);

  await keys.row('ERP nightly sync').getByRole('link', { name: 'Rotate ERP nightly sync' }).click();
  await keys.rotateDialog().getByRole('button', { name: 'Rotate', exact: true }).click();
  const rotated = await keys.readSecret();
  await keys.copyAndClose();
  const secrets = { 'the generated secret': generated, 'the rotated secret': rotated };

  // Wherever the browser goes from here.
  expectWithout('the list after Close', await everythingIn(page), secrets);
  for (const direction of ['Back', 'Back', 'Back', 'Forward', 'Forward', 'Forward'] as const) {
    const from = page.url();
    await (direction === 'Back' ? page.goBack() : page.goForward());
    await page.waitForLoadState();
    // Before the first page of all stands an empty one, which has no storage to look into.
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

  expect(await answersWith(answers, generated), 'answers with the generated secret').toHaveLength(1);
  expect(await answersWith(answers, rotated), 'answers with the rotated secret').toHaveLength(1);

  // What a caller puts in the wrong place is in no log either.
  await send(`${server.origin}/api/v1/whoami?api_key=${rotated}`);
  await send(`${server.origin}/api/v1/whoami`, { headers: { Cookie: `api_key=${rotated}`, Authorization: `Bearer ${rotated}` } });
  await send(`${server.origin}/api/v1/whoami`, { method: 'POST', body: rotated });
  expect((await whoami(server.origin, rotated)).status).toBe(200);
  expect((await whoami(server.origin, `${rotated}x`)).status).toBe(401);

  const session = (await context.cookies(server.origin)).map((cookie) => [`the cookie ${cookie.name}`, cookie.value]);
  const everything = { ...secrets, 'the password': tenant.administrator.password, ...Object.fromEntries(session) };
  await expectDatabaseWithout(server.folder, everything);
  await server.stop({ keep: true });
  expect(server.log.includes('DEBUG'), 'the log tells everything').toBe(true);
  expectWithout('the log', server.log, everything);
  await expectDatabaseWithout(server.folder, everything);
});

test('a secret that was on screen is gone after a reload, and Back does not bring it back', async ({ adminPage, tenant }) => {
  const keys = new ConsolePage(adminPage);
  await keys.openForm();
  const secret = { 'the secret': await keys.generate({ name: 'Zapier', group: tenant.group }) };
  // The browser asks before it goes.
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
  expect(everything.includes('ERP nightly sync'), 'the search looks where keys are kept').toBe(true);
}
