// A system, and a task by both ways; their modules are found by the bundler's plugin.
import assert from 'node:assert/strict';
import { boot, task } from 'l3kernel';

const lazy = task<typeof import('./adder.ts')>(new URL('./adder.ts', import.meta.url), { timeout: 8000 });
assert.equal(lazy.sync.add(1, 2), 3);
const system = await boot();
const adder = await system.spawn<typeof import('./adder.ts')>(new URL('./adder.ts', import.meta.url), {
  name: 'adder',
});
assert.equal(adder.sync.add(20, 3), 23);
assert.equal(await adder.async.later('x'), 'x');
assert.equal(adder.sync.id(), adder.id);
await system.shutdown();
console.log('ok');
