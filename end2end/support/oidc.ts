// Starts oidc-provider for a server of the tests.

import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const SCRIPT = path.join(path.dirname(fileURLToPath(import.meta.url)), 'oidc_provider.mjs');
const CLIENT = { client_id: 'latchkey', client_secret: 'a-secret-of-the-tests-alone' };

/** The claims of each person by subject. */
export type Accounts = Record<string, Record<string, unknown>>;

/** A provider, and the settings of a server that uses it. */
export class OidcProvider {
  private constructor(
    private readonly child: ChildProcess,
    readonly settings: Record<string, string>,
  ) {}

  /** Starts a provider for a server on a free port. */
  static async start(accounts: Accounts): Promise<OidcProvider> {
    const port = await freePort();
    const origin = `http://127.0.0.1:${port}`;
    const config = { ...CLIENT, callback: `${origin}/sign-in/sso/callback`, accounts };
    const child = spawn(process.execPath, [SCRIPT, JSON.stringify(config)], { stdio: ['pipe', 'pipe', 'ignore'] });
    const issuer = await new Promise<string>((resolve, reject) => {
      child.stdout.once('data', (line: Buffer) => resolve(line.toString().trim()));
      child.once('exit', (code) => reject(new Error(`oidc-provider ended with ${code}`)));
    });
    return new OidcProvider(child, {
      LATCHKEY_LISTEN: `127.0.0.1:${port}`,
      LATCHKEY_PUBLIC_URL: origin,
      LATCHKEY_OIDC_ISSUER: issuer,
      LATCHKEY_OIDC_CLIENT_ID: CLIENT.client_id,
      LATCHKEY_OIDC_CLIENT_SECRET: CLIENT.client_secret,
      LATCHKEY_OIDC_NAME: 'Sign in with Acme',
      LATCHKEY_OIDC_ALLOWED_DOMAINS: 'acme.example',
      LATCHKEY_OIDC_TENANT_CLAIM: 'tenant',
      LATCHKEY_OIDC_ROLE_CLAIM: 'groups',
      LATCHKEY_OIDC_ROLE_MAP: 'latchkey-admins=tenant_admin,staff=member',
    });
  }

  /** Stops the provider. */
  stop(): void {
    this.child.kill();
  }
}

async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const listener = createServer();
    listener.once('error', reject);
    listener.listen(0, '127.0.0.1', () => {
      const address = listener.address();
      listener.close(() => (address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port'))));
    });
  });
}
