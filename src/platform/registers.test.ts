/** The registers: three views of one private block, the message words at their places. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { R_FLOAT, R_WORD } from '../layout/message.ts';
import { registerBytes, registerFloats, registers } from './registers.ts';

test('a message word is the same in every view', () => {
  registerFloats[R_FLOAT + 15] = 1;
  assert.equal(registers[R_WORD + 31], 0x3ff00000);
  assert.equal(registerBytes[127], 0x3f);
  registers[R_WORD] = 0x04030201;
  assert.deepEqual([...registerBytes.subarray(0, 4)], [1, 2, 3, 4]);
});
