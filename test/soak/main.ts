/**
 * The long soak. Rounds of two halves: a loaded system whose members are killed (kills.ts), and numbered messages in
 * bulk (soak.ts), until the time is over.
 *
 *     npm run soak -- [--minutes N] [--seed S] [--kills N] [--calls N]
 *
 * The seed is printed first; round r has seed S + r. `--kills` and `--calls` are those of one round. Stderr tells the
 * progress, stdout gets one JSON document. Exit code 1 when anything is wrong: a call with no outcome or two, a message
 * lost, doubled or out of order, something left behind, a wakeup of the main thread that only the end of a slice made
 * good. When a round hangs the watchdog says who waits for whom, and ends the process.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { guard } from '../conformance/support.ts';
import { soakKills } from './kills.ts';
import { soak } from './soak.ts';
import { wakeups } from './wakeups.ts';

/** A half of a round takes a hundredth of it. */
const HALF_ms = 900_000;

// `#wait` is counted in this thread: workers are started by the supervisor, and do not inherit the hooks.
const HOOKS = new URL('./hooks.ts', import.meta.url).href;
if (!process.execArgv.includes(HOOKS)) {
  const args = [...process.execArgv, '--import', HOOKS, import.meta.filename, ...process.argv.slice(2)];
  process.exit(spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1);
}

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 1e6) },
    kills: { type: 'string', default: '100' },
    calls: { type: 'string', default: '1000000' },
  },
});
const [minutes, seed, kills, calls] = [values.minutes, values.seed, values.kills, values.calls].map(Number) as [
  number,
  number,
  number,
  number,
];
if (!(minutes > 0 && [seed, kills, calls].every(Number.isSafeInteger) && kills > 0 && calls > 0)) {
  process.stderr.write('usage: npm run soak -- [--minutes N] [--seed S] [--kills N] [--calls N]\n');
  process.exit(2);
}
const say = (line: string): void => void process.stderr.write(`${line}\n`);
say(`seed ${seed}`);

const totals = { rounds: 0, calls: 0, deaths: 0, members: 0 };
const outcomes: Record<string, number> = {};
const problems: string[] = [];

async function round(number: number): Promise<void> {
  await guard(
    `round ${number} of seed ${seed}: kills`,
    async () => {
      const report = await soakKills(kills, seed + number);
      totals.calls += report.calls;
      totals.members += report.members;
      for (const deaths of Object.values(report.kills)) totals.deaths += deaths;
      for (const [name, times] of Object.entries(report.outcomes)) outcomes[name] = (outcomes[name] ?? 0) + times;
      problems.push(...report.problems);
    },
    HALF_ms,
  );
  await guard(
    `round ${number} of seed ${seed}: numbered messages`,
    async () => {
      const report = await soak(calls);
      totals.calls += report.calls;
      problems.push(...report.problems);
    },
    HALF_ms,
  );
  const { sleeps, lost } = wakeups();
  if (lost > 0) problems.push(`${lost} wakeups were lost, of ${sleeps} sleeps`);
}

const began_ms = performance.now();
while (performance.now() - began_ms < minutes * 60_000 && problems.length === 0) {
  await round(totals.rounds);
  totals.rounds++;
  say(`round ${totals.rounds}: ${totals.calls} calls, ${totals.deaths} deaths, ${JSON.stringify(wakeups())}`);
}
const seconds = Math.round((performance.now() - began_ms) / 1000);
process.stdout.write(
  `${JSON.stringify({ seed, seconds, ...totals, outcomes, wakeups: wakeups(), problems }, null, 2)}\n`,
);
process.exitCode = problems.length === 0 ? 0 : 1;
