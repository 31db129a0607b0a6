// Fixtures of all tests: a server on its own database, a tenant for each test, and browser contexts whose console is recorded.

import { randomBytes } from 'node:crypto';

import { type Browser, type BrowserContext, type BrowserContextOptions, type Page, test as base, expect } from '@playwright/test';

import { BrowserLog } from './support/browser_log';
import { Server } from './support/server';

/** A person who can sign in. */
export interface Person {
  email: string;
  password: string;
}

/** The output of `latchkey key create --json`. */
export interface IssuedKey {
  id: string;
  name: string;
  hint: string;
  secret: string;
}

/** Options of a new key. */
export interface NewKey {
  description?: string;
  group?: string;
  expires?: string;
  allow?: string[];
}

/** A tenant with an authorization group and an administrator, created by the command line. */
export class Tenant {
  private constructor(
    private readonly server: Server,
    readonly slug: string,
    readonly name: string,
    readonly group: string,
    readonly administrator: Person,
  ) {}

  /** Creates a tenant with a unique slug. */
  static async create(server: Server, { name = 'Acme Logistics', keyLimit = 10 } = {}): Promise<Tenant> {
    const slug = unique('acme');
    const group = 'Orders read/write';
    const limit = ['--key-limit', String(keyLimit)];
    await server.json(['tenant', 'create', '--name', name, '--slug', slug, ...limit]);
    const [administrator] = await Promise.all([
      createPerson(server, 'tenant_admin', slug),
      createGroup(server, slug, group, 'tenant_api_key', ['orders:read', 'orders:write']),
    ]);
    return new Tenant(server, slug, name, group, administrator);
  }

  /** Creates a member of the tenant. */
  member(): Promise<Person> {
    return createPerson(this.server, 'member', this.slug);
  }

  /** Creates a group of users, which keys cannot have. */
  async groupOfPeople(name: string): Promise<void> {
    await createGroup(this.server, this.slug, name, 'user', ['orders:read']);
  }

  /** Creates another administrator. */
  anotherAdministrator(name: string): Promise<Person> {
    return createPerson(this.server, 'tenant_admin', this.slug, name);
  }

  /** Creates another group for keys. */
  async addGroup(name: string, permissions: string[]): Promise<void> {
    await createGroup(this.server, this.slug, name, 'tenant_api_key', permissions);
  }

  /** Creates a key. `expires` is a date in the form `YYYY-MM-DD`. */
  async key(name: string, { description, group = this.group, expires, allow = [] }: NewKey = {}): Promise<IssuedKey> {
    const options = [
      ...(description ? ['--description', description] : []),
      ...(expires ? ['--expires', expires] : []),
      ...allow.flatMap((range) => ['--allow', range]),
    ];
    return this.server.json(['key', 'create', '--tenant', this.slug, '--name', name, '--group', group, ...options]);
  }

  /** Sets the tenant's key limit. */
  async setLimit(limit: number): Promise<void> {
    await this.server.json(['tenant', 'set-limit', this.slug, String(limit)]);
  }
}

/** Creates a user with a random password. */
export async function createPerson(server: Server, role: string, tenant?: string, name = 'Mira Albrecht'): Promise<Person> {
  const person = { email: `${unique('mira')}@acme.example`, password: randomBytes(18).toString('base64url') };
  const where = tenant ? ['--tenant', tenant] : [];
  const command = ['user', 'create', '--email', person.email, '--name', name, '--role', role, ...where, '--password-stdin'];
  await server.json(command, `${person.password}\n`);
  return person;
}

/** Creates an authorization group. */
async function createGroup(server: Server, tenant: string, name: string, type: string, permissions: string[]): Promise<void> {
  const allowed = permissions.flatMap((permission) => ['--permission', permission]);
  await server.json(['group', 'create', '--tenant', tenant, '--name', name, '--type', type, ...allowed]);
}

/** The date `days` days from today (UTC) in the form `YYYY-MM-DD`. */
export function daysFromToday(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
}

/** Signs a person in by a request, so that the context has the session cookie. access.spec.ts tests the sign-in page. */
export async function signIn(context: BrowserContext, origin: string, { email, password }: Person): Promise<void> {
  const response = await context.request.post(`${origin}/sign-in`, {
    form: { email, password, return_to: '/' },
    headers: { Origin: origin },
    maxRedirects: 0,
  });
  expect(response.status(), 'sign-in responds with a redirect').toBe(303);
}

function unique(word: string): string {
  return `${word}-${randomBytes(5).toString('hex')}`;
}

interface Fixtures {
  /** This test's tenant on the worker's server. */
  tenant: Tenant;
  /** A page of the tenant's administrator, signed in, with no document loaded yet. */
  adminPage: Page;
  /** Errors and warnings of the browser. */
  browserLog: BrowserLog;
  /** Opens another browser context, recorded like the first. */
  openContext: (options?: BrowserContextOptions) => Promise<BrowserContext>;
  /** Starts another server on an empty database and stops it after the test. */
  startServer: (settings?: Record<string, string>) => Promise<Server>;
}

interface WorkerFixtures {
  /** The worker's server. */
  server: Server;
}

export const test = base.extend<Fixtures, WorkerFixtures>({
  server: [
    async ({}, use) => {
      const server = await Server.start();
      await use(server);
      await server.stop();
    },
    { scope: 'worker', timeout: 60_000 },
  ],

  baseURL: async ({ server }, use) => use(server.origin),

  browserLog: async ({}, use) => {
    const browserLog = new BrowserLog();
    await use(browserLog);
    expect(browserLog.unexpected, 'unexpected errors and warnings of the browser').toEqual([]);
  },

  openContext: async ({ browser, browserLog, baseURL }, use) => {
    const contexts: BrowserContext[] = [];
    await use(async (options = {}) => {
      const context = await watched(browser, browserLog, { baseURL, ...options });
      contexts.push(context);
      return context;
    });
    await Promise.all(contexts.map((context) => context.close()));
  },

  context: async ({ openContext }, use) => use(await openContext()),

  startServer: async ({}, use) => {
    const servers: Server[] = [];
    await use(async (settings) => {
      const server = await Server.start(settings);
      servers.push(server);
      return server;
    });
    await Promise.all(servers.map((server) => server.stop()));
  },

  tenant: async ({ server }, use) => use(await Tenant.create(server)),

  adminPage: async ({ context, page, server, tenant }, use) => {
    await signIn(context, server.origin, tenant.administrator);
    await use(page);
  },
});

async function watched(browser: Browser, browserLog: BrowserLog, options: BrowserContextOptions): Promise<BrowserContext> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  browserLog.listen(context);
  return context;
}

export { expect };
