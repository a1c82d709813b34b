// A typed program, and a task by both ways.
import assert from 'node:assert/strict';
import { boot, IpcError, task } from 'l3kernel';

const lazy = task<typeof import('./adder.ts')>(new URL('./adder.ts', import.meta.url), { timeout: 8000 });
const sum: number = lazy.sync.add(1, 2);
assert.equal(sum, 3);
const system = await boot();
const adder = await system.spawn<typeof import('./adder.ts')>(new URL('./adder.ts', import.meta.url));
assert.equal(await adder.async.later('x'), 'x');
assert.ok(new IpcError('ERR_IPC_LIMIT', 'x') instanceof Error);
await system.shutdown();
console.log('ok');
