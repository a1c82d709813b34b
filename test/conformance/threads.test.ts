/** Generator threads in tasks: reached from other agents, and while nothing else keeps their agent's loop. */
import assert from 'node:assert/strict';
import * as ipc from '../../src/user/ipc.ts';
import { fixture, guarded, runProgram, sleep, systemTest } from './support.ts';

type Threads = typeof import('./fixtures/threads.ts');
const limit_ms = 10_000;

systemTest('a generator thread of a worker answers while its task is idle, and its task too', async (system) => {
  const worker = await system.spawn<Threads>(fixture('threads.ts'));
  const id = worker.sync.doubler() as ipc.ThreadId;
  for (const pause_ms of [0, 100, 0]) {
    await sleep(pause_ms);
    ipc.message[0] = 21;
    assert.equal(ipc.call(id, ipc.makeTag(1), limit_ms, limit_ms), ipc.OK);
    assert.equal(ipc.message[0], 42);
    assert.equal(worker.sync.timesSlept(), 0);
    assert.equal(await worker.async.timesSlept(), 0);
  }
  assert.equal(system.cancel(id), false);
  await worker.kill();
  assert.equal(ipc.call(id, ipc.makeTag(1), limit_ms, limit_ms), ipc.NOT_TAKEN);
});

systemTest('a generator thread of a worker that waits in place keeps its deadlines', async (system) => {
  const worker = await system.spawn<Threads>(fixture('threads.ts'));
  worker.sync.sleeper(5, 10);
  await sleep(300);
  assert.equal(worker.sync.timesSlept(), 10);
});

systemTest('a module may wait for a thread of its own before it is ready', async (system) => {
  const worker = await system.spawn<typeof import('./fixtures/threads-early.ts')>(fixture('threads-early.ts'));
  assert.equal(worker.sync.waited(), true);
});

systemTest('a call between generator threads of two agents', async (system) => {
  const worker = await system.spawn<Threads>(fixture('threads.ts'));
  const id = worker.sync.doubler() as ipc.ThreadId;
  const sum = await new Promise((resolve) => {
    ipc.startThread(function* () {
      let value = 1;
      for (let i = 0; i < 10; i++) {
        ipc.message[0] = value;
        assert.equal(yield ipc.operation.call(id, ipc.makeTag(1), limit_ms, limit_ms), ipc.OK);
        value = ipc.message[0];
      }
      resolve(value);
    });
  });
  assert.equal(sum, 1024);
});

systemTest('strings go to a generator thread of another agent and back, long ones in pieces', async (system) => {
  const worker = await system.spawn<Threads>(fixture('threads.ts'));
  const id = worker.sync.reverser() as ipc.ThreadId;
  for (const length of [5, 60_000, 3_000_000]) {
    const bytes = Uint8Array.from({ length }, (_, i) => i * 7);
    ipc.setString(0, bytes);
    assert.equal(ipc.call(id, ipc.makeTag(0, 1), limit_ms, limit_ms), ipc.OK);
    assert.deepEqual(ipc.stringAt(0).slice(), bytes.slice().reverse());
  }
  const answer = await new Promise((resolve) => {
    ipc.startThread(function* () {
      ipc.setString(0, new Uint8Array(70_000));
      assert.throws(() => ipc.operation.call(id, ipc.makeTag(0, 1)), /fit a window/);
      ipc.setString(0, Uint8Array.of(1, 2, 3));
      const result = yield ipc.operation.call(id, ipc.makeTag(0, 1));
      resolve([result, ...ipc.stringAt(0)]);
    });
  });
  assert.deepEqual(answer, [ipc.OK, 3, 2, 1]);
});

guarded('a program lives for a thread that waits with a deadline, and ends when none does', async () => {
  const { code, stdout, stderr } = await runProgram('threads-main.ts');
  assert.equal(stderr, '');
  assert.deepEqual([code, stdout], [0, 'slept 0\nslept 1\nslept 2\n']);
});
