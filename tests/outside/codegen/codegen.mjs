// Generates TypeScript types by live introspection, for every operation that clients send, and compiles them.
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { generate } from '@graphql-codegen/cli';

import { assert, check, finish } from '../lib/checks.mjs';
import { graphqlUrl, path, token } from '../lib/server.mjs';

const run = promisify(execFile);
const modules = fileURLToPath(new URL('../node_modules', import.meta.url));
const operations = {
  contract: path('LABQL_OPERATIONS', 'tests/contract'),
  examples: path('LABQL_EXAMPLES', 'playground/examples'),
};

const work = await mkdtemp(join(tmpdir(), 'labql-codegen-'));
await symlink(modules, join(work, 'node_modules'));
try {
  await check('codegen: types for the whole schema by live introspection', () => types('schema', 'typescript'));
  for (const [name, folder] of Object.entries(operations)) {
    await check(`codegen: types for the operations of ${name}`, async () => {
      const files = (await readdir(folder)).filter((file) => file.endsWith('.graphql'));
      assert(files.length > 0, `no operation in ${folder}`);
      await types(name, 'typescript-operations', join(folder, '*.graphql'));
    });
  }
  await check('codegen: tsc accepts what was generated', compile);
} finally {
  await rm(work, { recursive: true, force: true });
}
finish();

async function types(name, plugin, documents = []) {
  const [output] = await generate(
    {
      silent: true,
      schema: [{ [graphqlUrl]: { headers: { authorization: `Bearer ${token()}` } } }],
      documents,
      generates: { [join(work, `${name}.ts`)]: { plugins: [plugin] } },
    },
    true,
  );
  assert(output.content.length > 0, 'nothing was generated');
}

async function compile() {
  const files = (await readdir(work)).filter((file) => file.endsWith('.ts'));
  assert(files.length === 1 + Object.keys(operations).length, `generated: ${files.join(', ')}`);
  const options = ['--noEmit', '--strict', '--target', 'es2022', '--moduleResolution', 'bundler', '--module', 'esnext'];
  try {
    await run(join(modules, '.bin/tsc'), [...options, ...files], { cwd: work });
  } catch (error) {
    throw new Error(`${error.stdout ?? ''}${error.stderr ?? error.message}`);
  }
}
