/** The benchmark's own contract: how rows are chosen and spread over processes, and the shape of what is printed. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { groupNames } from '../pingpong/groups.ts';
import { jobsOf, QUICK, runPingpong } from '../pingpong/main.ts';
import { duration, reportText, targetMet } from '../pingpong/report.ts';
import type { ReportRow } from '../pingpong/report.ts';
import { ROWS, selectRows } from '../pingpong/rows.ts';
import type { Subject } from './bundle.ts';
import { sourceUrl } from './files.ts';
import { calibrate, DISPLACED } from './interleave.ts';
import { runJob } from './processes.ts';
import { summarizePairs } from './stats.ts';

/** Children that run the sources: quicker to start than to bundle. */
const sources: Subject = {
  environment: {},
  childPath: fileURLToPath(sourceUrl('harness/child.ts')),
  bundled: false,
  library: 'sources',
  remove: () => undefined,
};

const names = (words: readonly string[]): string[] => selectRows(words).map((row) => row.name);

test('row names are unique and every row has a group', () => {
  assert.equal(new Set(ROWS.map((row) => row.name)).size, ROWS.length);
  const groups = new Set(groupNames());
  for (const row of ROWS) assert.ok(groups.has(row.group), `${row.name} names the group ${row.group}`);
});

test('a whole name selects its row alone, the beginning of names selects all of them', () => {
  assert.deepEqual(names(['worker.sync']), ['worker.sync']);
  assert.deepEqual(names(['worker.async.', 'floor']), ['floor.cacheline', 'worker.async.1000']);
  assert.equal(names([]).length, ROWS.length);
  assert.throws(() => selectRows(['nothing']), /no row 'nothing'; there are: floor\.cacheline/);
});

test('jobs repeat all groups in turn and respect the limits of rows', () => {
  const plan = { ...QUICK, processes: 3 };
  const jobs = jobsOf(selectRows(['idle.cpu', 'threads.2', 'threads.16', 'worker.call']), plan);
  assert.deepEqual(
    jobs.map((job) => `${job.repetition} ${job.rows.join('+')}`),
    [
      '0 worker.call',
      '0 threads.2+threads.16',
      '0 idle.cpu',
      '1 worker.call',
      '1 threads.2+threads.16',
      '1 idle.cpu',
      '2 worker.call',
      '2 threads.2+threads.16',
    ],
  );
});

test('a run with one process for each row takes those of a group together, but for the slowest', () => {
  const rows = selectRows(['wasm.call', 'wasm.sync', 'worker.bytes.1048576', 'worker.bytes.67108864']);
  const namesOf = (processes: number) => jobsOf(rows, { ...QUICK, processes }).map((job) => job.rows.join('+'));
  assert.deepEqual(namesOf(1), ['wasm.call+wasm.sync', 'worker.bytes.1048576', 'worker.bytes.67108864']);
  assert.equal(namesOf(2).length, 8);
});

test('calibration fills the block and is not fooled by one slow start', async () => {
  let calls = 0;
  const { count } = await calibrate((rounds) => (calls++ === 0 ? 1_000 : rounds * 0.01), 10);
  assert.equal(count, 1_000);
  assert.deepEqual(await calibrate(() => DISPLACED, 10), { count: 1, block_ms: 10 });
});

test('a job that cannot run is a failure with its reason, not an exception', async () => {
  const result = await runJob({ group: 'nowhere', rows: ['x'], plan: QUICK, repetition: 0 }, sources);
  assert.deepEqual(result.pairs, {});
  assert.match(result.failures[0]?.message ?? '', /no group 'nowhere'/);
});

test('a child that does not answer is killed at its deadline', async () => {
  const job = { group: 'floor', rows: ['floor.cacheline'], plan: { ...QUICK, block_ms: 1e6 }, repetition: 0 };
  const result = await runJob(job, sources, 500);
  assert.match(result.failures[0]?.message ?? '', /no result within 500 ms/);
});

// Rows of one agent: tests run beside each other, and rows of two agents want two cores for themselves.
test('a run fills every field of its rows', async () => {
  const report = await runPingpong({ words: ['local.'], plan: QUICK });
  assert.deepEqual(report.failures, []);
  assert.deepEqual(
    report.rows.map((row) => row.name),
    ['local.call', 'local.passive'],
  );
  for (const row of report.rows) {
    for (const field of ['ns', 'floor_ns', 'ratio', 'p10', 'p90'] as const) assert.ok(row[field] > 0, field);
    assert.ok(row.p10 <= row.ratio && row.ratio <= row.p90);
    assert.equal(row.samples, QUICK.placements * QUICK.pairs);
    for (const field of ['unit', 'floor', 'method'] as const) assert.equal(typeof row[field], 'string');
  }
  for (const field of ['cpu', 'kernel', 'node', 'v8', 'commit'] as const) assert.notEqual(report.machine[field], '');
  assert.match(reportText(report), /^local\.call /m);
});

test('the command prints one JSON document and nothing else', async () => {
  const cli = new URL('../../src/cli/bench.ts', import.meta.url).href;
  const words = JSON.stringify(['pingpong', 'local.passive', '--json', '--quick']);
  const code = `import { bench } from ${JSON.stringify(cli)}; process.exitCode = await bench(${words});`;
  const { error, stdout, stderr } = await new Promise<{ error: Error | null; stdout: string; stderr: string }>(
    (resolve) =>
      execFile(
        process.execPath,
        ['--input-type=module', '--disable-warning=ExperimentalWarning', '-e', code],
        { cwd: fileURLToPath(new URL('.', import.meta.url)) },
        (problem, out, complaints) => resolve({ error: problem, stdout: out, stderr: complaints }),
      ),
  );
  assert.equal(error, null);
  assert.equal(stderr, '');
  const report = JSON.parse(stdout) as { machine: object; rows: ReportRow[] };
  assert.deepEqual(Object.keys(report.machine), ['cpu', 'cores', 'kernel', 'node', 'v8', 'commit']);
  assert.deepEqual(Object.keys(report.rows[0] as ReportRow), [
    'name',
    'ns',
    'floor_ns',
    'ratio',
    'p10',
    'p90',
    'samples',
    'unit',
    'floor',
    'method',
    'floor_p10_ns',
    'floor_p90_ns',
    'target',
  ]);
});

test('targets compare the ratio or the nanoseconds', () => {
  const pair = summarizePairs([{ ns: 900, floor_ns: 300 }]);
  const row: ReportRow = { name: 'x', unit: '', floor: '', method: '', ...pair };
  assert.equal(targetMet(row), undefined);
  assert.equal(targetMet({ ...row, target: { ratio_max: 2 } }), false);
  assert.equal(targetMet({ ...row, target: { ns_max: 1_000 } }), true);
  assert.equal(targetMet({ ...row, target: { p99_ns_max: 1_000 }, p99_ns: 900 }), true);
  assert.equal(targetMet({ ...row, target: { p99_ns_max: 800 }, p99_ns: 900 }), false);
});

test('durations are printed in the unit that fits', () => {
  assert.deepEqual([12.34, 340.4, 1_500, 2_500_000, 3e9, Number.NaN].map(duration), [
    '12.3 ns',
    '340 ns',
    '1.50 us',
    '2.50 ms',
    '3.00 s',
    '-',
  ]);
});
