// Fixtures with a tenant that has keys in every state, including keys that expired last week. Many tests read
// this tenant, none changes it.

import { type StoredKey, addKeys } from './support/stored_keys';
import { Tenant, daysFromToday, test as base } from './fixtures';

/** A time `days` days ago, at a different second for each number. */
function daysAgo(days: number): Date {
  return new Date(Date.now() - days * 86_400_000 - days * 1_000);
}

const ORDERS = 'Orders read/write';
const BILLING = 'Billing';
const REPORTS = 'Reports';

/** Keys in order of creation. */
export const KEYS: StoredKey[] = [
  key('Airflow', { group: REPORTS, description: 'Runs the nightly jobs', lastUsed: daysAgo(1) }),
  key('billing export', { group: BILLING, expires: daysFromToday(90), lastUsed: daysAgo(3) }),
  key('CI smoke tests', { expires: daysFromToday(10) }),
  key('Data lake', { group: REPORTS, expires: daysFromToday(30), lastUsed: daysAgo(40) }),
  key('ERP nightly sync', { description: 'Pulls orders into the ERP', expires: daysFromToday(0), lastUsed: daysAgo(2) }),
  key('Fax gateway', { expires: daysFromToday(-1), lastUsed: daysAgo(5) }),
  key('Grafana 100%', { group: REPORTS, status: 'revoked' }),
  key('Grafana 1000', { group: REPORTS, status: 'revoked', expires: daysFromToday(31) }),
  key('Hotfix_bot', { status: 'revoked', expires: daysFromToday(5), lastUsed: daysAgo(20) }),
  key('Hotfix-bot', { status: 'revoked', expires: daysFromToday(-10) }),
  key('O\'Reilly "feeds" \\ <b>', { group: BILLING, description: 'Half of it & more' }),
].map((key, index, all) => ({ ...key, created: daysAgo(all.length - index) }));

function key(name: string, given: Partial<StoredKey>): StoredKey {
  return { name, description: '', group: ORDERS, status: 'active', expires: null, lastUsed: null, created: new Date(), ...given };
}

/** Keys for more than two pages. */
export const MANY_KEYS: StoredKey[] = Array.from({ length: 60 }, (_, index) =>
  key(`Scanner ${String(index + 1).padStart(2, '0')}`, {
    // Every fifth key.
    status: index % 5 === 4 ? 'revoked' : 'active',
    created: daysAgo(60 - index),
  }),
);

export type Expiration = 'valid' | 'expiring_soon' | 'expired';

/** The expiration state of a key by the rule of docs/behaviour.md. */
export function expirationOf({ expires }: StoredKey): Expiration {
  if (expires === null || expires > daysFromToday(30)) return 'valid';
  return expires < daysFromToday(0) ? 'expired' : 'expiring_soon';
}

/** The names of the matching keys, newest first. */
export function namesOf(matches: (key: StoredKey) => boolean, keys = KEYS): string[] {
  return keys.filter(matches).map(({ name }) => name).reverse();
}

interface StockedFixtures {
  stocked: { tenant: Tenant; tenantOfMany: Tenant };
}

export const test = base.extend<object, StockedFixtures>({
  stocked: [
    async ({ server }, use) => {
      const tenant = await Tenant.create(server, { keyLimit: 20 });
      const tenantOfMany = await Tenant.create(server, { name: 'Northwind', keyLimit: 100 });
      await tenant.addGroup(BILLING, ['invoices:read']);
      await tenant.addGroup(REPORTS, ['reports:read']);
      await server.restartOn((database) => {
        addKeys(database, tenant.slug, KEYS);
        addKeys(database, tenantOfMany.slug, MANY_KEYS);
      });
      await use({ tenant, tenantOfMany });
    },
    { scope: 'worker', timeout: 60_000 },
  ],

  tenant: async ({ stocked }, use) => use(stocked.tenant),

  // Depends on `stocked`, because its restart changes the server's port.
  baseURL: async ({ server, stocked: _stocked }, use) => use(server.origin),
});

export { daysFromToday, expect } from './fixtures';
