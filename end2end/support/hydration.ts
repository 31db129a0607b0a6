// When a server-rendered page has become a live one. Before that, a click on it does what it does without JavaScript.

import type { Page } from '@playwright/test';

/** What became of a page's script: it took over the page (`on`), or left it as the server sent it (`off`). Empty until that is known. */
export async function scriptOf(page: Page): Promise<string> {
  return page.evaluate(() => document.documentElement.dataset.script ?? '');
}

/**
 * Waits until the page has hydrated; also in a tab that another one covers, where no frames are drawn. A page without a script, such as
 * sign-in, is as live as it gets.
 */
export async function hydrated(page: Page): Promise<void> {
  if ((await page.locator('script[type="module"]').count()) === 0) return;
  const isKnown = (): boolean => document.documentElement.dataset.script !== undefined;
  await page.waitForFunction(isKnown, undefined, { timeout: 20_000, polling: 50 });
  const script = await scriptOf(page);
  if (script !== 'on') throw new Error(`the page does not hydrate: ${script}`);
  // Hydration is one task of the browser, and what it puts off follows at once.
  await page.evaluate(() => new Promise<void>((resolve) => setTimeout(resolve, 20)));
}
