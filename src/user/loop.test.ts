/** Ipc in an event loop: watchers are called on news, by a look or by the doorbell, and deadlines end waits. */
import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { peek } from '../platform/atomics.ts';
import { CALL, NEVER, NOT_YET, OK, OP_CALL, OPEN_ONLY, R_SENDER, R_SEQUENCE, R_TAG, REPLY } from '../layout/message.ts';
import { RECEIVE_TIMEOUT, R_RECEIVE_TIMEOUT, R_SEND_TIMEOUT, SPIN_ONLY } from '../layout/message.ts';
import { ANY_INDEX } from '../layout/params.ts';
import { PARKED, TCB_BELL, type Tcb, type ThreadId } from '../layout/tcb.ts';
import { registers } from '../platform/registers.ts';
import { makeThread, stateOf } from '../../test/support/kernel.ts';
import { type Body, startBody } from '../kernel/dispatch.ts';
import { awaitMessage, callSlow, receive, reply, send, startSend } from '../kernel/ipc-slow.ts';
import { verify } from '../kernel/verify.ts';
import { now_ms } from '../platform/wait.ts';
import { agent, detach, idOf, startSystem } from './agent.ts';
import { setDeadline } from './clock.ts';
import {
  isListening,
  listen,
  pendingCount,
  scheduleTurn,
  stopListening,
  stopLoop,
  unwatch,
  watch,
  type Watcher,
} from './loop.ts';

startSystem({});
after(() => {
  stopLoop();
  detach();
});
afterEach(() => assert.deepEqual(verify(), []));

/** Watches a thread until its message, or the kernel's result, is in. */
function next(tcb: Tcb, polls = false): { result: Promise<number>; taken: () => boolean } {
  let taken = false;
  const result = new Promise<number>((resolve) => {
    const watcher: Watcher = {
      tcb,
      polls,
      number: 0,
      onTaken: () => {
        taken = true;
      },
      onMessage: () => {
        unwatch(watcher);
        resolve(awaitMessage(tcb, SPIN_ONLY, SPIN_ONLY));
      },
    };
    watch(watcher);
  });
  return { result, taken: () => taken };
}

function answerNext(server: Tcb): void {
  assert.equal(receive(server, 0, 0), OK);
  assert.equal(reply(server, registers[R_SENDER]! as ThreadId, registers[R_SEQUENCE]!, REPLY), OK);
}

/** The outcome, or a failure when there is none in time. */
function within<T>(promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const watchdog = setTimeout(() => reject(new Error('no news came')), 5000);
    const settle = (): void => clearTimeout(watchdog);
    void promise.then(resolve, reject).finally(settle);
  });
}

test('a watched thread is called on its answer, at once and from sleep', async () => {
  const [client, server] = [makeThread(), makeThread()];
  for (const pause_ms of [0, 30]) {
    assert.equal(receive(server, 0, OPEN_ONLY), NOT_YET);
    assert.equal(callSlow(client, idOf(server), ANY_INDEX, CALL, NEVER, OPEN_ONLY), NOT_YET);
    const { result } = next(client);
    assert.equal(awaitMessage(server, NEVER, OPEN_ONLY), OK);
    const [to, sequence] = [registers[R_SENDER]! as ThreadId, registers[R_SEQUENCE]!];
    // After some idle turns the loop sleeps, and the parked bit says that somebody must ring.
    for (let i = 0; i < 100 && pause_ms > 0 && (stateOf(client) & PARKED) === 0; i++) await sleep(pause_ms);
    if (pause_ms > 0) assert.notEqual(stateOf(client) & PARKED, 0);
    assert.equal(reply(server, to, sequence, REPLY), OK);
    assert.equal(await within(result), OK);
    assert.equal(pendingCount(), 0);
  }
});

test('a polling thread is told that it was taken', async () => {
  const [client, server] = [makeThread(), makeThread()];
  assert.equal(startSend(client, idOf(server), ANY_INDEX, CALL, NEVER), NOT_YET);
  const { result, taken } = next(client, true);
  await sleep(20);
  assert.equal(taken(), false);
  assert.equal(receive(server, 0, 0), OK);
  const [to, sequence] = [registers[R_SENDER]! as ThreadId, registers[R_SEQUENCE]!];
  scheduleTurn();
  await sleep(20);
  assert.equal(taken(), true);
  assert.equal(reply(server, to, sequence, REPLY), OK);
  assert.equal(await within(result), OK);
});

test('of two answers the earlier is heard of first, though it comes while the loop looks', async () => {
  const server = makeThread();
  const clients = [makeThread(), makeThread()];
  for (const client of clients) assert.equal(startSend(client, idOf(server), ANY_INDEX, CALL, NEVER), NOT_YET);
  const heard: number[] = [];
  let [isWatched, isFirstSeen] = [false, false];
  await new Promise<void>((resolve) => {
    for (const [number, tcb] of clients.entries()) {
      const watcher: Watcher = {
        /** Both answers come in between the looks at the two threads. */
        get tcb() {
          if (isFirstSeen) for (const _ of clients.splice(0)) answerNext(server);
          isFirstSeen = isWatched && number === 0;
          return tcb;
        },
        polls: false,
        number,
        onTaken: () => {},
        onMessage: () => {
          unwatch(watcher);
          if (heard.push(number) === 2) resolve();
        },
      };
      watch(watcher);
    }
    isWatched = true;
  });
  assert.deepEqual(heard, [0, 1]);
});

test('a deadline ends a watched wait', async () => {
  const client = makeThread();
  assert.equal(receive(client, 0, OPEN_ONLY), NOT_YET);
  setDeadline(client, now_ms() + 20);
  assert.equal(await within(next(client).result), RECEIVE_TIMEOUT);
});

test('a listener hears of a message, and no more once it stopped', async () => {
  const client = makeThread();
  const tcb = agent.server;
  assert.equal(receive(tcb, 0, OPEN_ONLY), NOT_YET);
  const heard = new Promise<number>((resolve) => {
    listen({
      tcb,
      polls: false,
      number: 0,
      onTaken: () => {},
      onMessage: () => resolve(awaitMessage(tcb, NEVER, OPEN_ONLY)),
    });
  });
  assert.ok(isListening());
  await sleep(20);
  assert.equal(send(client, idOf(tcb), 0, 0), OK);
  assert.equal(await within(heard), OK);
  assert.equal(receive(tcb, 0, OPEN_ONLY), NOT_YET);
  await sleep(20);
  stopListening();
  assert.equal(isListening(), false);
  assert.equal(peek(tcb + TCB_BELL), 0);
  assert.equal(stateOf(tcb) & PARKED, 0);
  assert.equal(receive(tcb, 0, 0), RECEIVE_TIMEOUT);
});

test('a local thread that waits for another processor is resumed from sleep', async () => {
  const [local, remote] = [makeThread({ home: true, of: { ...ownTask(), id: agent.taskId } }), makeThread()];
  assert.equal(receive(remote, 0, OPEN_ONLY), NOT_YET);
  const result = new Promise<number>((resolve) => {
    const body = (function* (): Generator<number, number, number> {
      registers[R_SENDER] = idOf(remote);
      registers[R_TAG] = CALL;
      registers[R_SEND_TIMEOUT] = NEVER;
      registers[R_RECEIVE_TIMEOUT] = NEVER;
      resolve(yield OP_CALL);
      return OK;
    })();
    startBody(agent.processor, local, body as Body);
  });
  scheduleTurn();
  await sleep(20);
  assert.notEqual(stateOf(local) & PARKED, 0);
  assert.equal(awaitMessage(remote, NEVER, OPEN_ONLY), OK);
  assert.equal(reply(remote, registers[R_SENDER]! as ThreadId, registers[R_SEQUENCE]!, REPLY), OK);
  assert.equal(await within(result), OK);
});

/** The task of this agent, as a maker of threads wants it. */
function ownTask() {
  return { task: agent.task, processor: agent.processor };
}
