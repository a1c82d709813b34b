/** Rings in hand-made states: what is one, what only looks like one, who is the victim, and what it is told. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { peek, poke, registers, store } from '../../platform/atomics.ts';
import { awaitMessage } from '../../kernel/ipc-slow.ts';
import { RING_SLOTS, RING_TEXT_MAX, RING_VICTIM, ringAt } from '../../layout/map.ts';
import {
  ABORTED,
  CALL,
  DEADLOCK,
  R_SEQUENCE,
  type Result,
  SPIN_ONLY,
  TAG_FLAG,
  TAG_METHOD_SHIFT,
  TAG_STRING_SHIFT,
} from '../../layout/message.ts';
import { ANY_INDEX, INDEX_MASK } from '../../layout/params.ts';
import {
  PROCESSOR_DOORBELL,
  PROCESSOR_STUCK,
  TASK_CALLER,
  TASK_CHIEF,
  TASK_SERVER,
  taskAt,
} from '../../layout/task.ts';
import {
  KIND_MASK,
  LOCK,
  open,
  PARKED,
  polling,
  RUN,
  running,
  type Tcb,
  TCB_BELL,
  TCB_DRAINED,
  TCB_FILLED,
  TCB_IN_PIECES,
  TCB_SENDER,
  TCB_SENT,
  TCB_SEQUENCE,
  TCB_SINCE,
  TCB_STATE,
  TCB_STRING_TOTAL,
  TCB_TAG,
  TCB_TASK,
  TCB_TRANSFER,
  TCB_WINDOW_BYTES,
  waiting,
} from '../../layout/tcb.ts';
import { endWait } from '../../kernel/fault.ts';
import { METHOD_DESCRIBE, METHOD_HOST } from '../../rpc/serve.ts';
import { agent } from '../../user/agent.ts';
import { setName } from '../../user/names.ts';
import { takeRing } from '../../user/rings.ts';
import {
  assertSound,
  idOf,
  indexOf,
  kindOf,
  makeTask,
  makeThread,
  root,
  stateOf,
} from '../../../test/support/kernel.ts';
import { doorbellOf } from '../../kernel/park.ts';
import { BROKEN_OFF, breakDeadlocks } from './deadlock.ts';

const methodName = (_task: number, method: number): string | undefined => (method < 100 ? `m${method}` : undefined);
let sequence = 0;

/** One agent for each name, with one thread. */
function agents(...names: string[]): Tcb[] {
  return names.map((name) => {
    const of = makeTask(root.id);
    setName(of.task, name);
    return makeThread({ of });
  });
}

/** Lets a thread sleep in a call of the other, since `since_ms`. */
function sleepIn(self: Tcb, state: number, since_ms: number, method = 1): void {
  poke(self + TCB_TAG, CALL | (method << TAG_METHOD_SHIFT));
  poke(self + TCB_SEQUENCE, ++sequence);
  poke(self + TCB_SINCE, since_ms);
  store(self + TCB_STATE, state | PARKED);
}
const calls = (self: Tcb, to: Tcb, since_ms = 0, method = 1): void =>
  sleepIn(self, waiting(idOf(self), idOf(to)), since_ms, method);
const polls = (self: Tcb, to: Tcb, since_ms = 0, method = 1): void =>
  sleepIn(self, polling(idOf(self), idOf(to)), since_ms, method);

const supervisor = (): Tcb => makeThread();
const look = (between?: () => void): boolean => breakDeadlocks(indexOf(supervisor()), methodName, between);
const isWaiting = (tcb: Tcb): boolean => kindOf(tcb) !== RUN && kindOf(tcb) !== LOCK;
/** The result that a thread whose wait ended finds, and what is said of the ring. */
function outcome(tcb: Tcb): { result: Result; text: string | null } {
  agent.processor = doorbellOf(tcb) as never;
  const result = awaitMessage(tcb, SPIN_ONLY, SPIN_ONLY);
  return { result, text: takeRing(registers[R_SEQUENCE]!) };
}
function rest(...threads: Tcb[]): void {
  for (const tcb of threads) {
    store(tcb + TCB_STATE, running(idOf(tcb)));
    poke(tcb + TCB_TRANSFER, 0);
  }
  assertSound();
}

afterEach(() => {
  for (let slot = 0; slot < RING_SLOTS; slot++) store(ringAt(slot) + RING_VICTIM, 0);
});

for (const size of [1, 2, 3, 4, 7]) {
  test(`DLK0010 a ring of ${size} agents ends by the call that closed it`, () => {
    const ring = agents(...'abcdefg'.slice(0, size).split(''));
    ring.forEach((tcb, i) =>
      (i === size - 1 ? polls : calls)(tcb, i === size - 1 ? otherThread(ring[0]!) : ring[i + 1]!, 10 - i),
    );
    assert.equal(look(), true);
    assert.deepEqual(ring.map(isWaiting), [...Array(size - 1).fill(true), false]);
    const { result, text } = outcome(ring.at(-1)!);
    assert.equal(result, DEADLOCK);
    const names = 'abcdefg'.slice(0, size).split('');
    assert.equal(text, [...names.map((name, i) => (i === 0 ? '' : `${name}.m1()`)), 'a'].join(' -> '));
    // The others wait on, and are no ring any more.
    assert.equal(look(), size > 1);
    assert.equal(ring.filter(isWaiting).length, size - 1);
    rest(...ring);
  });
}

/** A second thread of the same task. */
function otherThread(tcb: Tcb): Tcb {
  const task = taskAt(peek(tcb + TCB_TASK) & INDEX_MASK);
  return makeThread({ of: { id: peek(tcb + TCB_TASK), task, processor: doorbellOf(tcb) } as never });
}

test('DLK0015 the victim is a call that nobody has taken, else one that lies in a line, else the youngest', () => {
  const ring = agents('a', 'b', 'c') as [Tcb, Tcb, Tcb];
  const [a, b, c] = ring;
  const server = otherThread(a);
  calls(a, b, 9);
  polls(b, c, 1);
  calls(c, server, 5);
  look();
  assert.deepEqual(ring.map(isWaiting), [true, false, true]);
  calls(b, c, 9);
  look();
  assert.deepEqual(ring.map(isWaiting), [true, true, false]);
  calls(c, a, 1);
  calls(a, b, 7);
  look();
  assert.deepEqual(ring.map(isWaiting), [true, false, true]);
  rest(a, b, c, server);
});

test('DLK0011 a chain that ends in an agent that runs, or takes calls, is no ring', () => {
  const [a, b, c] = agents('a', 'b', 'c') as [Tcb, Tcb, Tcb];
  calls(a, b);
  polls(b, c);
  assert.equal(look(), true);
  store(c + TCB_STATE, open(idOf(c)) | PARKED);
  assert.equal(look(), true);
  assert.deepEqual([a, b].map(isWaiting), [true, true]);
  rest(a, b, c);
});

test('DLK0012 an agent whose loop runs is not blocked by the calls that it watches', () => {
  const [a, b, c] = agents('a', 'b', 'c') as [Tcb, Tcb, Tcb];
  calls(a, b);
  calls(b, c);
  calls(c, a);
  poke(c + TCB_BELL, doorbellOf(c));
  look();
  assert.deepEqual([a, b, c].map(isWaiting), [true, true, true]);
  // Nor by a wait that it still spins in.
  poke(c + TCB_BELL, 0);
  store(c + TCB_STATE, stateOf(c) & ~PARKED);
  look();
  assert.deepEqual([a, b, c].map(isWaiting), [true, true, true]);
  rest(a, b, c);
});

test('DLK0013 an agent is blocked for all its threads', () => {
  const [a, b, c] = agents('a', 'b', 'c') as [Tcb, Tcb, Tcb];
  // The server of c listens in the loop; its caller sleeps.
  const server = otherThread(c);
  store(server + TCB_STATE, open(idOf(server)) | PARKED);
  poke(server + TCB_BELL, doorbellOf(c));
  calls(a, b, 1);
  calls(b, server, 2);
  polls(c, a, 3);
  look();
  assert.deepEqual([a, b, c].map(isWaiting), [true, true, false]);
  rest(a, b, c, server);
});

const changes: [string, (tcb: Tcb, others: Tcb[]) => void][] = [
  ['has its answer', (tcb) => store(tcb + TCB_STATE, running(idOf(tcb)))],
  [
    'is being claimed',
    (tcb, [other]) => store(tcb + TCB_STATE, LOCK | (stateOf(tcb) & ~KIND_MASK & ~INDEX_MASK) | indexOf(other!)),
  ],
  ['is in another call of the same task', (tcb) => poke(tcb + TCB_SEQUENCE, ++sequence)],
  ['has served an upcall meanwhile', (tcb) => poke(tcb + TCB_SENT, peek(tcb + TCB_SENT) + 1)],
  ['has opened', (tcb) => store(tcb + TCB_STATE, open(idOf(tcb)))],
];
for (const [what, change] of changes) {
  for (const at of [0, 1, 2]) {
    test(`DLK0020 no ring when its member ${at} ${what} in the second look`, () => {
      const ring = agents('a', 'b', 'c') as [Tcb, Tcb, Tcb];
      ring.forEach((tcb, i) => calls(tcb, ring[(i + 1) % 3]!, i));
      const before = ring.map(stateOf);
      look(() => change(ring[at]!, ring));
      ring.forEach((tcb, i) => i !== at && assert.equal(stateOf(tcb), before[i]));
      assert.notEqual(peek(ring[at]! + TCB_STATE) & KIND_MASK, 0);
      assert.equal(peek(ringAt(0) + RING_VICTIM), 0);
      rest(...ring);
    });
  }
}

test('DLK0021 a victim whose wait ends at the last moment keeps its own result, and nothing is said of a ring', () => {
  const ring = agents('a', 'b') as [Tcb, Tcb];
  calls(ring[0], ring[1], 1);
  calls(ring[1], ring[0], 2);
  const holder = supervisor();
  const state = stateOf(ring[1]);
  let looks = 0;
  breakDeadlocks(indexOf(holder), () => {
    // Names are asked for behind the second look.
    if (looks++ === 0) endWait(ring[1], state, ABORTED, indexOf(holder));
    return undefined;
  });
  assert.ok(looks > 0);
  assert.equal(awaitMessage(ring[1], SPIN_ONLY, SPIN_ONLY), ABORTED);
  assert.deepEqual(
    Array.from({ length: RING_SLOTS }, (_, slot) => peek(ringAt(slot) + RING_VICTIM)),
    Array(RING_SLOTS).fill(0),
  );
  rest(...ring);
});

test('DLK0030 who sends a long call is part of a ring and not its victim', () => {
  const ring = agents('a', 'b', 'c') as [Tcb, Tcb, Tcb];
  ring.forEach((tcb, i) => calls(tcb, ring[(i + 1) % 3]!, i));
  const [, , c] = ring;
  store(c + TCB_STATE, stateOf(c) & ~PARKED);
  poke(c + TCB_TRANSFER, idOf(ring[0]));
  look();
  // A call tcb may still come back to its loop.
  assert.deepEqual(ring.map(isWaiting), [true, true, true]);
  poke(taskAt(peek(c + TCB_TASK) & INDEX_MASK) + TASK_CALLER, idOf(c));
  look();
  assert.deepEqual(ring.map(isWaiting), [true, false, true]);
  rest(...ring);
});

/** A thread that has begun to receive a long call, of which the pieces are still to come. */
function receivesOf(self: Tcb, caller: Tcb): void {
  calls(caller, self);
  // A call tcb, which its agent's loop watches.
  poke(caller + TCB_BELL, doorbellOf(caller));
  poke(self + TCB_SENDER, idOf(caller));
  poke(self + TCB_TAG, CALL | (1 << TAG_STRING_SHIFT));
  poke(self + TCB_TRANSFER, idOf(caller));
  poke(self + TCB_IN_PIECES, 1);
  poke(self + TCB_STRING_TOTAL, 4 * peek(self + TCB_WINDOW_BYTES) + 4);
  for (const count of [TCB_FILLED, TCB_DRAINED]) store(self + count, 0);
}

test('DLK0032 in a ring of long calls one of them ends, and its receiver hears that no more comes', () => {
  const [a, b] = agents('a', 'b') as [Tcb, Tcb];
  const [ofA, ofB] = [otherThread(a), otherThread(b)];
  receivesOf(a, ofB);
  receivesOf(b, ofA);
  assert.equal(look(), true);
  const [ended] = [ofA, ofB].filter((caller) => !isWaiting(caller));
  assert.deepEqual([ofA, ofB].filter(isWaiting).length, 1);
  const receiver = ended === ofB ? a : b;
  assert.equal(peek(receiver + TCB_FILLED), BROKEN_OFF);
  assert.equal(outcome(ended!).result, DEADLOCK);
  rest(a, b, ofA, ofB);
});

test('DLK0033 who has pieces to take, or room for more, goes on', () => {
  const [a, b] = agents('a', 'b') as [Tcb, Tcb];
  const [ofA, ofB] = [otherThread(a), otherThread(b)];
  receivesOf(a, ofB);
  receivesOf(b, ofA);
  store(a + TCB_FILLED, 1);
  look();
  assert.deepEqual([ofA, ofB].map(isWaiting), [true, true]);
  rest(a, b, ofA, ofB);
});

test('DLK0037 who was rung for the pieces of its own message does not wait for its receiver', () => {
  const [a, b] = agents('a', 'b') as [Tcb, Tcb];
  receivesOf(b, a);
  // In place, and not watched by a loop.
  poke(a + TCB_BELL, 0);
  store(b + TCB_STATE, running(idOf(b)));
  look();
  assert.equal(isWaiting(a), true);
  // Amid the transfer, whether it has slept before or not.
  poke(a + TCB_TRANSFER, idOf(b));
  poke(taskAt(peek(a + TCB_TASK) & INDEX_MASK) + TASK_CALLER, idOf(a));
  for (const count of [TCB_FILLED, TCB_DRAINED]) store(b + count, 1);
  store(a + TCB_STATE, stateOf(a) & ~PARKED);
  look();
  assert.deepEqual([isWaiting(a), peek(b + TCB_FILLED)], [true, 1]);
  rest(a, b);
});

test('DLK0038 a callback to a caller that has had a long message before is a wait like any other', () => {
  const [a, b] = agents('a', 'b') as [Tcb, Tcb];
  const ofA = otherThread(a);
  polls(a, b);
  calls(b, ofA);
  poke(b + TCB_TAG, CALL | TAG_FLAG);
  // The callback lies in its line, and its loop sleeps.
  store(ofA + TCB_STATE, running(idOf(ofA)));
  poke(ofA + TCB_SENDER, idOf(b));
  poke(ofA + TCB_TAG, CALL | TAG_FLAG);
  poke(ofA + TCB_IN_PIECES, 1);
  poke(ofA + TCB_STRING_TOTAL, 4 * peek(ofA + TCB_WINDOW_BYTES));
  look();
  assert.deepEqual([a, b].map(isWaiting), [false, true]);
  rest(a, b, ofA);
});

test('DLK0034 an upcall is not the victim while there is another wait, or a long call, to end', () => {
  const ring = agents('a', 'b', 'c') as [Tcb, Tcb, Tcb];
  const [a, b, c] = ring;
  calls(a, b, 1);
  calls(b, c, 2);
  polls(c, a, 9);
  poke(c + TCB_TAG, CALL | TAG_FLAG);
  look();
  assert.deepEqual(ring.map(isWaiting), [true, false, true]);
  const ofC = otherThread(c);
  receivesOf(a, ofC);
  store(a + TCB_STATE, running(idOf(a)));
  look();
  assert.deepEqual([c, ofC].map(isWaiting), [true, false]);
  assert.equal(peek(a + TCB_FILLED), BROKEN_OFF);
  rest(a, b, c, ofC);
});

test('DLK0031 a call is the victim rather than a receive, and the text tells what is awaited', () => {
  const [a, b, c] = agents('a', 'b', 'c') as [Tcb, Tcb, Tcb];
  // The task of c has made that of a, and its hello has not come.
  const made = taskAt(peek(a + TCB_TASK) & INDEX_MASK);
  poke(made + TASK_CHIEF, peek(c + TCB_TASK));
  poke(made + TASK_SERVER, idOf(a));
  for (const [tag, name] of [
    [7 << TAG_METHOD_SHIFT, 'm7()'],
    [200 << TAG_METHOD_SHIFT, 'method 200()'],
    [METHOD_DESCRIBE << TAG_METHOD_SHIFT, 'exports()'],
    [TAG_FLAG | (4 << TAG_METHOD_SHIFT), 'callback 4()'],
    [(METHOD_HOST + 3) << TAG_METHOD_SHIFT, 'host function 3()'],
  ] as const) {
    calls(a, b, 1);
    calls(b, c, 2);
    polls(c, a, 3);
    poke(a + TCB_TAG, CALL | tag);
    poke(c + TCB_TAG, 0);
    look();
    assert.deepEqual([a, b, c].map(isWaiting), [true, false, true]);
    assert.equal(outcome(b).text, ` -> the start of a -> b.${name} -> c`);
  }
  rest(a, b, c);
});

test('DLK0032 two tasks of one agent are told apart', () => {
  const [a, b] = agents('a', 'b') as [Tcb, Tcb];
  const local = makeTask(root.id);
  setName(local.task, 'local');
  const inA = makeThread({ of: { ...local, processor: doorbellOf(a) as never } });
  calls(a, b, 1);
  polls(b, inA, 2);
  look();
  assert.deepEqual([a, b].map(isWaiting), [true, false]);
  assert.equal(outcome(b).text, ' (in a) -> b.m1() -> local');
  rest(a, b);
});

test('DLK0033 a long ring is told with its middle left out', () => {
  const names = Array.from({ length: 13 }, (_, i) => `${String.fromCharCode(97 + i)}${'ü'.repeat(30)}`);
  const ring = agents(...names);
  ring.forEach((tcb, i) => calls(tcb, ring[(i + 1) % 13]!, i));
  look();
  const { text } = outcome(ring[12]!);
  assert.ok(Buffer.byteLength(text!) <= RING_TEXT_MAX, `${text}`);
  assert.match(text!, /^ -> bü+\.m1\(\) -> .* -> \d more -> mü+\.m1\(\) -> aü+$/);
  rest(...ring);
});

test('DLK0040 several rings are broken in one look, each victim told of its own', () => {
  const rings = [agents('a', 'b'), agents('c', 'd'), agents('e', 'f')] as [Tcb, Tcb][];
  for (const [one, other] of rings) {
    calls(one, other, 1);
    polls(other, one, 2);
  }
  look();
  assert.deepEqual(
    rings.map(([, victim]) => outcome(victim).text),
    [' -> b.m1() -> a', ' -> d.m1() -> c', ' -> f.m1() -> e'],
  );
  rest(...rings.flat());
});

test('DLK0041 a text that nobody read gives way, and is not taken for that of another call', () => {
  const [a, b] = agents('a', 'b') as [Tcb, Tcb];
  for (let round = 0; round < 2 * RING_SLOTS; round++) {
    calls(a, b, 1);
    calls(b, a, 2);
    look();
    assert.equal(kindOf(b), RUN);
  }
  agent.processor = doorbellOf(b) as never;
  assert.equal(takeRing(sequence + 1), null);
  assert.equal(takeRing(sequence), ' -> b.m1() -> a');
  assert.equal(takeRing(sequence), null);
  rest(a, b);
});

test('DLK0042 an idle system is not worth a second look', () => {
  const [a] = agents('a') as [Tcb];
  store(a + TCB_STATE, open(idOf(a)) | PARKED);
  assert.equal(ANY_INDEX, stateOf(a) & INDEX_MASK);
  assert.equal(look(), false);
  rest(a);
});

const stuckAt = (tcb: Tcb): number => doorbellOf(tcb) - PROCESSOR_DOORBELL + PROCESSOR_STUCK;
/** Lets the loop of a thread's agent wait for the calls of these threads and for nothing else. */
function stick(...callers: Tcb[]): void {
  for (const tcb of callers) poke(tcb + TCB_BELL, doorbellOf(tcb));
  store(stuckAt(callers[0]!), (7 << 16) | callers.length);
}
const unstick = (...threads: Tcb[]): void => threads.forEach((tcb) => store(stuckAt(tcb), 0));

test('DLK0050 loops that wait for nothing but each other are a ring', () => {
  const ring = agents('a', 'b', 'c') as [Tcb, Tcb, Tcb];
  ring.forEach((tcb, i) => {
    (i === 0 ? calls : polls)(tcb, ring[(i + 1) % 3]!, i);
    stick(tcb);
  });
  assert.equal(look(), true);
  assert.deepEqual(ring.map(isWaiting), [true, true, false]);
  assert.equal(outcome(ring[2]).text, ' -> b.m1() -> c.m1() -> a');
  // The victim's agent has not looked yet: it still says that it is stuck.
  look();
  assert.deepEqual(ring.map(isWaiting), [true, true, false]);
  unstick(...ring);
  rest(...ring);
});

test('DLK0051 a ring of loops and of agents that sleep', () => {
  const ring = agents('a', 'b', 'c') as [Tcb, Tcb, Tcb];
  ring.forEach((tcb, i) => polls(tcb, ring[(i + 1) % 3]!, i));
  stick(ring[1]);
  look();
  assert.deepEqual(ring.map(isWaiting), [true, true, false]);
  unstick(...ring);
  rest(...ring);
});

test('DLK0052 a loop is not lost while one of its calls may end', () => {
  const [a, b, c] = agents('a', 'b', 'c') as [Tcb, Tcb, Tcb];
  const other = otherThread(a);
  calls(a, b, 1);
  calls(other, c, 2);
  stick(a, other);
  polls(b, a, 3);
  look();
  assert.deepEqual([a, other, b].map(isWaiting), [true, true, true]);
  // Now c waits for a as well: a is lost by both its calls, and one of the two rings ends.
  polls(c, a, 4);
  look();
  assert.equal([a, other, b, c].filter(isWaiting).length, 3);
  unstick(a);
  rest(a, other, b, c);
});

test('DLK0053 a loop is not lost while an answer of its own lies unread', () => {
  const [a, b] = agents('a', 'b') as [Tcb, Tcb];
  const answered = otherThread(a);
  calls(a, b, 1);
  polls(b, a, 2);
  stick(a, answered);
  look();
  assert.deepEqual([a, b].map(isWaiting), [true, true]);
  unstick(a);
  rest(a, b, answered);
});

for (const [what, change] of [
  ['runs again', (a: Tcb) => store(stuckAt(a), 0)],
  ['has run and is stuck again', (a: Tcb) => store(stuckAt(a), (8 << 16) | 2)],
  ['has got one of its answers', (_: Tcb, other: Tcb) => store(other + TCB_STATE, running(idOf(other)))],
] as [string, (a: Tcb, other: Tcb) => void][]) {
  test(`DLK0054 no ring when a loop ${what} in the second look`, () => {
    const [a, b] = agents('a', 'b') as [Tcb, Tcb];
    const other = otherThread(a);
    calls(a, b, 1);
    calls(other, b, 1);
    polls(b, a, 2);
    stick(a, other);
    look(() => change(a, other));
    assert.deepEqual([a, b].map(isWaiting), [true, true]);
    unstick(a);
    rest(a, b, other);
  });
}
