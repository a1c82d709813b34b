/**
 * Send and receive, open and closed, and the orders in which two threads may come upon each other. Where an order lies
 * inside an operation, the test performs the operation's steps by hand.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { peek, poke, registers, store } from '../platform/atomics.ts';
import {
  ABORTED,
  CALL,
  DEADLOCK,
  DROPPED,
  MISSED,
  NEVER,
  NO_SUCH_THREAD,
  NOT_YET,
  OK,
  OPEN_ONLY,
  NOT_TAKEN,
  PEER_GONE,
  R_TARGET,
  RECEIVE_TIMEOUT,
  REPLY,
  type Result,
  SEND_TIMEOUT,
  SPIN_ONLY,
  TAG_METHOD_SHIFT,
} from '../layout/message.ts';
import { ANY_INDEX } from '../layout/params.ts';
import { memory } from '../platform/memory.ts';
import {
  DEAD,
  generationOf,
  homeWaiting,
  KIND_MASK,
  LOCK,
  locked,
  PARKED,
  POLL,
  polling,
  RUN,
  running,
  TCB_POLL_QUEUE,
  TCB_POLL_TARGET,
  TCB_SENT,
  TCB_STATE,
  TCB_TAG,
  type Tcb,
  type ThreadId,
  threadIdOf,
  WAIT,
  waiting,
} from '../layout/tcb.ts';
import {
  assertSound,
  called,
  idOf,
  indexOf,
  kindOf,
  makeThread,
  pattern,
  putItems,
  putWords,
  sender,
  sequence,
  stateOf,
  wordsHere,
} from '../../test/support/kernel.ts';
import { cancel } from './fault.ts';
import {
  awaitMessage,
  awaitOpened,
  callSlow,
  checkThread,
  receive,
  reply,
  replyAndWaitFrom,
  send,
  startReceive,
  startSend,
} from './ipc-slow.ts';
import { enqueue, firstInQueue, queueOf } from './queue.ts';
import { putMessage } from './transfer.ts';

const arrived = (tcb: Tcb, target = 0): Result => awaitMessage(tcb, SPIN_ONLY, SPIN_ONLY, target);
const openUp = (tcb: Tcb): void => assert.equal(receive(tcb, 0, OPEN_ONLY), NOT_YET);
/** The first half of a polling send: everything but the second look at the partner. */
function poll(self: Tcb, to: Tcb, word: number): void {
  putWords(word);
  putMessage(self, idOf(self), 1, 1);
  poke(self + TCB_POLL_TARGET, idOf(to));
  store(self + TCB_STATE, polling(idOf(self), idOf(to)));
}

afterEach(assertSound);

test('IPC0100 send gives its message to a waiting receiver and goes on', () => {
  const [a, b] = [makeThread(), makeThread()];
  openUp(b);
  putWords(1, 2);
  assert.equal(send(a, idOf(b), 1, NEVER), OK);
  assert.equal(kindOf(a), RUN);
  putWords(0, 0);
  assert.equal(arrived(b), OK);
  assert.deepEqual(wordsHere(2), [1, 2]);
});

test('IPC0101 a polling send ends when it is taken, however early that is', () => {
  const [a, b] = [makeThread(), makeThread()];
  putWords(4);
  assert.equal(startSend(a, idOf(b), ANY_INDEX, 1, NEVER), NOT_YET);
  const target = registers[R_TARGET]!;
  assert.equal(target, indexOf(b));
  assert.equal(receive(b, 0, OPEN_ONLY), OK);
  assert.equal(kindOf(a), RUN);
  assert.equal(arrived(a, target), OK);
  assert.equal(peek(a + TCB_SENT), 1);
});

test('IPC0102 a send that is cancelled before it looks tells so', () => {
  const [a, b, c] = [makeThread(), makeThread(), makeThread()];
  assert.equal(startSend(a, idOf(b), ANY_INDEX, 1, NEVER), NOT_YET);
  const target = registers[R_TARGET]!;
  assert.ok(cancel(a, ABORTED, indexOf(c)));
  assert.equal(arrived(a, target), ABORTED);
  assert.equal(firstInQueue(queueOf(b)), 0);
});

test('IPC0110 a closed receive takes the message of its partner only', () => {
  const [a, b, c] = [makeThread(), makeThread(), makeThread()];
  assert.equal(startReceive(b, idOf(a)), NOT_YET);
  assert.equal(send(c, idOf(b), 1, 0), SEND_TIMEOUT);
  putWords(5);
  assert.equal(send(a, idOf(b), 1, 0), OK);
  assert.equal(arrived(b), OK);
  assert.equal(sender(), idOf(a));
});

test('IPC0111 a closed receive takes its partner out of the middle of the queue', () => {
  const [b, c, d, e] = [makeThread(), makeThread(), makeThread(), makeThread()];
  for (const [i, tcb] of [c, d, e].entries()) {
    putWords(i);
    assert.equal(startSend(tcb, idOf(b), ANY_INDEX, 1, NEVER), NOT_YET);
  }
  assert.equal(receive(b, idOf(d), NEVER), OK);
  assert.equal(wordsHere(1)[0], 1);
  for (const word of [0, 2]) {
    assert.equal(receive(b, 0, NEVER), OK);
    assert.equal(wordsHere(1)[0], word);
  }
  assert.equal(receive(b, 0, 0), RECEIVE_TIMEOUT);
});

test('IPC0112 a closed receive waits though others stand in the queue, and they stay there', () => {
  const [a, b, c] = [makeThread(), makeThread(), makeThread()];
  startSend(c, idOf(b), ANY_INDEX, 0, NEVER);
  assert.equal(startReceive(b, idOf(a)), NOT_YET);
  assert.equal(kindOf(c), POLL);
  assert.equal(send(a, idOf(b), 0, 0), OK);
  assert.equal(arrived(b), OK);
  assert.equal(sender(), idOf(a));
  assert.equal(receive(b, 0, 0), OK);
  assert.equal(sender(), idOf(c));
});

test('IPC0113 a closed receive from oneself, a stale and a future id', () => {
  const [a, b] = [makeThread(), makeThread()];
  const generation = generationOf(idOf(b));
  assert.equal(receive(a, idOf(a), NEVER), DEADLOCK);
  assert.equal(receive(a, threadIdOf(indexOf(b), generation - 1), NEVER), PEER_GONE);
  assert.equal(receive(a, threadIdOf(indexOf(b), generation + 1), NEVER), NO_SUCH_THREAD);
  assert.equal(kindOf(a), RUN);
});

test('IPC0114 a closed receive in time', () => {
  const [a, b] = [makeThread(), makeThread()];
  assert.equal(receive(b, idOf(a), 0), RECEIVE_TIMEOUT);
  assert.equal(receive(b, idOf(a), 3), RECEIVE_TIMEOUT);
  assert.equal(kindOf(b), RUN);
});

test('IPC0115 a closed receive from a stale id leaves the next thread of that record in the queue', () => {
  const [a, b] = [makeThread(), makeThread()];
  const stale = threadIdOf(indexOf(b), generationOf(idOf(b)) - 1);
  startSend(b, idOf(a), ANY_INDEX, 0, NEVER);
  assert.equal(receive(a, stale, 0), PEER_GONE);
  assert.equal(receive(a, 0, 0), OK);
  assert.equal(sender(), idOf(b));
});

test('IPC0116 a closed receive does not take the late answer to an earlier call', () => {
  const [a, b] = [makeThread(), makeThread()];
  openUp(b);
  assert.equal(callSlow(a, idOf(b), ANY_INDEX, CALL, NEVER, 0), RECEIVE_TIMEOUT);
  assert.equal(arrived(b), OK);
  const late = sequence();
  assert.equal(startReceive(a, idOf(b)), NOT_YET);
  assert.equal(reply(b, idOf(a), late, REPLY), DROPPED);
  assert.equal(send(b, idOf(a), 0, 0), OK);
  assert.equal(arrived(a), OK);
});

test('IPC0120 enqueue before open: the receiver finds the sender when it looks again', () => {
  const [a, b] = [makeThread(), makeThread()];
  poll(a, b, 11);
  enqueue(queueOf(b), a);
  store(b + TCB_STATE, waiting(idOf(b), ANY_INDEX));
  assert.equal(awaitOpened(b, OPEN_ONLY), OK);
  assert.deepEqual(wordsHere(1), [11]);
  assert.equal(kindOf(a), RUN);
});

test('IPC0121 open before the second look: the sender pushes', () => {
  const [a, b] = [makeThread(), makeThread()];
  // B opens just before A's send: A would poll if it had looked first, and pushes now.
  openUp(b);
  putWords(12);
  assert.equal(startSend(a, idOf(b), ANY_INDEX, 1, NEVER), OK);
  assert.equal(firstInQueue(queueOf(b)), 0);
  assert.equal(arrived(b), OK);
});

test('IPC0122 a closed receiver meets a partner that polls and is not queued yet as soon as it is', () => {
  const [a, b] = [makeThread(), makeThread()];
  startSend(a, idOf(b), ANY_INDEX, 0, NEVER);
  assert.equal(startReceive(b, idOf(a)), OK);
  assert.equal(awaitMessage(b, NEVER, OPEN_ONLY), OK);
  assert.equal(sender(), idOf(a));
});

test('IPC0130 a sender that is being cancelled is not taken', () => {
  const [a, b, c] = [makeThread(), makeThread(), makeThread()];
  assert.equal(startSend(a, idOf(b), ANY_INDEX, 0, NEVER), NOT_YET);
  const polls = stateOf(a);
  store(a + TCB_STATE, locked(idOf(a), idOf(c)));
  assert.equal(receive(b, 0, 0), RECEIVE_TIMEOUT);
  assert.equal(peek(a + TCB_POLL_QUEUE), 0);
  assert.equal(polls & KIND_MASK, POLL);
  store(a + TCB_STATE, running(idOf(a)));
});

test('IPC0131 a claim that won the race against a timeout is waited for', () => {
  const [a, b] = [makeThread(), makeThread()];
  openUp(b);
  store(b + TCB_STATE, locked(idOf(b), idOf(a)));
  // The timeout is over, and still the wait goes on: only the claimer can end it.
  assert.equal(awaitMessage(b, NEVER, OPEN_ONLY), NOT_YET);
  assert.equal(kindOf(b), LOCK);
  putMessage(b, idOf(a), 0, 1);
  store(b + TCB_STATE, running(idOf(b)));
  assert.equal(awaitMessage(b, NEVER, 0), OK);
});

test('IPC0132 a cancelled wait ends with the code, a claimed one does not', () => {
  const [a, b] = [makeThread(), makeThread()];
  openUp(b);
  assert.ok(cancel(b, ABORTED, indexOf(a)));
  assert.equal(arrived(b), ABORTED);
  assert.equal(cancel(b, ABORTED, indexOf(a)), false);
  openUp(b);
  store(b + TCB_STATE, locked(idOf(b), idOf(a)));
  assert.equal(cancel(b, ABORTED, indexOf(a)), false);
  store(b + TCB_STATE, running(idOf(b)));
});

test('IPC0134 a cancel waits for a claim that is taken back', async () => {
  const [a, b, c] = [makeThread(), makeThread(), makeThread()];
  assert.equal(startSend(b, idOf(c), ANY_INDEX, CALL, NEVER), NOT_YET);
  store(b + TCB_STATE, locked(idOf(b), idOf(c)));
  // The message is taken out of the queue, by a long copy on another thread: the call goes on waiting.
  const taken = new Worker(
    `const { workerData: { memory, at, state } } = require('node:worker_threads');
     const words = new Int32Array(memory.buffer);
     setTimeout(() => Atomics.store(words, at, state), 40);`,
    { eval: true, workerData: { memory, at: b + TCB_STATE, state: waiting(idOf(b), idOf(c)) } },
  );
  await once(taken, 'online');
  assert.ok(cancel(b, ABORTED, indexOf(a)));
  assert.equal(arrived(b), ABORTED);
  await once(taken, 'exit');
});

test('IPC0136 a multiplexed thread that waits for another processor takes a call of its partner, long or short', () => {
  const [a, b] = [makeThread({ home: true }), makeThread()];
  openUp(b);
  assert.equal(startSend(a, idOf(b), ANY_INDEX, CALL, NEVER), OK);
  assert.equal(arrived(b), OK);
  assert.equal(startSend(b, idOf(a), indexOf(b), CALL | putItems(pattern(100)), 0), OK);
  assert.equal(arrived(a), OK);
  assert.equal(sender(), idOf(b));
  store(b + TCB_STATE, running(idOf(b)));
  // In its open wait only its own processor may give it a message.
  store(a + TCB_STATE, homeWaiting(idOf(a), ANY_INDEX));
  assert.equal(startSend(b, idOf(a), ANY_INDEX, CALL, 0), SEND_TIMEOUT);
  store(a + TCB_STATE, running(idOf(a)));
});

test('IPC0135 a closed receive shows that no call is under way', () => {
  const [a, b] = [makeThread(), makeThread()];
  poke(b + TCB_TAG, CALL | (5 << TAG_METHOD_SHIFT));
  assert.equal(startReceive(b, idOf(a)), NOT_YET);
  assert.equal(peek(b + TCB_TAG), 0);
  store(b + TCB_STATE, running(idOf(b)));
});

test('IPC0133 a partner that is dead and not yet freed is gone', () => {
  const [a, b] = [makeThread(), makeThread()];
  store(b + TCB_STATE, DEAD);
  assert.equal(checkThread(idOf(b)), PEER_GONE);
  assert.equal(callSlow(a, idOf(b), ANY_INDEX, CALL, NEVER, NEVER), NOT_TAKEN);
  assert.equal(receive(a, idOf(b), NEVER), PEER_GONE);
  assert.equal(kindOf(a), RUN);
});

test('IPC0134 a sender that withdrew from the middle leaves the others in order', () => {
  const b = makeThread();
  const senders = Array.from({ length: 5 }, () => makeThread());
  for (const tcb of senders) startSend(tcb, idOf(b), ANY_INDEX, 0, NEVER);
  assert.equal(awaitMessage(senders[2]!, 0, NEVER, indexOf(b)), SEND_TIMEOUT);
  assert.equal(awaitMessage(senders[0]!, 0, NEVER, indexOf(b)), SEND_TIMEOUT);
  assert.equal(awaitMessage(senders[4]!, 0, NEVER, indexOf(b)), SEND_TIMEOUT);
  for (const tcb of [senders[1]!, senders[3]!]) {
    assert.equal(receive(b, 0, 0), OK);
    assert.equal(sender(), idOf(tcb));
  }
  assert.equal(receive(b, 0, 0), RECEIVE_TIMEOUT);
});

test('IPC0135 a thread that withdrew from one queue polls in another, and both are sound', () => {
  const [a, b, c, d] = [makeThread(), makeThread(), makeThread(), makeThread()];
  startSend(a, idOf(b), ANY_INDEX, 0, NEVER);
  startSend(d, idOf(b), ANY_INDEX, 0, NEVER);
  assert.equal(awaitMessage(a, 0, NEVER, indexOf(b)), SEND_TIMEOUT);
  startSend(a, idOf(c), ANY_INDEX, 0, NEVER);
  assert.equal(receive(b, 0, 0), OK);
  assert.equal(receive(c, 0, 0), OK);
  assert.equal(sender(), idOf(a));
});

test('IPC0140 a message of the awaited partner is not taken for its answer', () => {
  const [a, b] = [makeThread(), makeThread()];
  openUp(b);
  callSlow(a, idOf(b), ANY_INDEX, CALL, NEVER, OPEN_ONLY);
  const outer = called();
  assert.equal(arrived(b), OK);
  putWords(77);
  assert.equal(callSlow(b, idOf(a), indexOf(b), CALL | 1, NEVER, OPEN_ONLY), NOT_YET);
  assert.equal(arrived(a), OK);
  assert.notEqual(sequence(), outer);
  assert.equal(replyAndWaitFrom(a, idOf(b), sequence(), REPLY, idOf(b), outer), OK);
  assert.equal(arrived(b), OK);
  assert.equal(reply(b, idOf(a), outer, REPLY), OK);
  assert.equal(arrived(a), OK);
});

test('IPC0141 the end of an upcall whose partner died is answered PEER_GONE', () => {
  const [a, b] = [makeThread(), makeThread()];
  store(b + TCB_STATE, DEAD);
  assert.equal(replyAndWaitFrom(a, idOf(b) as ThreadId, 1, REPLY, idOf(b), 1), PEER_GONE);
  assert.equal(kindOf(a), RUN);
});

test('IPC0142 an answer that comes while its caller is in an upcall that was given up is known to be missed', () => {
  const [a, b] = [makeThread(), makeThread()];
  for (const isBack of [false, true]) {
    openUp(b);
    callSlow(a, idOf(b), ANY_INDEX, CALL, NEVER, OPEN_ONLY);
    const outer = called();
    assert.equal(arrived(b), OK);
    assert.equal(callSlow(b, idOf(a), indexOf(b), CALL | 1, NEVER, OPEN_ONLY), NOT_YET);
    const upcall = called();
    assert.equal(cancel(b, ABORTED, indexOf(a)), true);
    assert.equal(arrived(a), OK);
    const missed = isBack ? OK : MISSED;
    if (!isBack) assert.equal(reply(b, idOf(a), outer, REPLY), DROPPED);
    assert.equal(replyAndWaitFrom(a, idOf(b), upcall, REPLY, idOf(b), outer), missed);
    if (isBack) assert.equal(reply(b, idOf(a), outer, REPLY), OK);
    assert.equal(kindOf(a), RUN);
  }
});

test('IPC0143 what is answered too late meanwhile does not cover a missed answer', () => {
  const [a, b, c] = [makeThread(), makeThread(), makeThread()];
  openUp(b);
  callSlow(a, idOf(b), ANY_INDEX, CALL, NEVER, OPEN_ONLY);
  const outer = called();
  assert.equal(arrived(b), OK);
  assert.equal(callSlow(b, idOf(a), indexOf(b), CALL | 1, NEVER, OPEN_ONLY), NOT_YET);
  const upcall = called();
  assert.equal(cancel(b, ABORTED, indexOf(a)), true);
  assert.equal(arrived(a), OK);
  assert.equal(reply(b, idOf(a), outer, REPLY), DROPPED);
  // In the upcall: a call that is given up as well.
  openUp(c);
  assert.equal(callSlow(a, idOf(c), ANY_INDEX, CALL, NEVER, OPEN_ONLY), NOT_YET);
  const inner = called();
  assert.equal(arrived(c), OK);
  assert.equal(cancel(a, ABORTED, indexOf(b)), true);
  assert.equal(reply(c, idOf(a), inner, REPLY), DROPPED);
  assert.equal(replyAndWaitFrom(a, idOf(b), upcall, REPLY, idOf(b), outer), MISSED);
});

test('IPC0150 the parked bit is carried through a pulled call until the answer', () => {
  const [a, b] = [makeThread(), makeThread()];
  assert.equal(startSend(a, idOf(b), ANY_INDEX, CALL, NEVER), NOT_YET);
  poke(a + TCB_STATE, stateOf(a) | PARKED);
  assert.equal(receive(b, 0, 0), OK);
  assert.equal(stateOf(a), waiting(idOf(a), idOf(b)) | PARKED);
  assert.equal(kindOf(a), WAIT);
  assert.equal(reply(b, idOf(a), sequence(), REPLY), OK);
  assert.equal(stateOf(a), running(idOf(a)));
});
