// Records errors and warnings of the browser during a test. A test fails on every message that it has not declared.

import type { BrowserContext } from '@playwright/test';

const ASSETS = new Set(['script', 'stylesheet', 'image', 'font', 'manifest']);

/** Errors and warnings of all pages of the recorded browser contexts. */
export class BrowserLog {
  private readonly messages: string[] = [];
  private readonly expected: RegExp[] = [];

  /** Declares a message that the test causes on purpose. */
  expect(complaint: RegExp): void {
    this.expected.push(complaint);
  }

  /** Declares an expected response status, which Chromium logs to its console. */
  expectStatus(status: number): void {
    this.expect(new RegExp(`^console error: Failed to load resource: .* status of ${status} `));
  }

  /** The messages that were not declared. */
  get unexpected(): string[] {
    return this.messages.filter((complaint) => !this.expected.some((expected) => expected.test(complaint)));
  }

  /** Records all pages of a context: console (including CSP violations), errors, failed requests. */
  listen(context: BrowserContext): void {
    context.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') {
        this.messages.push(`console ${message.type()}: ${message.text()} (${message.location().url})`);
      }
    });
    context.on('weberror', (error) => this.messages.push(`page error: ${error.error().message}`));
    context.on('response', (response) => {
      const asset = ASSETS.has(response.request().resourceType()) || response.url().endsWith('.wasm');
      if (response.status() >= 500 || (asset && response.status() >= 400)) {
        this.messages.push(`response ${response.status()}: ${response.url()}`);
      }
    });
    context.on('requestfailed', (request) => {
      const reason = request.failure()?.errorText ?? '';
      // A navigation aborts the pending requests of the page that it leaves.
      if (reason !== 'net::ERR_ABORTED') {
        this.messages.push(`request failed: ${request.url()} ${reason}`);
      }
    });
  }
}
