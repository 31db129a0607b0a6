// The browser that the journeys run in: Debian's, since Playwright's own download is not to be had everywhere.

/** The path of Chromium; `LATCHKEY_CHROMIUM` names another. */
export const CHROMIUM = process.env.LATCHKEY_CHROMIUM ?? '/usr/bin/chromium';

/** A name of this machine that a browser does not trust as it trusts localhost: pages on it have no clipboard API. */
export const PLAIN_HTTP_NAME = 'keys.acme.example';

/** What makes Chromium quiet, and start in a container. */
export const CHROMIUM_ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  `--host-resolver-rules=MAP ${PLAIN_HTTP_NAME} 127.0.0.1`,
];
