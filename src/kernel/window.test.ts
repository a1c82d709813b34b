/** Communication windows: two sizes, none overlaps, and what is given back is used again. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { peek, poke } from '../platform/atomics.ts';
import { HEADER_WINDOW_NEXT } from '../layout/map.ts';
import { MEMORY_BYTES, WINDOW_BYTES, WINDOW_SMALL_BYTES } from '../layout/params.ts';
import { TCB_WINDOW, TCB_WINDOW_BYTES } from '../layout/tcb.ts';
import { assertSound, indexOf, makeThread } from '../../test/support/kernel.ts';
import { freeThread, giveWindow } from './tcb.ts';
import { freeWindow, WINDOWS_START } from './window.ts';

afterEach(assertSound);

test('WIN0010 windows lie behind the tables, on whole boundaries, side by side', () => {
  const threads = (['small', 'large', 'small'] as const).map((window) => makeThread({ window }));
  const spans = threads.map((tcb) => [peek(tcb + TCB_WINDOW), peek(tcb + TCB_WINDOW_BYTES)] as const);
  for (const [at, size_bytes] of spans) {
    assert.ok(at >= WINDOWS_START && at % WINDOW_SMALL_BYTES === 0);
    for (const [other] of spans) assert.ok(other === at || other >= at + size_bytes || other < at);
  }
  assert.deepEqual(
    spans.map(([, size_bytes]) => size_bytes),
    [WINDOW_SMALL_BYTES, WINDOW_BYTES, WINDOW_SMALL_BYTES],
  );
});

test('WIN0011 a window that was given back is used again, by its size', () => {
  const [small, large, next] = [makeThread(), makeThread({ window: 'large' }), makeThread({ window: false })];
  const [at, largeAt] = [peek(small + TCB_WINDOW), peek(large + TCB_WINDOW)];
  freeWindow(small, 1);
  freeWindow(large, 1);
  assert.deepEqual([peek(small + TCB_WINDOW), peek(small + TCB_WINDOW_BYTES)], [0, 0]);
  const end = peek(HEADER_WINDOW_NEXT);
  assert.ok(giveWindow(large, true) && giveWindow(next, false));
  assert.deepEqual([peek(large + TCB_WINDOW), peek(next + TCB_WINDOW)], [largeAt, at]);
  assert.equal(peek(HEADER_WINDOW_NEXT), end);
});

test('WIN0012 a thread that is freed gives its window back', () => {
  const [a, b] = [makeThread({ window: false }), makeThread()];
  const at = peek(b + TCB_WINDOW);
  freeThread(b, indexOf(a));
  assert.ok(giveWindow(a, false));
  assert.equal(peek(a + TCB_WINDOW), at);
});

test('WIN0013 full memory is a clear no', () => {
  const next = peek(HEADER_WINDOW_NEXT);
  const tcb = makeThread({ window: false });
  poke(HEADER_WINDOW_NEXT, MEMORY_BYTES - WINDOW_BYTES + WINDOW_SMALL_BYTES);
  while (giveWindow(makeThread({ window: false }), true));
  assert.equal(giveWindow(tcb, true), false);
  assert.equal(peek(tcb + TCB_WINDOW), 0);
  poke(HEADER_WINDOW_NEXT, next);
});
