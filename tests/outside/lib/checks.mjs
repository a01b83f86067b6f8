// A check is a name and a function; one line is printed for each, and one line of counts at the end.

const TIMEOUT_MS = 120_000;

/** @type {{ passed: number, failed: number }} */
const counts = { passed: 0, failed: 0 };

/** Runs one check. Resolves to what `run` returned, or to undefined when it failed. */
export async function check(name, run) {
  try {
    const value = await within(TIMEOUT_MS, run());
    counts.passed += 1;
    console.log(`ok      ${name}`);
    return value;
  } catch (error) {
    counts.failed += 1;
    console.log(`FAILED  ${name}: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/** Prints the counts and ends the process: 1 when anything failed, or when nothing was checked at all. */
export function finish() {
  console.log(`${counts.passed} passed, ${counts.failed} failed`);
  process.exit(counts.failed > 0 || counts.passed === 0 ? 1 : 0);
}

export function assert(condition, message) {
  if (!condition) throw new Error(message);
}

async function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds / 1000} s`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
