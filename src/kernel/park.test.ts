/** Claims on state words, the parked bit, and who is rung. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { load, peek, poke, store } from '../platform/atomics.ts';
import { waitDoorbell } from '../platform/wait.ts';
import { HEADER_BEAT } from '../layout/map.ts';
import { LISTEN_SLICE_ms, SILENT_SLICES_MAX } from '../layout/params.ts';
import { PROCESSOR_DOORBELL } from '../layout/task.ts';
import {
  locked,
  open,
  PARKED,
  running,
  TCB_BELL,
  TCB_PARKS,
  TCB_POLL_QUEUE,
  TCB_SINCE,
  TCB_STATE,
  waiting,
} from '../layout/tcb.ts';
import { assertSound, idOf, makeThread, root, stateOf } from '../../test/support/kernel.ts';
import {
  claim,
  doorbellOf,
  isOrphaned,
  park,
  pollingQueue,
  processorOf,
  ring,
  unclaim,
  wake,
  withdraw,
} from './park.ts';
import { enqueue, queueOf } from './queue.ts';
import { polling } from '../layout/tcb.ts';
import { PROCESSOR_INBOX } from '../layout/task.ts';

afterEach(assertSound);

test('PRK0010 a claim succeeds on exactly the state it expects, and keeps the parked bit', () => {
  const [a, b] = [makeThread(), makeThread()];
  const [id, opened, taken] = [idOf(b), open(idOf(b)), locked(idOf(b), idOf(a))];
  assert.equal(claim(b, opened, taken), false);
  store(b + TCB_STATE, opened);
  assert.equal(claim(b, waiting(id, idOf(a)), taken), false);
  assert.equal(claim(b, opened, taken), true);
  assert.equal(stateOf(b), taken);
  store(b + TCB_STATE, opened | PARKED);
  assert.equal(claim(b, opened, taken), true);
  assert.equal(stateOf(b), taken | PARKED);
  unclaim(b, opened);
  assert.equal(stateOf(b), opened | PARKED);
  store(b + TCB_STATE, running(id));
});

test('PRK0011 a thread that parks says since when, and does not park on a state that has changed', () => {
  const b = makeThread();
  const opened = open(idOf(b));
  store(b + TCB_STATE, opened);
  park(b, opened, 1);
  assert.equal(stateOf(b), opened | PARKED);
  assert.equal(peek(b + TCB_PARKS), 1);
  assert.ok(peek(b + TCB_SINCE) >= 0);
  store(b + TCB_STATE, running(idOf(b)));
  park(b, opened, 60_000);
  assert.equal(stateOf(b), running(idOf(b)));
  assert.equal(peek(b + TCB_PARKS), 1);
});

test('PRK0015 the further slices of one wait are no new wait', () => {
  const b = makeThread();
  const opened = open(idOf(b));
  store(b + TCB_STATE, opened);
  park(b, opened, 1);
  poke(b + TCB_SINCE, 5);
  park(b, opened | PARKED, 1);
  assert.equal(peek(b + TCB_SINCE), 5);
  assert.equal(peek(b + TCB_PARKS), 1);
  store(b + TCB_STATE, running(idOf(b)));
});

test('PRK0012 a watched thread is rung by the doorbell of its processor', async () => {
  const b = makeThread();
  const bell = doorbellOf(b);
  assert.equal(bell, root.processor + PROCESSOR_DOORBELL);
  assert.equal(processorOf(b), root.processor);
  const before = load(bell);
  const rung = waitDoorbell(bell, before);
  poke(b + TCB_BELL, bell);
  wake(b);
  assert.equal(load(bell), before + 1);
  await rung;
  assert.equal(waitDoorbell(bell, before), null);
  poke(b + TCB_BELL, 0);
  wake(b);
  assert.equal(load(bell), before + 1);
  ring(bell);
  assert.equal(load(bell), before + 2);
});

test('PRK0013 a withdrawing sender is out of its queue; one that was claimed does not withdraw', () => {
  const [a, b] = [makeThread(), makeThread()];
  const mine = polling(idOf(a), idOf(b));
  store(a + TCB_STATE, mine);
  enqueue(queueOf(b), a);
  store(a + TCB_STATE, locked(idOf(a), idOf(b)));
  assert.equal(withdraw(a, mine), false);
  assert.equal(peek(a + TCB_POLL_QUEUE), queueOf(b));
  store(a + TCB_STATE, mine);
  assert.equal(withdraw(a, mine), true);
  assert.equal(peek(a + TCB_POLL_QUEUE), 0);
});

test('PRK0014 senders to a multiplexed thread stand in the inbox of its processor', () => {
  const [a, b] = [makeThread(), makeThread({ home: true })];
  assert.equal(pollingQueue(a), queueOf(a));
  assert.equal(pollingQueue(b), root.processor + PROCESSOR_INBOX);
});

test('PRK0040 a closed wait ends the system when the beat stops for whole slices, and not for short ones', () => {
  const [a, b] = [makeThread(), makeThread()];
  const closed = waiting(idOf(a), idOf(b));
  store(HEADER_BEAT, 7);
  const sleep = (ms: number): void => {
    store(a + TCB_STATE, closed);
    park(a, closed, ms);
  };
  for (let i = 0; i < 2 * SILENT_SLICES_MAX; i++) sleep(1);
  assert.equal(isOrphaned(), false);
  for (let i = 0; i <= SILENT_SLICES_MAX; i++) {
    assert.equal(isOrphaned(), false);
    sleep(LISTEN_SLICE_ms);
  }
  assert.equal(isOrphaned(), true);
  store(HEADER_BEAT, 8);
  sleep(LISTEN_SLICE_ms);
  assert.equal(isOrphaned(), false);
  store(HEADER_BEAT, 0);
  store(a + TCB_STATE, running(idOf(a)));
});
