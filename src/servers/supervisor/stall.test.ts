/** The stall report over hand-made states: when a wait is told, how often, and what is said of the other end. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { poke, store } from '../../platform/atomics.ts';
import { CALL, TAG_METHOD_SHIFT } from '../../layout/message.ts';
import { INDEX_MASK, STALL_ms } from '../../layout/params.ts';
import { TASK_CHIEF, TASK_SERVER, TASK_STARTING, TASK_STATE, taskAt } from '../../layout/task.ts';
import {
  DEAD,
  open,
  PARKED,
  polling,
  running,
  type Tcb,
  TCB_BELL,
  TCB_SEQUENCE,
  TCB_SINCE,
  TCB_STATE,
  TCB_TAG,
  TCB_TASK,
  waiting,
} from '../../layout/tcb.ts';
import { peek } from '../../platform/atomics.ts';
import { setName } from '../../user/names.ts';
import { doorbellOf } from '../../kernel/park.ts';
import { assertSound, idOf, makeTask, makeThread, root } from '../../../test/support/kernel.ts';
import { reportStalls, type Stalls } from './stall.ts';

const methodName = (_task: number, method: number): string => `m${method}`;
const stalls: Stalls = new Map();
const threads: Tcb[] = [];
let sequence = 0;

function agents(...names: string[]): Tcb[] {
  return names.map((name) => {
    const of = makeTask(root.id);
    setName(of.task, name);
    const tcb = makeThread({ of });
    threads.push(tcb);
    return tcb;
  });
}

function sleepIn(self: Tcb, state: number, { watched = false, tag = CALL | (1 << TAG_METHOD_SHIFT) } = {}): void {
  poke(self + TCB_TAG, tag);
  poke(self + TCB_SEQUENCE, ++sequence);
  poke(self + TCB_SINCE, 0);
  poke(self + TCB_BELL, watched ? doorbellOf(self) : 0);
  store(self + TCB_STATE, state | PARKED);
}
const calls = (self: Tcb, to: Tcb, how = {}): void => sleepIn(self, waiting(idOf(self), idOf(to)), how);
const polls = (self: Tcb, to: Tcb, how = {}): void => sleepIn(self, polling(idOf(self), idOf(to)), how);
const report = (time_ms: number): string[] => reportStalls(stalls, time_ms, methodName);
/** What is said of the waits that there are now, had they been there for long. */
function told(): string[] {
  stalls.clear();
  assert.deepEqual(report(0), []);
  return report(STALL_ms);
}

afterEach(() => {
  for (const tcb of threads.splice(0)) store(tcb + TCB_STATE, running(idOf(tcb)));
  stalls.clear();
  assertSound();
});

test('a wait is told once, when it is old enough', () => {
  const [a, b] = agents('a', 'b') as [Tcb, Tcb];
  calls(a, b);
  assert.deepEqual(report(1000), []);
  assert.deepEqual(report(999 + STALL_ms), []);
  assert.deepEqual(report(1100 + STALL_ms), ['a has waited 5.1 s for b.m1(): b is on the CPU']);
  assert.deepEqual(report(1000 + 3 * STALL_ms), []);
  // The next call has a time of its own.
  calls(a, b);
  assert.deepEqual(report(1000 + 4 * STALL_ms), []);
  assert.deepEqual(report(1000 + 5 * STALL_ms), ['a has waited 5.0 s for b.m1(): b is on the CPU']);
});

test('a wait that ended in between begins anew', () => {
  const [a, b] = agents('a', 'b') as [Tcb, Tcb];
  calls(a, b);
  report(0);
  store(a + TCB_STATE, running(idOf(a)));
  report(STALL_ms / 2);
  store(a + TCB_STATE, waiting(idOf(a), idOf(b)) | PARKED);
  assert.deepEqual(report(STALL_ms), []);
});

test('an open wait and a plain receive are no calls', () => {
  const [a, b] = agents('a', 'b') as [Tcb, Tcb];
  store(a + TCB_STATE, open(idOf(a)) | PARKED);
  calls(b, a, { tag: 0 });
  assert.deepEqual(told(), []);
});

test('the chain of waits is told to its end', () => {
  const [main, a, b, c] = agents('main', 'a', 'b', 'c') as [Tcb, Tcb, Tcb, Tcb];
  calls(main, a);
  polls(a, b);
  calls(b, c);
  assert.deepEqual(told(), [
    'main has waited 5.0 s for a.m1(): a waits for b.m1(); b waits for c.m1(); c is on the CPU',
    'a has waited 5.0 s for b.m1(): it is not taken yet; b waits for c.m1(); c is on the CPU',
    'b has waited 5.0 s for c.m1(): c is on the CPU',
  ]);
});

test('what an agent does that is not blocked', () => {
  const [a, b, c] = agents('a', 'b', 'c') as [Tcb, Tcb, Tcb];
  calls(a, b);
  store(b + TCB_STATE, open(idOf(b)) | PARKED);
  assert.deepEqual(told(), ['a has waited 5.0 s for b.m1(): b takes calls, its handler is waiting for a promise']);
  // A call of the event loop of b.
  const of = { id: peek(b + TCB_TASK), task: taskAt(peek(b + TCB_TASK) & INDEX_MASK), processor: doorbellOf(b) };
  const callOfB = makeThread({ of: of as never });
  threads.push(callOfB);
  calls(callOfB, c, { watched: true });
  assert.deepEqual(told(), [
    'a has waited 5.0 s for b.m1(): b takes calls, its handler is waiting for a promise; it waits for c.m1()',
    'b has waited 5.0 s for c.m1(): c is on the CPU',
  ]);
  store(taskAt(peek(c + TCB_TASK) & INDEX_MASK) + TASK_STATE, TASK_STARTING);
  assert.equal(told()[1], 'b has waited 5.0 s for c.m1(): c is starting');
  store(c + TCB_STATE, DEAD);
  assert.equal(told()[1], 'b has waited 5.0 s for c.m1(): c has ended');
});

test('a task that does not come up is told though no call is under way', () => {
  const [a, b] = agents('a', 'b') as [Tcb, Tcb];
  calls(a, b, { tag: 0 });
  const made = taskAt(peek(b + TCB_TASK) & INDEX_MASK);
  poke(made + TASK_CHIEF, peek(a + TCB_TASK));
  poke(made + TASK_SERVER, idOf(b));
  assert.deepEqual(told(), ['a has waited 5.0 s for the start of b: b is starting']);
});

test('starts of tasks one after the other are not one long wait', () => {
  const [a, b, c] = agents('a', 'b', 'c') as [Tcb, Tcb, Tcb];
  for (const tcb of [b, c]) {
    const made = taskAt(peek(tcb + TCB_TASK) & INDEX_MASK);
    poke(made + TASK_CHIEF, peek(a + TCB_TASK));
    poke(made + TASK_SERVER, idOf(tcb));
  }
  for (let looks = 0; looks < 4; looks++) {
    calls(a, looks % 2 === 0 ? b : c, { tag: 0 });
    poke(a + TCB_SEQUENCE, 0);
    assert.deepEqual(report(looks * STALL_ms), []);
  }
});

test('a ring that nothing breaks is told as one', () => {
  const [a, b, c] = agents('a', 'b', 'c') as [Tcb, Tcb, Tcb];
  calls(a, b);
  calls(b, c);
  calls(c, b);
  assert.equal(
    told()[0],
    'a has waited 5.0 s for b.m1(): b waits for c.m1(); c waits for b.m1(); b waits for c.m1(), and so on in a ring',
  );
});

test('many calls that stall together are counted', () => {
  const [b] = agents('b') as [Tcb];
  const [a] = agents('a') as [Tcb];
  const of = { id: peek(a + TCB_TASK), task: taskAt(peek(a + TCB_TASK) & INDEX_MASK), processor: doorbellOf(a) };
  for (let i = 0; i < 30; i++) {
    const tcb = makeThread({ of: of as never });
    threads.push(tcb);
    calls(tcb, b, { watched: true });
  }
  const lines = told();
  assert.equal(lines.length, 9);
  assert.equal(lines[8], '22 more calls have waited as long');
});
