// An integration manages the tenant's keys with a client generated from the OpenAPI document, and an administrator sees the changes.
// `npm run client` checks the client's types before the tests run.

import createClient, { type Client } from 'openapi-fetch';

import { ConsolePage } from './console_page';
import type { paths } from './support/api.generated';
import { expect, test } from './fixtures';

const PERMISSIONS = [
  'api-keys:read',
  'api-keys:rotate-self',
  'api-keys:verify',
  'api-keys:write',
  'audit-log:read',
  'authorization-groups:read',
  'orders:read',
  'orders:write',
];

function client(origin: string, secret: string): Client<paths> {
  return createClient<paths>({ baseUrl: origin, headers: { 'X-API-Key': secret } });
}

test('a typed client makes, edits, rotates and revokes a key that the page shows', async ({ adminPage, server, tenant }) => {
  const permissions = PERMISSIONS.flatMap((permission) => ['--permission', permission]);
  await server.json(['group', 'create', '--tenant', tenant.slug, '--name', 'Automation keys', '--type', 'tenant_api_key', ...permissions]);
  const own = await server.json<{ secret: string }>(
    ['key', 'create', '--tenant', tenant.slug, '--name', 'Automation', '--group', 'Automation keys'],
  );
  const api = client(server.origin, own.secret);

  const me = await api.GET('/api/v1/whoami');
  expect(me.data?.tenant.slug).toBe(tenant.slug);
  expect(me.data?.permissions).toEqual(PERMISSIONS);
  expect(me.data?.expires_on).toBeNull();

  const groups = await api.GET('/api/v1/authorization-groups', { params: { query: { limit: 100 } } });
  const group = groups.data?.items.find(({ name }) => name === tenant.group);
  expect(group?.type).toBe('tenant_api_key');

  const refused = await api.POST('/api/v1/api-keys', {
    body: { name: 'x', authorization_group_id: group!.id, ip_allowlist: ['10.0.0.0/33'] },
  });
  expect(refused.response.status).toBe(422);
  expect(refused.error?.code).toBe('validation_failed');
  expect(refused.error?.errors?.map(({ field }) => field)).toEqual(['name', 'ip_allowlist']);

  const made = await api.POST('/api/v1/api-keys', {
    body: { name: 'Shop', authorization_group_id: group!.id, ip_allowlist: ['127.0.0.1'] },
  });
  expect(made.response.status).toBe(201);
  const { id, secret } = made.data!;
  expect(secret).toBeDefined();
  expect((await client(server.origin, secret!).GET('/api/v1/whoami')).data?.ip_allowlist).toEqual(['127.0.0.1/32']);

  const keys = new ConsolePage(adminPage);
  await keys.openList();
  await expect(keys.row('Shop')).toContainText(tenant.group);

  const path = { id };
  const tag = made.response.headers.get('etag')!;
  const edit = (name: string) =>
    api.PATCH('/api/v1/api-keys/{id}', { params: { path, header: { 'If-Match': tag } }, body: { name } });
  expect((await edit('Web shop')).data?.name).toBe('Web shop');
  const stale = await edit('Warehouse');
  expect([stale.response.status, stale.error?.code]).toEqual([412, 'stale']);

  const rotated = await api.POST('/api/v1/api-keys/{id}/rotate', { params: { path }, body: { expires_on: null } });
  const verify = async (presented: string) => (await api.POST('/api/v1/verify', { body: { secret: presented, ip: '127.0.0.1' } })).data!;
  expect(await verify(secret!)).toEqual({ valid: false, code: 'invalid_api_key' });
  const good = await verify(rotated.data!.secret!);
  expect('key' in good && good.key.name).toBe('Web shop');

  const revoked = await api.POST('/api/v1/api-keys/{id}/revoke', { params: { path } });
  expect(revoked.data?.status).toBe('revoked');
  const listed = await api.GET('/api/v1/api-keys', { params: { query: { status: 'revoked', sort: '-created_at' } } });
  expect(listed.data?.items.map(({ name }) => name)).toEqual(['Web shop']);
  expect(listed.data?.usage).toEqual({ used: 1, limit: 10 });
  const events = await api.GET('/api/v1/audit-events', { params: { query: { key_id: id } } });
  expect(events.data?.items.map(({ action }) => action)).toEqual([
    'api_key.revoked',
    'api_key.rotated',
    'api_key.updated',
    'api_key.created',
  ]);

  await keys.openList();
  await expect(keys.row('Web shop')).toContainText('Revoked');
});
