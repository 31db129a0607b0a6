// The guide, and the ways to it.

import { ConsolePage, open } from './console_page';
import { expect, test } from './fixtures';

test('the menu leads to the guide, whose contents lead to each section', async ({ adminPage: page }) => {
  const keys = new ConsolePage(page);
  await keys.openList();
  await page.getByRole('navigation', { name: 'Help' }).getByRole('link', { name: 'Help' }).click();
  await expect(page).toHaveURL('/help');
  await expect(page.getByRole('heading', { level: 1, name: 'Guide for tenant administrators' })).toBeVisible();
  await expect(page.getByRole('navigation', { name: 'Help' }).getByRole('link', { name: 'Help' })).toHaveAttribute('aria-current', 'page');
  const contents = page.getByRole('navigation', { name: 'On this page' });
  await page.setViewportSize({ width: 1440, height: 900 });
  await contents.getByRole('link', { name: 'ip_not_allowed' }).click();
  await expect(page).toHaveURL('/help#ip_not_allowed');
  await expect(page.getByRole('heading', { name: 'ip_not_allowed' })).toBeInViewport();
  await page.goBack();
  await page.goBack();
  await expect(page).toHaveURL('/tenant-api-keys');
});

test('a verdict on the page of a key leads to the remedy', async ({ adminPage: page, tenant }) => {
  const key = await tenant.key('ERP nightly sync', { allow: ['10.0.0.0/8'] });
  await open(page, `/tenant-api-keys/${key.id}?ip=203.0.113.9`);
  await page.getByRole('link', { name: 'What to do' }).click();
  await expect(page).toHaveURL('/help#ip_not_allowed');
  await expect(page.getByRole('heading', { name: 'ip_not_allowed' })).toBeInViewport();
});

test('a pasted secret never reaches the address, the history or the server', async ({ adminPage: page, tenant }) => {
  const key = await tenant.key('ERP nightly sync');
  await tenant.key('Another key');
  const sent: string[] = [];
  page.on('request', (request) => sent.push(request.url(), request.postData() ?? ''));
  const keys = new ConsolePage(page);
  await keys.openList();
  await keys.search().fill(` ${key.secret} `);
  const end = key.secret.slice(-4);
  await expect(page).toHaveURL(`/tenant-api-keys?q=${end}`);
  await expect(keys.search()).toHaveValue(end);
  await expect(keys.names()).toHaveText(['ERP nightly sync']);
  expect(sent.length).toBeGreaterThan(0);
  expect(sent.filter((text) => text.includes(key.secret.slice(3, -4)))).toEqual([]);
});
