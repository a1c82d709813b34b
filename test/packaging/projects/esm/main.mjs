// A system, and a task by both ways.
import assert from 'node:assert/strict';
import { boot, IpcError, task } from 'l3kernel';

const lazy = task(new URL('./adder.mjs', import.meta.url), { timeout: 8000 });
assert.equal(lazy.sync.add(1, 2), 3);
const system = await boot();
const adder = await system.spawn(new URL('./adder.mjs', import.meta.url), { name: 'adder' });
assert.equal(adder.sync.add(20, 3), 23);
assert.equal(await adder.async.later('x'), 'x');
assert.equal(adder.sync.id(), adder.id);
assert.throws(
  () => adder.sync.ad(1),
  (error) => error instanceof IpcError && error.code === 'ERR_IPC_NO_SUCH_METHOD',
);
await system.shutdown();
console.log('ok');
