/** Milliseconds since boot: whole, small, and never going back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { now_ms, startClock } from './clock.ts';

test('time is whole milliseconds since the start and does not go back', () => {
  startClock();
  let last_ms = now_ms();
  assert.ok(last_ms >= 0 && last_ms < 60_000);
  for (let i = 0; i < 1000; i++) {
    const time_ms = now_ms();
    assert.ok(Number.isInteger(time_ms) && time_ms >= last_ms);
    last_ms = time_ms;
  }
});
