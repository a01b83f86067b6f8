// Drives the playground in Chromium with the network cut off from everything but the server.
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { chromium } from 'playwright-core';

import { assert, check, finish } from '../lib/checks.mjs';
import { credentials, url } from '../lib/server.mjs';

const SCREENSHOT = process.env.LABQL_SCREENSHOT ?? join(tmpdir(), 'labql-playground.png');
const WAIT_MS = 60_000;

const { host } = new URL(url);
const { username, password } = credentials();
const profile = await mkdtemp(join(tmpdir(), 'labql-chromium-'));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: executable(),
  headless: true,
  // Chromium's own sandbox needs rights that containers and root do not give; the page is our own.
  chromiumSandbox: false,
  viewport: { width: 1440, height: 900 },
  args: [
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    `--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE ${new URL(url).hostname}`,
  ],
});

try {
  const page = browser.pages()[0] ?? (await browser.newPage());
  page.setDefaultTimeout(WAIT_MS);
  await drive(page);
} finally {
  await browser.close();
  await rm(profile, { recursive: true, force: true });
}
finish();

async function drive(page) {
  const strangers = [];
  const sockets = [];
  const complaints = [];
  browser.on('request', (request) => {
    if (isStranger(request.url())) strangers.push(request.url());
  });
  page.on('websocket', (socket) => {
    sockets.push(socket.url());
    if (isStranger(socket.url())) strangers.push(socket.url());
  });
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  // Chromium writes a violation of the Content-Security-Policy to the console as an error.

  const result = page.locator('.graphiql-response .view-lines');
  const bar = page.locator('.session-bar');

  await check('playground: the page opens without the trailing slash and without the internet', async () => {
    await page.goto(`${url}/playground`);
    await page.getByRole('tab', { name: 'ExperimentPage' }).waitFor();
    await page.locator('.graphiql-query-editor .view-line').first().waitFor();
  });

  await check('playground: it is served with a Content-Security-Policy that allows no inline script', async () => {
    const policy = (await page.request.get(`${url}/playground/`)).headers()['content-security-policy'] ?? '';
    assert(/default-src 'none'/.test(policy), `the policy is: ${policy || 'none'}`);
    assert(!/script-src[^;]*unsafe/.test(policy), `the policy is: ${policy}`);
  });

  await check('playground: a wrong password is refused in words', async () => {
    await logIn(bar, username, `${password}-wrong`);
    await bar.getByRole('alert').filter({ hasText: /\S/ }).waitFor();
  });

  await check('playground: user name and password log in, and the bar says who and until when', async () => {
    await logIn(bar, username, password);
    await bar.getByText(`Logged in as ${username}`).waitFor();
    await bar.locator('time[datetime]').waitFor();
  });

  await check('playground: nothing of the login is in the address or outlives the tab', async () => {
    const session = JSON.parse(await page.evaluate(() => sessionStorage.getItem('labql:session')));
    const lasting = await page.evaluate(() => JSON.stringify(localStorage));
    for (const secret of [session.token, password]) {
      assert(!page.url().includes(secret), 'it is in the address');
      assert(!lasting.includes(secret), 'it is in localStorage');
    }
  });

  await check('playground: the documentation shows the schema', async () => {
    await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
    await page.getByRole('link', { name: 'Subscription' }).waitFor();
    await page.getByRole('button', { name: 'Hide Documentation Explorer' }).click();
  });

  await check('playground: an example query is answered in the result pane', async () => {
    await page.getByRole('tab', { name: 'ExperimentPage' }).click();
    await page.getByRole('button', { name: /^Execute query/ }).click();
    await shown(result, '"experiments"', '"nodes"').waitFor();
    assert(!/"errors"/.test(await result.innerText()), await result.innerText());
  });

  await page.screenshot({ path: SCREENSHOT });
  console.log(`# screenshot: ${SCREENSHOT}`);

  await check('playground: an example opens from the side bar in a tab of its own', async () => {
    const tabs = await page.getByRole('tab').count();
    await page.getByRole('button', { name: 'Show Examples' }).click();
    await page.getByRole('region', { name: 'Examples' }).getByRole('button', { name: /^FailedJobs/ }).click();
    await page.getByRole('tab', { name: 'FailedJobs' }).nth(1).waitFor();
    assert((await page.getByRole('tab').count()) === tabs + 1, 'no tab was added');
    await page.getByRole('button', { name: 'Hide Examples' }).click();
  });

  await check('playground: an example subscription shows an event that came over the WebSocket', async () => {
    await page.getByRole('tab', { name: 'ExperimentUpdates' }).click();
    await page.getByRole('button', { name: /^Execute query/ }).click();
    await shown(result, '"experimentUpdates"', '"cursor"').waitFor();
    assert(sockets.some((socket) => new URL(socket).pathname === '/graphql'), `sockets: ${sockets.join(', ')}`);
    await page.getByRole('button', { name: /^Stop query/ }).click();
  });

  await check('playground: a reloaded page goes on as the same user', async () => {
    await page.reload();
    await bar.getByText(`Logged in as ${username}`).waitFor();
  });

  await check('playground: logging out forgets the token', async () => {
    await bar.getByRole('button', { name: 'Log out' }).click();
    await bar.getByRole('form', { name: 'Log in' }).waitFor();
    assert((await page.evaluate(() => sessionStorage.getItem('labql:session'))) === null, 'it is still there');
  });

  await check('playground: every request went to the server', async () => {
    assert(strangers.length === 0, strangers.join(', '));
  });

  await check('playground: the console shows no error and no violation of the policy', async () => {
    assert(complaints.length === 0, complaints.join(' | '));
  });
}

/** The pane once it shows all these words. The editor reuses its lines: their order in the document says nothing. */
function shown(pane, ...words) {
  return words.reduce((found, word) => found.filter({ hasText: word }), pane);
}

async function logIn(bar, name, secret) {
  await bar.getByLabel('User name').fill(name);
  await bar.getByLabel('Password').fill(secret);
  await bar.getByRole('button', { name: 'Log in', exact: true }).click();
}

function isStranger(address) {
  const { protocol, host: target } = new URL(address);
  return !['data:', 'blob:'].includes(protocol) && target !== host;
}

function executable() {
  const candidates = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
  const found = candidates.find((candidate) => candidate && existsSync(candidate));
  if (!found) throw new Error('no Chromium: install it, or name it in CHROMIUM');
  return found;
}
