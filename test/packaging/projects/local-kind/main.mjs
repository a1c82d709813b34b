// Whatever the program asks for, the task runs in this thread, without a supervisor.
import assert from 'node:assert/strict';
import { boot, task } from 'l3kernel';

const lazy = task(new URL('./adder.mjs', import.meta.url));
assert.equal(lazy.sync.thread(), 0);
const system = await boot();
const options = { kind: 'worker', restart: 'on-failure', timeout: 1000, onTimeout: 'kill', name: 'adder' };
const adder = await system.spawn(new URL('./adder.mjs', import.meta.url), options);
assert.equal(adder.kind, 'local');
assert.equal(adder.sync.thread(), 0);
assert.equal(await adder.async.later('x'), 'x');
assert.deepEqual(
  system.tasks().map(({ kind }) => kind),
  ['main', 'local', 'local'],
);
await system.shutdown();
console.log('ok');
