// P66: a page whose HTML was changed by a browser extension, a translator or a proxy works as a page
// without script does.

import { type Page, expect } from '@playwright/test';

import { ConsolePage, SECRET_FORM } from './console_page';
import { hydrated, scriptOf } from './support/hydration';
import { whoami } from './support/request';
import type { Server } from './support/server';
import { type Tenant, test } from './fixtures';

/** A change of a page: in the browser before its script starts, or of its HTML in transit. */
interface Change {
  /** Runs in the page. */
  inBrowser?: () => void;
  /** Returns the document as a proxy forwards it. `email` is the address of the signed-in user. */
  onTheWay?: (html: string, email: string) => string;
  /** Whether the change leaves some pages unchanged, so that they hydrate. */
  isPartial?: true;
}

/** Cloudflare's replacement of an email address. */
const PROTECTED =
  '<a href="/cdn-cgi/l/email-protection" class="__cf_email__" data-cfemail="00">[email&#160;protected]</a>';

/** Applies `change` to a document outside of its scripts. */
function outsideOfScripts(html: string, change: (part: string) => string): string {
  const parts = html.split(/(<script[^]*?<\/script>)/);
  return parts.map((part) => (part.startsWith('<script') ? part : change(part))).join('');
}

const CHANGES: Record<string, Change> = {
  'a writing aid adds an element after each text area': {
    inBrowser: () => {
      for (const area of document.querySelectorAll('textarea, td, h1')) {
        area.insertAdjacentElement('afterend', document.createElement('grammarly-extension'));
      }
    },
  },
  'a password manager adds a div after each input and button': {
    inBrowser: () => {
      for (const input of document.querySelectorAll('input, button, a')) {
        input.insertAdjacentElement('afterend', document.createElement('div'));
      }
    },
  },
  'a translator wraps every text': {
    inBrowser: () => {
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      const texts: Text[] = [];
      while (walker.nextNode()) {
        const text = walker.currentNode as Text;
        const isShown = text.data.trim() !== '' && !/^(script|style|option|textarea)$/i.test(text.parentElement?.tagName ?? '');
        if (isShown) texts.push(text);
      }
      for (const text of texts) {
        const font = document.createElement('font');
        text.replaceWith(font);
        font.append(text);
      }
    },
  },
  'a banner stands first in the body': {
    inBrowser: () => {
      const banner = document.createElement('div');
      banner.textContent = 'This site is watched.';
      document.body.prepend(banner);
    },
  },
  'an element is taken away': {
    inBrowser: () => {
      // A page of the first level has no breadcrumb.
      (document.querySelector('.breadcrumbs li') ?? document.querySelector('.page-header h1'))?.remove();
    },
  },
  'a proxy rewrites the e-mail address': {
    onTheWay: (html, email) =>
      outsideOfScripts(html, (part) =>
        part.replace(/>[^<]*</g, (text) => text.replaceAll(email, PROTECTED)),
      ),
  },
  'a proxy removes comments': {
    onTheWay: (html) => outsideOfScripts(html, (part) => part.replace(/<!--[^]*?-->|<!>/g, '')),
  },
  'a proxy strips white space': {
    onTheWay: (html) => outsideOfScripts(html, (part) => part.replace(/>\s+</g, '><').replace(/\s+</g, '<')),
    isPartial: true,
  },
  'a proxy injects a script at the top': {
    onTheWay: (html) => html.replace(/(<body[^>]*>)/, '$1<noscript></noscript>'),
  },
};

/** Changes each document that the page loads, before its script starts. */
async function changeEach(page: Page, { inBrowser, onTheWay }: Change, email: string): Promise<void> {
  if (inBrowser) {
    await page.route('**/*.wasm', async (route) => {
      await page.evaluate(inBrowser).catch(() => {});
      await route.continue().catch(() => {});
    });
  }
  if (onTheWay) {
    await page.route('**/*', async (route) => {
      if (route.request().resourceType() !== 'document' || route.request().method() !== 'GET') return route.fallback();
      const response = await route.fetch({ maxRedirects: 0 });
      if (!(response.headers()['content-type'] ?? '').startsWith('text/html')) return route.fulfill({ response });
      const body = onTheWay(await response.text(), email);
      return route.fulfill({ response, body, headers: withoutLength(response.headers()) });
    });
  }
}

function withoutLength({ 'content-length': _length, 'content-encoding': _coding, ...headers }: Record<string, string>): Record<string, string> {
  return headers;
}

/** Waits until the page's script has decided not to hydrate the page, or has hydrated it if it was not changed. */
async function settled(page: Page, isChanged = true): Promise<void> {
  // A page that is being replaced has no root element for a moment.
  await page.waitForFunction(() => document.documentElement?.dataset.script !== undefined, undefined, { polling: 50 });
  expect(isChanged ? ['off'] : ['off', 'on'], page.url()).toContain(await scriptOf(page));
}

/** Reloads the list after a form was sent: Playwright routes do not see the redirect by which the browser fetched it. */
async function reloadList(page: Page): Promise<void> {
  await page.waitForURL(/\/tenant-api-keys(\?|$)/);
  await page.goto(page.url());
}

async function keysOf(server: Server, tenant: Tenant): Promise<{ name: string; status: string }[]> {
  return server.json(['key', 'list', '--tenant', tenant.slug]);
}

/** Uses every link and form of the key pages, each step on a newly loaded page. */
async function useConsole(page: Page, server: Server, tenant: Tenant, isPartial: boolean): Promise<void> {
  const settle = (): Promise<void> => settled(page, !isPartial);
  const keys = new ConsolePage(page);
  const old = await tenant.key('ERP nightly sync', { description: 'Ask Jonas' });

  // The list: a filter, a column head, a row's actions.
  await page.goto('/tenant-api-keys');
  await settle();
  await page.locator('a[href*="status=active"]').first().click();
  await page.waitForURL('**/tenant-api-keys?status=active');
  await settle();
  await page.locator('th a[href*="sort=name"]').click();
  await page.waitForURL('**/tenant-api-keys?status=active&sort=name');
  await settle();

  // The dialogs.
  await page.locator(`a[href*="/${old.id}/edit"]`).first().click();
  await page.waitForURL(`**/${old.id}/edit?*`);
  await settle();
  await keys.name().fill('ERP hourly sync');
  await page.locator('dialog button.button-primary').click();
  await reloadList(page);
  expect((await keysOf(server, tenant)).map(({ name }) => name)).toEqual(['ERP hourly sync']);
  await settle();

  await page.locator(`a[href*="/${old.id}/rotate"]`).click();
  await page.waitForURL(`**/${old.id}/rotate?*`);
  await settle();
  await page.locator('dialog .dialog-actions a').click();
  await page.waitForURL('**/tenant-api-keys?status=active&sort=name');
  await settle();
  await page.locator(`a[href*="/${old.id}/rotate"]`).click();
  await settle();
  await page.locator('dialog button.button-warning').click();
  const rotated = await secretOf(page);
  expect((await whoami(server.origin, old.secret)).status).toBe(401);
  expect((await whoami(server.origin, rotated)).status).toBe(200);

  // The form.
  await page.goto('/tenant-api-keys');
  await settle();
  await page.locator('.page-header a.button-primary').click();
  await page.waitForURL('**/tenant-api-keys/new');
  await settle();
  await page.locator('#name').fill('Zapier');
  await page.locator('#group').selectOption({ label: tenant.group });
  await page.locator('.form-actions button').click();
  const generated = await secretOf(page);
  expect((await whoami(server.origin, generated)).status).toBe(200);
  expect(await keysOf(server, tenant)).toHaveLength(2);

  // The revoke dialog.
  await page.goto(`/tenant-api-keys/${old.id}/revoke`);
  await settle();
  await page.locator('dialog button.button-danger').click();
  await page.waitForURL('**/tenant-api-keys');
  expect((await whoami(server.origin, rotated)).status).toBe(401);

  // The account.
  await page.goto('/account');
  await page.locator('#current-password').fill('not the password');
  await page.locator('#new-password').fill('seven violet canoes orbit');
  await page.locator('#password-section button').click();
  await expect(page.locator('#current-password-error')).toContainText('wrong');
  await page.locator('.page-header button').click();
  await page.waitForURL('**/sign-in');
}

async function secretOf(page: Page): Promise<string> {
  const secret = page.locator('#secret-value');
  await expect(secret).toHaveText(new RegExp(`^\\s*${SECRET_FORM}\\s*$`));
  return (await secret.innerText()).trim();
}

for (const [what, change] of Object.entries(CHANGES)) {
  test(`p66 ${what}: every link and form works, and every secret is shown`, async ({ adminPage: page, browserLog, server, tenant }) => {
    browserLog.expectStatus(422); // The wrong password.
    const documents: string[] = [];
    const reports: string[] = [];
    page.on('request', (request) => {
      if (request.url().endsWith('/page-reports')) reports.push(request.postData() ?? '');
    });
    page.on('domcontentloaded', () => documents.push(page.url()));
    const logged = (): number => server.log.split("the page's HTML was changed").length - 1;
    const loggedBefore = logged();
    await changeEach(page, change, tenant.administrator.email);
    page.on('dialog', (dialog) => dialog.accept());
    await useConsole(page, server, tenant, change.isPartial === true);
    // No console message (fixtures.ts), and one report for each page with a script.
    expect(reports.length).toBeLessThanOrEqual(documents.length);
    expect(new Set(reports)).toEqual(new Set(['changed']));
    await expect.poll(() => logged() > loggedBefore || server.log.includes('"kind":"page reports: page changed"')).toBe(true);
    expect(server.log.includes('panicked')).toBe(false);
  });
}

test('p66 added attributes and elements at the end of the body do not prevent hydration', async ({ adminPage: page, tenant }) => {
  await tenant.key('ERP nightly sync');
  const keys = new ConsolePage(page);
  await changeEach(
    page,
    {
      inBrowser: () => {
        for (const element of document.querySelectorAll('*')) element.setAttribute('data-gramm', 'false');
        document.body.append(document.createElement('grammarly-desktop-integration'), 'text');
        document.head.append(document.createElement('meta'));
      },
    },
    tenant.administrator.email,
  );
  await page.goto('/tenant-api-keys');
  await hydrated(page);
  await keys.action('Revoke', 'ERP nightly sync').click();
  await expect(keys.revokeDialog()).toBeVisible();
  expect(await keys.revokeDialog().evaluate((dialog) => dialog.matches(':modal'))).toBe(true);
});

test('p66 after a late panic links and forms work and no listener remains', async ({ adminPage: page, server, tenant }) => {
  const key = await tenant.key('ERP nightly sync');
  const keys = new ConsolePage(page);
  const reports: string[] = [];
  page.on('request', (request) => {
    if (request.url().endsWith('/page-reports')) reports.push(request.postData() ?? '');
  });
  await keys.openForm();
  await keys.fill({ name: 'Zapier', group: tenant.group });
  await page.evaluate(() => {
    const { latchkey } = window as unknown as { latchkey: { failed: (file: string, line: number) => void } };
    latchkey.failed('app/src/nowhere.rs', 1);
    latchkey.failed('app/src/nowhere.rs', 3);
  });
  expect(await scriptOf(page)).toBe('off');
  await expect(keys.name()).toHaveValue('Zapier');
  await expect(keys.group().getByRole('option', { selected: true })).toHaveText(tenant.group);
  await page.locator('.form-actions button').click();
  const secret = await secretOf(page);
  await expect(page.locator('script')).toHaveCount(0);
  expect((await whoami(server.origin, secret)).status).toBe(200);
  expect(reports).toEqual(['panicked app/src/nowhere.rs:1']);
  await expect.poll(() => server.log.includes('page script stopped: a panic')).toBe(true);

  // A dialog that the script had opened becomes a plain one.
  await keys.openList();
  await keys.action('Revoke', 'ERP nightly sync').click();
  await expect(keys.revokeDialog()).toBeVisible();
  await page.evaluate(() => (window as unknown as { latchkey: { failed: (file: string, line: number) => void } }).latchkey.failed('x', 1));
  await page.locator('dialog button.button-danger').click();
  await expect(keys.row('ERP nightly sync')).toContainText('Revoked');
  expect((await whoami(server.origin, key.secret)).status).toBe(401);
});

test('p66 a script that fails to load leaves the page unchanged and is reported once', async ({ adminPage: page, browserLog, server, tenant }) => {
  browserLog.expect(/request failed: \S+\.wasm|Failed to load resource/);
  await tenant.key('ERP nightly sync');
  const keys = new ConsolePage(page);
  await page.route('**/*.wasm', (route) => route.abort('connectionreset'));
  await page.goto('/tenant-api-keys');
  await settled(page);
  await keys.action('Edit', 'ERP nightly sync').click();
  await expect(keys.editDialog()).toBeVisible();
  await expect.poll(() => server.log.includes('it could not be loaded')).toBe(true);
});
