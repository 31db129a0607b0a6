// Takes screenshots of the console, served by `latchkey serve --demo`:
//
//     node screenshots.mjs FILE              the list, as the README shows it
//     node screenshots.mjs --all FOLDER      every page and dialog, light and dark, wide and narrow
//
// Not a test: `cargo xtask screenshots`. LATCHKEY_BIN and LATCHKEY_CHROMIUM as for the tests.

import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { chromium } from '@playwright/test';

const WIDE = { name: '1440', width: 1440, height: 900, scale: 1 };
const NARROW = { name: '375', width: 375, height: 800, scale: 2 };
const README = { name: 'readme', width: 1280, height: 800, scale: 1 };

const here = path.dirname(fileURLToPath(import.meta.url));
const binary = path.resolve(here, process.env.LATCHKEY_BIN ?? '../target/debug/latchkey');
const [first, second] = process.argv.slice(2);
const all = first === '--all';
const target = all ? second : first;
if (!target) {
  console.error('usage: node screenshots.mjs FILE | --all FOLDER');
  process.exit(2);
}

// The server refuses unknown LATCHKEY_ variables.
const { LATCHKEY_BIN: _binary, LATCHKEY_CHROMIUM: _chromium, ...environment } = process.env;
const server = spawn(binary, ['serve', '--demo'], {
  env: { ...environment, LATCHKEY_DRAIN_SECONDS: '0', LATCHKEY_LISTEN: '127.0.0.1:0', RUST_LOG: 'info' },
  stdio: ['ignore', 'pipe', 'pipe'],
});
const browser = await chromium.launch({
  executablePath: process.env.LATCHKEY_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
});
try {
  const demo = await ready(server);
  if (all) {
    await takeAll(demo, target);
  } else {
    const page = await openPage(demo, README, 'light');
    await take(page, target);
  }
} finally {
  await browser.close();
  server.kill('SIGTERM');
}

/** A signed-in page on the list. */
async function openPage({ origin, email, password }, { width, height, scale }, colorScheme) {
  const context = await browser.newContext({ baseURL: origin, viewport: { width, height }, colorScheme, deviceScaleFactor: scale });
  const page = await context.newPage();
  await page.goto('/tenant-api-keys');
  await page.getByLabel('Email').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('table', { name: 'API keys' }).waitFor();
  return page;
}

async function takeAll(demo, folder) {
  await mkdir(folder, { recursive: true });
  for (const size of [WIDE, NARROW]) {
    for (const scheme of ['light', 'dark']) {
      const page = await openPage(demo, size, scheme);
      const shoot = (name) => take(page, path.join(folder, `${name}-${size.name}-${scheme}.png`));
      await shoot('list');
      const edit = await page.getByRole('link', { name: /^Edit / }).first().getAttribute('href');
      for (const dialog of ['edit', 'rotate', 'revoke']) {
        await page.goto(edit.replace('/edit', `/${dialog}`));
        await page.locator('dialog:modal').waitFor();
        await shoot(dialog);
      }
      await page.goto('/tenant-api-keys?status=revoked&expiration=expiring_soon&q=erp');
      await shoot('no-match');
      await page.goto('/tenant-api-keys/new');
      await page.waitForLoadState('networkidle');
      await page.getByLabel(/^IP Allowlist/).fill('203.0.113.24\n10.0.0.0/33');
      await page.getByRole('button', { name: 'Generate', exact: true }).click();
      await page.getByRole('alert').waitFor();
      await shoot('generate');
      await page.goto('/account');
      await shoot('account');
      await page.goto('/nothing/here');
      await shoot('not-found');
      await page.context().clearCookies();
      await page.goto('/sign-in');
      await shoot('sign-in');
      await page.context().close();
    }
  }
}

async function take(page, file) {
  await page.evaluate(() => document.fonts.ready);
  await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {}))));
  await page.screenshot({ path: file });
  console.log(file);
}

/** Waits for the address and the sign-in that the server prints. */
function ready(child) {
  return new Promise((resolve, reject) => {
    let output = '';
    const late = setTimeout(() => reject(new Error(`no server after 30 s:\n${output}`)), 30_000);
    const read = (chunk) => {
      output += chunk;
      const origin = /Latchkey is ready on (http:\/\/[^\s"\\]+)/.exec(output)?.[1]?.replace(/\/$/, '');
      // A row of the printed table of users.
      const [, email, password] = /^(\S+@\S+) +(\S+) +Tenant administrator$/m.exec(output) ?? [];
      if (origin && email && password) {
        clearTimeout(late);
        resolve({ origin, email, password });
      }
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}:\n${output}`)));
  });
}
