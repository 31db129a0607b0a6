// Takes the README's pictures of the list, from `latchkey serve --demo`:  node screenshots.mjs FOLDER
// Not a test. LATCHKEY_BIN and LATCHKEY_CHROMIUM as for the tests.

import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { chromium } from '@playwright/test';

const SIZES = [
  { name: '', width: 1280, height: 800, scale: 1 },
  { name: '-375', width: 375, height: 800, scale: 2 },
];

const here = path.dirname(fileURLToPath(import.meta.url));
const binary = path.resolve(here, process.env.LATCHKEY_BIN ?? '../target/debug/latchkey');
const folder = process.argv[2];
if (!folder) {
  console.error('usage: node screenshots.mjs FOLDER');
  process.exit(2);
}

const server = spawn(binary, ['serve', '--demo'], {
  env: { ...process.env, LATCHKEY_LISTEN: '127.0.0.1:0', RUST_LOG: 'info' },
  stdio: ['ignore', 'pipe', 'pipe'],
});
try {
  const { origin, email, password } = await ready(server);
  await mkdir(folder, { recursive: true });
  await takeAll(origin, email, password);
} finally {
  server.kill('SIGTERM');
}

async function takeAll(origin, email, password) {
  const browser = await chromium.launch({
    executablePath: process.env.LATCHKEY_CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  });
  for (const { name, width, height, scale } of SIZES) {
    for (const colorScheme of ['light', 'dark']) {
      const page = await browser.newPage({ viewport: { width, height }, colorScheme, deviceScaleFactor: scale });
      await page.goto(`${origin}/tenant-api-keys`);
      await page.getByLabel('Email').fill(email);
      await page.getByLabel('Password').fill(password);
      await page.getByRole('button', { name: 'Sign in', exact: true }).click();
      await page.getByRole('table', { name: 'API keys' }).waitFor();
      await page.evaluate(() => document.fonts.ready);
      const file = path.join(folder, `list-${colorScheme}${name}.png`);
      await page.screenshot({ path: file });
      console.log(file);
      await page.close();
    }
  }
  await browser.close();
}

/** Waits for the address and the sign-in that the server prints. */
function ready(child) {
  return new Promise((resolve, reject) => {
    let output = '';
    const late = setTimeout(() => reject(new Error(`no server after 30 s:\n${output}`)), 30_000);
    const read = (chunk) => {
      output += chunk;
      const origin = /Latchkey is ready on (http:\/\/[^\s"\\]+)/.exec(output)?.[1]?.replace(/\/$/, '');
      // A line of the table of who can sign in.
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
