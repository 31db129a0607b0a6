// Checks a page with axe, and for horizontal scrolling.

import AxeBuilder from '@axe-core/playwright';
import { type Page, expect } from '@playwright/test';

import { animationsEnded } from './animations';

export interface Screen {
  width: number;
  colorScheme: 'light' | 'dark';
}

export const SCREENS: Screen[] = [
  { width: 375, colorScheme: 'light' },
  { width: 375, colorScheme: 'dark' },
  { width: 1440, colorScheme: 'light' },
  { width: 1440, colorScheme: 'dark' },
];
export const NARROW_SCREENS = SCREENS.filter(({ width }) => width === 375);
/** The viewport of a page at 400 % zoom on a screen 1280 pixels wide. */
export const NARROWEST = 320;

/** Checks the current page with axe on each of `screens`. */
export async function expectAccessible(page: Page, what: string, screens = SCREENS): Promise<void> {
  for (const { width, colorScheme } of screens) {
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme });
    await animationsEnded(page);
    const { violations } = await new AxeBuilder({ page }).setLegacyMode().analyze();
    const found = violations.map(({ id, help, nodes }) => ({ id, help, where: nodes.map((node) => node.html) }));
    expect(found, `${what}, ${colorScheme}, ${width} wide`).toEqual([]);
  }
  await page.setViewportSize({ width: NARROWEST, height: 800 });
  const tooWide = await page.evaluate(() =>
    [document.documentElement, ...document.querySelectorAll('dialog, :popover-open')]
      .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
      .map(({ tagName, id, scrollWidth, clientWidth }) => `${tagName} ${id}: ${scrollWidth} > ${clientWidth}`),
  );
  expect(tooWide, `${what} scrolls horizontally at ${NARROWEST}`).toEqual([]);
  await page.setViewportSize({ width: 1280, height: 800 });
}
