// Inserts keys by SQL: many keys, and keys in past states.

import type { Database } from './database';

/** A stored key. Its secret does not exist. */
export interface StoredKey {
  name: string;
  description: string;
  /** The name of its group. */
  group: string;
  status: 'active' | 'revoked';
  /** A date in the form `YYYY-MM-DD`. */
  expires: string | null;
  lastUsed: Date | null;
  created: Date;
}

/** Inserts keys of a tenant, whose groups exist already. */
export function addKeys(database: Database, slug: string, keys: StoredKey[]): void {
  const written = new Set(database.all('PRAGMA table_info(api_keys)').map((column) => column['name']));
  const values = Object.entries(COLUMNS).filter(([column]) => written.has(column));
  database.run(
    `INSERT INTO api_keys (${values.map(([column]) => column).join(', ')})
       SELECT ${values.map(([, value]) => value).join(', ')}
       FROM json_each(?) AS key
       JOIN tenants ON tenants.slug = ?
       JOIN authorization_groups AS grouped ON grouped.tenant_id = tenants.id AND grouped.name = key.value ->> 'group'`,
    [JSON.stringify(keys.map(row)), slug],
  );
}

/** Each column with the SQL of its value. Columns that the schema does not have are left out. */
const COLUMNS: Record<string, string> = {
  id: 'randomblob(16)',
  tenant_id: 'tenants.id',
  group_id: 'grouped.id',
  group_name_lower: 'lower(grouped.name)',
  name: "key.value ->> 'name'",
  name_lower: "key.value ->> 'nameLower'",
  description: "key.value ->> 'description'",
  description_lower: "key.value ->> 'descriptionLower'",
  hint: "'lk_…' || substr('000' || key.key, -4)",
  secret_digest: 'randomblob(32)',
  expires_on: "key.value ->> 'expires'",
  ip_allowlist: "''",
  created_by_kind: "'cli'",
  created_by_name: "'latchkey'",
  created_at: "key.value ->> 'created'",
  updated_at: "key.value ->> 'created'",
  revoked_at: "CASE key.value ->> 'status' WHEN 'revoked' THEN key.value ->> 'created' END",
  last_used_at: "key.value ->> 'lastUsed'",
  version: '1',
};

function row(key: StoredKey): Record<string, string | null> {
  return {
    ...key,
    nameLower: key.name.toLowerCase(),
    descriptionLower: key.description.toLowerCase(),
    lastUsed: key.lastUsed && time(key.lastUsed),
    created: time(key.created),
  };
}

/** Formats a time without fraction like the program does, which compares times as text. */
function time(date: Date): string {
  return `${date.toISOString().slice(0, 19)}+00:00`;
}
