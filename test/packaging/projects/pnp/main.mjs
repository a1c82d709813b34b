// The package and its task from Yarn's archive.
import assert from 'node:assert/strict';
import { boot, task } from 'l3kernel';

assert.match(import.meta.resolve('l3kernel'), /\.zip\/|cache/);
const lazy = task(new URL('./adder.mjs', import.meta.url), { timeout: 8000 });
assert.equal(lazy.sync.add(1, 2), 3);
assert.ok(lazy.sync.id() > 0);
await (await boot()).shutdown();
console.log('ok');
