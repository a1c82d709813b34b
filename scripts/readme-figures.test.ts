/** Tests of the figures in the README: they are those of the report, and none is typed by hand. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { duration, figures, withFigures } from './readme-figures.mjs';

const script = fileURLToPath(new URL('readme-figures.mjs', import.meta.url));

test('the README has the figures of the report', () => {
  const { status, stdout } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  assert.equal(status, 0, stdout);
});

test('a row of the report becomes a line, a row that is not shown none', () => {
  const row = { ns: 412, floor_ns: 290, ratio: 1.42, p10: 1.3, p90: 12.6 };
  const rows = [
    { ...row, name: 'worker.sync' },
    { ...row, name: 'idle.cpu' },
  ];
  const lines = figures({ machine: { cpu: 'X', cores: 2, node: '26.1.0', commit: 'abc' }, rows }).split('\n');
  assert.deepEqual(lines.slice(2, 4), ['| `worker`: `t.sync.add(1, 2)` | 412 ns | 290 ns | 1.42 | 1.30 to 13 |', '']);
  assert.match(lines[4]!, /^X, 2 cores, Node 26\.1\.0, abc\. /);
});

test('durations have one to three digits before the point', () => {
  assert.deepEqual([5.55, 412, 4120, 41_200_000, 2e9].map(duration), [
    '5.5 ns',
    '412 ns',
    '4.12 µs',
    '41.20 ms',
    '2.00 s',
  ]);
});

test('only the text between the markers is replaced', () => {
  const text = 'a\n<!-- bench:prices -->\nold\n<!-- /bench:prices -->\nb\n';
  assert.equal(withFigures(text, 'new'), text.replace('old', 'new'));
  assert.throws(() => withFigures('no place', 'new'), /has no place/);
});
