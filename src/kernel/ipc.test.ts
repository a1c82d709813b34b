/**
 * Ipc between two threads, each scenario on the slow path and on the fast path, which must give the same answers. One
 * JavaScript thread plays both: it performs the operations in turn, with waits that do not block.
 */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { peek } from '../platform/atomics.ts';
import { registerFloats } from '../platform/registers.ts';
import {
  CALL,
  DEADLOCK,
  DROPPED,
  ERROR,
  NEVER,
  NO_SUCH_THREAD,
  NOT_YET,
  OK,
  OPEN_ONLY,
  NOT_TAKEN,
  R_FLOAT,
  RECEIVE_TIMEOUT,
  REPLY,
  REST,
  type Result,
  SEND_TIMEOUT,
  SPIN_ONLY,
  TAG_KIND,
  TAG_METHOD_SHIFT,
} from '../layout/message.ts';
import { ANY_INDEX, GENERATION_MASK } from '../layout/params.ts';
import {
  generationOf,
  POLL,
  RUN,
  TCB_PARKS,
  type Tcb,
  TCB_SENT,
  TCB_SEQUENCE,
  type ThreadId,
  threadIdOf,
  WAIT,
} from '../layout/tcb.ts';
import {
  assertSound,
  called,
  idOf,
  indexOf,
  kindOf,
  makeThread,
  putWords,
  sender,
  sequence,
  tag,
  wordsHere,
} from '../../test/support/kernel.ts';
import * as fast from './ipc.ts';
import * as slow from './ipc-slow.ts';
import { freeThread } from './tcb.ts';

interface Path {
  name: string;
  call(self: Tcb, to: ThreadId, expect: number, tag: number, send_ms: number, receive_ms: number): Result;
  replyAndReceive(self: Tcb, to: ThreadId, sequence: number, tag: number, receive_ms: number): Result;
}

const paths: Path[] = [
  { name: 'fast path', call: fast.call, replyAndReceive: fast.replyAndReceive },
  { name: 'slow path', call: slow.callSlow, replyAndReceive: slow.replyAndReceiveSlow },
];

/** Runs a scenario once a path. */
function onBothPaths(title: string, scenario: (path: Path) => void): void {
  for (const path of paths) test(`${title}, ${path.name}`, () => scenario(path));
}

/** The message, or the kernel's result, that has come for a thread that waits. */
const arrived = (tcb: Tcb): Result => slow.awaitMessage(tcb, SPIN_ONLY, SPIN_ONLY);
const openUp = (tcb: Tcb): void => assert.equal(slow.receive(tcb, 0, OPEN_ONLY), NOT_YET);

afterEach(assertSound);

onBothPaths('IPC0010 call delivers a message to a waiting receiver', ({ call }) => {
  const [client, server] = [makeThread(), makeThread()];
  openUp(server);
  putWords(7, 8);
  assert.equal(call(client, idOf(server), ANY_INDEX, CALL | 1 | (5 << TAG_METHOD_SHIFT), NEVER, OPEN_ONLY), NOT_YET);
  assert.equal(kindOf(server), RUN);
  assert.equal(kindOf(client), WAIT);
  putWords(0, 0);
  assert.equal(arrived(server), OK);
  assert.deepEqual(wordsHere(2), [7, 8]);
  assert.equal(sender(), idOf(client));
  assert.equal(tag(), CALL | 1 | (5 << TAG_METHOD_SHIFT));
  assert.equal(sequence(), called());
  assert.equal(peek(client + TCB_SENT), 1);
});

onBothPaths('IPC0011 replyAndReceive answers the caller and opens the server', ({ call, replyAndReceive }) => {
  const [client, server] = [makeThread(), makeThread()];
  openUp(server);
  for (let round = 1; round <= 3; round++) {
    putWords(round);
    assert.equal(call(client, idOf(server), ANY_INDEX, CALL | 1, NEVER, OPEN_ONLY), NOT_YET);
    assert.equal(arrived(server), OK);
    putWords(wordsHere(1)[0]! * 10);
    assert.equal(replyAndReceive(server, sender(), sequence(), REPLY | 1, OPEN_ONLY), NOT_YET);
    assert.equal(kindOf(server), WAIT);
    putWords(0);
    assert.equal(arrived(client), OK);
    assert.equal(wordsHere(1)[0], round * 10);
    assert.equal(tag() & TAG_KIND, REPLY);
    assert.equal(sender(), idOf(server));
  }
});

onBothPaths('IPC0012 an error of the callee is an answer like any other', ({ call, replyAndReceive }) => {
  const [client, server] = [makeThread(), makeThread()];
  openUp(server);
  call(client, idOf(server), ANY_INDEX, CALL, NEVER, OPEN_ONLY);
  assert.equal(arrived(server), OK);
  replyAndReceive(server, sender(), sequence(), ERROR, OPEN_ONLY);
  assert.equal(arrived(client), OK);
  assert.equal(tag() & TAG_KIND, ERROR);
});

onBothPaths('IPC0013 words 0 to 16 arrive bit for bit, and no more', ({ call, replyAndReceive }) => {
  const [client, server] = [makeThread(), makeThread()];
  openUp(server);
  for (let count = 0; count <= 16; count++) {
    const words = Array.from({ length: 32 }, (_, i) => Math.imul(i + count, 0x9e3779b1) | 0);
    putWords(...words);
    call(client, idOf(server), ANY_INDEX, CALL | count, NEVER, OPEN_ONLY);
    putWords(...words.map(() => -1));
    assert.equal(arrived(server), OK);
    assert.deepEqual(wordsHere(32), [...words.slice(0, 2 * count), ...words.slice(2 * count).map(() => -1)]);
    replyAndReceive(server, sender(), sequence(), REPLY | count, OPEN_ONLY);
    putWords(...words.map(() => 0));
    assert.equal(arrived(client), OK);
    assert.deepEqual(wordsHere(2 * count), words.slice(0, 2 * count));
  }
});

onBothPaths('IPC0014 the payload of a NaN arrives bit for bit', ({ call }) => {
  const [client, server] = [makeThread(), makeThread()];
  openUp(server);
  putWords(0x12345678, 0x7ff0dead | 0, 0x1, 0xfff00000 | 0);
  call(client, idOf(server), ANY_INDEX, CALL | 3, NEVER, OPEN_ONLY);
  registerFloats[R_FLOAT + 2] = -0;
  assert.equal(arrived(server), OK);
  assert.deepEqual(wordsHere(4), [0x12345678, 0x7ff0dead | 0, 0x1, 0xfff00000 | 0]);
  assert.ok(Number.isNaN(registerFloats[R_FLOAT]));
});

onBothPaths('IPC0020 a caller that comes first polls, and is served when the receiver opens', (path) => {
  const [client, server] = [makeThread(), makeThread()];
  putWords(3);
  assert.equal(path.call(client, idOf(server), ANY_INDEX, CALL | 1, OPEN_ONLY, OPEN_ONLY), NOT_YET);
  assert.equal(kindOf(client), POLL);
  putWords(0);
  assert.equal(slow.receive(server, 0, OPEN_ONLY), OK);
  assert.deepEqual(wordsHere(1), [3]);
  assert.equal(kindOf(client), WAIT);
  putWords(4);
  assert.equal(path.replyAndReceive(server, sender(), sequence(), REPLY | 1, OPEN_ONLY), NOT_YET);
  putWords(0);
  assert.equal(arrived(client), OK);
  assert.deepEqual(wordsHere(1), [4]);
});

onBothPaths('IPC0021 polling callers are served in order of arrival', ({ call, replyAndReceive }) => {
  const server = makeThread();
  const clients = Array.from({ length: 8 }, () => makeThread());
  for (const client of [...clients].reverse()) {
    putWords(indexOf(client));
    assert.equal(call(client, idOf(server), ANY_INDEX, CALL | 1, OPEN_ONLY, OPEN_ONLY), NOT_YET);
  }
  assert.equal(slow.receive(server, 0, OPEN_ONLY), OK);
  const served = [wordsHere(1)[0]];
  while (replyAndReceive(server, sender(), sequence(), REPLY, OPEN_ONLY) === OK) served.push(wordsHere(1)[0]);
  assert.deepEqual(served, clients.map(indexOf).reverse());
  for (const client of clients) assert.equal(arrived(client), OK);
});

onBothPaths('IPC0022 the ipc of a polling sender begins before the answered caller continues', (path) => {
  const [a, c, server] = [makeThread(), makeThread(), makeThread()];
  openUp(server);
  path.call(a, idOf(server), ANY_INDEX, CALL, NEVER, OPEN_ONLY);
  assert.equal(arrived(server), OK);
  const first = sequence();
  path.call(c, idOf(server), ANY_INDEX, CALL, OPEN_ONLY, OPEN_ONLY);
  assert.equal(path.replyAndReceive(server, idOf(a), first, REPLY, OPEN_ONLY), OK);
  assert.equal(sender(), idOf(c));
  // The server never opened: A, which calls again at once, does not overtake.
  assert.equal(kindOf(server), RUN);
  assert.equal(arrived(a), OK);
  path.replyAndReceive(server, idOf(c), peek(c + TCB_SEQUENCE), REPLY, OPEN_ONLY);
  assert.equal(arrived(c), OK);
});

onBothPaths('IPC0030 a call to oneself is a deadlock', ({ call }) => {
  const thread = makeThread();
  assert.equal(call(thread, idOf(thread), ANY_INDEX, CALL, NEVER, NEVER), DEADLOCK);
  assert.equal(kindOf(thread), RUN);
});

onBothPaths('IPC0031 a call to an id that never was is answered NO_SUCH_THREAD', ({ call }) => {
  const [client, server] = [makeThread(), makeThread()];
  const future = threadIdOf(indexOf(server), generationOf(idOf(server)) + 1);
  assert.equal(call(client, future, ANY_INDEX, CALL, NEVER, NEVER), NO_SUCH_THREAD);
  openUp(server);
  assert.equal(call(client, future, ANY_INDEX, CALL, NEVER, NEVER), NO_SUCH_THREAD);
  assert.equal(call(client, threadIdOf(ANY_INDEX - 1, 1), ANY_INDEX, CALL, NEVER, NEVER), NO_SUCH_THREAD);
  assert.equal(kindOf(client), RUN);
});

onBothPaths('IPC0032 a call to a thread that ended is answered NOT_TAKEN', ({ call }) => {
  const [client, server] = [makeThread(), makeThread()];
  const past = idOf(server);
  freeThread(server, indexOf(client));
  assert.equal(call(client, past, ANY_INDEX, CALL, NEVER, NEVER), NOT_TAKEN);
  assert.equal(kindOf(client), RUN);
});

onBothPaths('IPC0033 a stale id is not obeyed though the record waits again', ({ call }) => {
  const [client, server] = [makeThread(), makeThread()];
  openUp(server);
  const stale = threadIdOf(indexOf(server), (generationOf(idOf(server)) - 1) & GENERATION_MASK);
  assert.equal(call(client, stale, ANY_INDEX, CALL, NEVER, NEVER), NOT_TAKEN);
  assert.equal(kindOf(server), WAIT);
});

onBothPaths('IPC0040 a send timeout of 0 asks without waiting', ({ call }) => {
  const [client, server] = [makeThread(), makeThread()];
  assert.equal(call(client, idOf(server), ANY_INDEX, CALL, 0, NEVER), SEND_TIMEOUT);
  assert.equal(kindOf(client), RUN);
  assert.equal(slow.send(client, idOf(server), 0, 0), SEND_TIMEOUT);
  openUp(server);
  assert.equal(call(client, idOf(server), ANY_INDEX, CALL, 0, OPEN_ONLY), NOT_YET);
});

onBothPaths('IPC0041 a send that is not taken in time leaves the queue', ({ call }) => {
  const [client, server] = [makeThread(), makeThread()];
  assert.equal(call(client, idOf(server), ANY_INDEX, CALL, 3, NEVER), SEND_TIMEOUT);
  assert.equal(kindOf(client), RUN);
  assert.ok(peek(client + TCB_PARKS) > 0);
  assert.equal(slow.receive(server, 0, 0), RECEIVE_TIMEOUT);
});

onBothPaths('IPC0042 a call that is taken and not answered in time ends its wait', ({ call, replyAndReceive }) => {
  const [client, server] = [makeThread(), makeThread()];
  openUp(server);
  assert.equal(call(client, idOf(server), ANY_INDEX, CALL, NEVER, 3), RECEIVE_TIMEOUT);
  assert.equal(kindOf(client), RUN);
  assert.equal(arrived(server), OK);
  assert.equal(replyAndReceive(server, sender(), sequence(), REPLY, OPEN_ONLY), NOT_YET);
  assert.equal(kindOf(client), RUN);
});

onBothPaths('IPC0043 REST makes one limit of both phases', ({ call }) => {
  const [client, server] = [makeThread(), makeThread()];
  openUp(server);
  assert.equal(call(client, idOf(server), ANY_INDEX, CALL, 3, REST), RECEIVE_TIMEOUT);
  assert.equal(call(client, idOf(server), ANY_INDEX, CALL, 3, REST), SEND_TIMEOUT);
});

onBothPaths('IPC0044 a receive timeout of 0 ends an open wait at once', ({ call, replyAndReceive }) => {
  const [client, server] = [makeThread(), makeThread()];
  assert.equal(slow.receive(server, 0, 0), RECEIVE_TIMEOUT);
  openUp(server);
  call(client, idOf(server), ANY_INDEX, CALL, NEVER, OPEN_ONLY);
  assert.equal(arrived(server), OK);
  assert.equal(replyAndReceive(server, sender(), sequence(), REPLY, 0), RECEIVE_TIMEOUT);
  assert.equal(arrived(client), OK);
});

onBothPaths('IPC0050 a late reply to a caller that calls again is dropped', ({ call, replyAndReceive }) => {
  const [client, server] = [makeThread(), makeThread()];
  openUp(server);
  assert.equal(call(client, idOf(server), ANY_INDEX, CALL, NEVER, 0), RECEIVE_TIMEOUT);
  assert.equal(arrived(server), OK);
  const late = sequence();
  putWords(2);
  assert.equal(call(client, idOf(server), ANY_INDEX, CALL | 1, OPEN_ONLY, OPEN_ONLY), NOT_YET);
  putWords(99);
  assert.equal(replyAndReceive(server, idOf(client), late, REPLY | 1, OPEN_ONLY), OK);
  assert.equal(sender(), idOf(client));
  assert.deepEqual(wordsHere(1), [2]);
  assert.notEqual(sequence(), late);
  // The client waits for the second answer now, and the first is still not it.
  assert.equal(slow.reply(server, idOf(client), late, REPLY | 1), DROPPED);
  assert.equal(kindOf(client), WAIT);
  putWords(20);
  assert.equal(replyAndReceive(server, idOf(client), sequence(), REPLY | 1, OPEN_ONLY), NOT_YET);
  assert.equal(arrived(client), OK);
  assert.deepEqual(wordsHere(1), [20]);
});

onBothPaths('IPC0051 a reply is taken once', ({ call, replyAndReceive }) => {
  const [client, server] = [makeThread(), makeThread()];
  openUp(server);
  call(client, idOf(server), ANY_INDEX, CALL, NEVER, OPEN_ONLY);
  assert.equal(arrived(server), OK);
  const [to, answered] = [sender(), sequence()];
  assert.equal(slow.reply(server, to, answered, REPLY), OK);
  assert.equal(slow.reply(server, to, answered, REPLY), DROPPED);
  assert.equal(replyAndReceive(server, to, answered, REPLY, OPEN_ONLY), NOT_YET);
  assert.equal(arrived(client), OK);
});

onBothPaths('IPC0052 only the thread that was called can answer', ({ call, replyAndReceive }) => {
  const [client, server, other] = [makeThread(), makeThread(), makeThread()];
  openUp(server);
  call(client, idOf(server), ANY_INDEX, CALL, NEVER, OPEN_ONLY);
  assert.equal(arrived(server), OK);
  const answered = sequence();
  assert.equal(replyAndReceive(other, idOf(client), answered, REPLY, OPEN_ONLY), NOT_YET);
  assert.equal(kindOf(client), WAIT);
  assert.equal(slow.send(other, idOf(client), 0, 0), SEND_TIMEOUT);
  assert.equal(slow.reply(server, idOf(client), answered, REPLY), OK);
  assert.equal(arrived(client), OK);
});

onBothPaths('IPC0060 an upcall is served inside the call, and the call goes on', ({ call }) => {
  const [client, server] = [makeThread(), makeThread()];
  openUp(server);
  call(client, idOf(server), ANY_INDEX, CALL, NEVER, OPEN_ONLY);
  const outer = called();
  assert.equal(arrived(server), OK);
  putWords(5);
  assert.equal(call(server, idOf(client), indexOf(server), CALL | 1, NEVER, OPEN_ONLY), NOT_YET);
  assert.equal(arrived(client), OK);
  assert.equal(tag() & TAG_KIND, CALL);
  assert.deepEqual(wordsHere(1), [5]);
  putWords(50);
  const inner = sequence();
  const back = slow.replyAndReceiveFrom(client, idOf(server), inner, REPLY | 1, idOf(server), outer, OPEN_ONLY);
  assert.equal(back, NOT_YET);
  assert.equal(arrived(server), OK);
  assert.deepEqual(wordsHere(1), [50]);
  putWords(6);
  assert.equal(slow.reply(server, idOf(client), outer, REPLY | 1), OK);
  assert.equal(arrived(client), OK);
  assert.deepEqual(wordsHere(1), [6]);
});

onBothPaths('IPC0061 a ring of two calls nests to any depth', ({ call }) => {
  const ring = [makeThread(), makeThread()];
  openUp(ring[1]!);
  const awaited: number[] = [];
  for (let depth = 0; depth < 20; depth++) {
    const [from, to] = [ring[depth & 1]!, ring[(depth + 1) & 1]!];
    assert.equal(call(from, idOf(to), depth === 0 ? ANY_INDEX : indexOf(from), CALL, NEVER, OPEN_ONLY), NOT_YET);
    awaited.push(called());
    assert.equal(arrived(to), OK);
  }
  for (let depth = 19; depth >= 0; depth--) {
    const [from, to] = [ring[depth & 1]!, ring[(depth + 1) & 1]!];
    if (depth === 0) assert.equal(slow.reply(to, idOf(from), awaited[0]!, REPLY), OK);
    else
      assert.equal(slow.replyAndWaitFrom(to, idOf(from), awaited[depth]!, REPLY, idOf(from), awaited[depth - 1]!), OK);
    assert.equal(arrived(from), OK);
    assert.equal(sequence(), awaited[depth]);
  }
});
