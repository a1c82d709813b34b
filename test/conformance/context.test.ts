/** Context goes with calls: the program's, and that of OpenTelemetry. */
import assert from 'node:assert/strict';
import { boot, lookup } from '../../src/index.ts';
import { context, store } from './fixtures/context.ts';
import { fixture, guarded, rejectionOf, systemTest } from './support.ts';

type Module = typeof import('./fixtures/context.ts');
const options = { host: { ask: (): unknown => store.getStore() } };

for (const kind of ['worker', 'local'] as const) {
  systemTest(
    `the context of a call is that of its handler: ${kind}`,
    async (system) => {
      const t = await system.spawn<Module>(fixture('context.ts'), { ...options, kind, name: 'reader' });
      assert.deepEqual(t.sync.read(1, 'x'), [undefined, 1, 'x']);
      assert.deepEqual(
        store.run('a', () => t.sync.read(1, 'x')),
        ['a', 1, 'x'],
      );
      const both = ['b', 'c'].map((value) => store.run(value, () => t.async.readLater()));
      assert.deepEqual(await Promise.all(both), ['b', 'c']);
      assert.equal((await rejectionOf(store.run('d', () => t.async.fail()))).message, 'in d');
      assert.deepEqual(
        store.run('e', () => lookup<Module>('reader').sync.read()),
        ['e'],
      );
      assert.equal(await store.run('f', () => t.async.ask()), 'f');
      assert.deepEqual(
        store.run('g', () => t.with({ timeout: 5000 }).sync.read()),
        ['g'],
      );
      assert.equal(
        store.run('h', () => t.sync.callBack((x) => `${x}${store.getStore()}`)),
        'hh',
      );
      // What cannot be sent is named by its own place.
      assert.throws(() => store.run('i', () => t.sync.read(Symbol('s'))), /args\[0\]/);
    },
    { context },
  );
}

systemTest(
  'the context goes on to the tasks of a task',
  async (system) => {
    const t = await system.spawn<Module>(fixture('context.ts'));
    assert.deepEqual(
      store.run('a', () => t.sync.callOn()),
      ['a', 'further'],
    );
  },
  { context },
);

guarded('a context without its functions is refused', async () => {
  await assert.rejects(boot({ context: {} as never }), /capture and run/);
});
