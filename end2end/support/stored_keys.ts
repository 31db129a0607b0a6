// Keys put into a database by SQL: in states that only time brings, and very many of them.

import type { Database } from './database';

/** A key as it lies in the database. Nobody has its secret. */
export interface StoredKey {
  name: string;
  description: string;
  /** The name of its group. */
  group: string;
  status: 'active' | 'revoked';
  /** A date as `YYYY-MM-DD`. */
  expires: string | null;
  lastUsed: Date | null;
  created: Date;
}

/** Gives a tenant these keys. Its groups are there already. */
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

/** Each column with the SQL of its value. Which of them there are depends on how far the schema has come. */
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

/** As the program writes a time that has no fraction of a second: it compares times as texts. */
function time(date: Date): string {
  return `${date.toISOString().slice(0, 19)}+00:00`;
}
