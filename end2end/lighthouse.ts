// Lighthouse, mobile profile, on the release build: accessibility and best practices 100, no layout shift, and bytes and requests within
// their limits. None of these depends on the machine; the performance score does (lighthouse_performance.ts).

import { expect, test } from '@playwright/test';

import { PAGES, audit, startStockedServer, type StockedServer } from './support/audit';

/** The total transfer size of a first visit, compressed. */
const MAX_BYTES = 400_000;
const MAX_REQUESTS = 8;

let stocked: StockedServer;

test.beforeAll(async () => {
  stocked = await startStockedServer();
});

test.afterAll(async () => stocked.server.stop());

for (const page of PAGES) {
  test(page.name, async () => {
    const result = await audit(stocked, page);
    console.log(`${page.path}: ${JSON.stringify(result)}`);
    const missed = result.missed.join(', ');
    expect(result.accessibility, missed).toBe(100);
    expect(result.bestPractices, missed).toBe(100);
    expect(result.layoutShift).toBe(0);
    expect(result.bytes).toBeLessThanOrEqual(MAX_BYTES);
    expect(result.requests).toBeLessThanOrEqual(MAX_REQUESTS);
  });
}
