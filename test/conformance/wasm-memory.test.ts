/** The linear memory of a wasm task as its spawner sees it: for modules that take addresses and state no letters. */
import assert from 'node:assert/strict';
import { boot, lookup, task } from '../../src/index.ts';
import { wat } from '../support/wat.ts';
import { fixture, systemTest, thrownBy } from './support.ts';

const SUM = wat(`(module
  (import "env" "found" (func $found (param i64)))
  (memory (export "memory") 1)
  (func (export "first") (param $at i32) (result i32) (i32.load8_u (local.get $at)))
  (func (export "tell") (param i64) (call $found (local.get 0)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "trap") unreachable))`);
const env = { found: (_: bigint): void => {} };

systemTest('wasm memory: the spawner writes what a function reads, and reads in an import', async (system) => {
  const found: string[] = [];
  const read = (span: bigint): void => {
    const address = Number(span & 0xffff_ffffn);
    found.push(Buffer.from(t.memory!.subarray(address, address + Number(span >> 32n))).toString());
  };
  const t = await system.spawn(SUM, { kind: 'wasm', imports: { env: { found: read } } });
  t.memory!.set(Buffer.from('hello'), 100);
  assert.equal(t.sync.first(100), 'h'.codePointAt(0));
  t.sync.tell((5n << 32n) | 100n);
  assert.deepEqual(found, ['hello']);
});

systemTest('wasm memory: grown, restarted and ended, it is the present one', async (system) => {
  const t = await system.spawn(SUM, { kind: 'wasm', imports: { env }, restart: 'on-failure', memory: { pages: 4 } });
  assert.equal(t.memory!.length, 65_536);
  t.memory![9] = 7;
  assert.equal(t.sync.grow(1), 1);
  assert.equal(t.memory!.length, 131_072);
  assert.equal(t.memory![9], 7);
  assert.equal(thrownBy(() => t.sync.trap()).code, 'ERR_IPC_PEER_GONE');
  assert.equal(t.memory!.length, 65_536);
  assert.equal(t.memory![9], 0);
  await t.kill();
  assert.equal(t.memory!.length, 0);
});

systemTest('wasm memory: nobody but the spawner has it, and no task of another kind', async (system) => {
  const t = await system.spawn(SUM, { kind: 'wasm', name: 'summer', imports: { env } });
  assert.equal(t.memory!.length, 65_536);
  assert.equal(lookup('summer').memory, undefined);
  const worker = await system.spawn(fixture('calls.ts'));
  assert.equal(worker.memory, undefined);
});

systemTest('wasm memory: a task that is started by its first use has it', async () => {
  await boot();
  const t = task(SUM, { kind: 'wasm', imports: { env } });
  assert.equal(t.memory!.length, 65_536);
  await t.kill();
});
