/**
 * Callers that are called back while they wait: by `.async` calls to their blocked thread, by callbacks of calls that
 * they have given up, by callbacks that end early or never. Each call ends once, with its own answer.
 */
import assert from 'node:assert/strict';
import type { Task } from '../../src/index.ts';
import { fixture, rejectionOf, systemTest, thrownBy, until } from './support.ts';

const url = fixture('callers.ts');

/** A test with tasks of the fixture, named by letters. */
function callersTest(title: string, count: number, run: (...tasks: Task[]) => Promise<void>, options = {}): void {
  systemTest(title, async (system) => {
    const names = 'abc'.slice(0, count).split('');
    const host = { burn: (x: number): number => x };
    await run(...(await Promise.all(names.map((name) => system.spawn(url, { name, host, ...options })))));
  });
}

for (const options of [{}, { concurrency: 1 }]) {
  const label = 'concurrency' in options ? ', one at a time' : '';
  callersTest(
    `.async calls to a blocked caller reach it, from the first line of a handler on${label}`,
    2,
    async (a, b) => {
      // A blocked b takes calls on the thread that waits for a, one by one; nobody else takes them.
      assert.equal(await b!.async.call('a', 'callLater', 0, 'b', 'add', 1, 2), 3);
      const calls = Array.from({ length: 70 }, (_, i) => ['add', i, i]);
      const sums = calls.map((_, i) => 2 * i);
      assert.deepEqual(await b!.async.call('a', 'callAllLater', 'b', calls), sums);
      // Longer than a message line, and longer than a window.
      for (const length of [3000, 3e5]) {
        const long = ['x', 'y', 'z'].map((letter) => ['add', letter.repeat(length), letter]);
        const answers = (await b!.async.call('a', 'callAllLater', 'b', long)) as string[];
        const given = answers.map((answer) => (/^(.)\1+$/.test(answer) ? `${answer[0]} ${answer.length}` : answer));
        assert.deepEqual(given, [`x ${length + 1}`, `y ${length + 1}`, `z ${length + 1}`]);
      }
      assert.equal(a!.sync.hostLater('burn', 7), 7);
      assert.equal(a!.sync.hostAside('burn', 8), 'aside');
      assert.deepEqual([a!.sync.add(1, 2), b!.sync.add(1, 2)], [3, 3]);
    },
    options,
  );
}

callersTest('calls that were in the queue of a task before it blocked reach it, in their order', 2, async (_, b) => {
  assert.deepEqual(await b!.async.blockBehind('a', 'b', 5), [1, 2, 3, 4, 5]);
});

systemTest('a message that a caller has not seen when it blocks is served by its blocked thread', (system) => {
  const task = system.spawnSync(url, { host: { burn: (x: number): number => x } });
  assert.equal(task.with({ timeout: 10_000 }).sync['whenReady']!(), 3);
});

callersTest('a call in place waits for one of the loop that the blocked caller serves', 2, async (_, b) => {
  assert.deepEqual(await b!.async.call('a', 'callTwoWays', 'b', 100), ['burnt', 3]);
});

callersTest('a callback of a call that was given up is not taken for one of the next call', 1, async (a) => {
  const counts = [0, 0];
  const first = (): number => counts[0]!++;
  const second = (): number => counts[1]!++;
  assert.equal(thrownBy(() => a!.with({ timeout: 20 }).sync.backAfter(100, first)).code, 'ERR_IPC_TIMEOUT');
  a!.sync.backAfter(300, second);
  assert.deepEqual(counts, [0, 1]);
  assert.equal((await rejectionOf(a!.with({ timeout: 20 }).async.backAfter(100, first))).code, 'ERR_IPC_TIMEOUT');
  await a!.async.backAfter(300, second);
  assert.deepEqual(counts, [0, 2]);
});

callersTest('an abort, a timeout and the end of the task end a call whose callback never ends', 2, async (a, b) => {
  const never = (): Promise<never> => new Promise(() => {});
  const alive = setInterval(() => {}, 1000);
  const limits = [{ timeout: 30 }, { signal: AbortSignal.timeout(30) }];
  for (const limit of limits) {
    const error = await rejectionOf(a!.with(limit).async.backThenWait(never, 0));
    assert.equal(error.code, 'timeout' in limit ? 'ERR_IPC_TIMEOUT' : 'ERR_IPC_ABORTED');
    // The task goes on: it waits for that callback no more.
    assert.equal(await a!.async.add(1, 2), 3);
  }
  const controller = new AbortController();
  const within = a!.with({ signal: controller.signal }).async.backThenWait(() => {
    controller.abort();
    return never();
  }, 0);
  assert.equal((await rejectionOf(within)).code, 'ERR_IPC_ABORTED');
  let begun = false;
  const orphan = rejectionOf(
    b!.async.backThenWait(() => {
      begun = true;
      return never();
    }, 0),
  );
  await until(() => begun);
  await b!.kill();
  assert.equal((await orphan).code, 'ERR_IPC_PEER_GONE');
  assert.equal(await a!.async.add(1, 2), 3);
  clearInterval(alive);
});

callersTest('a caller that serves what was given up gets its answer all the same', 3, async (...tasks) => {
  const [, b] = tasks;
  for (const how of ['callLater', 'callWithin', 'laterCallLater', 'laterCallWithin']) {
    assert.equal(await b!.async.call('a', how, 20, 'b', 'burn', 100), 'ERR_IPC_TIMEOUT', how);
    // Meanwhile it gives up a call itself, whose answer comes too late.
    assert.equal(await b!.async.call('a', how, 20, 'b', 'burnAndBeLate', 100, 'c'), 'ERR_IPC_TIMEOUT', how);
  }
  // The same one level up: who answers waits in place.
  assert.equal(await b!.async.callGiving('a', 'callWithin', 20, 'b', 'burn', 100), 'ERR_IPC_TIMEOUT');
  // The next call to it stands in a queue until it is back.
  assert.deepEqual(await b!.async.call('a', 'callAgain', 20, 'b'), ['ERR_IPC_TIMEOUT', 3]);
  for (const task of tasks) assert.equal(task.sync.add(1, 2), 3);
});

callersTest('here.signal says nothing of a caller that serves a call', 2, async (_, b) => {
  assert.equal(await b!.async.call('a', 'signalDuring', 'b', 150), false);
});

callersTest('timeout 0 is that of the message, with callbacks as without', 1, async (a) => {
  for (;;) {
    try {
      assert.equal(
        a!.with({ timeout: 0 }).sync.backThenWait(() => 1, 50),
        1,
      );
      return;
    } catch (error) {
      // It does not listen just now.
      assert.equal((error as { phase?: unknown }).phase, 'send', String(error));
    }
  }
});
