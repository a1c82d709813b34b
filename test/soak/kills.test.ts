/** The soak of kills.ts, short enough for the gate. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guard } from '../conformance/support.ts';
import { soakKills } from './kills.ts';

/** Each kill is a new worker, or two: a second of a crowded machine. */
const LIMIT_ms = 240_000;
const title = '50 kills in a loaded system: every call has one outcome, and nothing is left';

async function run(): Promise<void> {
  const { calls, kills, problems, seed } = await soakKills(50, Date.now() % 1e6);
  assert.deepEqual(problems, [], `seed ${seed}`);
  const total = Object.values(kills).reduce((sum, count) => sum + count, 0);
  assert.equal(total, 50);
  assert.ok(calls > total);
}

void test(title, () => guard(title, run, LIMIT_ms));
