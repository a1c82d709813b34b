/** Chains and rings over snapshots made by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ratesBetween } from './rates.ts';
import type { Snapshot, ThreadView } from './snapshot.ts';
import { chainOf, chainsIn, ringsIn } from './waits.ts';

const IDLE: ThreadView = {
  id: 0,
  task: 0,
  name: '',
  role: 'server',
  processor: 0,
  state: 'running',
  parked: false,
  inPlace: false,
  partner: null,
  method: null,
  sequence: 0,
  since_ms: null,
  sent: 0,
  bytes: 0,
  parks: 0,
};

const thread = (id: number, more: Partial<ThreadView> = {}): ThreadView => ({ ...IDLE, id, processor: id, ...more });
/** Thread `id`, asleep in a call to `partner`. */
const waits = (id: number, partner: number, more: Partial<ThreadView> = {}): ThreadView =>
  thread(id, { state: 'waiting', partner, parked: true, inPlace: true, ...more });

const snapshot = (threads: ThreadView[], time_ms = 0): Snapshot => ({
  time_ms,
  totals: { tasks: 0, tasks_max: 0, threads: 0, threads_max: 0, beat: 0 },
  tasks: [],
  threads,
});

const ids = (chains: readonly (readonly ThreadView[])[]): number[][] =>
  chains.map((chain) => chain.map(({ id }) => id));

test('a chain leads from who waits to who waits for nobody', () => {
  const all = snapshot([waits(1, 2), waits(2, 3), thread(3), thread(4), waits(5, 4)]);
  assert.deepEqual(ids([chainOf(all, all.threads[0]!)]), [[1, 2, 3]]);
  assert.deepEqual(ids([chainOf(all, all.threads[3]!)]), [[4]]);
  assert.deepEqual(ids(chainsIn(all)), [
    [1, 2, 3],
    [5, 4],
  ]);
  assert.deepEqual(ringsIn(all, all), []);
});

test('a partner whose agent sleeps in another thread waits with that thread', () => {
  const callerOfMain = waits(2, 3, { processor: 1 });
  const all = snapshot([thread(1), callerOfMain, thread(3), waits(4, 1)]);
  assert.deepEqual(ids(chainsIn(all)), [[4, 2, 3]]);
  const watched = snapshot([thread(1), { ...callerOfMain, inPlace: false }, thread(3), waits(4, 1)]);
  assert.deepEqual(ids(chainsIn(watched)), [
    [2, 3],
    [4, 1],
  ]);
});

test('a ring is found once, through agents too, with those outside it left out', () => {
  const plain = snapshot([waits(9, 3), waits(3, 2), waits(2, 5), waits(5, 3), waits(7, 9)]);
  assert.deepEqual(ids(ringsIn(plain, plain)), [[2, 5, 3]]);
  assert.deepEqual(ids(chainsIn(plain)), []);
  const throughMain = snapshot([thread(1), waits(2, 3, { processor: 1 }), waits(3, 4), waits(4, 1)]);
  assert.deepEqual(ids(ringsIn(throughMain, throughMain)), [[2, 3, 4]]);
});

test('a ring counts only if both snapshots saw the same waits', () => {
  const ring = (sequence: number): Snapshot => snapshot([waits(1, 2, { sequence }), waits(2, 3), waits(3, 1)]);
  assert.equal(ringsIn(ring(5), ring(5)).length, 1);
  assert.equal(ringsIn(ring(5), ring(6)).length, 0);
  assert.equal(ringsIn(snapshot([]), ring(5)).length, 0);
});

test('a partner that is gone ends the chain', () => {
  const all = snapshot([waits(1, 99)]);
  assert.deepEqual(ids([chainOf(all, all.threads[0]!)]), [[1]]);
  assert.deepEqual(chainsIn(all), []);
});

test('ten thousand threads in one chain', () => {
  const count = 10_000;
  const threads = Array.from({ length: count }, (_, i) => (i < count - 1 ? waits(i + 1, i + 2) : thread(i + 1)));
  assert.equal(chainsIn(snapshot(threads))[0]!.length, count);
  threads[count - 1] = waits(count, 1);
  assert.equal(ringsIn(snapshot(threads), snapshot(threads))[0]!.length, count);
});

test('rates are differences a second, over the wrap of the counters', () => {
  const before = snapshot([thread(1, { sent: 2 ** 32 - 10, bytes: 100, parks: 4 }), thread(2, { sent: 5 })], 1000);
  const after = snapshot([thread(1, { sent: 40, bytes: 1100, parks: 5 }), thread(3, { sent: 8 })], 1500);
  const rates = ratesBetween(before, after);
  assert.deepEqual(rates.get(1), { ipc_per_s: 100, bytes_per_s: 2000, parks_per_s: 2 });
  assert.equal(rates.get(3)!.ipc_per_s, 16);
  assert.equal(rates.has(2), false);
  assert.equal(ratesBetween(after, after).get(1)!.ipc_per_s, 0);
});
