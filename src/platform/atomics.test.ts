/** The one way to shared words: copies of all lengths, old values returned, views of one buffer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { add, compareExchange, exchange, load, moveBytes, peek, poke, putBytes, store, takeBytes } from './atomics.ts';
import { bytes, words } from './memory.ts';

const at = 4096;

test('exchanges return the old value', () => {
  store(at, 5);
  assert.equal(exchange(at, 6), 5);
  assert.equal(compareExchange(at, 5, 7), 6);
  assert.equal(compareExchange(at, 6, 7), 6);
  assert.equal(add(at, -3), 7);
  assert.equal(load(at), 4);
  poke(at, -1);
  assert.equal(peek(at), -1);
});

test('bytes are put and taken, short and long, from any start', () => {
  const source = Uint8Array.from({ length: 300 }, (_, i) => i & 0xff);
  for (const length of [0, 1, 63, 64, 65, 200, 300]) {
    for (const start of [0, 300 - length]) {
      bytes.fill(0xee, at * 4, at * 4 + 400);
      putBytes(at * 4 + 1, source, start, length);
      const target = new Uint8Array(length + 2);
      takeBytes(at * 4 + 1, target, 1, length);
      assert.deepEqual(target.subarray(1, length + 1), source.subarray(start, start + length));
      assert.deepEqual([target[0], target[length + 1]], [0, 0]);
      assert.deepEqual([bytes[at * 4], bytes[at * 4 + 1 + length]], [0xee, 0xee]);
    }
  }
});

test('bytes move inside kernel memory', () => {
  putBytes(at * 4, Uint8Array.from([1, 2, 3, 4]), 0, 4);
  moveBytes(at * 4 + 2, at * 4, 4);
  assert.deepEqual([...bytes.subarray(at * 4, at * 4 + 6)], [1, 2, 1, 2, 3, 4]);
});

test('the views are of one shared buffer', () => {
  assert.ok(words.buffer instanceof SharedArrayBuffer);
  assert.equal(words.buffer, bytes.buffer);
});
