/** The ready queue, kept lazily: it contains at least all ready threads, and what does not belong is thrown out. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { poke, peek } from '../platform/atomics.ts';
import { PROCESSOR_READY_FIRST, PROCESSOR_READY_LAST } from '../layout/task.ts';
import { ANY_INDEX } from '../layout/params.ts';
import { homeWaiting, running, TCB_READY_LINKED, TCB_STATE } from '../layout/tcb.ts';
import { assertSound, idOf, indexOf, makeThread, root } from '../../test/support/kernel.ts';
import { insertReady, removeReady, takeReady } from './ready.ts';
import { freeThread } from './tcb.ts';
import { verify } from './verify.ts';

const { processor } = root;
const makeThreads = (count: number) => Array.from({ length: count }, () => makeThread({ home: true, window: false }));

afterEach(assertSound);

test('RDY0010 ready threads run in order, and once', () => {
  const threads = makeThreads(4);
  for (const tcb of threads) insertReady(processor, tcb);
  insertReady(processor, threads[0]!);
  assert.deepEqual(verify(), []);
  assert.deepEqual(
    threads.map(() => takeReady(processor)),
    threads.map(indexOf),
  );
  assert.equal(takeReady(processor), 0);
});

test('RDY0011 a thread that is no longer ready is thrown out by who parses the queue', () => {
  const [a, b, c] = makeThreads(3);
  for (const tcb of [a!, b!, c!]) insertReady(processor, tcb);
  for (const tcb of [a!, b!]) poke(tcb + TCB_STATE, homeWaiting(idOf(tcb), ANY_INDEX));
  assert.equal(takeReady(processor), indexOf(c!));
  assert.equal(peek(a! + TCB_READY_LINKED), 0);
  assert.equal(takeReady(processor), 0);
});

test('RDY0012 a thread that waited and is ready again keeps its old place', () => {
  const [a, b] = makeThreads(2);
  insertReady(processor, a!);
  poke(a! + TCB_STATE, homeWaiting(idOf(a!), ANY_INDEX));
  insertReady(processor, b!);
  poke(a! + TCB_STATE, running(idOf(a!)));
  insertReady(processor, a!);
  assert.equal(takeReady(processor), indexOf(a!));
  assert.equal(takeReady(processor), indexOf(b!));
});

test('RDY0013 a thread is taken out of every place', () => {
  for (const place of [0, 1, 2]) {
    const threads = makeThreads(3);
    for (const tcb of threads) insertReady(processor, tcb);
    removeReady(processor, threads[place]!);
    removeReady(processor, threads[place]!);
    assert.deepEqual(verify(), []);
    threads.splice(place, 1);
    for (const tcb of threads) assert.equal(takeReady(processor), indexOf(tcb));
    assert.equal(takeReady(processor), 0);
  }
});

test('RDY0014 a thread that is freed leaves the queue whole', () => {
  const [a, b, c] = makeThreads(3);
  for (const tcb of [a!, b!, c!]) insertReady(processor, tcb);
  freeThread(b!, indexOf(a!));
  assert.equal(takeReady(processor), indexOf(a!));
  assert.equal(takeReady(processor), indexOf(c!));
  assert.equal(peek(processor + PROCESSOR_READY_FIRST), 0);
  assert.equal(peek(processor + PROCESSOR_READY_LAST), 0);
});
