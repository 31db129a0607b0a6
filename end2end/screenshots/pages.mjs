// The pages, dialogs and states of which screenshots are taken. Names, roles and addresses are those of the demo (server/src/demo).

const LIST = '/tenant-api-keys';
const WAREHOUSE = 'Warehouse management system – Rotterdam and Antwerp distribution centres, inbound and outbound';
const LONG = 'Long';

/** Opens a page and waits for its script, if it has one. */
async function visit(page, path) {
  await page.goto(path);
  await page.waitForFunction(() => !document.querySelector('script[type="module"]') || document.documentElement.dataset.script !== undefined);
}

/** The path of a key's page. */
async function pathOf(page, name, tenant = '') {
  await page.goto(`${LIST}?q=${encodeURIComponent(name)}${tenant}`);
  const edit = await page.getByRole('link', { name: `Edit ${name}`, exact: true }).getAttribute('href');
  return edit.split('/edit')[0];
}

async function openDialog(page, name, dialog) {
  await visit(page, `${await pathOf(page, name)}/${dialog}`);
  await page.locator('dialog:modal').waitFor();
}

async function fillForm(page, { name, description, expires, allowlist }) {
  if (name) await page.getByLabel('Key Name', { exact: true }).fill(name);
  if (description) await page.getByLabel(/^Description/).fill(description);
  if (expires) await page.getByLabel(/^Expiration Date/).fill(expires);
  if (allowlist) await page.getByLabel(/^IP Allowlist/).fill(allowlist);
}

const inDays = (days) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);

const at = (path) => (page) => visit(page, path);

async function selectThree(page) {
  await visit(page, LIST);
  for (const name of ['Label printer, dock 4', 'Partner feed (Kestrel)', 'Legacy SOAP bridge']) {
    await page.getByRole('checkbox', { name: `Select ${name}`, exact: true }).check();
  }
  await page.getByRole('region', { name: 'Selected keys' }).waitFor();
}

async function secret(page) {
  await openDialog(page, 'Label printer, dock 4', 'rotate');
  await page.getByRole('button', { name: 'Rotate', exact: true }).click();
  await page.getByText('This secret will not be shown again.').waitFor();
}

async function auditLog(page) {
  await visit(page, '/audit-log');
  await page.locator('details summary').filter({ hasText: 'Warehouse' }).first().click();
  await page.evaluate(() => scrollTo(0, 0));
}

async function groupPath(page, name) {
  await page.goto('/authorization-groups');
  return (await page.getByRole('link', { name, exact: true }).first().getAttribute('href')).split('?')[0];
}

async function groupEffect(page) {
  await visit(page, await groupPath(page, 'Orders read/write'));
  await page.getByRole('textbox', { name: 'Permissions' }).fill('orders:read\norders:cancel');
  await page.getByRole('button', { name: 'Check', exact: true }).click();
  await page.locator('#effect').waitFor();
}

async function editPreview(page) {
  await openDialog(page, WAREHOUSE, 'edit');
  await page.getByLabel(/^IP Allowlist/).fill('192.0.2.7\n203.0.113.0/24');
  const effect = page.locator('#allowlist-effect').getByText('would be refused');
  await effect.waitFor();
  await effect.evaluate((text) => text.scrollIntoView({ block: 'center' }));
}

async function trial(page) {
  await visit(page, await pathOf(page, WAREHOUSE));
  await page.getByLabel('From address').fill('203.0.113.9');
  await page.getByRole('button', { name: 'Check', exact: true }).click();
  await page.locator('.verdict').waitFor();
}

const admin = (name, open, more = {}) => ({ name, as: 'administrator', open, ...more });
const operator = (name, open, more = {}) => ({ name, as: 'operator', open, ...more });
const dialog = { isDialog: true };

/** The demo as it starts. */
export const PAGES = [
  { name: 'sign-in', as: 'nobody', open: at('/sign-in') },
  {
    name: 'sign-in-refused',
    as: 'nobody',
    open: async (page) => {
      await visit(page, '/sign-in');
      await page.getByLabel('Email').fill('mira@acme.example');
      await page.getByLabel('Password').fill('not the password');
      await page.getByRole('button', { name: 'Sign in', exact: true }).click();
      await page.getByText('Email or password is wrong.').waitFor();
    },
  },
  admin('list', at(LIST)),
  admin('list-filtered', at(`${LIST}?status=active&expiration=expiring_soon`)),
  admin('list-no-match', at(`${LIST}?status=revoked&expiration=expiring_soon&q=erp`)),
  admin('list-selection', selectThree, dialog),
  admin(
    'list-filters-sheet',
    async (page) => {
      await visit(page, LIST);
      const filters = page.getByRole('button', { name: 'Filters', exact: true });
      if (await filters.isVisible()) await filters.click();
    },
    dialog,
  ),
  admin(
    'menu',
    async (page) => {
      await visit(page, LIST);
      const menu = page.getByRole('button', { name: 'Menu', exact: true });
      if (await menu.isVisible()) await menu.click();
      await page.getByRole('button', { name: 'mira@acme.example' }).click();
    },
    dialog,
  ),
  admin('edit', (page) => openDialog(page, 'ERP nightly sync', 'edit'), dialog),
  admin('edit-preview', editPreview, dialog),
  admin(
    'edit-errors',
    async (page) => {
      await openDialog(page, 'ERP nightly sync', 'edit');
      await fillForm(page, { name: 'x', allowlist: '0.0.0.0/0\n10.0.0.0/33' });
      await page.getByRole('button', { name: 'Save', exact: true }).last().click();
      await page.getByRole('alert').first().waitFor();
    },
    dialog,
  ),
  admin(
    'edit-discard',
    async (page) => {
      await openDialog(page, 'ERP nightly sync', 'edit');
      await fillForm(page, { name: 'ERP hourly sync' });
      await page.keyboard.press('Escape');
      await page.getByText('Discard changes?').waitFor();
      await page.getByRole('button', { name: /^Discard/ }).waitFor();
    },
    dialog,
  ),
  admin('rotate', (page) => openDialog(page, 'Partner feed (Kestrel)', 'rotate'), dialog),
  admin('revoke', (page) => openDialog(page, 'Partner feed (Kestrel)', 'revoke'), dialog),
  admin(
    'revoke-several',
    async (page) => {
      await selectThree(page);
      await page.getByRole('link', { name: 'Revoke 3 keys', exact: true }).click();
      await page.locator('dialog:modal').waitFor();
    },
    dialog,
  ),
  admin('generate', at(`${LIST}/new`)),
  admin('generate-preset', async (page) => {
    await visit(page, `${LIST}/new`);
    await fillForm(page, { name: 'Mobile app', description: 'Read the orders of a customer', expires: inDays(90), allowlist: '203.0.113.24\n0.0.0.0/0' });
  }),
  admin('generate-errors', async (page) => {
    await visit(page, `${LIST}/new`);
    await fillForm(page, { expires: inDays(-1), allowlist: '203.0.113.24\n10.0.0.0/33\nserver.example' });
    await page.getByRole('button', { name: 'Generate', exact: true }).click();
    await page.getByRole('alert').first().waitFor();
  }),
  admin('key', async (page) => visit(page, await pathOf(page, WAREHOUSE))),
  admin('key-in-use', async (page) => visit(page, await pathOf(page, 'ERP nightly sync'))),
  admin('key-expired', async (page) => visit(page, await pathOf(page, 'Legacy SOAP bridge'))),
  admin('key-unused', async (page) => visit(page, await pathOf(page, 'Label printer, dock 4'))),
  admin('key-revoked', async (page) => {
    await page.goto(`${LIST}?status=revoked`);
    await page.getByRole('link', { name: 'Zapier', exact: true }).click();
    await page.getByRole('heading', { level: 1, name: 'Zapier' }).waitFor();
  }),
  admin('key-trial', trial),
  admin('audit-log', at('/audit-log')),
  admin('audit-log-entry', auditLog),
  admin('audit-log-empty', at('/audit-log?q=nothing')),
  admin('groups', at('/authorization-groups')),
  admin('group-new', at('/authorization-groups/new')),
  admin('group-edit', groupEffect),
  admin('group-errors', async (page) => {
    await visit(page, '/authorization-groups/new');
    await page.getByRole('textbox', { name: 'Permissions' }).fill('orders:read\nOrders Write');
    await page.getByRole('button', { name: 'Create group', exact: true }).last().click();
    await page.getByRole('alert').first().waitFor();
  }),
  admin('group-delete', async (page) => visit(page, `${await groupPath(page, 'Orders read/write')}/delete`)),
  admin('users', at('/users')),
  admin('user-invite', at('/users/invite')),
  admin('user-link', async (page) => {
    await visit(page, '/users/invite');
    await page.getByLabel('E-mail address').fill('sanne.vos@acme.example');
    await page.getByRole('button', { name: 'Create invitation', exact: true }).click();
    await page.getByRole('textbox', { name: 'Link' }).waitFor();
  }),
  admin('account', at('/account')),
  admin('help', at('/help'), dialog),
  admin('help-code', at('/help#ip_not_allowed'), dialog),
  admin('api-docs', at('/api/docs'), dialog),
  admin('not-found', at('/nothing/here')),
  operator('tenants', at('/tenants')),
  operator('tenants-no-match', at('/tenants?q=nothing')),
  operator('tenant-unknown', at(`${LIST}?tenant=nope`)),
  operator('tenant-list', at(`${LIST}?tenant=acme`)),
  operator('tenant-revoke', async (page) => {
    await visit(page, `${await pathOf(page, 'Shopify connector', '&tenant=northwind')}/revoke?tenant=northwind`);
    await page.locator('dialog:modal').waitFor();
  }, dialog),
  operator('installation-log', at('/installation-log')),
];

/** Changes of the demo's data, each with the pages that show it. */
export const CHANGES = [
  {
    as: 'administrator',
    change: async (page) => {
      await visit(page, '/authorization-groups/new');
      await page.getByRole('textbox', { name: 'Name' }).fill(`${LONG} ${'authorization group with a name of many words '.repeat(2)}`.trim().slice(0, 100));
      const permissions = Array.from({ length: 40 }, (_, index) => `warehouse-management-${index}:read-write-and-archive`);
      await page.getByRole('textbox', { name: 'Permissions' }).fill(permissions.join('\n'));
      await page.getByRole('button', { name: 'Create group', exact: true }).last().click();
      await page.getByRole('table').waitFor();
      for (const name of [`${LONG}${'WithoutSpace'.repeat(8)}`, `${LONG} <b>name</b> & "quotes" ${'with many words '.repeat(5)}`]) {
        await visit(page, `${LIST}/new`);
        await fillForm(page, {
          name: name.trim().slice(0, 100),
          description: 'A description of the full length. '.repeat(30).trim().slice(0, 1_000),
          allowlist: Array.from({ length: 60 }, (_, index) => `2001:db8:${index + 1}::/48`).join('\n'),
        });
        await page.getByLabel('Authorization Group', { exact: true }).selectOption({ index: 2 });
        await page.getByRole('button', { name: 'Generate', exact: true }).click();
        await page.getByRole('button', { name: 'Copy', exact: true }).click();
        await page.getByRole('button', { name: 'Close', exact: true }).click();
      }
    },
    pages: [
      admin('long-list', at(`${LIST}?q=${LONG}`)),
      admin('long-key', async (page) => {
        await page.goto(`${LIST}?q=${LONG}`);
        await page.getByRole('row').filter({ hasText: 'WithoutSpace' }).getByRole('link', { name: /^Edit / }).first().waitFor();
        const href = await page.getByRole('link', { name: /^Edit LongWithout/ }).getAttribute('href');
        await visit(page, href.split('/edit')[0]);
      }),
      admin(
        'long-edit',
        async (page) => {
          await page.goto(`${LIST}?q=${LONG}`);
          await visit(page, (await page.getByRole('link', { name: /^Edit LongWithout/ }).getAttribute('href')).split('?')[0]);
          await page.locator('dialog:modal').waitFor();
        },
        dialog,
      ),
      admin('long-groups', at('/authorization-groups')),
      admin('long-audit-log', at('/audit-log?q=Long')),
      admin('secret', secret, dialog),
      admin(
        'secret-question',
        async (page) => {
          await secret(page);
          await page.getByRole('button', { name: 'Close', exact: true }).click();
          await page.getByText('Close without copying?').waitFor();
        },
        dialog,
      ),
    ],
  },
  {
    as: 'administrator',
    change: async (page) => {
      for (const name of ['Till 1', 'Till 2']) {
        await visit(page, `${LIST}/new`);
        await fillForm(page, { name });
        await page.getByLabel('Authorization Group', { exact: true }).selectOption({ index: 1 });
        await page.getByRole('button', { name: 'Generate', exact: true }).click();
        await page.getByRole('button', { name: 'Copy', exact: true }).click();
        await page.getByRole('button', { name: 'Close', exact: true }).click();
      }
    },
    pages: [admin('limit-list', at(LIST)), admin('limit-generate', at(`${LIST}/new`))],
  },
];

/** The pictures of docs/screenshots. */
export const VISITOR_PAGES = [
  admin('list', at(LIST)),
  admin('list-dark', at(LIST), { scheme: 'dark' }),
  admin('list-phone', at(LIST), { isPhone: true }),
  admin('key', async (page) => visit(page, await pathOf(page, WAREHOUSE))),
  admin('key-would-it-pass', async (page) => {
    await trial(page);
    await page.getByRole('heading', { name: 'Would it pass?' }).evaluate((heading) => heading.scrollIntoView());
  }),
  admin('allowlist-preview', editPreview),
  admin('audit-log', async (page) => {
    await visit(page, '/audit-log?q=warehouse');
    await page.locator('details summary').first().click();
  }),
  admin('group-edit', groupEffect),
  admin('revoke-several', async (page) => {
    await selectThree(page);
    await page.getByRole('link', { name: 'Revoke 3 keys', exact: true }).click();
    await page.locator('dialog:modal').waitFor();
  }),
  admin('secret', secret),
];
