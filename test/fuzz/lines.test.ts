/**
 * Anything in the registers and the window of a thread that has received: a value, or ERR_IPC_PROTOCOL; and nothing is
 * read beyond the window. A message in pieces is not in it. FUZZ_MS sets the time, SEED replays a run.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { R_SENDER, R_STRING, R_WORD, TAG_FORMAT_SHIFT, TAG_STRING_SHIFT } from '../../src/layout/message.ts';
import { WINDOW_SMALL_BYTES } from '../../src/layout/params.ts';
import { TCB_WINDOW } from '../../src/layout/tcb.ts';
import { peek, putBytes, registers } from '../../src/platform/atomics.ts';
import { takeArguments, takeResult } from '../../src/rpc/payload.ts';
import { idOf, makeThread } from '../support/kernel.ts';

const limits = {
  interruptAfterTimeLimit: Number(process.env.FUZZ_MS ?? 3000),
  markInterruptAsFailure: false,
  seed: Number(process.env.SEED ?? Date.now() % 2 ** 31),
};

const [self, sender] = [makeThread(), makeThread()];
const word = fc.oneof(fc.integer({ min: 0, max: 0xff }), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }));
const message = fc.record({
  format: fc.nat(15),
  words: fc.nat(16),
  strings: fc.nat(1),
  line: fc.array(word, { minLength: 32, maxLength: 32 }),
  window: fc.uint8Array({ maxLength: 300 }),
  length: fc.oneof(fc.nat(300), fc.nat(WINDOW_SMALL_BYTES), word),
});

test(`any registers give a value or a protocol error (SEED=${limits.seed})`, () => {
  fc.assert(
    fc.property(message, fc.boolean(), ({ format, words, strings, line, window, length }, isResult) => {
      const tag = words | (strings << TAG_STRING_SHIFT) | (format << TAG_FORMAT_SHIFT);
      registers[R_SENDER] = idOf(sender);
      for (const [i, value] of line.entries()) registers[R_WORD + i] = value;
      registers[R_STRING] = length;
      putBytes(peek(self + TCB_WINDOW), window, 0, window.length);
      try {
        if (isResult) takeResult(self, tag, () => () => {});
        else takeArguments(self, tag, () => () => {});
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'ERR_IPC_PROTOCOL', String((error as Error).stack));
      }
    }),
    { numRuns: 1_000_000, ...limits },
  );
});

test('a function in the last value of a stream is a protocol error', () => {
  const [LAST_INLINE, FUNCTION] = [6, 7];
  registers[R_SENDER] = idOf(sender);
  registers[R_WORD] = 1 | (FUNCTION << 8);
  assert.throws(() => takeResult(self, LAST_INLINE << TAG_FORMAT_SHIFT, () => () => {}), { code: 'ERR_IPC_PROTOCOL' });
});
