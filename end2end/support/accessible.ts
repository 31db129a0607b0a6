// Checks a page without script with axe, light and dark.

import AxeBuilder from '@axe-core/playwright';
import { type Page, expect } from '@playwright/test';

import { animationsEnded } from './animations';

/** Inspects the document at the URL of `page` in `withScript`, because axe needs a script, and expects no horizontal scrolling. */
export async function expectAccessible(page: Page, withScript: Page, what: string): Promise<void> {
  await withScript.goto(page.url());
  for (const colorScheme of ['light', 'dark'] as const) {
    await withScript.emulateMedia({ colorScheme });
    await animationsEnded(withScript);
    const { violations } = await new AxeBuilder({ page: withScript }).setLegacyMode().analyze();
    expect(violations.map(({ id, nodes }) => ({ id, where: nodes.map(({ html }) => html) })), `${what}, ${colorScheme}`).toEqual([]);
    const tooWide = await withScript.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(tooWide, `${what} scrolls horizontally`).toBe(0);
  }
}
