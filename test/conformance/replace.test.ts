/** Tasks that hang and are replaced; what ends with a task; ends while everybody is blocked. */
import assert from 'node:assert/strict';
import { lookup } from '../../src/index.ts';
import { fixture, rejectionOf, sleep, systemTest, tasksOf, thrownBy, until } from './support.ts';

const mortal = fixture('mortal.ts');
const small = { resourceLimits: { maxOldGenerationSizeMb: 30 } };
const GONE = 'ERR_IPC_PEER_GONE';

systemTest('onTimeout kill puts the spare in place of a task that hangs', async (system) => {
  const t = await system.spawn<any>(mortal, { onTimeout: 'kill', name: 'hangs', timeout: 50 });
  const other = await system.spawn<any>(mortal);
  const ids = new Set([t.id]);
  for (let round = 0; round < 4; round++) {
    const waiting = other.async.ask('hangs', 'add', 20_000, round, 1);
    assert.equal(await waiting, round + 1);
    const error = round % 2 === 0 ? thrownBy(() => t.sync.loop()) : await rejectionOf(t.async.loop());
    assert.equal(error.code, 'ERR_IPC_TIMEOUT', String(error));
    assert.equal(error.phase, 'receive');
    const patient = t.with({ timeout: 20_000 });
    assert.equal(round % 2 === 0 ? patient.sync.add(1, 2) : await patient.async.add(1, 2), 3);
    ids.add(t.id);
    assert.equal(lookup('hangs').id, t.id);
  }
  assert.equal(ids.size, 5);
  assert.equal(tasksOf(system).length, 3);
  await t.kill();
  assert.equal(t.alive, false);
  await until(() => tasksOf(system).length === 2);
});

systemTest('what hangs is replaced under calls that wait for it', async (system) => {
  const t = await system.spawn<any>(mortal, { onTimeout: 'kill', name: 'hangs' });
  const other = await system.spawn<any>(mortal);
  const looping = rejectionOf(t.with({ timeout: 100 }).async.loop());
  await sleep(20);
  const waiting = Array.from({ length: 100 }, (_, i) => t.async.add(i, 1));
  const asked = other.async.ask('hangs', 'add', 20_000, 5, 6);
  assert.equal((await looping).code, 'ERR_IPC_TIMEOUT');
  assert.deepEqual(
    await Promise.all(waiting),
    Array.from({ length: 100 }, (_, i) => i + 1),
  );
  assert.equal(await asked, 11);
  // In flight with an incarnation that is replaced: gone.
  const never = rejectionOf(t.async.never());
  await sleep(20);
  assert.equal((await rejectionOf(t.with({ timeout: 20 }).async.never())).code, 'ERR_IPC_TIMEOUT');
  const gone = await never;
  assert.equal(gone.code, GONE);
  assert.match(gone.message, /killed after a call took longer than 20 ms/);
  assert.equal(t.sync.add(1, 2), 3);
});

systemTest('onTimeout keep leaves the next call waiting its turn', async (system) => {
  const t = await system.spawn<any>(mortal, { onTimeout: 'keep' });
  const { id } = t;
  assert.equal(thrownBy(() => t.with({ timeout: 20 }).sync.burn(150)).code, 'ERR_IPC_TIMEOUT');
  assert.equal(t.sync.add(1, 2), 3);
  assert.equal(t.id, id);
});

systemTest('the tasks of a restarted chief end with the incarnation that made them', async (system) => {
  const chief = await system.spawn<any>(fixture('process.ts'), { restart: 'on-failure' });
  await chief.async.spawnChild('child');
  assert.equal(chief.sync.addByChild(1, 2), 3);
  thrownBy(() => chief.sync.exit(1));
  await until(() => tasksOf(system).every(({ name }) => name !== 'child'));
  await chief.async.spawnChildSync('child');
  assert.equal(chief.sync.addByChild(1, 2), 3);
});

systemTest('heaps end while everybody is blocked', async (system) => {
  const t = await system.spawn<any>(mortal, { name: 'hoarder', ...small });
  const error = thrownBy(() => t.sync.hoard());
  assert.equal(error.code, GONE);
  assert.match(error.message, /out of memory/);
  const u = await system.spawn<any>(mortal, { name: 'hoarder', ...small });
  const asker = await system.spawn<any>(mortal);
  assert.equal(asker.sync.ask('hoarder', 'hoard', undefined), GONE);
  assert.equal((await u.exited).reason, 'out of memory');
});

systemTest('shutdown ends restarts, spares and tasks that hang', async (system) => {
  await system.spawn<any>(mortal, { onTimeout: 'kill', restart: 'always' });
  const slow = await system.spawn<any>(mortal, { restart: 'always', env: { ...process.env, START_MS: '200' } });
  thrownBy(() => slow.sync.exit(1));
  const hanging = await system.spawn<any>(mortal);
  void rejectionOf(hanging.async.loop()).catch(() => {});
  await sleep(20);
});
