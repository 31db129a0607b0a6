// Waiting for animations before a check with axe: text that is still fading in has too little contrast.

import type { Page } from '@playwright/test';

/** Waits until every animation and transition of the page has ended. */
export async function animationsEnded(page: Page): Promise<void> {
  await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {}))));
}
