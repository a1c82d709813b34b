/** What the letters of a name say, and when they say nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ValueType } from './shape.ts';
import { signatureOf } from './signature.ts';

const i32 = 'i32' as const;
const read = (field: string, params: ValueType[], results: ValueType[]): unknown[] => {
  const { name, params: letters, result } = signatureOf(field, { params, results });
  return [name, letters === null ? null : letters.join(''), result];
};

test('letters stand for parameters and the result', () => {
  assert.deepEqual(read('upper__s_s', [i32, i32], [i32]), ['upper', 's', 's']);
  assert.deepEqual(read('put__sb', [i32, i32, i32, i32], []), ['put', 'sb', null]);
  assert.deepEqual(read('at__bn_n', [i32, i32, 'f64'], ['f64']), ['at', 'bn', null]);
  assert.deepEqual(read('name___s', [], [i32]), ['name', '', 's']);
  assert.deepEqual(read('two__words__b_b', [i32, i32], [i32]), ['two__words', 'b', 'b']);
});

test('numbers alone need no letters, and may have them', () => {
  assert.deepEqual(read('add', [i32, i32], [i32]), ['add', null, null]);
  assert.deepEqual(read('add__nn_n', ['f64', 'f32'], [i32]), ['add', null, null]);
});

test('a name whose letters do not fit its type is an ordinary name', () => {
  for (const [field, params, results] of [
    ['upper__s_s', [i32], [i32]],
    ['upper__s_s', [i32, 'f64'], [i32]],
    ['upper__s_s', [i32, i32], ['f64']],
    ['upper__s_s', [i32, i32], []],
    ['put__s', [i32, i32], [i32]],
    ['long__n', ['i64'], []],
    ['__s', [i32, i32], []],
  ] as [string, ValueType[], ValueType[]][]) {
    assert.deepEqual(read(field, params, results), [field, null, null]);
  }
});
