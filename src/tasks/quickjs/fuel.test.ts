/** Counting loops in a binary. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wasm } from '../../../test/support/wat.ts';
import { withFuel } from './fuel.ts';

const MODULE = `(module
  (import "env" "other" (func $other))
  (import "env" "ask" (func $ask (result i32)))
  (memory (export "memory") 1)
  (global $g (mut i32) (i32.const 5))
  (func (export "kept") (param $n i32) (result i32) (local $i i32)
    (loop $again
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (local.get $n))))
    (global.get $g) (i32.add (local.get $i)))
  (func (export "left") (result f64) (f64.const 1.5))
  (func $large (export "large") (param $n i32) (result i32) (local $i i32)
    (loop $again
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (drop (i64.const -9223372036854775808)) (drop (f32.const 2.5)) (drop (i32.const -2147483648))
      (memory.fill (i32.const 0) (i32.const 0) (i32.const 8)) (memory.copy (i32.const 0) (i32.const 8) (i32.const 8))
      (block (block (br_table 0 1 0 (i32.const 1))))
      (br_if $again (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $i)))`;

function instance(ask: () => number): WebAssembly.Exports {
  const bytes = withFuel(wasm(MODULE), 'ask', (name) => name !== 'left');
  const module = new WebAssembly.Module(bytes as BufferSource);
  return new WebAssembly.Instance(module, { env: { other: () => {}, ask } }).exports;
}

test('SBX2110 loops ask now and then, and give what they gave', () => {
  let asked = 0;
  const exports = instance(() => {
    asked++;
    return 0;
  });
  const kept = exports['kept'] as (n: number) => number;
  assert.equal(kept(10), 15);
  assert.equal(asked, 0);
  assert.equal(kept(1_000_000), 1_000_005);
  assert.equal(asked, 20);
  assert.deepEqual(Object.keys(exports).sort(), ['kept', 'large', 'memory']);
});

test('SBX2120 what the answer throws ends a loop, and the largest function is left as it is', () => {
  const exports = instance(() => {
    throw new Error('enough');
  });
  assert.throws(() => (exports['kept'] as (n: number) => number)(0xffffffff), /enough/);
  assert.equal((exports['large'] as (n: number) => number)(200_000), 200_000);
});

test('SBX2130 a binary that is not as expected is refused', () => {
  assert.throws(() => withFuel(wasm('(module (import "env" "x" (memory 1)))'), 'ask', () => true), /is no function/);
  assert.throws(() => withFuel(wasm('(module (import "env" "x" (func)))'), 'ask', () => true), /does not import ask/);
});
