/** One round of the soak, short enough for the gate, with the sleeps of all threads counted. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const KILLS = 40;
/** They may take so long: a kill is a new worker, or two, which on a crowded machine is a second or more. */
const KILL_s = 6;
const CALLS = 20_000;
/** The soak's own watchdog has longer. */
const LIMIT_ms = 110_000;

void test('kills in a loaded system and 20,000 numbered messages: one outcome each, and no wakeup lost', async () => {
  const args = ['--minutes', '0.0001', '--kills', String(KILLS), '--seconds', String(KILL_s), '--calls'];
  const path = fileURLToPath(new URL('./main.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [path, ...args, String(CALLS), '--json'], {
    timeout: LIMIT_ms,
  }).catch((error: { stdout: string; stderr: string }) => assert.fail(`${error.stderr}\n${error.stdout}`));
  const { seed, rounds, deaths, restarts, calls, messages, wakeups, verify, problems } = JSON.parse(stdout) as any;
  assert.deepEqual({ problems, verify, rescued: wakeups.rescued }, { problems: [], verify: [], rescued: 0 }, `${seed}`);
  assert.equal(rounds, 1);
  assert.ok(deaths > 0 && deaths <= KILLS && calls > deaths && messages >= CALLS && restarts > 0);
  // Those of workers are in it: the main thread alone, which does not block, has next to none.
  assert.ok(wakeups.sleeps > 100, `${wakeups.sleeps} sleeps`);
});
