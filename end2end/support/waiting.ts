// Requests that a test holds, and what the page shows meanwhile.

import { expect, type Locator, type Page, type Route } from '@playwright/test';

/** Requests of the page's server functions that wait for `release`. */
export class HeldRequests {
  private readonly held: Route[] = [];
  private isOpen = false;
  /** The last part of each request's path. */
  readonly names: string[] = [];

  private constructor(private readonly page: Page) {}

  static async of(page: Page): Promise<HeldRequests> {
    const requests = new HeldRequests(page);
    await page.route('**/api/pages/**', async (route) => {
      requests.names.push(new URL(route.request().url()).pathname.split('/').pop() ?? '');
      if (requests.isOpen) await route.continue();
      else requests.held.push(route);
    });
    return requests;
  }

  /** Waits until the server function `name` was called. */
  async called(name: string): Promise<void> {
    await expect.poll(() => this.names).toContain(name);
  }

  /** The number of calls of a server function. */
  count(name: string): number {
    return this.names.filter((each) => each === name).length;
  }

  /** Lets the held requests and all later ones through. */
  async release(): Promise<void> {
    this.isOpen = true;
    await Promise.all(this.held.splice(0).map((route) => route.continue()));
    await this.page.unroute('**/api/pages/**');
  }
}

/** The computed style of an element or of one of its pseudo-elements. */
export async function style(locator: Locator, property: string, pseudo?: string): Promise<string> {
  return locator.evaluate((element, [name, part]) => getComputedStyle(element, part).getPropertyValue(name!), [property, pseudo] as const);
}

/** Expects that a pressed button shows its verb and a spinner, and that screen readers hear the verb. */
export async function expectBusy(container: Locator, verb: string): Promise<void> {
  const button = container.locator('button[aria-busy="true"]');
  await expect(button).toHaveAccessibleName(verb);
  for (const part of ['::before', '::after']) await expect.poll(() => style(button, 'visibility', part)).toBe('visible');
  await expect(container.getByRole('status').filter({ hasText: verb })).toHaveCount(1);
}

/** The sentence in the toast. */
export const toast = (page: Page, text: string): Locator => page.getByRole('status').filter({ hasText: text });

/** Documents that are asked for and never arrive, so that the page stays. */
export class HeldDocuments {
  /** Method and path of each request. */
  readonly requests: string[] = [];

  static async of(page: Page): Promise<HeldDocuments> {
    const documents = new HeldDocuments();
    await page.route('**/*', async (route) => {
      const request = route.request();
      if (request.resourceType() !== 'document') await route.continue();
      else documents.requests.push(`${request.method()} ${new URL(request.url()).pathname}`);
    });
    return documents;
  }
}
