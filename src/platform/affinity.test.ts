/** The cores of this very thread, read and written. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Affinity, loadAffinity, MASK_BYTES } from './affinity.ts';

let affinity: Affinity | null = null;
let why = '';
try {
  affinity = loadAffinity();
} catch (error) {
  why = String(error);
}
const skip = affinity === null && why;

test('a thread runs on a core that it may run on, and on the one that it is bound to', { skip }, () => {
  const { core, readMask, writeMask } = affinity!;
  const all = new Uint8Array(MASK_BYTES);
  assert.ok(readMask(all));
  assert.ok((all[core() >> 3]! & (1 << (core() & 7))) !== 0);
  const cores = [...all].flatMap((byte, at) =>
    [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => (byte >> bit) & 1).map((bit) => at * 8 + bit),
  );
  try {
    for (const one of cores) {
      const mask = new Uint8Array(MASK_BYTES);
      mask[one >> 3] = 1 << (one & 7);
      assert.ok(writeMask(mask));
      assert.equal(core(), one);
      const read = new Uint8Array(MASK_BYTES);
      assert.ok(readMask(read));
      assert.deepEqual(read, mask);
    }
    assert.equal(writeMask(new Uint8Array(MASK_BYTES)), false, 'no core at all is refused');
  } finally {
    assert.ok(writeMask(all));
  }
});

test('work of the event loop is seen, and microtasks run', { skip }, async () => {
  // Not within a timer, nor a microtask: there the one hides its successors, and the other is not run again.
  await new Promise<void>((resolve) => {
    setImmediate(() => {
      let ran = false;
      void Promise.resolve().then(() => (ran = true));
      const timer = setTimeout(() => {}, 1000);
      assert.equal(affinity!.loopHasWork(), true);
      assert.equal(ran, true);
      clearTimeout(timer);
      resolve();
    });
  });
});
