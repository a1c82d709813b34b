/** The polling-me queue as a structure: order, removal from everywhere, the lock, and linking afresh. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { load, peek, poke, store } from '../platform/atomics.ts';
import {
  generationOf,
  QUEUE_CONTENDED,
  TCB_POLL_NEXT,
  TCB_POLL_PREVIOUS,
  TCB_POLL_QUEUE,
  TCB_QUEUE_FIRST,
  TCB_QUEUE_LAST,
  type Tcb,
  polling,
  running,
  TCB_STATE,
  threadIdOf,
} from '../layout/tcb.ts';
import { assertSound, idOf, indexOf, makeThread, THREADS } from '../../test/support/kernel.ts';
import {
  dequeue,
  enqueue,
  findInQueue,
  firstInQueue,
  lockQueue,
  queueOf,
  rebuildQueue,
  removeFromQueue,
  unlockQueue,
} from './queue.ts';
import { verify } from './verify.ts';

/** A receiver and `count` threads that poll for it, in order. */
function fill(count: number): { target: Tcb; queue: number; entries: Tcb[] } {
  const target = makeThread({ window: false });
  const entries = Array.from({ length: count }, () => makeThread({ window: false }));
  for (const entry of entries) {
    store(entry + TCB_STATE, polling(idOf(entry), idOf(target)));
    enqueue(queueOf(target), entry);
  }
  return { target, queue: queueOf(target), entries };
}

function drain(target: Tcb): number[] {
  const order: number[] = [];
  for (let index = dequeue(queueOf(target), 1); index !== 0; index = dequeue(queueOf(target), 1)) order.push(index);
  return order;
}

const stop = (entries: Tcb[]): void => entries.forEach((entry) => store(entry + TCB_STATE, running(idOf(entry))));

afterEach(assertSound);

test('QUE0010 entries leave in order of arrival', () => {
  const { target, entries } = fill(10);
  assert.equal(firstInQueue(queueOf(target)), indexOf(entries[0]!));
  assert.deepEqual(verify(), []);
  assert.deepEqual(drain(target), entries.map(indexOf));
  assert.equal(dequeue(queueOf(target), 1), 0);
  stop(entries);
});

test('QUE0011 an entry is taken from the front, the middle and the end', () => {
  const { target, queue, entries } = fill(5);
  for (const i of [2, 4, 0]) {
    removeFromQueue(entries[i]!, 1);
    removeFromQueue(entries[i]!, 1);
    store(entries[i]! + TCB_STATE, running(idOf(entries[i]!)));
    assert.deepEqual(verify(), []);
  }
  assert.equal(findInQueue(queue, idOf(entries[3]!), 1), indexOf(entries[3]!));
  assert.equal(findInQueue(queue, idOf(entries[3]!), 1), 0);
  assert.deepEqual(drain(target), [indexOf(entries[1]!)]);
  stop(entries);
});

test('QUE0012 an entry is taken out of the queue it stands in, and found in no other', () => {
  const [one, other] = [fill(2), fill(2)];
  assert.equal(findInQueue(one.queue, idOf(other.entries[1]!), 1), 0);
  removeFromQueue(other.entries[1]!, 1);
  assert.deepEqual(drain(one.target), one.entries.map(indexOf));
  assert.deepEqual(drain(other.target), [indexOf(other.entries[0]!)]);
  stop([...one.entries, ...other.entries]);
});

test('QUE0013 the lock names its holder and forgets its sleepers', () => {
  const { queue, entries } = fill(1);
  lockQueue(queue, 7);
  assert.equal(load(queue), 7);
  poke(queue, 7 | QUEUE_CONTENDED);
  unlockQueue(queue);
  assert.equal(load(queue), 0);
  stop(entries);
  drain(entries[0]!);
  removeFromQueue(entries[0]!, 1);
});

test('QUE0014 a queue whose links are torn is linked afresh by ticket', () => {
  const { target, queue, entries } = fill(6);
  removeFromQueue(entries[3]!, 1);
  enqueue(queue, entries[3]!);
  poke(target + TCB_QUEUE_LAST, indexOf(entries[1]!));
  poke(target + TCB_QUEUE_FIRST, 0);
  poke(entries[2]! + TCB_POLL_PREVIOUS, 0);
  poke(entries[5]! + TCB_POLL_NEXT, indexOf(entries[0]!));
  rebuildQueue(queue, THREADS);
  assert.deepEqual(verify(), []);
  assert.deepEqual(
    drain(target),
    [0, 1, 2, 4, 5, 3].map((i) => indexOf(entries[i]!)),
  );
  assert.equal(peek(entries[0]! + TCB_POLL_QUEUE), 0);
  stop(entries);
});

test('QUE0015 another thread of the wanted record stays in the queue', () => {
  const { target, queue, entries } = fill(2);
  const stale = threadIdOf(indexOf(entries[0]!), generationOf(idOf(entries[0]!)) - 1);
  assert.equal(findInQueue(queue, stale, 1), 0);
  assert.deepEqual(drain(target), entries.map(indexOf));
  stop(entries);
});
