// Runs oidc-provider for the tests of single sign-on, on a free loopback port. The argument is JSON: `client_id`, `client_secret`, `callback`, and
// `accounts`, the claims of each person by subject. Prints the issuer when it is ready, and stops when standard input ends.
//
// The sign-in page asks for the subject alone. `POST /rotate-keys` replaces the signing key.

import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';

import { Provider } from 'oidc-provider';

// Standard output has the issuer alone: its reader may have closed it.
console.info = console.error;

const { client_id, client_secret, callback, accounts } = JSON.parse(process.argv[2]);

let respond;
let rotateKeys;
const server = createServer((request, response) => void respond(request, response));
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  rotateKeys = () => (respond = provider(issuer));
  rotateKeys();
  process.stdout.write(`${issuer}\n`);
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));

let keys = 0;

/** A provider with a new signing key. */
function provider(issuer) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = { ...privateKey.export({ format: 'jwk' }), kid: `key-${++keys}`, use: 'sig', alg: 'RS256' };
  const provider = new Provider(issuer, {
    clients: [{ client_id, client_secret, redirect_uris: [callback], grant_types: ['authorization_code'], response_types: ['code'] }],
    jwks: { keys: [key] },
    cookies: { keys: ['a key of the tests'] },
    claims: { openid: ['sub', 'tenant', 'groups'], email: ['email', 'email_verified'], profile: ['name'] },
    features: { devInteractions: { enabled: false } },
    pkce: { required: () => true },
    interactions: { url: (context, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (context, subject) =>
      accounts[subject] && { accountId: subject, claims: () => ({ sub: subject, ...accounts[subject] }) },
    // Consents for the person.
    loadExistingGrant: async (context) => {
      const grant = new context.oidc.provider.Grant({
        clientId: context.oidc.client.clientId,
        accountId: context.oidc.session.accountId,
      });
      grant.addOIDCScope('openid email profile');
      await grant.save();
      return grant;
    },
  });
  const standard = provider.callback();
  return async (request, response) => {
    try {
      if (request.url === '/rotate-keys') {
        rotateKeys();
        response.writeHead(204).end();
      } else if (request.url.startsWith('/interaction/')) {
        await interact(provider, request, response);
      } else {
        await standard(request, response);
      }
    } catch (error) {
      response.writeHead(500, { 'content-type': 'text/plain' }).end(String(error));
    }
  };
}

/** The sign-in page of the provider. */
async function interact(provider, request, response) {
  if (request.method === 'GET') {
    response.writeHead(200, { 'content-type': 'text/html' }).end(
      '<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>Provider</title><main><h1>Provider</h1><form method="post">' +
        '<label>Person <input name="subject"></label><button>Continue</button></form></main></html>',
    );
    return;
  }
  let body = '';
  for await (const chunk of request) body += chunk;
  const subject = new URLSearchParams(body).get('subject');
  const result = accounts[subject] ? { login: { accountId: subject } } : { error: 'access_denied' };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}
