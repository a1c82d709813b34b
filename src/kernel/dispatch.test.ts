/**
 * Threads multiplexed on one processor: direct switches, passive threads, the turn, and the way to other processors.
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { load, peek, poke, registers, store } from '../platform/atomics.ts';
import {
  ABORTED,
  CALL,
  DEADLOCK,
  DENIED,
  NEVER,
  NOT_YET,
  OK,
  OP_CALL,
  OP_RECEIVE,
  OP_REPLY_AND_RECEIVE,
  OP_SEND,
  OP_YIELD,
  OPEN_ONLY,
  NOT_TAKEN,
  R_RECEIVE_TIMEOUT,
  R_SEND_TIMEOUT,
  R_SENDER,
  R_SEQUENCE,
  R_TAG,
  R_WORD,
  RECEIVE_TIMEOUT,
  REPLY,
  type Result,
  SEND_TIMEOUT,
  SPIN_ONLY,
} from '../layout/message.ts';
import { ANY_INDEX, TURN_SWITCHES } from '../layout/params.ts';
import { PROCESSOR_DOORBELL, PROCESSOR_INBOX, PROCESSOR_READY_FIRST } from '../layout/task.ts';
import {
  HOME_POLL,
  HOME_WAIT,
  PARKED,
  POLL,
  RUN,
  running,
  type Tcb,
  TCB_BELL,
  TCB_QUEUE_TICKET,
  TCB_READY_LINKED,
  TCB_SEQUENCE,
  TCB_STATE,
  TCB_WAKEUP_LIST,
  WAIT,
  waiting,
} from '../layout/tcb.ts';
import {
  assertSound,
  idOf,
  indexOf,
  kindOf,
  makeTask,
  makeThread,
  pattern,
  putItems,
  root,
  stateOf,
} from '../../test/support/kernel.ts';
import {
  type Body,
  callPassive,
  dispatch,
  drainInbox,
  endBody,
  isPassiveHere,
  parkAbroad,
  startBody,
  startPassive,
  waitsAbroad,
} from './dispatch.ts';
import { cancel } from './fault.ts';
import { awaitMessage, receive, reply, replyAndReceiveSlow, startSend } from './ipc-slow.ts';
import { firstInQueue } from './queue.ts';
import { tick } from './wakeup.ts';
import { now_ms } from '../platform/wait.ts';

type Steps = Generator<number, Result, Result>;
const { processor } = root;
const started: Tcb[] = [];
const arrived = (tcb: Tcb, target = 0): Result => awaitMessage(tcb, SPIN_ONLY, SPIN_ONLY, target);

beforeEach(() => {
  registers[R_SEND_TIMEOUT] = NEVER;
  registers[R_RECEIVE_TIMEOUT] = NEVER;
});
afterEach(() => {
  for (const tcb of started.splice(0)) endBody(tcb);
  assertSound();
});

function home(body?: (self: Tcb) => Steps): Tcb {
  const tcb = makeThread({ home: true });
  started.push(tcb);
  if (body !== undefined) startBody(processor, tcb, body(tcb) as Body);
  return tcb;
}

/** States the operands of a local thread's operation. */
function operands(to: Tcb | 0, tag: number, word = 0, timeouts_ms: [number, number] = [NEVER, NEVER]): void {
  registers[R_SENDER] = to === 0 ? 0 : idOf(to);
  registers[R_TAG] = tag;
  registers[R_WORD] = word;
  [registers[R_SEND_TIMEOUT], registers[R_RECEIVE_TIMEOUT]] = timeouts_ms;
}

function* echo(): Steps {
  operands(0, 0);
  yield OP_RECEIVE;
  for (;;) {
    registers[R_TAG] = REPLY | 1;
    registers[R_WORD] = registers[R_WORD]! + 1;
    registers[R_RECEIVE_TIMEOUT] = NEVER;
    yield OP_REPLY_AND_RECEIVE;
  }
}

test('DSP0008 the wait of a generator thread is cancelled from its own processor, that of a passive one is not', () => {
  const [canceller, silent] = [makeThread(), home()];
  const results: Result[] = [];
  const receiver = home(function* () {
    operands(0, 0);
    results.push(yield OP_RECEIVE);
    return OK;
  });
  const caller = home(function* () {
    operands(silent, CALL);
    results.push(yield OP_CALL);
    return OK;
  });
  const passive = home();
  startPassive(passive, () => REPLY);
  assert.equal(dispatch(processor, 0), false);
  assert.deepEqual([kindOf(receiver), kindOf(caller)], [HOME_WAIT, HOME_POLL]);
  assert.equal(cancel(passive, ABORTED, indexOf(canceller)), false);
  assert.ok(cancel(receiver, ABORTED, indexOf(canceller)));
  assert.ok(cancel(caller, ABORTED, indexOf(canceller)));
  assert.equal(cancel(caller, ABORTED, indexOf(canceller)), false);
  assert.equal(dispatch(processor, 0), false);
  assert.deepEqual(results, [ABORTED, ABORTED]);
  // Both have ended: what is left of them waits for nothing.
  assert.equal(cancel(receiver, ABORTED, indexOf(canceller)), false);
});

test('DSP0010 two generator threads play ping-pong by direct switches that touch no queue', () => {
  const server = home(echo);
  const answers: number[] = [];
  const tickets = peek(server + TCB_QUEUE_TICKET);
  home(function* (self) {
    for (let round = 0; round < 100; round++) {
      operands(server, CALL | 1, round);
      assert.equal(yield OP_CALL, OK);
      answers.push(registers[R_WORD]!);
      assert.equal(registers[R_SENDER], idOf(server));
      assert.equal(peek(self + TCB_READY_LINKED) + peek(server + TCB_READY_LINKED), 0);
    }
    return OK;
  });
  assert.equal(dispatch(processor, 0), false);
  assert.deepEqual(
    answers,
    Array.from({ length: 100 }, (_, i) => i + 1),
  );
  assert.equal(peek(server + TCB_QUEUE_TICKET), tickets);
  assert.equal(kindOf(server), HOME_WAIT);
});

test('DSP0011 the turn ends by its budget, and goes on where it stopped', () => {
  let rounds = 0;
  const body = function* (): Steps {
    for (;;) {
      rounds++;
      yield OP_YIELD;
    }
  };
  home(body);
  home(body);
  assert.equal(dispatch(processor, 0), true);
  assert.equal(rounds, TURN_SWITCHES);
  assert.equal(dispatch(processor, 0), true);
  assert.equal(rounds, 2 * TURN_SWITCHES);
});

test('DSP0012 local senders are served in order, and the next one begins before the answered one continues', () => {
  const order: string[] = [];
  const server = home();
  for (const name of ['a', 'b', 'c']) {
    home(function* () {
      operands(server, CALL | 1, name.charCodeAt(0));
      assert.equal(yield OP_CALL, OK);
      order.push(`${name} continues`);
      return OK;
    });
  }
  startBody(
    processor,
    server,
    (function* (): Steps {
      operands(0, 0);
      yield OP_RECEIVE;
      for (;;) {
        order.push(`${String.fromCharCode(registers[R_WORD]!)} served`);
        registers[R_TAG] = REPLY;
        yield OP_REPLY_AND_RECEIVE;
      }
    })() as Body,
  );
  assert.equal(dispatch(processor, 0), false);
  assert.deepEqual(
    order.filter((entry) => entry.endsWith('served')),
    ['a served', 'b served', 'c served'],
  );
  assert.equal(order.length, 6);
});

test('DSP0013 send gives its message and the sender stays ready', () => {
  const got: number[] = [];
  const server = home(function* () {
    for (;;) {
      operands(0, 0);
      yield OP_RECEIVE;
      got.push(registers[R_WORD]!);
    }
  });
  home(function* () {
    for (const word of [1, 2, 3]) {
      operands(server, 1, word);
      assert.equal(yield OP_SEND, OK);
    }
    return OK;
  });
  dispatch(processor, 0);
  assert.deepEqual(got, [1, 2, 3]);
});

test('DSP0020 a passive thread serves on the stack of its caller, and not within itself', () => {
  const [caller, server] = [makeThread(), home()];
  let inner = OK;
  startPassive(server, () => {
    assert.equal(registers[R_SENDER], idOf(caller));
    inner = callPassive(caller, idOf(server), CALL);
    registers[R_WORD] = registers[R_WORD]! * 2;
    return REPLY | 1;
  });
  assert.ok(isPassiveHere(idOf(server)));
  registers[R_WORD] = 21;
  assert.equal(callPassive(caller, idOf(server), CALL | 1), OK);
  assert.equal(registers[R_WORD], 42);
  assert.equal(inner, DEADLOCK);
  assert.equal(kindOf(caller), RUN);
  const stranger = makeThread({ of: makeTask(makeTask(root.id).id) });
  assert.equal(callPassive(stranger, idOf(server), CALL), DENIED);
});

test('DSP0021 a generator thread calls a passive one', () => {
  const server = home();
  let answer = 0;
  startPassive(server, () => {
    registers[R_WORD] = registers[R_WORD]! + 5;
    return REPLY | 1;
  });
  home(function* () {
    for (let round = 0; round < 3; round++) {
      operands(server, CALL | 1, round);
      assert.equal(yield OP_CALL, OK);
      answer = registers[R_WORD]!;
    }
    return OK;
  });
  assert.equal(dispatch(processor, 0), false);
  assert.equal(answer, 7);
  assert.equal(kindOf(server), HOME_WAIT);
});

test('DSP0030 a call from elsewhere comes through the inbox and is answered', () => {
  const [client, server] = [makeThread(), home(echo)];
  dispatch(processor, 0);
  const bell = load(processor + PROCESSOR_DOORBELL);
  registers[R_WORD] = 8;
  assert.equal(startSend(client, idOf(server), ANY_INDEX, CALL | 1, NEVER), NOT_YET);
  assert.equal(load(processor + PROCESSOR_DOORBELL), bell + 1);
  assert.equal(firstInQueue(processor + PROCESSOR_INBOX), indexOf(client));
  assert.equal(dispatch(processor, 0), false);
  assert.equal(arrived(client, indexOf(server)), OK);
  assert.equal(registers[R_WORD], 9);
});

test('DSP0038 a passive thread that answers later sends nothing now, and is open for the next', () => {
  const [client, other, server] = [makeThread(), makeThread(), home()];
  startPassive(server, () => 0);
  for (const tcb of [client, other]) {
    assert.equal(startSend(tcb, idOf(server), ANY_INDEX, CALL | 1, NEVER), NOT_YET);
    dispatch(processor, 0);
    assert.equal(stateOf(tcb), waiting(idOf(tcb), idOf(server)));
    assert.equal(kindOf(server), HOME_WAIT);
  }
  assert.equal(reply(server, idOf(client), peek(client + TCB_SEQUENCE), REPLY | 1), OK);
  assert.equal(arrived(client, indexOf(server)), OK);
});

test('DSP0031 a parked sender of a plain message to a local thread runs when it is taken', () => {
  const [client, server] = [makeThread(), home(echo)];
  dispatch(processor, 0);
  assert.equal(startSend(client, idOf(server), ANY_INDEX, 1, NEVER), NOT_YET);
  poke(client + TCB_STATE, stateOf(client) | PARKED);
  assert.ok(drainInbox(processor));
  assert.equal(stateOf(client), running(idOf(client)));
});

test('DSP0036 a parked caller of a long message to a local thread is waked for its pieces when it is taken', () => {
  const [client, server] = [makeThread(), home(echo)];
  dispatch(processor, 0);
  const tag = CALL | putItems(pattern(200_000));
  assert.equal(startSend(client, idOf(server), ANY_INDEX, tag, NEVER), NOT_YET);
  poke(client + TCB_STATE, stateOf(client) | PARKED);
  const bell = processor + PROCESSOR_DOORBELL;
  poke(client + TCB_BELL, bell);
  const rung = load(bell);
  assert.ok(drainInbox(processor));
  assert.equal(kindOf(client), WAIT);
  assert.equal(load(bell), rung + 1);
  store(client + TCB_STATE, running(idOf(client)));
});

test('DSP0037 generator threads of two processors meet by the inbox: only its own runs a waiting one', () => {
  const other = makeTask(root.id);
  const server = makeThread({ home: true, of: other });
  started.push(server);
  startBody(other.processor, server, echo() as Body);
  assert.equal(dispatch(other.processor, 0), false);
  let answer = 0;
  const client = home(function* () {
    operands(server, CALL | 1, 41);
    assert.equal(yield OP_CALL, OK);
    answer = registers[R_WORD]!;
    return OK;
  });
  assert.equal(dispatch(processor, 0), false);
  assert.equal(kindOf(server), HOME_WAIT);
  assert.equal(firstInQueue(other.processor + PROCESSOR_INBOX), indexOf(client));
  dispatch(other.processor, 0);
  dispatch(processor, 0);
  assert.equal(answer, 42);
});

test('DSP0032 senders from elsewhere to a busy thread move to its queue and can still withdraw', () => {
  const server = home();
  const clients = [makeThread(), makeThread(), makeThread()];
  for (const client of clients) startSend(client, idOf(server), ANY_INDEX, CALL | 1, NEVER);
  assert.ok(drainInbox(processor));
  assert.equal(firstInQueue(processor + PROCESSOR_INBOX), 0);
  assert.equal(kindOf(clients[1]!), POLL);
  assert.equal(awaitMessage(clients[1]!, 0, NEVER, indexOf(server)), SEND_TIMEOUT);
  assert.equal(awaitMessage(clients[0]!, 0, NEVER, indexOf(server)), SEND_TIMEOUT);
  const late = makeThread();
  startSend(late, idOf(server), ANY_INDEX, CALL | 1, NEVER);
  assert.equal(firstInQueue(processor + PROCESSOR_INBOX), indexOf(late));
  startBody(processor, server, echo() as Body);
  assert.equal(dispatch(processor, 0), false);
  for (const client of [clients[2]!, late]) assert.equal(arrived(client, indexOf(server)), OK);
});

test('DSP0033 a local thread calls a remote one, and its answer rings the doorbell', () => {
  const server = makeThread();
  receive(server, 0, OPEN_ONLY);
  let result = -1;
  home(function* () {
    operands(server, CALL | 1, 30);
    result = yield OP_CALL;
    return OK;
  });
  assert.equal(dispatch(processor, 0), false);
  assert.ok(waitsAbroad());
  assert.equal(parkAbroad(), true);
  assert.equal(arrived(server), OK);
  const bell = load(processor + PROCESSOR_DOORBELL);
  replyAndReceiveSlow(server, registers[R_SENDER]! as never, registers[R_SEQUENCE]!, REPLY | 1, OPEN_ONLY);
  assert.equal(load(processor + PROCESSOR_DOORBELL), bell + 1);
  assert.equal(parkAbroad(), false);
  dispatch(processor, 0);
  assert.equal(result, OK);
  assert.equal(waitsAbroad(), false);
});

test('DSP0034 a local thread is told at once of a partner that is gone, itself, and one that does not wait', () => {
  const results: Result[] = [];
  const [busy, gone] = [makeThread(), makeThread()];
  store(gone + TCB_STATE, 0);
  home(function* (self) {
    for (const to of [gone, self, busy]) {
      operands(to, CALL, 0, [0, NEVER]);
      results.push(yield OP_CALL);
    }
    return OK;
  });
  dispatch(processor, 0);
  assert.deepEqual(results, [NOT_TAKEN, DEADLOCK, SEND_TIMEOUT]);
});

/** Runs the clock, and the threads that it wakes, for so many milliseconds from now. */
function pass(duration_ms: number): void {
  const time_ms = now_ms();
  tick(processor, time_ms - 8, time_ms + duration_ms);
  dispatch(processor, 0);
}

test('DSP0040 local waits end in time: receive, poll, call, and a call elsewhere', () => {
  const results: Record<string, Result> = {};
  const [busy, remote, deaf] = [home(), makeThread(), home(echo)];
  dispatch(processor, 0);
  endBody(deaf);
  const cases: [string, number, Tcb | 0, [number, number]][] = [
    ['receive', OP_RECEIVE, 0, [NEVER, 20]],
    ['now', OP_RECEIVE, 0, [NEVER, 0]],
    ['poll', OP_CALL, busy, [20, NEVER]],
    ['elsewhere', OP_CALL, remote, [20, NEVER]],
  ];
  for (const [name, operation, to, timeouts_ms] of cases) {
    home(function* () {
      operands(to, CALL, 0, timeouts_ms);
      results[name] = yield operation;
      return OK;
    });
  }
  dispatch(processor, 0);
  assert.deepEqual(results, { now: RECEIVE_TIMEOUT });
  pass(40);
  assert.deepEqual(results, {
    now: RECEIVE_TIMEOUT,
    receive: RECEIVE_TIMEOUT,
    poll: SEND_TIMEOUT,
    elsewhere: SEND_TIMEOUT,
  });
  assert.equal(waitsAbroad(), false);
});

test('DSP0041 the deadline of a call that was answered does not end a later wait', () => {
  const server = home(echo);
  dispatch(processor, 0);
  let ended = false;
  const waiter = home(function* () {
    operands(server, CALL | 1, 0, [NEVER, 20]);
    assert.equal(yield OP_CALL, OK);
    operands(0, 0);
    yield OP_RECEIVE;
    ended = true;
    return OK;
  });
  dispatch(processor, 0);
  assert.notEqual(peek(waiter + TCB_WAKEUP_LIST), 0);
  pass(40);
  assert.equal(ended, false);
  assert.equal(peek(processor + PROCESSOR_READY_FIRST), 0);
  assert.equal(kindOf(waiter), HOME_WAIT);
  assert.notEqual(kindOf(waiter), WAIT);
});
