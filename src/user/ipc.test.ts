/** The low level as its users see it: an agent's own threads, words as f64, strings, cuts, cancelling. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { poke } from '../platform/atomics.ts';
import { indexOf, makeThread, pattern, stateOf } from '../../test/support/kernel.ts';
import { QUIT, SLEEP, startPartner } from '../../test/support/partner.ts';
import { once } from 'node:events';
import { TAG_METHOD_SHIFT } from '../layout/message.ts';
import { ANY_INDEX } from '../layout/params.ts';
import { homeWaiting, TCB_STATE } from '../layout/tcb.ts';
import { startPassive } from '../kernel/dispatch.ts';
import { verify } from '../kernel/verify.ts';
import { agent, detach, idOf, startSystem } from './agent.ts';
import * as ipc from './ipc.ts';

const limit_ms = 5000;

test('outside of a system every operation says so', () => {
  assert.throws(() => ipc.receive(0, 0), /belongs to no system/);
});

test('limits that are not possible are named', () => {
  assert.throws(() => startSystem({ threads: 1 }), /limits\.threads is 1/);
  assert.throws(() => startSystem({ tasks: 1e9 }), /limits\.tasks is 1000000000/);
});

test('tags, and refusals before anything is sent', () => {
  const tag = ipc.makeTag(3, 2, 500);
  assert.deepEqual([ipc.wordsIn(tag), ipc.stringsIn(tag), ipc.methodIn(tag)], [3, 2, 500]);
  assert.throws(() => ipc.makeTag(17), RangeError);
  assert.throws(() => ipc.makeTag(0, 9), RangeError);
  assert.throws(() => ipc.setString(8, new Uint8Array(1)), RangeError);
});

test('calls, strings, cuts and timeouts between two agents', async () => {
  startSystem({});
  const server = makeThread({ window: 'large' });
  const partner = startPartner(server);
  const to = idOf(server);
  ipc.message[0] = Math.PI;
  ipc.message[15] = -0;
  assert.equal(ipc.call(to, ipc.makeTag(16), limit_ms, limit_ms), ipc.OK);
  assert.equal(ipc.message[0], Math.PI);
  assert.ok(Object.is(ipc.message[15], -0));
  assert.equal(ipc.sender(), to);
  ipc.setString(0, pattern(100));
  ipc.setString(1, pattern(2_000_000, 4));
  assert.equal(ipc.call(to, ipc.makeTag(0, 2), limit_ms, limit_ms), ipc.OK);
  assert.equal(ipc.stringLength(1), 2_000_000);
  assert.deepEqual(ipc.stringAt(0), pattern(100));
  assert.deepEqual(ipc.stringAt(1), pattern(2_000_000, 4));
  const buffer = new Uint8Array(10);
  ipc.acceptInto([buffer]);
  ipc.setString(0, pattern(30));
  assert.equal(ipc.call(to, ipc.makeTag(0, 1), limit_ms, limit_ms), ipc.CUT);
  assert.deepEqual(ipc.stringAt(0), pattern(10));
  ipc.acceptInto([]);
  assert.equal(ipc.cutBytes(), 0);
  assert.equal(ipc.call(to, SLEEP, limit_ms, limit_ms), ipc.OK);
  assert.equal(ipc.call(to, ipc.makeTag(0), 0), ipc.SEND_TIMEOUT);
  assert.equal(ipc.call(to, 97 << TAG_METHOD_SHIFT, limit_ms, limit_ms), ipc.OK);
  assert.equal(ipc.call(to, QUIT, limit_ms, limit_ms), ipc.OK);
  await once(partner, 'exit');
  assert.equal(ipc.receive(0, 1), ipc.RECEIVE_TIMEOUT);
  assert.equal(ipc.call(ipc.self(), 0), ipc.DEADLOCK);
  assert.deepEqual(verify(), []);
});

test('a passive thread of the own agent is called on this stack', () => {
  const server = makeThread({ home: true });
  startPassive(server, () => {
    ipc.message[0]! += 1;
    return 1;
  });
  ipc.message[0] = 41;
  assert.equal(ipc.call(idOf(server), ipc.makeTag(1)), ipc.OK);
  assert.equal(ipc.message[0], 42);
  assert.equal(stateOf(server), homeWaiting(idOf(server), ANY_INDEX));
});

test('a token cancels a wait, and nothing that does not wait', () => {
  const waiter = makeThread();
  const token = new ipc.CancelToken(idOf(waiter));
  assert.equal(token.cancel(), false);
  const before = agent.current;
  agent.current = waiter;
  poke(waiter + TCB_STATE, (stateOf(waiter) & 0x0fff0000) | (2 << 29) | ANY_INDEX);
  agent.current = before;
  assert.equal(token.cancel(), true);
  assert.equal(token.cancel(), false);
  assert.ok(indexOf(waiter) > 0);
  detach();
});
