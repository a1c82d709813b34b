/**
 * Strings of messages: gathered from the sender, scattered into the receiver's buffers, cut, and in pieces between two
 * agents, pushed to a waiting receiver and pulled out of the queue.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, test } from 'node:test';
import { peek, poke, registers, store } from '../platform/atomics.ts';
import {
  CALL,
  CUT,
  NEVER,
  NOT_YET,
  OK,
  OPEN_ONLY,
  PEER_GONE,
  R_CUT,
  R_STRING,
  R_STRING_TOTAL,
  R_TARGET,
  REPLY,
  SPIN_ONLY,
} from '../layout/message.ts';
import { ANY_INDEX } from '../layout/params.ts';
import {
  DEAD,
  type Tcb,
  TCB_BYTES,
  TCB_IN_PIECES,
  TCB_OUT_PIECES,
  TCB_STATE,
  TCB_STRING,
  TCB_TAG,
  TCB_TRANSFER,
} from '../layout/tcb.ts';
import {
  accept,
  assertSound,
  idOf,
  makeThread,
  pattern,
  putItems,
  sender,
  sequence,
  tag,
} from '../../test/support/kernel.ts';
import { QUIT, SLEEP, startPartner, takeItems } from '../../test/support/partner.ts';
import * as slow from './ipc-slow.ts';
import { call } from './ipc.ts';
import { incoming, outgoing } from './transfer.ts';

const arrived = (tcb: Tcb, target = 0): number => slow.awaitMessage(tcb, SPIN_ONLY, SPIN_ONLY, target);
const openUp = (tcb: Tcb): void => assert.equal(slow.receive(tcb, 0, OPEN_ONLY), NOT_YET);
const limit_ms = 5000;

afterEach(assertSound);

test('IPC0200 strings are gathered into the window of a waiting receiver', () => {
  const [client, server] = [makeThread(), makeThread()];
  openUp(server);
  const items = [pattern(10), pattern(0), pattern(3000, 5)];
  assert.equal(slow.send(client, idOf(server), putItems(...items), NEVER), OK);
  assert.equal(peek(client + TCB_BYTES), 3010);
  registers.fill(0, R_STRING, R_STRING + 8);
  assert.equal(arrived(server), OK);
  assert.equal(registers[R_STRING_TOTAL], 3010);
  assert.deepEqual(takeItems(server, tag()), items);
});

test('IPC0201 eight items, the window filled to its last byte', () => {
  const [client, server] = [makeThread(), makeThread()];
  openUp(server);
  const items = Array.from({ length: 8 }, (_, i) => pattern(8192, i));
  assert.equal(slow.send(client, idOf(server), putItems(...items), NEVER), OK);
  assert.equal(peek(server + TCB_IN_PIECES), 0);
  assert.equal(arrived(server), OK);
  assert.deepEqual(takeItems(server, tag()), items);
});

test('IPC0202 strings are scattered into stated buffers', () => {
  const [client, server] = [makeThread(), makeThread()];
  openUp(server);
  const buffers = [new Uint8Array(16), new Uint8Array(500)];
  accept(server, ...buffers);
  assert.equal(slow.send(client, idOf(server), putItems(pattern(10), pattern(500, 3)), NEVER), OK);
  assert.equal(arrived(server), OK);
  assert.equal(incoming[0], buffers[0]);
  assert.deepEqual(buffers[0]!.subarray(0, 10), pattern(10));
  assert.equal(buffers[0]![10], 0);
  assert.deepEqual(buffers[1], pattern(500, 3));
});

test('IPC0203 what is longer than its buffer is cut, and both sides are told', () => {
  const [client, server] = [makeThread(), makeThread()];
  openUp(server);
  const buffers = [new Uint8Array(4), new Uint8Array(100)];
  accept(server, ...buffers);
  assert.equal(slow.send(client, idOf(server), putItems(pattern(10), pattern(99), pattern(7)), NEVER), CUT);
  assert.equal(registers[R_CUT], 13);
  assert.equal(arrived(server), CUT);
  assert.deepEqual([...registers.subarray(R_STRING, R_STRING + 3)], [4, 99, 0]);
  assert.deepEqual(buffers[0], pattern(4));
  assert.deepEqual(buffers[1]!.subarray(0, 99), pattern(99));
});

test('IPC0204 the strings of a polling sender wait in its own window', () => {
  const [client, server] = [makeThread(), makeThread()];
  const items = [pattern(100), pattern(20_000, 9)];
  assert.equal(slow.startSend(client, idOf(server), ANY_INDEX, putItems(...items), NEVER), NOT_YET);
  const target = registers[R_TARGET]!;
  outgoing.length = 0;
  assert.equal(slow.receive(server, 0, OPEN_ONLY), OK);
  assert.deepEqual(takeItems(server, tag()), items);
  assert.equal(arrived(client, target), OK);
});

test('IPC0205 a polling sender is told that it was cut, though it was taken before it looked', () => {
  const [client, server] = [makeThread(), makeThread()];
  accept(server, new Uint8Array(6));
  assert.equal(slow.startSend(client, idOf(server), ANY_INDEX, putItems(pattern(10)), NEVER), NOT_YET);
  const target = registers[R_TARGET]!;
  assert.equal(slow.receive(server, 0, OPEN_ONLY), CUT);
  assert.deepEqual(incoming[0], pattern(6));
  registers[R_CUT] = 0;
  assert.equal(arrived(client, target), CUT);
  assert.equal(registers[R_CUT], 4);
});

test('IPC0206 who replies is told that the reply was cut', () => {
  const [client, server] = [makeThread(), makeThread()];
  openUp(server);
  accept(client, new Uint8Array(5));
  call(client, idOf(server), ANY_INDEX, CALL, NEVER, OPEN_ONLY);
  assert.equal(arrived(server), OK);
  assert.equal(slow.reply(server, sender(), sequence(), REPLY | putItems(pattern(12))), OK);
  assert.equal(registers[R_CUT], 7);
  assert.equal(arrived(client), CUT);
});

test('IPC0207 stated buffers are those of one thread', () => {
  const [client, server, other] = [makeThread(), makeThread(), makeThread()];
  const buffer = new Uint8Array(8);
  accept(other, buffer);
  openUp(server);
  slow.send(client, idOf(server), putItems(pattern(8, 1)), NEVER);
  assert.equal(arrived(server), OK);
  assert.deepEqual(takeItems(server, tag()), [pattern(8, 1)]);
  assert.deepEqual(buffer, new Uint8Array(8));
});

for (const isSlow of [false, true]) {
  for (const sizes of [
    { client: 'small', server: 'large' },
    { client: 'large', server: 'small' },
  ] as const) {
    const title = `from a ${sizes.client} to a ${sizes.server} window, ${isSlow ? 'slow' : 'fast'} path`;
    test(`IPC0210 messages longer than the window go in pieces there and back ${title}`, async () => {
      const [client, server] = [makeThread({ window: sizes.client }), makeThread({ window: sizes.server })];
      const partner = startPartner(server, isSlow);
      const lengths = [[3_000_001], [65_536, 1], [65_537], [1 << 20], [5, 0, 1_500_000, 32_768, 32_768], [40_000]];
      for (const [round, message] of lengths.entries()) {
        const items = message.map((length, i) => pattern(length, i + round));
        // Pushed to the waiting partner first; then pulled by the partner, who was busy when we came.
        for (const before of [0, SLEEP]) {
          if (before !== 0) {
            assert.equal(slow.callSlow(client, idOf(server), ANY_INDEX, CALL | before, limit_ms, limit_ms), OK);
          }
          const message = CALL | putItems(...items);
          assert.equal(slow.callSlow(client, idOf(server), ANY_INDEX, message, limit_ms, limit_ms), OK);
          assert.deepEqual(takeItems(client, tag()), items);
          assert.equal(peek(client + TCB_TRANSFER), 0);
        }
      }
      assert.equal(slow.callSlow(client, idOf(server), ANY_INDEX, CALL | QUIT, limit_ms, limit_ms), OK);
      await once(partner, 'exit');
    });
  }
}

test('IPC0220 a transfer whose other side is dead ends, though no repair saw it begin', () => {
  const [client, server] = [makeThread(), makeThread()];
  openUp(server);
  slow.startSend(client, idOf(server), ANY_INDEX, putItems(pattern(10)), NEVER);
  assert.equal(arrived(server), OK);
  poke(server + TCB_IN_PIECES, 1);
  store(server + TCB_STATE, DEAD);
  const items = putItems(pattern(200_000));
  poke(client + TCB_OUT_PIECES, 1);
  poke(client + TCB_TAG, items);
  poke(server + TCB_STRING, 200_000);
  assert.equal(slow.continueSend(client), PEER_GONE);
  assert.equal(peek(client + TCB_TRANSFER), 0);
});
