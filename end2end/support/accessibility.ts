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

/** Checks the current page with axe in one color scheme. */
async function expectNoViolation(page: Page, what: string, colorScheme: Screen['colorScheme']): Promise<void> {
  await page.emulateMedia({ colorScheme });
  await animationsEnded(page);
  const { violations } = await new AxeBuilder({ page }).setLegacyMode().analyze();
  const found = violations.map(({ id, help, nodes }) => ({ id, help, where: nodes.map((node) => node.html) }));
  expect(found, `${what}, ${colorScheme}`).toEqual([]);
}

async function expectNoScrolling(page: Page, what: string): Promise<void> {
  const tooWide = await page.evaluate(() =>
    [document.documentElement, ...document.querySelectorAll('dialog, :popover-open')]
      .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
      .map(({ tagName, id, scrollWidth, clientWidth }) => `${tagName} ${id}: ${scrollWidth} > ${clientWidth}`),
  );
  expect(tooWide, `${what} scrolls horizontally`).toEqual([]);
}

/** Checks the current page with axe on each of `screens`, and for scrolling on the narrowest one. */
export async function expectAccessible(page: Page, what: string, screens = SCREENS): Promise<void> {
  for (const { width, colorScheme } of screens) {
    await page.setViewportSize({ width, height: 800 });
    await expectNoViolation(page, `${what}, ${width} wide`, colorScheme);
  }
  await page.setViewportSize({ width: NARROWEST, height: 800 });
  await expectNoScrolling(page, `${what}, ${NARROWEST} wide`);
  await page.setViewportSize({ width: 1280, height: 800 });
}

/** Checks the page at `url` in `withScript`, in its viewport: axe needs a script, which the page of a test may not run. */
export async function expectAccessibleIn(withScript: Page, url: string, what: string): Promise<void> {
  await withScript.goto(url);
  for (const colorScheme of ['light', 'dark'] as const) {
    await expectNoViolation(withScript, what, colorScheme);
    await expectNoScrolling(withScript, `${what}, ${colorScheme}`);
  }
}
