/**
 * Pools that are found by their names: by other tasks, by their own instances, by their spawner.
 */
import assert from 'node:assert/strict';
import { lookup } from '../../src/index.ts';
import type { System, Task } from '../../src/index.ts';
import { fixture, rejectionOf, systemTest, tasksOf, thrownBy, until } from './support.ts';

const url = fixture('instances.ts');
type Instance = typeof import('./fixtures/instances.ts');

const poolOf = (system: System, options: object): Promise<Task<Instance>> => system.spawn<Instance>(url, options);
const namesOf = (system: System): string[] =>
  tasksOf(system)
    .map(({ name }) => name)
    .filter((name) => name !== 'main')
    .sort();

systemTest('a pool that is found by its name is all of its instances', async (system) => {
  const t = await poolOf(system, { instances: 3, name: 'pool', concurrency: 2 });
  const other = await system.spawn<Instance>(url);
  // By another task, by one of its own instances, which is not called, and by its spawner.
  assert.deepEqual(await other.async.useFound('pool'), { several: 3, own: false, sum: 3, rows: [0, 1, 2] });
  assert.deepEqual(await t.async.useFound('pool'), { several: 2, own: false, sum: 3, rows: [0, 1, 2] });
  const found = lookup('pool') as Task<Instance>;
  assert.deepEqual([found.name, found.id, found.kind, found.alive], ['pool', t.id, 'worker', true]);
  const ids = await Promise.all(Array.from({ length: 6 }, () => found.async.holdLater(50)));
  assert.deepEqual(
    [...new Set(ids)].map((id) => ids.filter((one) => one === id).length),
    [2, 2, 2],
  );
  assert.equal(
    lookup('pool#2').sync['id']!(),
    ids.find((id) => id !== t.id && id === lookup('pool#2').id),
  );
  assert.equal((await rejectionOf(found.kill())).code, 'ERR_IPC_DENIED');
  // Its first instance ends: the pool goes on under its name.
  assert.equal((await rejectionOf(t.async.exit(3))).code, 'ERR_IPC_PEER_GONE');
  await until(() => namesOf(system).length === 3);
  const left = await Promise.all(Array.from({ length: 4 }, () => found.async.holdLater(30)));
  assert.equal(new Set(left).size, 2);
  assert.equal(lookup('pool').sync['add']!(1, 2), 3);
  assert.match((await rejectionOf(poolOf(system, { name: 'pool' }))).message, /the name 'pool' is taken/);
  // Its end ends what waits.
  const waiting = Array.from({ length: 6 }, () => rejectionOf(found.async.hold(200)));
  await t.kill();
  for (const error of await Promise.all(waiting)) assert.equal(error.code, 'ERR_IPC_PEER_GONE');
  assert.equal(thrownBy(() => found.sync.add(1, 2)).code, 'ERR_IPC_PEER_GONE');
  assert.deepEqual([found.alive, (await found.exited).reason], [false, 'killed']);
  assert.equal(thrownBy(() => lookup('pool')).code, 'ERR_IPC_NO_SUCH_THREAD');
});

systemTest('a pool that is found by its name: restarts, and instances that come later', async (system) => {
  const t = await poolOf(system, { instances: { min: 1, max: 2 }, name: 'pool', restart: 'on-failure' });
  const found = lookup('pool') as Task<Instance>;
  assert.equal((await rejectionOf(found.async.exit(3))).code, 'ERR_IPC_PEER_GONE');
  assert.equal(found.sync.add(1, 2), 3);
  const held = Promise.all([t.async.hold(100), t.async.hold(100), t.async.hold(100)]);
  await until(() => system.tasks().filter(({ name, state }) => name === 'pool#2' && state !== 'starting').length > 0);
  await held;
  const ids = await Promise.all([found.async.hold(50), found.async.hold(50)]);
  assert.equal(new Set(ids).size, 2);
});
