// Lighthouse on the release build, separate from the other tests because it needs the machine alone.

import { defineConfig } from '@playwright/test';

export default defineConfig({
  testDir: '.',
  testMatch: 'lighthouse*.ts',
  workers: 1,
  retries: 0,
  forbidOnly: true,
  timeout: 240_000,
  reporter: 'list',
});
