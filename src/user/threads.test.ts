/** Generator threads as users have them: calls among them and with others, deadlines, cancelling, ends, bad input. */
import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { countThreads } from '../../test/support/records.ts';
import { peek } from '../platform/atomics.ts';
import { verify } from '../kernel/verify.ts';
import { WAKEUP_LISTS } from '../layout/params.ts';
import { PROCESSOR_DUE, PROCESSOR_INSPECTED, PROCESSOR_TICKS } from '../layout/task.ts';
import { agent, detach, idOf, startSystem } from './agent.ts';
import * as ipc from './ipc.ts';
import { stopLoop } from './loop.ts';
import { cancelWait, stopThreads } from './threads.ts';

startSystem({});
const before = countThreads();
const limit_ms = 5000;
after(() => {
  stopThreads();
  stopLoop();
  detach();
});
afterEach(() => assert.deepEqual(verify(), []));

const { operation, startThread } = ipc;

type Steps = Generator<ipc.Operation, number, ipc.Result>;

/** Starts a thread; its end, with what its body returned, or a failure when it does not come in time. */
function run(body: (self: ipc.ThreadId) => Steps): { id: ipc.ThreadId; end: Promise<number> } {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const watchdog = setTimeout(() => reject(new Error('the thread did not end')), limit_ms);
  const id = startThread(function* () {
    resolve(yield* body(ipc.self()));
    clearTimeout(watchdog);
  });
  return { id, end: promise };
}

function* adder(): Generator<ipc.Operation, void, ipc.Result> {
  let result = yield operation.receive();
  for (;;) {
    assert.equal(result, ipc.OK);
    ipc.message[0]! += ipc.message[1]!;
    result = yield operation.replyAndReceive(ipc.sender(), ipc.sequence(), ipc.makeTag(1));
  }
}

test('generator threads call each other, and give their records back at their end', async () => {
  const server = startThread(adder);
  const client = run(function* (self) {
    assert.notEqual(self, server);
    let sum = 0;
    for (let i = 0; i < 1000; i++) {
      ipc.message[0] = sum;
      ipc.message[1] = i;
      assert.equal(yield operation.call(server, ipc.makeTag(2)), ipc.OK);
      sum = ipc.message[0];
    }
    return sum;
  });
  assert.equal(await client.end, 499_500);
  await pause(1);
  assert.equal(countThreads(), before + 1);
});

test('ordinary code calls a generator thread of its own agent in place', () => {
  const server = startThread(adder);
  for (const [a, b] of [
    [1, 2],
    [40, 2],
  ]) {
    ipc.message[0] = a!;
    ipc.message[1] = b!;
    assert.equal(ipc.call(server, ipc.makeTag(2)), ipc.OK);
    assert.equal(ipc.message[0], a! + b!);
  }
});

test('a call of one that sleeps first waits for it; one that never answers is a deadlock, or a timeout', () => {
  const slow = startThread(function* () {
    yield operation.receive();
    const [to, sequence] = [ipc.sender(), ipc.sequence()];
    yield operation.sleep(20);
    ipc.message[0] = 7;
    yield operation.replyAndReceive(to, sequence, ipc.makeTag(1));
  });
  assert.equal(ipc.call(slow, ipc.makeTag(0)), ipc.OK);
  assert.equal(ipc.message[0], 7);
  const deaf = startThread(function* () {
    yield operation.receive(idOf(agent.server));
  });
  assert.equal(ipc.call(deaf, ipc.makeTag(0), 5, 5), ipc.SEND_TIMEOUT);
  assert.equal(ipc.call(deaf, ipc.makeTag(0)), ipc.DEADLOCK);
  assert.equal(ipc.send(deaf, ipc.makeTag(0), 5), ipc.SEND_TIMEOUT);
  const mute = startThread(function* () {
    yield operation.receive();
    yield operation.receive();
  });
  assert.equal(ipc.call(mute, ipc.makeTag(0), 5, 5), ipc.RECEIVE_TIMEOUT);
  assert.equal(ipc.call(mute, ipc.makeTag(0)), ipc.PEER_GONE);
  assert.equal(ipc.call(mute, ipc.makeTag(0)), ipc.NOT_TAKEN);
});

test('a thread sends to ordinary code that waits for it', () => {
  const to = ipc.self();
  const sender = startThread(function* () {
    yield operation.sleep(5);
    ipc.message[0] = 3;
    yield operation.send(to, ipc.makeTag(1));
  });
  assert.equal(ipc.receive(sender), ipc.OK);
  assert.equal(ipc.message[0], 3);
  assert.equal(ipc.sender(), sender);
});

test('a timeout is kept while the event loop has nothing else to do', async () => {
  const began_ms = performance.now();
  const { end } = run(function* () {
    return yield operation.receive(0, 30);
  });
  assert.equal(await end, ipc.RECEIVE_TIMEOUT);
  const took_ms = performance.now() - began_ms;
  assert.ok(took_ms >= 29, `${took_ms} ms`);
  assert.equal(peek(agent.processor + PROCESSOR_DUE), 0);
});

test('a cancelled wait ends at once, without a turn for another reason', async () => {
  const { id, end } = run(function* () {
    return yield operation.receive();
  });
  await pause(20);
  assert.equal(cancelWait(id), true);
  assert.equal(await end, ipc.ABORTED);
  assert.equal(cancelWait(id), false);
});

test('who waits for a thread that ends is told', async () => {
  const mortal = startThread(function* () {
    yield operation.receive();
  });
  const caller = run(function* () {
    return yield operation.call(mortal, ipc.makeTag(0));
  });
  const late = run(function* () {
    return yield operation.call(mortal, ipc.makeTag(0));
  });
  assert.equal(await caller.end, ipc.PEER_GONE);
  assert.equal(await late.end, ipc.NOT_TAKEN);
  assert.equal(ipc.call(mortal, 0), ipc.NOT_TAKEN);
});

test('thousands sleep by one timer, wake in time, and cost k/n a tick', async () => {
  const [k, span_ms] = [2000, 400];
  const [inspected, ticks] = [PROCESSOR_INSPECTED, PROCESSOR_TICKS].map((at) => peek(agent.processor + at));
  const began_ms = performance.now();
  const sleepers = Array.from({ length: k }, (_, i) =>
    run(function* () {
      const time_ms = 50 + ((i * 7919) % span_ms);
      assert.equal(yield operation.sleep(time_ms), ipc.RECEIVE_TIMEOUT);
      return performance.now() - began_ms - time_ms;
    }),
  );
  const late_ms = await Promise.all(sleepers.map(({ end }) => end));
  assert.ok(Math.min(...late_ms) >= -1.5, `one woke ${-Math.min(...late_ms)} ms early`);
  const looks = peek(agent.processor + PROCESSOR_INSPECTED) - inspected!;
  // The tick goes through one list of n a millisecond, and the look for the next deadline through one or two.
  const most = (k / WAKEUP_LISTS) * (span_ms + 60);
  assert.ok(looks <= most, `${looks} entries inspected; k/n for each millisecond is ${most}`);
  assert.ok(peek(agent.processor + PROCESSOR_TICKS) - ticks! <= span_ms + 60);
});

test('nothing ticks when nothing waits with a deadline', async () => {
  const ticks = peek(agent.processor + PROCESSOR_TICKS);
  await pause(50);
  assert.equal(peek(agent.processor + PROCESSOR_TICKS), ticks);
});

test('bad input is refused', async () => {
  assert.throws(() => startThread((() => {}) as never), /takes a generator function/);
  assert.throws(() => startThread(5 as never), TypeError);
  const silent = startThread(function* () {
    yield operation.receive();
  });
  const { end } = run(function* () {
    assert.throws(() => operation.receive(0, Number.NaN), RangeError);
    assert.throws(() => ipc.receive(0, 0), /yield operation/);
    assert.throws(() => ipc.call(silent, 0), /yield operation/);
    ipc.setString(0, new Uint8Array(3));
    assert.throws(() => operation.call(silent, ipc.makeTag(0, 1)), /share its heap/);
    return yield operation.giveWay();
  });
  assert.equal(await end, ipc.OK);
  ipc.setString(0, new Uint8Array(1 << 17));
  assert.throws(() => ipc.call(silent, ipc.makeTag(0, 1)), /fit a window/);
});

test('what a thread throws ends it, and reaches the process', async () => {
  const thrown: unknown[] = [];
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => thrown.push(error));
  startThread(function* () {
    yield operation.giveWay();
    throw new Error('of a thread');
  });
  startThread(function* () {
    yield 99 as ipc.Operation;
  });
  await pause(20);
  process.removeAllListeners('uncaughtException');
  for (const listener of listeners) process.on('uncaughtException', listener);
  assert.equal(thrown.length, 2);
  assert.match(String(thrown[0]), /nothing else|of a thread/);
});
