/** A stack overflow within a call in place: the call ends, and the next one works. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runProgram } from './support.ts';

test('recursions of calls that overflow the stack leave nothing torn', async () => {
  const answers = Array.from({ length: 10 }, (_, round) => round + 1);
  const { code, stdout, stderr } = await runProgram('overflowing.ts', [], 30_000);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  assert.deepEqual(JSON.parse(stdout), { plain: answers, back: answers });
});
