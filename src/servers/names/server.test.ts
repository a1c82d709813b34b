/** The table of names: one task for a name, found while it lives or comes again, free after its final end. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { load, peek, poke } from '../../platform/atomics.ts';
import { memory } from '../../platform/memory.ts';
import { HEADER_NAME_LOCK } from '../../layout/map.ts';
import {
  RESTART_ON_FAILURE,
  TASK_DEAD,
  TASK_NAME_MAX,
  TASK_REGISTERED,
  TASK_RESTART,
  TASK_STATE,
} from '../../layout/task.ts';
import { nameOf, setName } from '../../user/names.ts';
import { assertSound, makeTask, root } from '../../../test/support/kernel.ts';
import { find, instancesOf, list, pass, poolNamed, register, release } from './server.ts';

afterEach(assertSound);

test('a registered name is found, and refused to another live task', () => {
  const [a, b] = [makeTask(root.id), makeTask(root.id)];
  assert.equal(register(a.task, 'größe 😀', 1), true);
  assert.equal(find('größe 😀'), a.task);
  assert.equal(register(b.task, 'größe 😀', 1), false);
  assert.equal(peek(b.task + TASK_REGISTERED), 0);
  assert.equal(load(HEADER_NAME_LOCK), 0);
  assert.deepEqual(list(), [a.task]);
});

test('the name of a dead task is free, unless it may be started again', () => {
  const [a, b] = [makeTask(root.id), makeTask(root.id)];
  register(a.task, 'store', 1);
  poke(a.task + TASK_RESTART, RESTART_ON_FAILURE);
  poke(a.task + TASK_STATE, TASK_DEAD);
  assert.equal(find('store'), a.task);
  assert.equal(register(b.task, 'store', 1), false);
  poke(a.task + TASK_RESTART, 0);
  assert.equal(find('store'), null);
  assert.equal(register(b.task, 'store', 1), true);
});

test('a name that is released is free at once, and stays the label', () => {
  const [a, b] = [makeTask(root.id), makeTask(root.id)];
  register(a.task, 'store', 1);
  release(a.task);
  assert.equal(find('store'), null);
  assert.equal(nameOf(a.task), 'store');
  assert.equal(register(b.task, 'store', 1), true);
});

test('a pool has its name as long as one of its instances lives', () => {
  const [a, b, c, other] = [makeTask(root.id), makeTask(root.id), makeTask(root.id), makeTask(root.id)];
  register(a.task, 'pool', 1, a.id);
  register(b.task, 'pool#2', 1, a.id);
  // A pool of its own, though it is called so.
  register(c.task, 'pool#3', 1, c.id);
  assert.deepEqual(instancesOf(a.id), [a.task, b.task]);
  assert.equal(find('pool'), a.task);
  assert.deepEqual([poolNamed('pool', a.task), poolNamed('pool', b.task), poolNamed('pool', c.task)], [a.id, a.id, 0]);
  assert.deepEqual([poolNamed('pool#2', b.task), poolNamed('pool#3', c.task)], [0, c.id]);
  release(a.task);
  assert.equal(find('pool'), b.task);
  assert.equal(register(other.task, 'pool', 1), false);
  release(b.task);
  assert.equal(find('pool'), null);
});

test('a name that was only set is not found', () => {
  const a = makeTask(root.id);
  setName(a.task, 'quiet');
  assert.equal(find('quiet'), null);
});

test('a name that is too long is refused', () => {
  const a = makeTask(root.id);
  assert.throws(() => register(a.task, 'ä'.repeat(TASK_NAME_MAX), 1), RangeError);
  assert.equal(load(HEADER_NAME_LOCK), 0);
  assert.deepEqual(list(), []);
});

test('a name that goes from one incarnation to the next is found at every moment', async () => {
  // Far apart, so that a reader is often between the two.
  const tasks = Array.from({ length: 14 }, () => makeTask(root.id));
  const [a, b] = [tasks[0]!, tasks[13]!];
  register(a.task, 'store', 1);
  setName(b.task, 'store');
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const passer = `
    const { workerData } = require('node:worker_threads');
    const { stop, tasks: [a, b], url } = workerData;
    import(url).then(({ pass }) => {
      Atomics.store(stop, 0, 1);
      do {
        pass(a, b);
        pass(b, a);
      } while (Atomics.load(stop, 0) !== 2);
    });`;
  const url = new URL('server.ts', import.meta.url).href;
  const worker = new Worker(passer, {
    eval: true,
    execArgv: [],
    workerData: { l3kernel: { memory }, stop, tasks: [a.task, b.task], url },
  });
  while (Atomics.load(stop, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  let missed = 0;
  for (let i = 0; i < 100_000; i++) if (find('store') === null) missed++;
  const ended = once(worker, 'exit');
  Atomics.store(stop, 0, 2);
  await ended;
  assert.equal(missed, 0);
  pass(a.task, b.task);
  assert.equal(find('store'), b.task);
});
