// What a browser complains about while a journey runs. A journey passes in silence, or names the complaints that it provokes.

import type { BrowserContext } from '@playwright/test';

const ASSETS = new Set(['script', 'stylesheet', 'image', 'font', 'manifest']);

/** Complaints of every page of some browser contexts. */
export class Noise {
  private readonly heard: string[] = [];
  private readonly expected: RegExp[] = [];

  /** Declares a complaint that the journey provokes on purpose. */
  expect(complaint: RegExp): void {
    this.expected.push(complaint);
  }

  /** Declares that an answer with this status is part of the journey: Chromium says so on its console. */
  expectStatus(status: number): void {
    this.expect(new RegExp(`^console error: Failed to load resource: .* status of ${status} `));
  }

  /** What was complained about and not declared. */
  get unexpected(): string[] {
    return this.heard.filter((complaint) => !this.expected.some((expected) => expected.test(complaint)));
  }

  /** Listens to all pages of a context: console (violations of the CSP stand there too), errors, failed requests. */
  listen(context: BrowserContext): void {
    context.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') {
        this.heard.push(`console ${message.type()}: ${message.text()} (${message.location().url})`);
      }
    });
    context.on('weberror', (error) => this.heard.push(`page error: ${error.error().message}`));
    context.on('response', (response) => {
      const asset = ASSETS.has(response.request().resourceType()) || response.url().endsWith('.wasm');
      if (response.status() >= 500 || (asset && response.status() >= 400)) {
        this.heard.push(`answer ${response.status()}: ${response.url()}`);
      }
    });
    context.on('requestfailed', (request) => {
      const reason = request.failure()?.errorText ?? '';
      // A navigation ends the requests of the page that it leaves.
      if (reason !== 'net::ERR_ABORTED') {
        this.heard.push(`request failed: ${request.url()} ${reason}`);
      }
    });
  }
}
