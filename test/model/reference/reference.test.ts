/**
 * Random command sequences on the shipped kernel and on the reference kernel, the fast path and the slow one in turn:
 * same answers, same states. SEED replays a run, FUZZ_MS sets the time; a failure prints the seed and the shrunk
 * sequence, which is then kept in `examples`.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bundleKernel } from '../bundle.ts';
import { commandsOn, examples, type Path, type Step, steps } from './commands.ts';

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const time_ms = Number(process.env.FUZZ_MS ?? 5000);
const check = commandsOn(await bundleKernel());

for (const path of ['fast', 'slow'] as const satisfies readonly Path[]) {
  test(`the shipped kernel and the reference agree, ${path} path`, () => {
    const property = fc.property(steps, (sequence) => assert.equal(check(path, sequence), null));
    fc.assert(property, {
      seed,
      numRuns: Number.MAX_SAFE_INTEGER,
      interruptAfterTimeLimit: time_ms / 2,
      examples: examples.map((sequence): [Step[]] => [[...sequence]]),
    });
  });
}
