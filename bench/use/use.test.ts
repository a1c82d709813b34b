/** The rows of use: how they are named, what is made of what was found, and that both sides of one run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { count, histogram, packed } from '../harness/histogram.ts';
import type { Finding } from '../harness/job.ts';
import { QUICK, reportText, rowOf, runUse } from './main.ts';
import { rivalOf, ROWS, selectRows, sideOf } from './rows.ts';

function found(ns: number, calls: number): Finding {
  const counts = histogram();
  for (let call = 0; call < calls; call++) count(counts, (call === 0 ? ns * 100 : ns) / 1e6);
  return { ...packed(counts), calls, elapsed_ms: (calls * ns) / 1e6, cpu_ms: (calls * ns * 2) / 1e6 };
}

test('a word of a job names a row and a side', () => {
  assert.equal(new Set(ROWS.map(({ name }) => name)).size, ROWS.length);
  for (const row of ROWS) {
    assert.deepEqual(sideOf(row.name), { row, isRival: false });
    assert.deepEqual(sideOf(rivalOf(row.name)), { row, isRival: true });
  }
  assert.throws(() => selectRows(['nothing']), /no row 'nothing'; there are: dense/);
});

test('the ratio is of processes that ran next to each other, tails are of all of them together', () => {
  const taken = [1_000, 2_000, 4_000].map((ns) => ({ ours: found(ns, 500), theirs: found(ns * 10, 500) }));
  const row = rowOf(ROWS[0]!, taken);
  const isNear = (value: number, wanted: number) => assert.ok(Math.abs(value / wanted - 1) < 0.04, `${value}`);
  isNear(row.ratio, 0.1);
  isNear(row.p50_ns, 2_000);
  isNear(row.p99_ns, 4_000);
  isNear(row.p999_ns, 200_000);
  isNear(row.beside.p50_ns, 20_000);
  isNear(row.cpu_ns, 4_000);
  isNear(row.each_ns, 2_000);
});

test('a run measures both sides of a row', async () => {
  const report = await runUse({ words: ['dense'], plan: QUICK });
  assert.deepEqual(report.failures, []);
  const [row] = report.rows;
  for (const times of [row!, row!.beside]) {
    assert.ok(times.calls > 0 && times.p50_ns > 0 && times.p50_ns <= times.p99_ns && times.p99_ns <= times.p999_ns);
    assert.ok(times.cpu_ns > 0);
  }
  assert.match(reportText(report), /^dense /m);
});

test('a row whose time never came has no figure, and says so', async () => {
  const { rows, failures } = await runUse({ words: ['dense'], plan: QUICK, budget_ms: 0 });
  assert.deepEqual(rows, []);
  assert.deepEqual(failures, [{ rows: ['dense'], message: 'the time was over before its turn' }]);
});
