// Page object of the console: locators by role, label and text, so that a changed text is changed in one place.

import { type Locator, type Page, expect } from '@playwright/test';

import { hydrated } from './support/hydration';
import type { Person } from './fixtures';

/** The form of a secret, as a regular expression (`domain/src/key/format.rs`). */
export const SECRET_FORM = 'lk_[0-9A-Za-z]{38}';

/** Input of the key form. */
export interface KeyInput {
  name?: string;
  description?: string;
  group?: string;
  expires?: string;
  allowlist?: string;
}

/** Opens a page and waits until it is hydrated. */
export async function open(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await hydrated(page);
}

/** The page of keys, its form and its dialogs. */
export class ConsolePage {
  constructor(readonly page: Page) {}

  readonly heading = (name: string): Locator => this.page.getByRole('heading', { level: 1, name, exact: true });

  /** The usage counter with exactly this text, e.g. `2/10 keys`. */
  readonly counter = (text: string): Locator => this.page.getByText(text, { exact: true });

  readonly row = (name: string): Locator =>
    this.page.getByRole('table', { name: 'API keys' }).getByRole('row').filter({ hasText: name });

  /** A row's icon, e.g. `Edit ERP nightly sync`. */
  readonly action = (verb: 'Edit' | 'Rotate' | 'Revoke', name: string): Locator =>
    this.page.getByRole('link', { name: `${verb} ${name}`, exact: true });

  /** The names of the keys that are shown, from the top. */
  readonly names = (): Locator => this.page.getByRole('table', { name: 'API keys' }).locator('.key-name');

  /** A column's head. */
  readonly head = (column: string): Locator => this.page.getByRole('columnheader', { name: column, exact: true });

  // Filters and pages.
  readonly search = (): Locator => this.page.getByRole('searchbox', { name: 'Search names, descriptions and last four characters' });
  readonly segment = (filter: 'Status' | 'Expiration' | 'Sort by', word: string): Locator =>
    this.page.getByRole('group', { name: filter }).getByRole('link', { name: word, exact: true });
  readonly currentSegment = (filter: 'Status' | 'Expiration' | 'Sort by'): Locator =>
    this.page.getByRole('group', { name: filter }).locator('[aria-current="true"]');
  readonly clearAll = (): Locator => this.page.getByRole('link', { name: 'Clear all', exact: true });
  readonly noMatch = (): Locator =>
    this.page.getByRole('cell').filter({ has: this.page.getByRole('heading', { name: /^No key matches / }) });
  /** The live region that announces the number of matching keys to screen readers. */
  readonly resultCount = (): Locator => this.page.getByRole('status').filter({ hasText: /^[\d,]+ keys?$/ });
  readonly pager = (): Locator => this.page.getByRole('navigation', { name: 'Pages' });
  readonly previous = (): Locator => this.pager().getByRole('link', { name: 'Previous', exact: true });
  readonly next = (): Locator => this.pager().getByRole('link', { name: 'Next', exact: true });

  /** In the header; the page of a tenant without keys has a second one. */
  readonly generateLink = (): Locator => this.page.getByRole('link', { name: 'Generate API Key', exact: true }).first();

  // The form.
  readonly name = (): Locator => this.page.getByLabel('Key Name', { exact: true });
  readonly description = (): Locator => this.page.getByLabel(/^Description/);
  readonly group = (): Locator => this.page.getByLabel('Authorization Group', { exact: true });
  readonly expires = (): Locator => this.page.getByLabel(/^Expiration Date/);
  readonly allowlist = (): Locator => this.page.getByLabel(/^IP Allowlist/);
  readonly submit = (): Locator => this.page.getByRole('button', { name: 'Generate', exact: true });

  // The dialogs.
  readonly editDialog = (): Locator => this.page.getByRole('dialog', { name: 'Edit API key' });
  readonly save = (): Locator => this.editDialog().getByRole('button', { name: 'Save', exact: true });
  readonly saveAnyway = (): Locator => this.editDialog().getByRole('button', { name: 'Save anyway', exact: true });
  readonly conflict = (): Locator => this.editDialog().getByRole('alert').filter({ hasText: 'while you were editing' });
  readonly discardQuestion = (): Locator => this.editDialog().getByRole('alertdialog', { name: 'Discard changes?' });
  readonly rotateDialog = (): Locator => this.page.getByRole('dialog', { name: 'Rotate API key' });
  readonly revokeDialog = (): Locator => this.page.getByRole('alertdialog', { name: 'Revoke API key' });
  readonly secretDialog = (): Locator =>
    this.page.getByRole('dialog').filter({ hasText: 'This secret will not be shown again.' });
  readonly secretText = (): Locator => this.secretDialog().getByRole('textbox', { name: 'Secret' });
  readonly copy = (): Locator => this.secretDialog().getByRole('button', { name: 'Copy', exact: true });
  readonly copied = (): Locator => this.secretDialog().getByRole('button', { name: 'Copied', exact: true });
  readonly close = (): Locator => this.secretDialog().getByRole('button', { name: 'Close', exact: true });
  readonly closeQuestion = (): Locator =>
    this.secretDialog().getByText('Close without copying? You will not see this secret again.');

  /** Opens the list. */
  async openList(query = ''): Promise<void> {
    await open(this.page, `/tenant-api-keys${query}`);
  }

  /** Opens the form. */
  async openForm(query = ''): Promise<void> {
    await open(this.page, `/tenant-api-keys/new${query}`);
  }

  /** Fills the given fields and leaves the others. */
  async fill({ name, description, group, expires, allowlist }: KeyInput): Promise<void> {
    if (name !== undefined) await this.name().fill(name);
    if (description !== undefined) await this.description().fill(description);
    if (group !== undefined) await this.group().selectOption({ label: group });
    if (expires !== undefined) await this.expires().fill(expires);
    if (allowlist !== undefined) await this.allowlist().fill(allowlist);
  }

  /** Submits the open form, waits for the secret modal, and returns the secret. */
  async generate(input: KeyInput): Promise<string> {
    await this.fill(input);
    await this.submit().click();
    return this.readSecret();
  }

  /** Returns the secret from the modal. */
  async readSecret(): Promise<string> {
    await expect(this.secretDialog()).toBeVisible();
    await expect(this.secretText()).toHaveText(new RegExp(`^${SECRET_FORM}$`));
    return (await this.secretText().innerText()).trim();
  }

  /** Copies the secret and closes the modal. */
  async copyAndClose(): Promise<void> {
    await this.copy().click();
    await expect(this.copied()).toBeVisible();
    await this.close().click();
    await expect(this.secretDialog()).toBeHidden();
  }

  /** Signs in on the open sign-in page. */
  async signIn({ email, password }: Person): Promise<void> {
    await this.page.getByLabel('Email').fill(email);
    await this.page.getByLabel('Password').fill(password);
    await this.page.getByRole('button', { name: 'Sign in', exact: true }).click();
  }

  /** Signs out through the account's menu. */
  async signOut(email: string): Promise<void> {
    await this.page.getByRole('button', { name: email }).click();
    await this.page.getByRole('button', { name: 'Sign out', exact: true }).click();
  }
}
