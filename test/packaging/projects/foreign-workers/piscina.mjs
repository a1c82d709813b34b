// The threads are piscina's, the task is the program's.
import assert from 'node:assert/strict';
import { boot, lookup, task } from 'l3kernel';
import { Piscina } from 'piscina';

const store = task(new URL('./store.mjs', import.meta.url), { shared: 'store', timeout: 20_000 });
// Started: its name is found from here on.
assert.equal(store.sync.add(0), 0);
const pool = new Piscina({ filename: new URL('./worker.mjs', import.meta.url).href, minThreads: 3, maxThreads: 3 });
const sums = await Promise.all(Array.from({ length: 30 }, () => pool.run(1)));
assert.deepEqual(
  sums.toSorted((a, b) => a - b),
  Array.from({ length: 30 }, (_, i) => i + 1),
);
assert.equal(store.sync.add(0), 30);
assert.equal(lookup('store').sync.add(0), 30);
await pool.destroy();
assert.equal(store.sync.add(1), 31);
await (await boot()).shutdown();
