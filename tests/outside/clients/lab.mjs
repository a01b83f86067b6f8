// A demo laboratory of the suite's own, whose server may be restarted.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { path } from '../lib/server.mjs';

const READY_WITHIN_MS = 120_000;

/** Starts the server with a laboratory in a temporary folder. */
export async function openLab() {
  const folder = await mkdtemp(join(tmpdir(), 'labql-clients-'));
  const lab = { url: '', token: '', start, stop, ask, close };
  let server;

  async function start() {
    const ready = join(folder, 'ready');
    await rm(ready, { force: true });
    const options = ['demo', '--dir', join(folder, 'demo'), '--listen', '127.0.0.1:0', '--ready-file', ready];
    // What the environment says is for the server that the other suites ask.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('LABQL_')));
    server = spawn(path('LABQL_BINARY', 'target/debug/labql'), options, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let complaints = '';
    server.stderr.on('data', (bytes) => (complaints = (complaints + bytes).slice(-4000)));
    const ended = once(server, 'exit').then(() => {
      throw new Error(`the server ended: ${complaints}`);
    });
    const settings = await Promise.race([ended, whenReady(ready)]);
    ended.catch(() => {});
    lab.url = settings.LABQL_URL;
    if (!lab.token) {
      const input = { username: settings.LABQL_USER, password: settings.LABQL_PASSWORD };
      lab.token = (await ask('mutation ($input: LoginInput!) { login(input: $input) { token } }', { input })).login.token;
    }
  }

  /** Tells the server to end, and waits until it has. Resolves to its status. */
  async function stop() {
    const ended = once(server, 'exit');
    server.kill('SIGTERM');
    const [status] = await ended;
    return status;
  }

  /** One operation, directly; resolves to its data. */
  async function ask(query, variables = {}) {
    const headers = { 'content-type': 'application/json', accept: 'application/json' };
    if (lab.token) headers.authorization = `Bearer ${lab.token}`;
    const response = await fetch(`${lab.url}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
    const { data, errors } = await response.json();
    if (errors) throw new Error(errors[0].message);
    return data;
  }

  async function close() {
    if (server?.exitCode === null) await stop();
    await rm(folder, { recursive: true, force: true });
  }

  await start();
  return lab;
}

/** The lines of a shell that the server writes when it listens. */
async function whenReady(file) {
  const deadline = Date.now() + READY_WITHIN_MS;
  while (Date.now() < deadline) {
    const text = await readFile(file, 'utf8').catch(() => '');
    const lines = [...text.matchAll(/^(\w+)='?(.*?)'?$/gm)];
    if (lines.length > 0) return Object.fromEntries(lines.map(([, name, value]) => [name, value]));
    await sleep(100);
  }
  throw new Error('the server did not get ready');
}
