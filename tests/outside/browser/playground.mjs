// Drives the playground in Chromium with the network cut off from everything but the server.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import { chromium } from 'playwright-core';

import { assert, check, finish } from '../lib/checks.mjs';
import { openProxy } from '../lib/proxy.mjs';
import { credentials, post, url as server } from '../lib/server.mjs';

const SCREENSHOT = process.env.LABQL_SCREENSHOT ?? join(tmpdir(), 'labql-playground.png');
const WAIT_MS = 60_000;
/** The Autosubmit root of the demo lab that the server mirrors. */
const LAB = process.env.LABQL_LAB;
const JOB_LIST = 'a4hr/db/job_list.db';

const run = promisify(execFile);

// The page is opened through a network that can fail.
const proxy = await openProxy(server);
const { url } = proxy;
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
  proxy.close();
}
finish();

async function drive(page) {
  const strangers = [];
  const sockets = [];
  const complaints = [];
  let isCut = false;
  browser.on('request', (request) => {
    if (isStranger(request.url())) strangers.push(request.url());
  });
  page.on('websocket', (socket) => {
    sockets.push(socket.url());
    if (isStranger(socket.url())) strangers.push(socket.url());
  });
  page.on('console', (message) => {
    if (message.type() === 'error' && !isCut) complaints.push(message.text());
  });
  page.on('pageerror', (error) => {
    // GraphiQL shows the error of a subscription, and leaves a promise that it rejects too.
    if (!isCut) complaints.push(String(error));
  });
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

  await photograph(page);

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

  await check('playground: the subscription to workers shows a run that was asked for while it was open', async () => {
    const { workers } = (await post('{ workers { name } }')).data;
    const { name } = workers.at(-1);
    await page.getByRole('tab', { name: 'WorkerUpdates' }).click();
    await page.getByRole('button', { name: /^Execute query/ }).click();
    await during(() => command('runWorker', name), shown(result, '"workerUpdates"', name).waitFor());
    await photograph(page, 'workers');
  });

  await check('playground: the subscription goes on when its connection was cut, and shows what it missed', async () => {
    const { workers } = (await post('{ workers { name } }')).data;
    const { name } = workers.at(-1);
    // The browser writes to the console that it cannot connect.
    isCut = true;
    proxy.cut();
    await command('pauseWorker', name);
    try {
      await sleep(3000);
      proxy.mend();
      await shown(result, '"workerUpdates"', name, 'PAUSED').waitFor();
    } finally {
      isCut = false;
      await command('resumeWorker', name);
    }
    await page.getByRole('button', { name: /^Stop query/ }).click();
  });

  if (LAB) {
    await check('playground: the subscription to jobs shows a job that changed while it was open', async () => {
      const job = await someJob();
      await page.getByRole('tab', { name: 'JobUpdates' }).click();
      await page.getByRole('button', { name: /^Execute query/ }).click();
      await during(() => changeJob(job), shown(result, '"jobUpdates"', '"previousStatus"', job).waitFor());
      await photograph(page, 'jobs');
      await page.getByRole('button', { name: /^Stop query/ }).click();
    });
  }

  await check('playground: the log of changes shows them too', async () => {
    await page.getByRole('tab', { name: 'Events' }).click();
    await page.getByRole('button', { name: /^Execute query/ }).click();
    await shown(result, '"events"', '"topic"', '"subject"').waitFor();
    await page.getByRole('button', { name: /^Stop query/ }).click();
  });

  await check('playground: a reloaded page goes on as the same user', async () => {
    await page.reload();
    await bar.getByText(`Logged in as ${username}`).waitFor();
  });

  await check('playground: where no WebSocket can be opened, the result pane says so', async () => {
    await page.locator('.graphiql-query-editor .view-line').first().waitFor();
    // GraphiQL may show a tab twice after a reload: once as it was kept, and once as what was in the editor.
    await page.getByRole('tab', { name: 'Events' }).first().click();
    await page.locator('.graphiql-query-editor').filter({ hasText: 'subscription' }).waitFor();
    isCut = true;
    proxy.cut();
    await page.getByRole('button', { name: /^Execute query/ }).click();
    await shown(result, 'could not be opened').waitFor();
    await photograph(page, 'cut');
    proxy.mend();
    isCut = false;
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

/** SCREENSHOT, or a picture beside it. */
async function photograph(page, of) {
  const file = of ? SCREENSHOT.replace(/(\.\w+)?$/, `-${of}$1`) : SCREENSHOT;
  await page.screenshot({ path: file });
  console.log(`# screenshot: ${file}`);
}

/** Makes changes until one was noticed: the protocol does not tell when a subscription has begun. */
async function during(change, noticed) {
  let isOver = false;
  const over = noticed.finally(() => (isOver = true));
  // Whoever waits below hears of it.
  over.catch(() => {});
  while (!isOver) {
    await change();
    await Promise.race([over, sleep(2000)]);
  }
  await over;
}

/** An administrator's command to a background worker. */
async function command(mutation, name) {
  const query = `mutation ($name: String!) { ${mutation}(input: { name: $name }) { errors { message } } }`;
  const { data } = await post(query, { name });
  assert(data[mutation].errors.length === 0, JSON.stringify(data[mutation].errors));
}

/** A job that waits, of the experiment whose job list is a SQLite database. */
async function someJob() {
  const { stdout } = await sql(`SELECT name FROM jobs WHERE status = 'WAITING' ORDER BY name LIMIT 1`);
  return stdout.trim();
}

/** As Autosubmit would: the job waits, or is ready. */
function changeJob(name) {
  const status = `CASE status WHEN 'WAITING' THEN 'READY' ELSE 'WAITING' END`;
  return sql(`UPDATE jobs SET status = ${status} WHERE name = '${name}'`);
}

/** Runs a statement on the job list of the demo lab; gives the first column of the first row. */
function sql(statement) {
  const program = `
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=30) as jobs:
    for row in jobs.execute(sys.argv[2]):
        print(row[0])
`;
  return run(process.env.LABQL_PYTHON ?? 'python3', ['-c', program, join(LAB, JOB_LIST), statement]);
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
