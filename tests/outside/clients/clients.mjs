// Client libraries that lose their connection, and their server, and end with exactly what the log says.
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { assert, check, finish } from '../lib/checks.mjs';
import { openLab } from './lab.mjs';
import { openProxy } from '../lib/proxy.mjs';
import { subscribers } from './subscribers.mjs';

const QUERY = 'subscription Follow($after: String) { events(after: $after) { cursor recordedAt topic subject kind } }';
const PAGE = `query Page($after: String) {
  events(after: $after, first: 7) { nextCursor pageInfo { hasNextPage } edges { cursor node { cursor recordedAt topic subject kind } } }
}`;
const CREATE_KEY = `mutation ($label: String!) {
  createApiKey(input: { label: $label }) { secret apiKey { id } errors { message } }
}`;
const REVOKE_KEY = 'mutation ($id: ID!) { revokeApiKey(input: { id: $id }) { errors { message } } }';
const RUN_WORKER = 'mutation ($name: String!) { runWorker(input: { name: $name }) { errors { message } } }';

const DOCS = new URL('../../../docs/', import.meta.url);
const PATIENCE_MS = 90_000;
/** Enough for the acknowledgement and some changes. */
const BYTES_OF_A_TORN_CONNECTION = 4000;
const CHANGES_IN_A_STORM = 60;

const lab = await openLab();
const proxy = await openProxy(lab.url);
const followers = Object.entries(subscribers).map(([name, subscribe]) => begin(name, subscribe));

try {
  await eachHas('reads the log from its beginning');

  await change(3);
  await eachHas('hears changes as they happen');

  proxy.cut();
  await change(10);
  proxy.mend();
  await eachHas('comes back when its connection was cut, and hears what it missed');

  proxy.tearAfter(BYTES_OF_A_TORN_CONNECTION);
  await change(CHANGES_IN_A_STORM);
  await eachHas('goes on through connections that are torn in the middle of messages');
  proxy.mend();

  const status = await lab.stop();
  await check('clients: the server ends well while they listen', async () => assert(status === 0, `its status is ${status}`));
  for (const { name, closings } of followers.filter(({ closings }) => closings.length > 0)) {
    await check(`${name}: is told that the server restarts`, async () => {
      const { code, reason } = closings.at(-1);
      assert(code === 1012 && /your last cursor/.test(reason), `closed with ${code} ${reason}`);
    });
  }
  await lab.start();
  proxy.target = lab.url;
  await change(3);
  await eachHas('comes back when the server was restarted');

  await exactly();
  for (const follower of followers) follower.stop();
  await refusals();
  await guide();
} finally {
  proxy.close();
  await lab.close();
}
finish();

/** Starts a subscriber that reads the log from its beginning. */
function begin(name, subscribe) {
  const heard = [];
  const closings = [];
  // Apollo Client asks for type names too.
  const next = ({ data: { events: { __typename, ...event } } }) => heard.push(event);
  const options = { url: `${proxy.url}/graphql`, authorization: `Bearer ${lab.token}`, request: { query: QUERY, after: 'beginning' } };
  const { ended, stop } = subscribe({ ...options, next, onClosed: (event) => closings.push(event) });
  const follower = { name, heard, closings, stop, end: null };
  ended.then(
    () => (follower.end = new Error('it ended')),
    (reason) => (follower.end = reason),
  );
  return follower;
}

/** Makes so many keys, revokes every other one, and asks for runs in between: changes of several kinds. */
async function change(times) {
  const { workers } = await lab.ask('{ workers { name } }');
  for (let time = 0; time < times; time += 1) {
    const { createApiKey } = await lab.ask(CREATE_KEY, { label: `key ${time}` });
    assert(createApiKey.errors.length === 0, JSON.stringify(createApiKey.errors));
    await lab.ask(REVOKE_KEY, { id: createApiKey.apiKey.id });
    if (time % 10 === 0) await lab.ask(RUN_WORKER, { name: workers[0].name });
  }
}

/** The log as the query shows it, page by page. */
async function log() {
  const events = [];
  for (let after = 'beginning'; ; ) {
    const page = (await lab.ask(PAGE, { after })).events;
    for (const { cursor, node } of page.edges) {
      assert(cursor === node.cursor, 'an edge and its change have different cursors');
      events.push(node);
    }
    after = page.nextCursor;
    if (!page.pageInfo.hasNextPage) return events;
  }
}

/** One check for each follower: that it gets to where the log is now. */
async function eachHas(what) {
  const { cursor } = (await log()).at(-1);
  for (const follower of followers) {
    await check(`${follower.name}: ${what}`, async () => {
      const isThere = () => follower.heard.some((event) => event.cursor === cursor);
      for (let waited = 0; !isThere() && waited < PATIENCE_MS; waited += 50) {
        if (follower.end) throw describe(follower.end);
        await sleep(50);
      }
      assert(isThere(), `${follower.heard.length} changes so far, and the newest is not among them`);
    });
  }
}

/** The log may have grown since: what a follower has heard beyond it is none of this. */
async function exactly() {
  const events = await log();
  console.log(`# ${events.length} changes`);
  for (const { name, heard } of followers) {
    await check(`${name}: has heard what the log says: no gap, no repeat`, async () => {
      events.forEach((event, place) => {
        const found = JSON.stringify(heard[place]);
        assert(found === JSON.stringify(event), `change ${place}: ${found} instead of ${JSON.stringify(event)}`);
      });
    });
  }
}

/** What does not pass is an end, and not a reason to come back for ever. */
async function refusals() {
  const ending = ['graphql-ws, followed', 'graphql-sse, followed', 'gql for Python'];
  for (const name of ending) {
    const run = (options) =>
      subscribers[name]({ url: `${lab.url}/graphql`, authorization: `Bearer ${lab.token}`, next() {}, ...options }).ended.then(
        () => assert(false, 'it ended without an error'),
        (reason) => describe(reason).message,
      );
    await check(`${name}: a cursor of no log is an end`, async () => {
      const message = await run({ request: { query: QUERY, after: 'x' } });
      assert(/not a cursor/.test(message), message);
    });
    await check(`${name}: a token that is not accepted is an end`, async () => {
      const message = await run({ authorization: 'Bearer x', request: { query: QUERY, after: 'beginning' } });
      assert(/4403|401/.test(message), message);
    });
    await check(`${name}: a key that is revoked while it listens is an end`, async () => {
      const { createApiKey } = await lab.ask(CREATE_KEY, { label: 'soon revoked' });
      const { id } = createApiKey.apiKey;
      let revoking;
      const message = await run({
        authorization: `FPS_API APIKEY=${createApiKey.secret}`,
        request: { query: QUERY, after: 'beginning' },
        next: () => (revoking ??= lab.ask(REVOKE_KEY, { id })),
      });
      assert(/4403|no longer valid/.test(message), message);
    });
  }
}

/** The guide shows the files that were run here. */
async function guide() {
  const text = await readFile(new URL('guide.md', DOCS), 'utf8');
  for (const name of ['follow.mjs', 'follow.py']) {
    await check(`the guide shows ${name} as it is`, async () => {
      const code = await readFile(new URL(`examples/${name}`, DOCS), 'utf8');
      assert(text.includes(`\n${code}\`\`\`\n`), 'they differ');
    });
  }
}

/** An error, whatever a library makes of it. */
function describe(reason) {
  if (reason instanceof Error) return reason;
  if (reason?.code) return new Error(`closed with ${reason.code} ${reason.reason}`);
  return new Error(reason?.message ?? JSON.stringify(reason));
}
