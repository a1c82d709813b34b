/** Sleeping on a shared word, and waking who sleeps. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { store } from './atomics.ts';
import { notify, spinLoads, wait, waitDoorbell } from './wait.ts';

const at = 8192;

test('a wait returns at once when the word holds another value, and after its time when it does not', () => {
  store(at, 1);
  wait(at, 0, 60_000);
  wait(at, 1, 5);
});

test('a doorbell resolves when it is rung, and is null when it rang before', async () => {
  store(at, 1);
  const rung = waitDoorbell(at, 1);
  assert.ok(rung instanceof Promise);
  store(at, 2);
  notify(at);
  await rung;
  assert.equal(waitDoorbell(at, 1), null);
});

test('on one core nobody spins', () => {
  assert.ok(spinLoads >= 0);
});
