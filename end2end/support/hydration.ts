// When a server-rendered page has become a live one. Before that, a click on it does what it does without JavaScript.

import type { BrowserContext, Page } from '@playwright/test';

declare global {
  interface Window {
    /** The router listens to `popstate`: it does so while the page hydrates, and never before. */
    latchkeyRouterListens?: boolean;
  }
}

/** Has every page of a context remember when its router starts to listen. */
export async function watchHydration(context: BrowserContext): Promise<void> {
  await context.addInitScript(() => {
    const original = window.addEventListener;
    window.addEventListener = function (this: Window, ...parameters: Parameters<typeof original>): void {
      if (parameters[0] === 'popstate') {
        window.latchkeyRouterListens = true;
      }
      original.apply(window, parameters);
    } as typeof original;
  });
}

/**
 * Waits until the page has hydrated; also in a tab that another one covers, where no frames are drawn. A page without a script, such as
 * sign-in, is as live as it gets.
 */
export async function hydrated(page: Page): Promise<void> {
  if ((await page.locator('script[type="module"]').count()) === 0) return;
  const listens = (): boolean => window.latchkeyRouterListens === true;
  await page.waitForFunction(listens, undefined, { timeout: 20_000, polling: 50 });
  // Hydration is one task of the browser, and what it puts off follows at once.
  await page.evaluate(() => new Promise<void>((resolve) => setTimeout(resolve, 20)));
}
