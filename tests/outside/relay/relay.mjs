// Compiles Relay documents against schema.graphql, then sends what the compiler printed to the server.
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { createClient } from 'graphql-ws';
import relayCompiler from 'relay-compiler';
import { WebSocket } from 'ws';

import { assert, check, finish } from '../lib/checks.mjs';
import { credentials, graphqlUrl, path, post, token } from '../lib/server.mjs';

const require = createRequire(import.meta.url);
const run = promisify(execFile);
const here = fileURLToPath(new URL('.', import.meta.url));
const schema = path('LABQL_SCHEMA', 'schema.graphql');

const work = await mkdtemp(join(tmpdir(), 'labql-relay-'));
const artifacts = join(work, 'artifacts');
try {
  await check('relay: the compiler accepts @connection, @refetchable, a mutation and a subscription', compile);
  await checkOperations();
} finally {
  await rm(work, { recursive: true, force: true });
}
finish();

async function compile() {
  await mkdir(artifacts);
  await cp(join(here, 'src'), join(work, 'src'), { recursive: true });
  await cp(schema, join(work, 'schema.graphql'));
  await symlink(join(here, '../node_modules'), join(work, 'node_modules'));
  await writeFile(join(artifacts, 'package.json'), '{ "type": "commonjs" }');
  const config = { src: 'src', schema: 'schema.graphql', language: 'javascript', artifactDirectory: 'artifacts', eagerEsModules: false };
  await writeFile(join(work, 'relay.config.json'), JSON.stringify(config));
  try {
    await run(relayCompiler, ['relay.config.json'], { cwd: work });
  } catch (error) {
    throw new Error(`${error.stdout ?? ''}${error.stderr ?? error.message}`);
  }
  const names = await readdir(artifacts);
  assert(names.length >= 7, `too few artefacts: ${names.join(', ')}`);
}

async function checkOperations() {
  const page = await check('relay: a page of a connection', async () => {
    const { experiments } = await answer('operationsPageQuery', { count: 1 });
    assert(experiments.edges.length === 1, 'the demo lab has no experiment');
    assert(typeof experiments.edges[0].node.id === 'string', 'a node without id');
    return experiments;
  });

  await check('relay: the next page through the @refetchable query', async () => {
    const { experiments } = await answer('operationsExperimentsPaginationQuery', {
      count: 1,
      cursor: page.pageInfo.endCursor,
    });
    assert(Array.isArray(experiments.edges), 'no edges');
  });

  await check('relay: one object again, through node(id:)', async () => {
    const { id, expid } = page.edges[0].node;
    const { node } = await answer('operationsExperimentRefetchQuery', { id, jobs: 2 });
    assert(node?.expid === expid, `node(id:) gave ${JSON.stringify(node)}`);
  });

  await check('relay: a mutation', async () => {
    const { username } = credentials();
    const { login } = await answer('operationsLoginMutation', { input: credentials() });
    assert(login.user?.username === username, JSON.stringify(login.errors));
  });

  await check('relay: a subscription', async () => {
    const client = createClient({
      url: graphqlUrl.replace(/^http/, 'ws'),
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${token()}` },
      retryAttempts: 0,
    });
    const query = printed('operationsExperimentUpdatesSubscription');
    for await (const { data, errors } of client.iterate({ query, variables: { after: 'beginning' } })) {
      assert(!errors, JSON.stringify(errors));
      assert(data.experimentUpdates.cursor, 'an event without a cursor');
      break;
    }
    await client.dispose();
  });
}

/** The text that Relay would send. */
function printed(name) {
  return require(join(artifacts, `${name}.graphql.js`)).params.text;
}

async function answer(name, variables) {
  const { data, errors } = await post(printed(name), variables);
  assert(!errors, JSON.stringify(errors));
  return data;
}
