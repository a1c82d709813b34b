/**
 * Pools: several workers behind one stub. Which instance is given a call, the order of those that wait, deaths, growth.
 */
import assert from 'node:assert/strict';
import { task } from '../../src/index.ts';
import type { System, Task } from '../../src/index.ts';
import { fixture, guarded, rejectionOf, sleep, systemTest, tasksOf, thrownBy, until } from './support.ts';

const url = fixture('instances.ts');
type Instance = typeof import('./fixtures/instances.ts');

const poolOf = (system: System, options: object): Promise<Task<Instance>> => system.spawn<Instance>(url, options);
const namesOf = (system: System): string[] =>
  tasksOf(system)
    .map(({ name }) => name)
    .filter((name) => name !== 'main')
    .sort();

systemTest('a pool: calls go to the instance that is free', async (system) => {
  const t = await poolOf(system, { instances: 3, name: 'pool' });
  assert.deepEqual(namesOf(system), ['pool', 'pool#2', 'pool#3']);
  assert.equal(t.name, 'pool');
  assert.equal(t.kind, 'worker');
  assert.equal(t.alive, true);
  // Three at a time, each in an instance of its own.
  const ids = await Promise.all(Array.from({ length: 6 }, () => t.async.hold(30)));
  assert.equal(new Set(ids.slice(0, 3)).size, 3);
  assert.equal(t.sync.add(1, 2), 3);
  assert.equal(await t.async.add(1, 2), 3);
  assert.equal(
    t.sync.callBack((x) => x + 1),
    t.id + 1,
  );
  const { add } = t.with({ timeout: 20_000 }).async;
  assert.equal(await add(3, 4), 7);
  // Blocked callers, too, find the instance that nothing runs in.
  const held = [t.async.hold(100), t.async.hold(100)];
  const third = t.sync.id();
  assert.ok(!(await Promise.all(held)).includes(third));
  // Many more than there are call tcbs.
  const sums = await Promise.all(Array.from({ length: 500 }, (_, i) => t.async.add(i, i)));
  assert.deepEqual(
    sums,
    sums.map((_, i) => 2 * i),
  );
  await t.kill();
  await t.kill();
  assert.deepEqual(namesOf(system), []);
  assert.equal(t.alive, false);
  assert.deepEqual(await t.exited, { code: 1, reason: 'killed' });
  assert.equal(thrownBy(() => t.sync.add(1, 2)).code, 'ERR_IPC_PEER_GONE');
  assert.equal((await rejectionOf(t.async.add(1, 2))).code, 'ERR_IPC_PEER_GONE');
});

systemTest('a pool: streams, side ports, and the order of calls that wait', async (system) => {
  const t = await poolOf(system, { instances: 2 });
  // An iterator is moved in the instance that has it.
  const sync = t.sync.numbers(4);
  const async = t.async.numbers(4);
  const [, first] = sync.next().value as [number, number];
  const [, second] = (await async.next()).value as [number, number];
  const held = [t.async.hold(50), t.async.hold(50)];
  assert.deepEqual(
    [...sync],
    [1, 2, 3].map((i) => [i, first]),
  );
  for await (const [, id] of async) assert.equal(id, second);
  // What only a port carries is with one instance when its call has to wait.
  const shared = new Uint8Array(new SharedArrayBuffer(4));
  const back = (await Promise.all([1, 2, 3, 4].map(() => t.async.echo(shared)))) as Uint8Array[];
  shared[0] = 7;
  assert.deepEqual(
    back.map((bytes) => bytes[0]),
    [7, 7, 7, 7],
  );
  await Promise.all(held);
  // All busy, and the caller blocks: it has the one with the fewest calls.
  const both = Promise.all([t.async.hold(50), t.async.hold(50)]);
  const mine = t.sync.id();
  assert.ok((await both).includes(mine));

  // Those that wait are served in their order, past an instance that hangs.
  const hung = rejectionOf(t.with({ timeout: 100 }).async.loop());
  const order = Array.from({ length: 10 }, () => t.async.count());
  const controller = new AbortController();
  const aborted = rejectionOf(t.with({ signal: controller.signal }).async.count());
  const late = rejectionOf(t.with({ timeout: 1 }).async.count());
  controller.abort();
  const refused = rejectionOf(t.with({ timeout: 0 }).async.count());
  t.sync.hold(20);
  assert.equal((await aborted).code, 'ERR_IPC_ABORTED');
  assert.equal((await refused).code, 'ERR_IPC_TIMEOUT');
  assert.equal((await hung).code, 'ERR_IPC_TIMEOUT');
  const counts = await Promise.all(order);
  assert.deepEqual(
    counts,
    [...counts].sort((a, b) => a - b),
  );
  await late;
  // The call has been given up, its instance has not come back: it is given none.
  const free = t.sync.id();
  assert.deepEqual(await Promise.all([1, 2, 3].map(() => t.async.id())), [free, free, free]);
  for (let i = 0; i < 3; i++) assert.equal(t.sync.id(), free);
});

systemTest('a pool: the calls in an instance that dies have its error, the others go on', async (system) => {
  const t = await poolOf(system, { instances: 3 });
  const dying = t.async.exitAfter(20);
  const others = Array.from({ length: 12 }, () => t.async.hold(5));
  assert.match((await rejectionOf(dying)).message, /instances\.exitAfter\(\): the task has ended \(exit code 5\)/);
  assert.equal((await Promise.all(others)).length, 12);
  assert.equal(namesOf(system).length, 2);
  assert.equal(thrownBy(() => t.sync.exit(4)).code, 'ERR_IPC_PEER_GONE');
  // Whether its end has been heard of or not, the one that is left is found.
  for (let i = 0; i < 5; i++) assert.equal(t.sync.add(i, 1), i + 1);
  assert.equal(await t.async.add(1, 1), 2);
  const waiting = Promise.allSettled([t.async.exitAfter(20), t.async.add(1, 2), t.async.add(3, 4)]);
  for (const outcome of await waiting) {
    assert.equal(outcome.status, 'rejected');
    assert.equal((outcome as PromiseRejectedResult).reason.code, 'ERR_IPC_PEER_GONE');
  }
  assert.deepEqual(await t.exited, { code: 5, reason: 'exit code 5' });
  assert.equal(t.alive, false);
});

systemTest('a pool: an instance is started again while the others serve', async (system) => {
  const t = await poolOf(system, { instances: 2, restart: 'on-failure' });
  const outcomes = await Promise.allSettled([t.async.exit(3), ...Array.from({ length: 10 }, () => t.async.hold(3))]);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['rejected', ...Array.from({ length: 10 }, () => 'fulfilled')],
  );
  await until(() => namesOf(system).length === 2 && system.tasks().every(({ state }) => state !== 'starting'));
  const ids = await Promise.all(Array.from({ length: 4 }, () => t.async.hold(30)));
  assert.equal(new Set(ids).size, 2);
  // Both at once: nobody is there for a time, and calls wait.
  const both = await Promise.allSettled([t.async.exitAfter(10), t.async.exitAfter(10)]);
  assert.equal(both.filter(({ status }) => status === 'rejected').length, 2);
  assert.equal(t.sync.add(1, 2), 3);
  assert.equal(await t.async.add(1, 2), 3);
});

systemTest('a pool: a call that outlives its timeout has its instance replaced', async (system) => {
  const t = await poolOf(system, { instances: 2, onTimeout: 'kill' });
  const quick = t.with({ timeout: 100 });
  const hung = rejectionOf(quick.async.loop());
  const others = Promise.all(Array.from({ length: 5 }, () => t.async.add(1, 2)));
  assert.equal((await hung).code, 'ERR_IPC_TIMEOUT');
  assert.equal((await others).length, 5);
  assert.equal(thrownBy(() => quick.sync.loop()).code, 'ERR_IPC_TIMEOUT');
  const ids = await Promise.all([t.async.hold(20), t.async.hold(20), t.async.hold(20)]);
  assert.equal(ids.length, 3);
});

systemTest('a pool grows when all are busy, and shrinks when they idle', async (system) => {
  const t = await poolOf(system, { instances: { min: 1, max: 3, idle_ms: 200 } });
  assert.deepEqual(namesOf(system), ['instances']);
  assert.equal(await t.async.add(1, 2), 3);
  assert.deepEqual(namesOf(system), ['instances']);
  let going = true;
  const load = Promise.all(
    Array.from({ length: 8 }, async () => {
      while (going) await t.async.hold(5);
    }),
  );
  await until(() => system.tasks().filter(({ state }) => state !== 'starting').length >= 5);
  assert.deepEqual(namesOf(system), ['instances', 'instances#2', 'instances#3']);
  going = false;
  await load;
  await until(() => namesOf(system).length === 1);
  assert.deepEqual(namesOf(system), ['instances']);
  assert.equal(t.sync.add(1, 2), 3);
});

systemTest('a pool of a worker, and a shutdown with calls that wait', async (system) => {
  const t = await poolOf(system, { instances: 2, concurrency: 3 });
  const ids = await Promise.all(Array.from({ length: 6 }, () => t.async.holdLater(50)));
  // So many calls an instance is given.
  assert.deepEqual(
    [...new Set(ids)].map((id) => ids.filter((other) => other === id).length),
    [3, 3],
  );
  assert.deepEqual(await t.async.usePool(), { several: 2, sum: 3, rows: [0, 1, 2] });
  const calls = Array.from({ length: 100 }, () => rejectionOf(t.async.hold(5000)));
  await sleep(10);
  await system.shutdown();
  const codes = (await Promise.all(calls)).map(({ code }) => code);
  assert.deepEqual(new Set(codes), new Set(['ERR_IPC_SHUTDOWN']));
});

systemTest('a pool: what cannot be is refused, and one that does not start leaves nothing', async (system) => {
  const refusal = (options: object): Promise<any> => rejectionOf(poolOf(system, options));
  for (const instances of [0, -1, 1.5, NaN, '2', { min: 2, max: 1 }, { min: 0, max: 2 }, {}, null]) {
    assert.match((await refusal({ instances })).message, /instances must be a whole number above 0/);
  }
  assert.match((await refusal({ instances: { min: 1, max: 2, idle_ms: 0 } })).message, /idle_ms is 0/);
  assert.match((await refusal({ instances: 2, kind: 'local' })).message, /only workers can be several/);
  const taken = await system.spawn(url, { name: 'two#2' });
  assert.match((await refusal({ instances: 3, name: 'two' })).message, /the name 'two#2' is taken/);
  await taken.kill();
  const failing = await rejectionOf(system.spawn(fixture('throws.ts'), { instances: 2 }));
  assert.equal(failing.code, 'ERR_IPC_SPAWN_FAILED');
  assert.equal(thrownBy(() => system.spawnSync(fixture('throws.ts'), { instances: 2 })).code, 'ERR_IPC_SPAWN_FAILED');
  await until(() => namesOf(system).length === 0);
  const t = system.spawnSync<Instance>(url, { instances: 2 });
  assert.equal(t.sync.add(1, 2), 3);
});

guarded('a pool that is started by its first call', async () => {
  const t = task<Instance>(url, { instances: 2 });
  assert.equal(t.sync.add(1, 2), 3);
  assert.equal(new Set(await Promise.all([t.async.hold(50), t.async.hold(50)])).size, 2);
  await t.kill();
});
