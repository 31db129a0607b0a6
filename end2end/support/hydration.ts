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

/** Waits until the page has hydrated. */
export async function hydrated(page: Page): Promise<void> {
  await page.waitForFunction(() => window.latchkeyRouterListens === true, undefined, { timeout: 20_000 });
  // Hydration is one task of the browser; what it schedules runs before the frame after the next.
  await page.evaluate(
    () => new Promise<void>((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve()))),
  );
}
