/** The model of models/, where Spin is there: the quickest system and three mutants. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { check, missing, mutants, systems } from './model-spin.mjs';

const folder = mkdtempSync(join(tmpdir(), 'l3-spin-'));
after(() => rmSync(folder, { recursive: true }));

const chosen = ['closed', 'NO_SENDER_RECHECK', 'NO_RECEIVER_RECHECK', 'NO_SEQUENCE'];
const runs = [...systems, ...mutants].filter(({ name }) => chosen.includes(name));

test('the model holds, and its mutants are found, where spin and gcc are there', (t) => {
  assert.equal(runs.length, chosen.length);
  const absent = missing();
  if (absent.length > 0) {
    t.diagnostic(`${absent.join(' and ')} cannot be run`);
    return;
  }
  for (const run of runs) {
    const { told, states, passes } = check(run, join(folder, run.name));
    assert.ok(passes && states > 0, `${run.name}: ${told}`);
  }
});
