// The tests run in Debian's Chromium, because Playwright's own download is not available everywhere.

/** The path of Chromium; `LATCHKEY_CHROMIUM` names another. */
export const CHROMIUM = process.env.LATCHKEY_CHROMIUM ?? '/usr/bin/chromium';

/** A host name of this machine that is no secure context, unlike localhost: its pages have no clipboard API. */
export const PLAIN_HTTP_NAME = 'keys.acme.example';

/** Arguments that silence Chromium and let it start in a container. */
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
