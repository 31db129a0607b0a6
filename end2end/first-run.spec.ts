// The first start of an installation: no user exists, and the sign-in page names the command that creates one.

import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { ConsolePage, open } from './console_page';
import { BINARY } from './support/server';
import { expect, test } from './fixtures';

test('p17: without users the sign-in page names the command that creates one, and that user can sign in', async ({ page, startServer }) => {
  const server = await startServer();
  await open(page, `${server.origin}/`);
  await expect(page).toHaveURL(/\/sign-in/);
  const command = (await page.getByText(/^latchkey user create /).innerText()).trim();

  // Runs exactly the shown command in a shell that finds the program.
  const folder = await mkdtemp(path.join(tmpdir(), 'latchkey-path-'));
  await symlink(BINARY, path.join(folder, 'latchkey'));
  const { code, stdout, stderr } = await server.shell(command, folder);
  await rm(folder, { recursive: true });
  expect(code, stderr).toBe(0);

  const email = /--email\s+(\S+)/.exec(command)?.[1] ?? '';
  // The output is only the generated password.
  const password = stdout.replace(/\n$/, '');
  const keys = new ConsolePage(page);
  await page.reload();
  await expect(page.getByText(/^latchkey user create /)).toHaveCount(0);
  await keys.signIn({ email, password });
  // A super user chooses a tenant first.
  await expect(page).toHaveURL(/\/tenants/);
  await expect(keys.heading('Sign in')).toHaveCount(0);
  await expect(page.getByRole('button', { name: email })).toBeVisible();
});

test('p17: there is no default account and no default secret', async ({ browserLog, page, startServer }) => {
  browserLog.expectStatus(401);
  browserLog.expectStatus(422);
  const server = await startServer();
  expect(await server.json(['user', 'list'])).toEqual([]);
  expect(await server.json(['tenant', 'list'])).toEqual([]);
  const keys = new ConsolePage(page);
  await open(page, `${server.origin}/sign-in`);
  await keys.signIn({ email: 'admin@localhost.example', password: 'admin-admin-admin' });
  await expect(page).toHaveURL(/\/sign-in/);
});
