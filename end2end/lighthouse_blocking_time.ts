// The total blocking time of pages on a processor that is four times slower, from the browser's own trace: a benchmark, run by
// `cargo xtask bench`. Prints one line of JSON for each page.

import { type Browser, chromium, expect, test } from '@playwright/test';

import { startStockedServer, type StockedServer } from './support/audit';
import { CHROMIUM, CHROMIUM_ARGUMENTS } from './support/chromium';
import { hydrated } from './support/hydration';
import { send } from './support/request';

const RUNS = Number(process.env.LIGHTHOUSE_RUNS ?? 5);
const SLOWDOWN = 4;
/** The part of a task, in milliseconds, that blocks nothing. */
const UNNOTICED = 50;
/** The time after the last work in which nothing may follow, in milliseconds. */
const QUIET = 1_500;

interface TraceEvent {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  ts: number;
  dur?: number;
  args?: { data?: { isMainFrame?: boolean; isOutermostMainFrame?: boolean } };
}

test('blocking time', async () => {
  test.setTimeout(RUNS * 120_000);
  const stocked = await startStockedServer();
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_ARGUMENTS });
  try {
    for (const { name, path } of await pages(stocked)) {
      const times: number[] = [];
      for (let run = 0; run < RUNS; run += 1) times.push(await blockingTime(browser, stocked, path));
      expect(times.every(Number.isFinite), times.join(', ')).toBe(true);
      console.log(JSON.stringify({ page: name, blocking_ms: times }));
    }
  } finally {
    await browser.close();
    await stocked.server.stop();
  }
});

async function pages({ server, cookie }: StockedServer): Promise<{ name: string; path: string }[]> {
  const list = await send(`${server.origin}/tenant-api-keys`, { headers: { Cookie: cookie } });
  const key = /href="(\/tenant-api-keys\/[0-9a-f-]{36})"/.exec(list.body)?.[1];
  if (!key) throw new Error('the list has no key');
  return [
    { name: 'the list', path: '/tenant-api-keys' },
    { name: 'the page of a key', path: key },
    { name: 'the audit log', path: '/audit-log' },
  ];
}

/** Loads a page with an empty cache and returns the sum of what its main thread's tasks take over 50 ms after the first paint. */
async function blockingTime(browser: Browser, { server, cookie }: StockedServer, path: string): Promise<number> {
  const context = await browser.newContext({ viewport: { width: 412, height: 823 }, isMobile: true, hasTouch: true });
  const [name = '', value = ''] = cookie.split('; ')[0]?.split('=') ?? [];
  await context.addCookies([{ name, value, url: server.origin }]);
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send('Emulation.setCPUThrottlingRate', { rate: SLOWDOWN });
  await browser.startTracing(page, { categories: ['-*', 'toplevel', 'loading', 'devtools.timeline', 'disabled-by-default-devtools.timeline'] });
  await page.goto(server.origin + path);
  await hydrated(page);
  await page.waitForTimeout(QUIET);
  const trace = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: TraceEvent[] };
  await context.close();
  return blockingTimeOf(trace.traceEvents);
}

function blockingTimeOf(events: TraceEvent[]): number {
  const paints = events.filter(({ name }) => name === 'firstContentfulPaint');
  const paint = paints.at(-1);
  if (!paint) return Number.NaN;
  const main = events.find(({ name, pid }) => pid === paint.pid && name === 'FireAnimationFrame')?.tid ?? paint.tid;
  const tasks = events.filter(({ name, ph, pid, tid, ts }) => name.endsWith('RunTask') && ph === 'X' && pid === paint.pid && tid === main && ts >= paint.ts);
  const long = tasks.map(({ dur = 0 }) => dur / 1000 - UNNOTICED).filter((over) => over > 0);
  return Math.round(long.reduce((sum, over) => sum + over, 0));
}
