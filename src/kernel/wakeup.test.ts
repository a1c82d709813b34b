/** Wakeup lists: class by time modulo n, the long-term list, lazy removal, and what a tick inspects. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { peek, poke, store } from '../platform/atomics.ts';
import { ABORTED, OPEN_ONLY, NOT_YET, RECEIVE_TIMEOUT, SEND_TIMEOUT, SPIN_ONLY } from '../layout/message.ts';
import { ANY_INDEX, WAKEUP_LISTS, WAKEUP_LONG_ms } from '../layout/params.ts';
import { PROCESSOR_DUE, PROCESSOR_INSPECTED } from '../layout/task.ts';
import {
  homeWaiting,
  LOCK,
  locked,
  open,
  RUN,
  running,
  type Tcb,
  TCB_DEADLINE,
  TCB_PENDING,
  TCB_STATE,
  TCB_WAKEUP_LIST,
} from '../layout/tcb.ts';
import { assertSound, idOf, indexOf, kindOf, makeThread, root } from '../../test/support/kernel.ts';
import { awaitMessage, receive, startSend } from './ipc-slow.ts';
import { takeReady } from './ready.ts';
import { freeThread } from './tcb.ts';
import { verify } from './verify.ts';
import { endHomeWait, nextWakeup, setWakeup, tick } from './wakeup.ts';

const { processor } = root;
const inspected = (): number => peek(processor + PROCESSOR_INSPECTED);
/** The list a thread stands in, -1 for none. */
const listOf = (tcb: Tcb): number => peek(tcb + TCB_WAKEUP_LIST) - 1;

function waiting(deadline_ms: number, time_ms = 1000): Tcb {
  const tcb = makeThread({ window: false });
  store(tcb + TCB_STATE, open(idOf(tcb)));
  setWakeup(processor, tcb, deadline_ms, time_ms);
  return tcb;
}

const isOver = (tcb: Tcb): boolean => kindOf(tcb) === RUN;
const stop = (...threads: Tcb[]): void => threads.forEach((tcb) => store(tcb + TCB_STATE, running(idOf(tcb))));

afterEach(assertSound);

test('WAK0010 a thread that wakes at t stands in list t mod n, and a tick inspects that list only', () => {
  const threads = Array.from({ length: 32 }, (_, i) => waiting(2000 + i));
  for (const [i, tcb] of threads.entries()) assert.equal(listOf(tcb), (2000 + i) % WAKEUP_LISTS);
  assert.deepEqual(verify(), []);
  const before = inspected();
  for (let time_ms = 1100; time_ms < 1108; time_ms++) tick(processor, time_ms - 1, time_ms);
  // k/n entries a tick: in n ticks each entry once.
  assert.equal(inspected() - before, 32);
  tick(processor, 1107, 1108);
  assert.equal(inspected() - before, 32 + 32 / WAKEUP_LISTS);
  stop(...threads);
  for (let time_ms = 1109; time_ms < 1117; time_ms++) tick(processor, time_ms - 1, time_ms);
  for (const tcb of threads) assert.equal(listOf(tcb), -1);
});

test('WAK0011 a wait ends at its deadline, not before', () => {
  const tcb = waiting(1005);
  tick(processor, 1000, 1004);
  assert.equal(isOver(tcb), false);
  tick(processor, 1004, 1005);
  assert.equal(isOver(tcb), true);
  assert.equal(listOf(tcb), -1);
  assert.equal(awaitMessage(tcb, SPIN_ONLY, SPIN_ONLY), RECEIVE_TIMEOUT);
});

test('WAK0012 a clock that ticks late misses nobody', () => {
  const threads = [1001, 1002, 1009, 1500].map((deadline_ms) => waiting(deadline_ms));
  tick(processor, 1000, 3000);
  assert.ok(threads.every(isOver));
});

test('WAK0013 a polling sender times out of its queue', () => {
  const [a, b] = [makeThread(), makeThread()];
  assert.equal(startSend(a, idOf(b), ANY_INDEX, 0, 5), NOT_YET);
  setWakeup(processor, a, 1005, 1000);
  tick(processor, 1000, 1005);
  assert.equal(awaitMessage(a, SPIN_ONLY, SPIN_ONLY, indexOf(b)), SEND_TIMEOUT);
  assert.equal(receive(b, 0, 0), RECEIVE_TIMEOUT);
});

test('WAK0014 far wakeups stand in the long-term list and move over in time', () => {
  const far_ms = 1000 + 3 * WAKEUP_LONG_ms + 5;
  const tcb = waiting(far_ms);
  assert.equal(listOf(tcb), WAKEUP_LISTS);
  let time_ms = 1000;
  for (; time_ms < far_ms - 1; time_ms += 64) {
    const next_ms = Math.min(time_ms + 64, far_ms - 1);
    tick(processor, time_ms, next_ms);
    assert.equal(isOver(tcb), false);
  }
  assert.equal(listOf(tcb), far_ms % WAKEUP_LISTS);
  tick(processor, far_ms - 1, far_ms);
  assert.equal(isOver(tcb), true);
});

test('WAK0015 a thread moves between lists with its deadline', () => {
  const [tcb, other] = [waiting(1003), waiting(1003)];
  setWakeup(processor, tcb, 1003, 1000);
  setWakeup(processor, tcb, 1000 + 2 * WAKEUP_LONG_ms, 1000);
  assert.equal(listOf(tcb), WAKEUP_LISTS);
  setWakeup(processor, tcb, 1006, 1000);
  assert.equal(listOf(tcb), 1006 % WAKEUP_LISTS);
  assert.deepEqual(verify(), []);
  tick(processor, 1000, 1005);
  assert.deepEqual([isOver(tcb), isOver(other)], [false, true]);
  stop(tcb);
});

test('WAK0016 an ipc that ended in time leaves its entry to the next tick', () => {
  const tcb = waiting(1005);
  stop(tcb);
  assert.notEqual(listOf(tcb), -1);
  assert.equal(nextWakeup(processor, 1000), 0);
  tick(processor, 1000, 1008);
  assert.equal(listOf(tcb), -1);
  assert.equal(isOver(tcb), true);
});

test('WAK0017 a thread that is claimed at the tick is neither ended nor forgotten', () => {
  const [tcb, claimer] = [waiting(1005), makeThread({ window: false })];
  store(tcb + TCB_STATE, locked(idOf(tcb), idOf(claimer)));
  tick(processor, 1000, 1005);
  assert.equal(kindOf(tcb), LOCK);
  assert.notEqual(listOf(tcb), -1);
  // A late reply takes its claim back, and the wait ends by its deadline after all.
  store(tcb + TCB_STATE, open(idOf(tcb)));
  assert.equal(nextWakeup(processor, 1005), 1005);
  tick(processor, 1005, 1013);
  assert.equal(isOver(tcb), true);
});

test('WAK0018 a deadline taken back is none', () => {
  const tcb = waiting(1005);
  poke(tcb + TCB_DEADLINE, 0);
  assert.equal(nextWakeup(processor, 1000), 0);
  tick(processor, 1000, 1010);
  assert.equal(isOver(tcb), false);
  stop(tcb);
});

test('WAK0019 the clock must tick at the earliest deadline of who still waits', () => {
  const threads = [1900, 1400, 9000].map((deadline_ms) => waiting(deadline_ms));
  assert.equal(nextWakeup(processor, 1000), 1400);
  stop(threads[1]!);
  assert.equal(nextWakeup(processor, 1000), 1900);
  stop(threads[0]!);
  assert.equal(nextWakeup(processor, 1000), 9000);
  stop(threads[2]!);
});

test('WAK0020 a thread that is freed leaves the others in their list', () => {
  const [a, b, c] = [waiting(1008), waiting(1016), waiting(1024)];
  assert.ok(listOf(a) === listOf(b) && listOf(b) === listOf(c));
  freeThread(b, indexOf(a));
  assert.deepEqual(verify(), []);
  tick(processor, 1000, 1030);
  assert.ok(isOver(a) && isOver(c));
});

test('WAK0021 timeouts 0 and OPEN_ONLY touch no list', () => {
  const tcb = makeThread();
  assert.equal(receive(tcb, 0, 0), RECEIVE_TIMEOUT);
  assert.equal(receive(tcb, 0, OPEN_ONLY), NOT_YET);
  assert.equal(listOf(tcb), -1);
});

test('WAK0022 a multiplexed thread is made ready with the code', () => {
  const tcb = makeThread({ home: true });
  poke(tcb + TCB_STATE, homeWaiting(idOf(tcb), ANY_INDEX));
  endHomeWait(processor, tcb, ABORTED);
  assert.equal(peek(tcb + TCB_PENDING), 1);
  assert.equal(takeReady(processor), indexOf(tcb));
});

test('WAK0023 the look for the next deadline ends at the first list that holds it', () => {
  const threads = Array.from({ length: 32 }, (_, i) => waiting(1001 + i));
  assert.equal(peek(processor + PROCESSOR_DUE), 1001);
  for (let time_ms = 1000; time_ms < 1016; time_ms++) {
    const before = inspected();
    assert.equal(nextWakeup(processor, time_ms), time_ms + 1);
    assert.equal(peek(processor + PROCESSOR_DUE), time_ms + 1);
    assert.ok(inspected() - before <= 32 / WAKEUP_LISTS);
    tick(processor, time_ms, time_ms + 1);
  }
  stop(...threads.slice(16));
  assert.equal(nextWakeup(processor, 1016), 0);
  assert.equal(peek(processor + PROCESSOR_DUE), 0);
  const [near, far] = [waiting(1016 + 20), waiting(1016 + 2 * WAKEUP_LONG_ms)];
  assert.equal(nextWakeup(processor, 1016), 1036);
  stop(near);
  assert.equal(nextWakeup(processor, 1016), 1016 + 2 * WAKEUP_LONG_ms);
  stop(far);
});
