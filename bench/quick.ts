/**
 * `node bench/quick.ts ROW [PROCESSES]`: one row against its floor in a few processes, within about five seconds: the
 * tool for the work on a hot path, where the question is whether the last edit helped.
 */
import { writeFileSync } from 'node:fs';
import type { Plan } from './harness/job.ts';
import { runPingpong } from './pingpong/main.ts';
import { duration } from './pingpong/report.ts';

const PROCESSES_DEFAULT = 3;

const [word, processesText] = process.argv.slice(2);
if (word === undefined) {
  process.stderr.write('Usage: node bench/quick.ts ROW [PROCESSES]\n');
  process.exit(2);
}
const plan: Plan = {
  processes: processesText === undefined ? PROCESSES_DEFAULT : Number(processesText),
  placements: 16,
  pairs: 2,
  block_ms: 10,
};
const report = await runPingpong({ words: [word], plan });
const lines = report.rows.map(
  (row) =>
    `${row.name}  ratio ${row.ratio.toFixed(3)}  p10 ${row.p10.toFixed(3)}  p90 ${row.p90.toFixed(3)}  ` +
    `${duration(row.ns)} beside ${duration(row.floor_ns)}  (${row.samples} pairs${report.harness.stable ? '' : ', UNSTABLE'})`,
);
for (const failure of report.failures) lines.push(`${failure.rows.join(', ')}: ${failure.message}`);
writeFileSync(1, `${lines.join('\n')}\n`);
process.exitCode = report.failures.length === 0 ? 0 : 1;
