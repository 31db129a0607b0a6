// Waiting for hydration. Before it, a click on a page works as without JavaScript.

import type { Page } from '@playwright/test';

/** The state of a page's script: hydrated (`on`), or not hydrated on purpose (`off`). Empty until it is decided. */
export async function scriptOf(page: Page): Promise<string> {
  return page.evaluate(() => document.documentElement?.dataset.script ?? '');
}

/**
 * Waits until the page has hydrated, also in a background tab, which draws no frames. Returns at once for a page without a script, such
 * as sign-in.
 */
export async function hydrated(page: Page): Promise<void> {
  if ((await page.locator('script[type="module"]').count()) === 0) return;
  const isKnown = (): boolean => document.documentElement?.dataset.script !== undefined;
  await page.waitForFunction(isKnown, undefined, { timeout: 20_000, polling: 50 });
  const script = await scriptOf(page);
  if (script !== 'on') throw new Error(`the page does not hydrate: ${script}`);
  // Hydration is one browser task, followed directly by its deferred work.
  await page.evaluate(() => new Promise<void>((resolve) => setTimeout(resolve, 20)));
}
