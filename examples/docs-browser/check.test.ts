/** The program's own check, as it is started. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { codes } from './fire.ts';
import type { Broken } from './fire.ts';
import { makeFixture, run } from './fixture.ts';
import type { Fixture } from './fixture.ts';
import { breakKinds } from './walls/walls.ts';

let fixture: Fixture;
before(() => (fixture = makeFixture()));
after(() => fixture.remove());

test('--check breaks every part amid its requests and finds every answer right', { timeout: 100_000 }, async () => {
  const { code, stdout, stderr } = await run([fixture.folder, '--check', '--json']).ended;
  const report = JSON.parse(stdout) as {
    ok: boolean;
    wrong: string[];
    broken: Broken[];
    requests: { kind: string; requests: number; errors: number }[];
  };
  assert.deepEqual(report.wrong, []);
  assert.equal(code, 0, stderr);
  assert.deepEqual(
    report.requests.find(({ kind }) => kind === 'all'),
    { ...report.requests.at(-1), requests: 500, errors: 0 },
  );
  const rules = report.requests.find(({ kind }) => kind === 'rule');
  assert.deepEqual([rules?.requests, rules?.errors], [7, 0]);
  assert.deepEqual(report.broken.map(({ kind }) => kind).sort(), [...breakKinds].sort());
  for (const { kind, code: ended, others_failed } of report.broken) {
    assert.equal(ended, codes[kind], kind);
    assert.equal(others_failed, 0, kind);
  }
});
