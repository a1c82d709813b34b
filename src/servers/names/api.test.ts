/** Names as programs meet them: spawn registers, lookup finds, and the name outlives a restart and not the task. */
import assert from 'node:assert/strict';
import { lookup } from '../../index.ts';
import { fixture, systemTest, thrownBy, until } from '../../../test/conformance/support.ts';
import { nameOf } from '../../user/names.ts';
import { list } from './server.ts';

const registered = (): string[] => list().map(nameOf);

systemTest('a name is refused while its task lives, and free after its end', async (system) => {
  const a = await system.spawn(fixture('calls.ts'), { name: 'store', kind: 'local' });
  assert.equal(thrownBy(() => system.spawnSync(fixture('calls.ts'), { name: 'store' })).code, 'ERR_IPC_SPAWN_FAILED');
  assert.deepEqual(registered(), ['store']);
  assert.equal(lookup('store').id, a.id);
  await a.kill();
  assert.deepEqual(registered(), []);
  assert.equal(thrownBy(() => lookup('store')).code, 'ERR_IPC_NO_SUCH_THREAD');
  const b = await system.spawn(fixture('calls.ts'), { name: 'store' });
  assert.equal(lookup('store').id, b.id);
});

systemTest('the label that a task has from its file is no name', async (system) => {
  await system.spawn(fixture('calls.ts'), { kind: 'local' });
  assert.deepEqual(registered(), []);
  assert.equal(thrownBy(() => lookup('calls')).code, 'ERR_IPC_NO_SUCH_THREAD');
});

systemTest('a task that does not start leaves its name to the next', async (system) => {
  await assert.rejects(system.spawn(fixture('throws.ts'), { name: 'store' }));
  assert.deepEqual(registered(), []);
});

systemTest('a task that is started again keeps its name, under another id', async (system) => {
  const options = { name: 'store', restart: 'on-failure' } as const;
  const task = await system.spawn<typeof import('../../../test/conformance/fixtures/mortal.ts')>(
    fixture('mortal.ts'),
    options,
  );
  const before = task.id;
  assert.throws(() => task.sync.exit(3));
  await until(() => task.id !== before);
  assert.deepEqual(registered(), ['store']);
  assert.equal(lookup('store').id, task.id);
  await task.kill();
  assert.deepEqual(registered(), []);
});
