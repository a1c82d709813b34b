/** Communication windows: two sizes, none overlaps, and what is given back is used again. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { peek, poke } from '../platform/atomics.ts';
import { HEADER_WINDOW_NEXT } from '../layout/map.ts';
import { MEMORY_BYTES, WINDOW_BYTES, WINDOW_SMALL_BYTES } from '../layout/params.ts';
import { TCB_WINDOW, TCB_WINDOW_BYTES } from '../layout/tcb.ts';
import { assertSound, indexOf, makeThread } from '../../test/support/kernel.ts';
import { freeThread, giveWindow } from './tcb.ts';
import { allocateWindow, freeWindow, WINDOWS_START } from './window.ts';

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
  const [small, large] = [allocateWindow(WINDOW_SMALL_BYTES, 1), allocateWindow(WINDOW_BYTES, 1)];
  freeWindow(small, WINDOW_SMALL_BYTES, 1);
  freeWindow(large, WINDOW_BYTES, 1);
  const next = peek(HEADER_WINDOW_NEXT);
  assert.equal(allocateWindow(WINDOW_BYTES, 1), large);
  assert.equal(allocateWindow(WINDOW_SMALL_BYTES, 1), small);
  assert.equal(peek(HEADER_WINDOW_NEXT), next);
  freeWindow(small, WINDOW_SMALL_BYTES, 1);
  freeWindow(large, WINDOW_BYTES, 1);
});

test('WIN0012 a thread that is freed gives its window back', () => {
  const [a, b] = [makeThread(), makeThread()];
  const at = peek(b + TCB_WINDOW);
  freeThread(b, indexOf(a));
  assert.equal(allocateWindow(WINDOW_SMALL_BYTES, 1), at);
  freeWindow(at, WINDOW_SMALL_BYTES, 1);
});

test('WIN0013 full memory is a clear no', () => {
  const next = peek(HEADER_WINDOW_NEXT);
  const tcb = makeThread({ window: false });
  const larges: number[] = [];
  poke(HEADER_WINDOW_NEXT, MEMORY_BYTES - WINDOW_BYTES + WINDOW_SMALL_BYTES);
  for (let at = allocateWindow(WINDOW_BYTES, 1); at !== 0; at = allocateWindow(WINDOW_BYTES, 1)) larges.push(at);
  assert.equal(giveWindow(tcb, true), false);
  assert.equal(peek(tcb + TCB_WINDOW), 0);
  poke(HEADER_WINDOW_NEXT, next);
  for (const at of larges) freeWindow(at, WINDOW_BYTES, 1);
});
