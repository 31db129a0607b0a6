import { defineConfig } from '@playwright/test';

import { CHROMIUM, CHROMIUM_ARGUMENTS } from './support/chromium';

export default defineConfig({
  testDir: '.',
  testMatch: '*.spec.ts',
  // Two, because the machines that run the tests have two cores. Each worker starts its own server.
  workers: 2,
  fullyParallel: true,
  // No retries: a test that passes on the second try has found a bug.
  retries: 0,
  forbidOnly: true,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: 'list',
  use: {
    browserName: 'chromium',
    actionTimeout: 15_000,
    navigationTimeout: 20_000,
    // Traces, videos and screenshots of these tests would contain secrets.
    trace: 'off',
    video: 'off',
    screenshot: 'off',
    launchOptions: { executablePath: CHROMIUM, args: CHROMIUM_ARGUMENTS },
  },
});
