// Takes screenshots of the console, served by `latchkey serve --demo`:
//
//     node screenshots.mjs FOLDER                    the pictures of docs/screenshots
//     node screenshots.mjs --all FOLDER [PATTERN]    every page, dialog and state at three widths, light and dark; PATTERN selects by name
//
// Not a test: `cargo xtask screenshots`. LATCHKEY_BIN and LATCHKEY_CHROMIUM as for the tests. No picture contains a secret: each is
// replaced by an example of the same length before the picture is taken.

import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { chromium } from '@playwright/test';

import { CHANGES, PAGES, VISITOR_PAGES } from './screenshots/pages.mjs';

const SIZES = [
  { name: '1440', width: 1440, height: 900, scale: 1 },
  { name: '1024', width: 1024, height: 768, scale: 1 },
  { name: '375', width: 375, height: 800, scale: 2 },
];
const VISITOR = { name: 'visitor', width: 1280, height: 800, scale: 1 };
const PHONE = { name: 'phone', width: 375, height: 760, scale: 2 };
const EXAMPLE_SECRET = `lk_${'ExampleOnly'.repeat(4).slice(0, 38)}`;

const here = path.dirname(fileURLToPath(import.meta.url));
const binary = path.resolve(here, process.env.LATCHKEY_BIN ?? '../target/debug/latchkey');
const [first, second, third] = process.argv.slice(2);
const all = first === '--all';
const folder = all ? second : first;
if (!folder) {
  console.error('usage: node screenshots.mjs FOLDER | --all FOLDER [PATTERN]');
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
  await mkdir(folder, { recursive: true });
  if (all) {
    await takeAll(demo, new RegExp(third ?? ''));
  } else {
    for (const { name, as, scheme = 'light', isPhone, open } of VISITOR_PAGES) {
      const page = await signedIn(demo, as, isPhone ? PHONE : VISITOR, scheme);
      await open(page);
      await take(page, path.join(folder, `${name}.png`), false);
      await page.context().close();
    }
  }
} finally {
  await browser.close();
  server.kill('SIGTERM');
}

/** A page of a person of the demo, or of nobody. */
async function signedIn(demo, as, { width, height, scale }, colorScheme) {
  const context = await browser.newContext({ baseURL: demo.origin, viewport: { width, height }, colorScheme, deviceScaleFactor: scale });
  const person = demo[as];
  if (person) {
    await context.request.post('/sign-in', { form: { ...person, return_to: '/' }, headers: { Origin: demo.origin }, maxRedirects: 0 });
  }
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  return page;
}

/** The pages, then the changes of the demo's data with the pages that show them. */
async function takeAll(demo, pattern) {
  const stages = [{ pages: PAGES }, ...CHANGES];
  for (const { change, as, pages } of stages) {
    const chosen = pages.filter(({ name }) => pattern.test(name));
    if (change && (chosen.length > 0 || !third)) {
      const page = await signedIn(demo, as, SIZES[0], 'light');
      await change(page);
      await page.context().close();
    }
    for (const size of SIZES) {
      for (const scheme of ['light', 'dark']) {
        const people = new Map();
        for (const { name, as: who, isDialog, open } of chosen) {
          if (!people.has(who)) people.set(who, await signedIn(demo, who, size, scheme));
          const page = people.get(who);
          try {
            await open(page);
          } catch (error) {
            console.error(`${name} at ${size.name}: ${error.message.split('\n').slice(0, 3).join(' ')}`);
            process.exitCode = 1;
          }
          await take(page, path.join(folder, `${name}-${size.name}-${scheme}.png`), !isDialog);
        }
        for (const page of people.values()) await page.context().close();
      }
    }
  }
}

async function take(page, file, fullPage) {
  await page.evaluate(() => document.fonts.ready);
  await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {}))));
  await page.evaluate((example) => {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const text = texts.currentNode;
      text.nodeValue = text.nodeValue.replace(/[a-z][a-z0-9]{0,9}_[0-9A-Za-z]{38}/g, example);
    }
  }, EXAMPLE_SECRET);
  await page.screenshot({ path: file, fullPage });
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
      const [administrator, operator] = [person(output, 'Tenant administrator'), person(output, 'Super user')];
      if (origin && administrator && operator) {
        clearTimeout(late);
        resolve({ origin, administrator, operator });
      }
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}:\n${output}`)));
  });
}

/** The first person with this role in the printed table of users. */
function person(output, role) {
  const [, email, password] = new RegExp(`^(\\S+@\\S+) +(\\S+) +${role}$`, 'm').exec(output) ?? [];
  return email && password ? { email, password } : undefined;
}
