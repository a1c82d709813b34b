/** A supervisor that hangs, in the repair of a task, is ended by the shutdown. */
import assert from 'node:assert/strict';
import type { Worker } from 'node:worker_threads';
import { boot } from '../../src/index.ts';
import { unlockQueue } from '../../src/kernel/queue.ts';
import { HEADER_WINDOW_LOCK } from '../../src/layout/map.ts';
import { INDEX_MASK } from '../../src/layout/params.ts';
import { store } from '../../src/platform/atomics.ts';
import { assertNothingLeft, fixture, guarded } from '../conformance/support.ts';

guarded('shutdown() ends a supervisor that hangs before it has told of all ends', async () => {
  const workers: Worker[] = [];
  process.on('worker', (worker) => workers.push(worker));
  const system = await boot();
  const tasks = await Promise.all([system.spawn(fixture('mortal.ts')), system.spawn(fixture('mortal.ts'))]);
  // A thread that lives has the lock without which no window is given back, and keeps it.
  const keeper = await system.spawn(fixture('mortal.ts'), { kind: 'local' });
  store(HEADER_WINDOW_LOCK, keeper.id & INDEX_MASK);
  // The watchdog's was made before it.
  workers.at(-1)!.prependListener('exit', () => unlockQueue(HEADER_WINDOW_LOCK));
  await system.shutdown();
  for (const { alive, exited } of tasks) {
    assert.equal(alive, false);
    assert.equal(typeof (await exited).reason, 'string');
  }
  assertNothingLeft();
});
