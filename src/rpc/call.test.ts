/** Calls of one event loop to one task stay in order, whatever happens to those before them. */
import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { makeTask, makeThread, stateOf, THREADS } from '../../test/support/kernel.ts';
import { endWait } from '../kernel/fault.ts';
import { awaitOpened, receive, reply } from '../kernel/ipc-slow.ts';
import { verify } from '../kernel/verify.ts';
import {
  NEVER,
  NOT_TAKEN,
  OK,
  OPEN_ONLY,
  R_FLOAT,
  R_SENDER,
  R_SEQUENCE,
  R_TAG,
  REPLY,
  TAG_FORMAT,
  TAG_WORDS,
} from '../layout/message.ts';
import { ANY_INDEX } from '../layout/params.ts';
import { RESTART_ALWAYS, TASK_ALIVE, TASK_ORIGIN, TASK_REPLACED, TASK_RESTART, TASK_STATE } from '../layout/task.ts';
import { TASK_SERVER } from '../layout/task.ts';
import { PARKED, polling, type Tcb, tcbAt, TCB_STATE, TCB_TICKET, type ThreadId, waiting } from '../layout/tcb.ts';
import { peek, poke, registers } from '../platform/atomics.ts';
import { registerFloats } from '../platform/registers.ts';
import { agent, detach, discardTask, holder, idOf, startSystem } from '../user/agent.ts';
import { settle, stopLoop } from '../user/loop.ts';
import { callAsync, dropCallTcbs, makeTarget, plainOptions, type Target } from './call.ts';

startSystem({});
after(() => {
  stopLoop();
  dropCallTcbs();
  detach();
});
afterEach(() => assert.deepEqual(verify(), []));

const options = plainOptions(NEVER);
const made: Incarnation[] = [];
afterEach(() => {
  for (const { task } of made.splice(0)) discardTask(task);
});

type Incarnation = ReturnType<typeof makeTask> & { readonly server: Tcb };

/** A task with a server thread that is busy. */
function makeServer(origin = 0): Incarnation {
  const task = makeTask(agent.taskId);
  const server = makeThread({ of: task });
  poke(task.task + TASK_SERVER, idOf(server));
  poke(task.task + TASK_RESTART, RESTART_ALWAYS);
  poke(task.task + TASK_ORIGIN, origin);
  poke(task.task + TASK_STATE, TASK_ALIVE);
  made.push({ ...task, server });
  return made.at(-1)!;
}

const targetOf = ({ id, server }: Incarnation): Target => makeTarget(idOf(server), id, 'target');

/** Calls with a number that comes back as the answer; those that are over are told in `over`. */
function caller(target: Target): { call: (number: number, signal?: AbortSignal) => Promise<void>; over: unknown[] } {
  const over: unknown[] = [];
  const call = (number: number, signal?: AbortSignal): Promise<void> =>
    callAsync(target, 1, 'f', { ...options, signal }, [number]).then(
      (value) => void over.push(value),
      (error: { code: string }) => void over.push(error.code),
    );
  return { call, over };
}

/** Answers the call in the registers. */
function answer(server: Tcb): number {
  const number = registerFloats[R_FLOAT]!;
  // The same words again: one number.
  const tag = REPLY | (registers[R_TAG]! & (TAG_FORMAT | TAG_WORDS));
  assert.equal(reply(server, registers[R_SENDER]! as ThreadId, registers[R_SEQUENCE]!, tag), OK);
  return number;
}

/** Takes and answers all calls that stand in the queue of a server, and tells their numbers. */
function serveAll(server: Tcb): number[] {
  const numbers: number[] = [];
  while (receive(server, 0, OPEN_ONLY) === OK) numbers.push(answer(server));
  return numbers;
}

/** The threads that stand in the queue of a server, the first first. */
function pollersOf(server: Tcb): Tcb[] {
  const all = Array.from({ length: THREADS }, (_, i) => tcbAt(i + 1));
  const polls = (tcb: Tcb): boolean => (stateOf(tcb) & ~PARKED) === polling(idOf(tcb), idOf(server));
  return all.filter(polls).sort((a, b) => peek(a + TCB_TICKET) - peek(b + TCB_TICKET));
}

/** Tells a caller that nobody will take its message. */
const turnAway = (tcb: Tcb): void => assert.ok(endWait(tcb, stateOf(tcb), NOT_TAKEN, holder()));

/** Lets the event loop see to all that has happened. */
async function look(): Promise<void> {
  settle();
  await new Promise((resolve) => setImmediate(resolve));
}

test('calls that come back from an incarnation one by one go to the next in their order', async () => {
  const before = makeServer();
  const target = targetOf(before);
  const { call, over } = caller(target);
  const calls = [call(1), call(2), call(3)];
  const [first, second, third] = pollersOf(before.server);
  poke(before.task + TASK_STATE, TASK_REPLACED);
  const present = makeServer(before.id);
  turnAway(second!);
  await look();
  assert.deepEqual(pollersOf(present.server), [], 'the second waits for the first');
  // That there is another incarnation is known by now.
  calls.push(call(4));
  turnAway(third!);
  await look();
  assert.deepEqual(pollersOf(present.server), []);
  turnAway(first!);
  await look();
  assert.equal(pollersOf(present.server).length, 4);
  assert.deepEqual(serveAll(present.server), [1, 2, 3, 4]);
  await Promise.all(calls);
  assert.deepEqual(over, [1, 2, 3, 4]);
});

for (const how of ['is taken', 'is aborted'] as const) {
  test(`calls that wait for an earlier one go on when that ${how} where it stands`, async () => {
    const before = makeServer();
    const target = targetOf(before);
    const { call, over } = caller(target);
    const aborting = new AbortController();
    const calls = [call(1, aborting.signal), call(2)];
    const [, second] = pollersOf(before.server);
    poke(before.task + TASK_STATE, TASK_REPLACED);
    const present = makeServer(before.id);
    turnAway(second!);
    await look();
    calls.push(call(3));
    assert.deepEqual(pollersOf(present.server), []);
    if (how === 'is aborted') aborting.abort();
    else assert.equal(receive(before.server, 0, OPEN_ONLY), OK);
    await look();
    assert.deepEqual(serveAll(present.server), [2, 3]);
    if (how === 'is taken') registers[R_SEQUENCE] = 0;
    discardTask(before.task);
    await Promise.all(calls);
    assert.deepEqual(new Set(over), new Set([2, 3, how === 'is taken' ? 'ERR_IPC_PEER_GONE' : 'ERR_IPC_ABORTED']));
  });
}

test('a call stays behind the one before the last, whose wait has ended', async () => {
  const { server, ...task } = makeServer();
  const { call, over } = caller(targetOf({ server, ...task }));
  const aborting = new AbortController();
  const calls = [call(1), call(2, aborting.signal)];
  aborting.abort();
  // It has looked at its queue before the first call came, and opens now.
  poke(server + TCB_STATE, waiting(idOf(server), ANY_INDEX));
  calls.push(call(3));
  assert.equal(awaitOpened(server, OPEN_ONLY), OK);
  assert.deepEqual([answer(server), ...serveAll(server)], [1, 3]);
  await Promise.all(calls);
  // A rejection looks for the frames of who awaits it first, so that it may be the last to be heard of.
  assert.deepEqual(new Set(over), new Set([1, 3, 'ERR_IPC_ABORTED']));
  assert.ok(over.indexOf(1) < over.indexOf(3));
});

test('answers that are in at the same time are given in the order of the calls', async () => {
  const { server, ...task } = makeServer();
  const { call, over } = caller(targetOf({ server, ...task }));
  const calls = Array.from({ length: 40 }, (_, i) => call(i));
  const numbers = serveAll(server);
  await Promise.all(calls);
  assert.deepEqual(over, numbers);
});
