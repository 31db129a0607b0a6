// Uses the client that openapi-generator generates for TypeScript: create, list, verify, rotate, revoke.
import {
  APIKeysApi,
  Configuration,
  KeyStatus,
  ProblemCode,
  ResponseError,
  VerificationApi,
} from './client';

declare const process: { env: Record<string, string | undefined>; exitCode?: number };

const setting = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is missing`);
  return value;
};

const check = (good: boolean, what: string): void => {
  if (!good) throw new Error(what);
};

const use = async (): Promise<void> => {
  const configuration = new Configuration({
    basePath: setting('LATCHKEY_URL'),
    apiKey: setting('LATCHKEY_KEY'),
  });
  const keys = new APIKeysApi(configuration);
  const verification = new VerificationApi(configuration);

  const created = await keys.createApiKey({
    newKeyBody: { name: 'TypeScript client', authorizationGroupId: setting('LATCHKEY_GROUP') },
  });
  const secret = created.secret ?? '';
  check(secret !== '', 'the secret is shown once');

  const list = await keys.listApiKeys({ q: 'TypeScript client', status: KeyStatus.Active });
  check(list.items.length === 1 && list.items[0]?.id === created.id, 'the new key is listed');

  const good = await verification.verifyApiKey({ verifyBody: { secret } });
  check('key' in good && good.key.id === created.id, 'the secret is good');

  const rotated = await keys.rotateApiKey({ id: created.id });
  check(rotated.secret !== secret, 'the new secret is another one');
  const refused = await verification.verifyApiKey({ verifyBody: { secret } });
  check('code' in refused && refused.code === ProblemCode.INVALID_API_KEY, 'the old secret is refused');

  const revoked = await keys.revokeApiKey({ id: created.id });
  check(revoked.status === KeyStatus.Revoked, 'the key is revoked');

  const failure = await keys.rotateApiKey({ id: created.id }).catch((error: unknown) => error);
  check(failure instanceof ResponseError, 'a revoked key cannot be rotated');
  const problem = await (failure as ResponseError).response.json();
  check(problem.code === ProblemCode.KEY_REVOKED, 'the problem has a code');
};

use().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
