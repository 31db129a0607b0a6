// Lighthouse's performance score, which depends on the machine: a benchmark, run by `cargo xtask bench`. Prints one line of JSON for each page.

import { expect, test } from '@playwright/test';

import { PAGES, audit, startStockedServer } from './support/audit';

const RUNS = Number(process.env.LIGHTHOUSE_RUNS ?? 5);

test('performance', async () => {
  test.setTimeout(RUNS * 120_000);
  const stocked = await startStockedServer();
  try {
    for (const page of PAGES.filter(({ signedIn }) => signedIn)) {
      const scores: number[] = [];
      for (let run = 0; run < RUNS; run += 1) scores.push((await audit(stocked, page)).performance);
      expect(scores.every(Number.isFinite), scores.join(', ')).toBe(true);
      console.log(JSON.stringify({ page: page.name, path: page.path, scores }));
    }
  } finally {
    await stocked.server.stop();
  }
});
