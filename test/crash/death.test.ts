/** Deaths: every call that depends on the dead ends, and the others go on. */
import assert from 'node:assert/strict';
import { lookup } from '../../src/index.ts';
import { fixture, rejectionOf, sleep, systemTest, tasksOf, thrownBy, until } from '../conformance/support.ts';

const calls = fixture('calls.ts');
const program = fixture('process.ts');

systemTest('process.exit in a handler ends the call, blocked or not, and all others in flight', async (system) => {
  const [first, second, u, v] = await Promise.all([...Array(4)].map(() => system.spawn(program)));
  for (const [how, t] of [
    ['exit', first!],
    ['exitSoon', second!],
  ] as const) {
    const others = Array.from({ length: 40 }, () => rejectionOf(t.async.never()));
    await sleep(10);
    void rejectionOf(t.async[how]!(7)).catch(() => {});
    for (const error of await Promise.all(others)) assert.equal(error.code, 'ERR_IPC_PEER_GONE', String(error));
    assert.deepEqual(await t.exited, { code: 7, reason: 'exit code 7' });
    assert.equal(t.alive, false);
  }
  const error = thrownBy(() => u!.sync.exit(3));
  assert.equal(error.code, 'ERR_IPC_PEER_GONE');
  assert.match(error.message, /exit code 3/);
  assert.equal((await u!.exited).code, 3);
  v!.sync.exitSoon(4);
  assert.equal(thrownBy(() => v!.sync.never()).code, 'ERR_IPC_PEER_GONE');
  await v!.exited;
});

systemTest('an uncaught exception and an unhandled rejection end the task', async (system) => {
  for (const [how, message] of [
    ['throwSoon', 'thrown from a timer'],
    ['rejectSoon', 'rejected unseen'],
  ] as const) {
    const [t, u] = await Promise.all([system.spawn(program), system.spawn(program)]);
    const pending = rejectionOf(t.async.never());
    await sleep(10);
    void t.async[how]().catch(() => {});
    assert.equal((await pending).code, 'ERR_IPC_PEER_GONE');
    assert.equal((await t.exited).reason, message);
    try {
      u.sync[how]();
    } catch (error) {
      assert.equal((error as any).code, 'ERR_IPC_PEER_GONE');
    }
    assert.equal(thrownBy(() => u.sync.never()).code, 'ERR_IPC_PEER_GONE');
    await u.exited;
  }
});

systemTest('kill ends 2,000 calls in flight, waiting and in the heap', async (system) => {
  const t = await system.spawn(program);
  const pending = [...Array(2000)].map((_, i) => rejectionOf(i % 2 === 0 ? t.async.never() : t.async.burn(2000)));
  await sleep(20);
  await t.kill();
  for (const error of await Promise.all(pending)) assert.equal(error.code, 'ERR_IPC_PEER_GONE', String(error));
  // 20,000 at once to the dead.
  const late = await Promise.allSettled([...Array(20_000)].map(() => t.async.add(1, 2)));
  assert.ok(late.every(({ status }) => status === 'rejected'));
  assert.equal((await t.exited).reason, 'killed');
});

systemTest('kill ends a task that never comes back from a handler', async (system) => {
  const t = await system.spawn(program);
  const pending = rejectionOf(t.async.burn(1e9));
  await sleep(20);
  await t.kill();
  assert.equal((await pending).code, 'ERR_IPC_PEER_GONE');
});

systemTest('who awaits kill() hears of the end before the calls that it ends are rejected', async (system) => {
  for (let round = 0; round < 6; round++) {
    const callee = await system.spawn(program, { name: `callee-${round}` });
    const caller = await system.spawn(calls);
    // Nobody handles these until kill() has come back: a rejection before that is one that nobody handled.
    const direct = callee.async.never();
    const byOther = caller.async.ask(`callee-${round}`, 'never');
    await until(() => system.tasks().find(({ id }) => id === caller.id)!.partner === callee.id);
    await callee.kill();
    assert.ok(!system.tasks().some(({ id }) => id === callee.id));
    assert.equal((await rejectionOf(direct)).code, 'ERR_IPC_PEER_GONE');
    assert.equal((await rejectionOf(byOther)).code, 'ERR_IPC_PEER_GONE');
    await caller.kill();
  }
});

systemTest('the end of a heap under .async is an error', async (system) => {
  const t = await system.spawn(program, { resourceLimits: { maxOldGenerationSizeMb: 30 } });
  const pending = [rejectionOf(t.async.never()), rejectionOf(t.async.hoard())];
  for (const error of await Promise.all(pending)) assert.equal(error.code, 'ERR_IPC_PEER_GONE');
  assert.equal((await t.exited).reason, 'out of memory');
});

systemTest('a callee goes on when its caller dies', async (system) => {
  const callee = await system.spawn(calls, { name: 'callee' });
  for (const handler of ['burn', 'addSlowly', 'callWith']) {
    const caller = await system.spawn(calls, { name: 'caller' });
    const args = handler === 'addSlowly' ? [1, 2, 60] : [60];
    void caller.async.ask('callee', handler, ...args).catch(() => {});
    void caller.async.askAsync('callee', 'addSlowly', 1, 2, 60).catch(() => {});
    await sleep(20);
    await caller.kill();
    for (let i = 0; i < 50; i++) assert.equal(callee.sync.add(i, 1), i + 1);
    assert.equal(await callee.async.addSlowly(1, 2, 70), 3);
  }
});

systemTest('a caller in another task hears of its callee’s death', async (system) => {
  const callee = await system.spawn(program, { name: 'callee' });
  const caller = await system.spawn(calls);
  const waiting = rejectionOf(caller.async.ask('callee', 'never'));
  await until(() => system.tasks().find(({ id }) => id === caller.id)!.partner === callee.id);
  await callee.kill();
  assert.equal((await waiting).code, 'ERR_IPC_PEER_GONE');
  assert.equal(caller.sync.add(1, 2), 3);
  assert.equal(thrownBy(() => lookup('callee')).code, 'ERR_IPC_NO_SUCH_THREAD');
});

systemTest('the death of a callback’s owner, and of its user, ends the upcall', async (system) => {
  const callee = await system.spawn(calls, { name: 'callee' });
  const t = await system.spawn(program);
  const user = await system.spawn(calls, { name: 'user' });
  // The user of the callback dies while the callback's promise is open.
  const pending = rejectionOf(user.async.callWith(() => new Promise((resolve) => setTimeout(resolve, 100))));
  await sleep(20);
  await user.kill();
  assert.equal((await pending).code, 'ERR_IPC_PEER_GONE');
  await t.kill();
  assert.equal(callee.sync.add(1, 2), 3);
  await sleep(120);
});

systemTest('300 tasks come and go', async (system) => {
  for (let round = 0; round < 4; round++) {
    const tasks = await Promise.all([...Array(3)].map(() => system.spawn(program)));
    for (const [i, t] of tasks.entries()) assert.equal(t.sync.add(i, round), i + round);
    await Promise.all(tasks.map((t) => t.kill()));
    for (let i = 0; i < 72; i++) {
      const t = await system.spawn(calls, { kind: 'local' });
      assert.equal(t.sync.add(i, 1), i + 1);
      await t.kill();
    }
  }
  assert.equal(tasksOf(system).length, 1);
});
