/** Modules rewritten so that they can be interrupted: still valid, still the same to who calls them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import wabt from 'wabt';
import { heedful } from './interrupts.ts';
import { shapeOf } from './shape.ts';

const { parseWat } = await wabt();
const bytesOf = (text: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(parseWat('text.wat', text, { exceptions: true, threads: true }).toBinary({}).buffer);

function rewritten(text: string): Uint8Array<ArrayBuffer> | null {
  const bytes = bytesOf(text);
  const { types, functions } = shapeOf(bytes);
  return heedful(bytes, types, functions);
}

const MEMORY = '(memory (export "memory") 1) (data "abc") (table 4 funcref) (elem func 0)';

test('a module that moves much is valid afterwards and does the same', () => {
  const made = rewritten(`(module (import "m" "f" (func $f (param i32) (result i32))) ${MEMORY}
    (func (export "run") (param i32) (result i32) (local i64 f32)
      (memory.fill (i32.const 8) (local.get 0) (i32.const 4))
      (loop $again (memory.copy (i32.const 16) (i32.const 8) (i32.const 4))
        (br_if $again (i32.eqz (i32.load8_u (i32.const 19)))))
      (memory.init 0 (i32.const 32) (i32.const 0) (i32.const 3))
      (table.fill (i32.const 0) (ref.null func) (i32.const 2))
      (table.copy (i32.const 0) (i32.const 1) (i32.const 2))
      (table.init 0 (i32.const 0) (i32.const 0) (i32.const 1))
      (drop (table.grow (ref.null func) (i32.const 1)))
      (call $f (i32.add (i32.load8_u (i32.const 16)) (i32.load8_u (i32.const 34))))))`)!;
  const instance = new WebAssembly.Instance(new WebAssembly.Module(made), { m: { f: (x: number) => x + 1 } });
  assert.equal((instance.exports['run'] as (x: number) => number)(5), 5 + 99 + 1);
});

test('instructions of every form are stepped over, and what moves little is left as it is', () => {
  const text = `(module (type $t (func (param i32) (result i32))) (tag $e (param i32)) (global $g (mut i64) (i64.const -1))
    (memory 1) (table 2 funcref) (elem declare func $run)
    (func $run (param i32) (result i32) (local v128 f64 funcref)
      (block (result i32) (br_table 0 0 0 (i32.const -100000) (local.get 0)))
      (if (param i32) (result i32) (i32.const 1) (then) (else))
      (drop (select (result f64) (f64.const 1e300) (f64.const nan) (i32.const 0)))
      (drop (f32.const 1.5)) (global.set $g (i64.const -9223372036854775808))
      (local.set 1 (v128.const i64x2 -1 5)) (drop (i8x16.extract_lane_s 3 (local.get 1)))
      (local.set 1 (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 (local.get 1) (local.get 1)))
      (local.set 1 (v128.load8_lane 1 (i32.const 0) (local.get 1)))
      (v128.store offset=70000 align=8 (i32.const 0) (local.get 1))
      (drop (i32.trunc_sat_f64_s (f64.const 1))) (drop (i64.extend32_s (i64.const 1)))
      (local.set 3 (ref.func $run)) (drop (ref.is_null (local.get 3)))
      (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1))) (atomic.fence)
      (try (do (throw $e (i32.const 1))) (catch $e (drop)) (catch_all (rethrow 0)))
      (try (do) (delegate 0))
      (drop (call_indirect (type $t) (i32.const 1) (i32.const 0)))
      (drop (memory.size)) (drop (memory.grow (i32.const 0)))
      (i64.store32 align=1 (i32.const 0) (i64.const 1))
      unreachable)`;
  const plain = bytesOf(`${text})`);
  const { types, functions } = shapeOf(plain);
  assert.equal(heedful(plain, types, functions), plain);
  const made = rewritten(`${text} (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))))`)!;
  assert.ok(WebAssembly.validate(made));
});

test('an instruction that is not known is said so', () => {
  // ref.i31, of a proposal that tasks may not use otherwise either.
  const body = [0, 0x41, 0, 0xfb, 0x1c, 0x1a, 0x0b];
  const bytes = Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0],
    ...[10, body.length + 2, 1, body.length, ...body],
  ]);
  assert.ok(WebAssembly.validate(bytes));
  const { types, functions } = shapeOf(bytes);
  assert.equal(heedful(bytes, types, functions), null);
});
