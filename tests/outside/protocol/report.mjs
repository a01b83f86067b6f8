// Runs named checks one after the other and prints `N passed, N failed`.

import { graphqlUrl, token as required } from "../lib/server.mjs";

export const url = graphqlUrl;
export const token = required();
export const headers = { authorization: `Bearer ${token}` };

const LIMIT_MS = 10_000;

export async function run(checks) {
  let failed = 0;
  for (const [name, check] of Object.entries(checks)) {
    let timer;
    const limit = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error("took too long")), LIMIT_MS);
    });
    try {
      await Promise.race([check(), limit]);
    } catch (error) {
      failed += 1;
      console.error(`FAILED ${name}: ${error.message}`);
    }
    clearTimeout(timer);
  }
  finish(Object.keys(checks).length - failed, failed);
}

export function finish(passed, failed) {
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}

export function equal(actual, expected) {
  const [left, right] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (left !== right) throw new Error(`expected ${right}, got ${left}`);
}
