// What every journey starts from: a server on a database of its own, a tenant of its own in it, and a watched browser.

import { randomBytes } from 'node:crypto';

import { type Browser, type BrowserContext, type BrowserContextOptions, type Page, test as base, expect } from '@playwright/test';

import { Noise } from './support/noise';
import { Server } from './support/server';

/** A person who can sign in. */
export interface Person {
  email: string;
  password: string;
}

/** An API key as the command line prints it when it makes one. */
export interface IssuedKey {
  id: string;
  name: string;
  hint: string;
  secret: string;
}

/** What a key may be made with. */
export interface NewKey {
  description?: string;
  group?: string;
  expires?: string;
  allow?: string[];
}

/** A tenant with an authorization group and an administrator, made through the command line. */
export class Tenant {
  private constructor(
    private readonly server: Server,
    readonly slug: string,
    readonly name: string,
    readonly group: string,
    readonly administrator: Person,
  ) {}

  /** Makes one that no other test knows. */
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

  /** Makes a member of the tenant. */
  member(): Promise<Person> {
    return createPerson(this.server, 'member', this.slug);
  }

  /** Makes a group of people, which no key may have. */
  async groupOfPeople(name: string): Promise<void> {
    await createGroup(this.server, this.slug, name, 'user', ['orders:read']);
  }

  /** Makes a further administrator. */
  anotherAdministrator(name: string): Promise<Person> {
    return createPerson(this.server, 'tenant_admin', this.slug, name);
  }

  /** Makes a further group that keys may have. */
  async addGroup(name: string, permissions: string[]): Promise<void> {
    await createGroup(this.server, this.slug, name, 'tenant_api_key', permissions);
  }

  /** Makes a key. `expires` is a date as `YYYY-MM-DD`. */
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

/** Makes a user with a password that nobody else has. */
export async function createPerson(server: Server, role: string, tenant?: string, name = 'Mira Albrecht'): Promise<Person> {
  const person = { email: `${unique('mira')}@acme.example`, password: randomBytes(18).toString('base64url') };
  const where = tenant ? ['--tenant', tenant] : [];
  const command = ['user', 'create', '--email', person.email, '--name', name, '--role', role, ...where, '--password-stdin'];
  await server.json(command, `${person.password}\n`);
  return person;
}

/** Makes an authorization group. */
async function createGroup(server: Server, tenant: string, name: string, type: string, permissions: string[]): Promise<void> {
  const allowed = permissions.flatMap((permission) => ['--permission', permission]);
  await server.json(['group', 'create', '--tenant', tenant, '--name', name, '--type', type, ...allowed]);
}

/** A day as `YYYY-MM-DD`, so many days from today (UTC). */
export function daysFromToday(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
}

/** Signs a person in without the page: the context has the session's cookie afterwards. The page itself is in access.spec.ts. */
export async function signIn(context: BrowserContext, origin: string, { email, password }: Person): Promise<void> {
  const answer = await context.request.post(`${origin}/sign-in`, {
    form: { email, password, return_to: '/' },
    headers: { Origin: origin },
    maxRedirects: 0,
  });
  expect(answer.status(), 'sign-in answers with a redirect').toBe(303);
}

function unique(word: string): string {
  return `${word}-${randomBytes(5).toString('hex')}`;
}

interface World {
  /** This test's tenant on the worker's server. */
  tenant: Tenant;
  /** Its administrator's page, signed in, on nothing yet. */
  adminPage: Page;
  /** What the browser complained about. */
  noise: Noise;
  /** Opens a further browser context, watched as the first is. */
  openContext: (options?: BrowserContextOptions) => Promise<BrowserContext>;
  /** Starts a further server, on an empty database; it stops with the test. */
  startServer: (settings?: Record<string, string>) => Promise<Server>;
}

interface WorkerWorld {
  /** The worker's server. */
  server: Server;
}

export const test = base.extend<World, WorkerWorld>({
  server: [
    async ({}, use) => {
      const server = await Server.start();
      await use(server);
      await server.stop();
    },
    { scope: 'worker', timeout: 60_000 },
  ],

  baseURL: async ({ server }, use) => use(server.origin),

  noise: async ({}, use) => {
    const noise = new Noise();
    await use(noise);
    expect(noise.unexpected, 'the browser complains about nothing').toEqual([]);
  },

  openContext: async ({ browser, noise, baseURL }, use) => {
    const contexts: BrowserContext[] = [];
    await use(async (options = {}) => {
      const context = await watched(browser, noise, { baseURL, ...options });
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

async function watched(browser: Browser, noise: Noise, options: BrowserContextOptions): Promise<BrowserContext> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  noise.listen(context);
  return context;
}

export { expect };
