// The first start of an installation: nobody can sign in, and the page says what to do about it.

import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { ConsolePage, open } from './console_page';
import { BINARY } from './support/server';
import { expect, test } from './world';

test('p17: without a user the sign-in page says which command makes the first one, and that one can sign in', async ({ page, startServer }) => {
  const server = await startServer();
  await open(page, `${server.origin}/`);
  await expect(page).toHaveURL(/\/sign-in/);
  const command = (await page.getByText(/^latchkey user create /).innerText()).trim();

  // Exactly as it stands there, by somebody whose shell finds the program.
  const folder = await mkdtemp(path.join(tmpdir(), 'latchkey-path-'));
  await symlink(BINARY, path.join(folder, 'latchkey'));
  const { code, stdout, stderr } = await server.shell(command, folder);
  await rm(folder, { recursive: true });
  expect(code, stderr).toBe(0);

  const email = /--email\s+(\S+)/.exec(command)?.[1] ?? '';
  // The password was made for them and is the whole answer.
  const password = stdout.replace(/\n$/, '');
  const keys = new ConsolePage(page);
  await page.reload();
  await expect(page.getByText(/^latchkey user create /)).toHaveCount(0);
  await keys.signIn({ email, password });
  await expect(page).toHaveURL(/\/tenant-api-keys/);
  await expect(keys.heading('Sign in')).toHaveCount(0);
  await expect(page.getByRole('button', { name: email })).toBeVisible();
});

test('p17: there is no account and no secret that comes with the program', async ({ noise, page, startServer }) => {
  noise.expectStatus(401);
  noise.expectStatus(422);
  const server = await startServer();
  expect(await server.json(['user', 'list'])).toEqual([]);
  expect(await server.json(['tenant', 'list'])).toEqual([]);
  const keys = new ConsolePage(page);
  await open(page, `${server.origin}/sign-in`);
  await keys.signIn({ email: 'admin@localhost.example', password: 'admin-admin-admin' });
  await expect(page).toHaveURL(/\/sign-in/);
});
