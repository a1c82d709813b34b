/** The watchdog of these tests, in a program whose main thread is blocked for ever. */
import assert from 'node:assert/strict';
import { guarded, runProgram } from './support.ts';

guarded('a test that hangs is ended, and it is said who waits for whom', async () => {
  const { code, stderr } = await runProgram('hangs.ts', ['hang'], 20_000);
  assert.equal(code, null);
  assert.match(stderr, /watchdog: 'a test that hangs' is not over after 2000 ms/);
  assert.match(stderr, /waits: main\/caller -> asker\.method \d+\(\).* -> sleeper\.method \d+\(\).*, running/);
});
