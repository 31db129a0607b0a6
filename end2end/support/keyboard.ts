// Tests by keyboard alone: no pointer event, and a visible focus at every stop.

import type { Locator, Page } from '@playwright/test';

import { expect, test as base } from '../fixtures';

const MOUSE_EVENTS = ['mousedown', 'mouseup', 'mousemove', 'mouseover', 'pointerdown', 'pointermove', 'touchstart', 'wheel'];

export const test = base.extend<{ keyboardPage: Page }>({
  /** A page that counts pointer events and expects none. */
  keyboardPage: async ({ context, page }, use) => {
    const messages: string[] = [];
    await context.exposeFunction('heardFromPointer', (event: string) => messages.push(event));
    await context.addInitScript((events: string[]) => {
      const report = (event: Event): void => {
        // A key press on a button causes a click without a pointer type.
        if (event.type !== 'click' || (event as PointerEvent).pointerId >= 0) {
          (window as unknown as { heardFromPointer: (event: string) => void }).heardFromPointer(event.type);
        }
      };
      for (const event of [...events, 'click']) addEventListener(event, report, { capture: true });
    }, MOUSE_EVENTS);
    await use(page);
    expect(messages, 'pointer events').toEqual([]);
  },
});

/** Expects the focused element to show its focus, to be on the screen and not to be covered. */
export async function expectFocusSeen(page: Page): Promise<void> {
  const focus = await page.evaluate(() => {
    const element = document.activeElement;
    if (!element || element === document.body) return { element: 'nothing' };
    // A field with line numbers shows the focus on its frame.
    const marks = [element, element.parentElement!].map((marked) => getComputedStyle(marked));
    const isMarked = marks.some((style) => style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2);
    // Chromium marks the button of its date field itself, in a shadow tree.
    const isPicker = element.matches('input[type=date]:not(:focus-visible)');
    const { left, right, top, bottom } = element.getBoundingClientRect();
    const [x, y] = [(left + right) / 2, (top + bottom) / 2];
    const onTop = document.elementFromPoint(x, y);
    return {
      element: (element.cloneNode() as Element).outerHTML,
      marked: isPicker || (element.matches(':focus-visible') && isMarked),
      onScreen: x >= 0 && y >= 0 && x < innerWidth && y < innerHeight,
      uncovered: onTop !== null && (element.contains(onTop) || onTop.contains(element)),
    };
  });
  expect(focus, focus.element).toMatchObject({ marked: true, onScreen: true, uncovered: true });
}

/** Whether the focus is in the browser itself, which follows the last stop of a modal dialog; the page below is never reached. */
function isInBrowserItself(page: Page): Promise<boolean> {
  return page.evaluate(() => document.activeElement === document.body && document.querySelector('dialog:modal') !== null);
}

/** Presses Tab (or Shift+Tab) until `target` has the focus, and expects a visible focus at every stop. */
export async function tabTo(page: Page, target: Locator, key: 'Tab' | 'Shift+Tab' = 'Tab'): Promise<void> {
  await expect(target).toBeVisible();
  for (let stops = 0; stops < 40; stops += 1) {
    await page.keyboard.press(key);
    if (await isInBrowserItself(page)) {
      await page.keyboard.press(key);
    }
    await expectFocusSeen(page);
    if (await target.evaluate((element) => element === document.activeElement)) return;
  }
  throw new Error(`no way to ${target} by ${key}`);
}
