/**
 * The long soak. Rounds of two halves: a loaded system whose members are killed (kills.ts), and numbered messages in
 * bulk (soak.ts), until the time is over.
 *
 *     npm run soak -- [--minutes N] [--seed S] [--kills N] [--seconds N] [--calls N] [--json]
 *
 * The seed is printed first; round r has seed S + r. `--kills` and `--calls` are those of one round, `--seconds` what
 * its kills may take. Stderr tells the
 * progress, stdout gets a summary, or with `--json` one JSON document and nothing else. Exit code 1 when anything is
 * wrong: a call with no outcome or two, a message lost, doubled or out of order, something left behind, a wakeup that
 * only the end of a slice made good. When a round hangs the watchdog says who waits for whom, and ends the process.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { guard } from '../conformance/support.ts';
import { soakKills } from './kills.ts';
import { soak } from './soak.ts';
import { wakeups } from './wakeups.ts';

/** A half of a round takes a hundredth of it. */
const HALF_ms = 900_000;

// `#wait` is counted in all threads: the text that starts a worker is one that loads the hooks.
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
    seconds: { type: 'string', default: 'Infinity' },
    calls: { type: 'string', default: '1000000' },
    json: { type: 'boolean', default: false },
  },
});
const [minutes, seed, kills, calls] = [values.minutes, values.seed, values.kills, values.calls].map(Number) as [
  number,
  number,
  number,
  number,
];
const seconds = Number(values.seconds);
if (!(minutes > 0 && seconds > 0 && [seed, kills, calls].every(Number.isSafeInteger) && kills > 0 && calls > 0)) {
  process.stderr.write(
    'usage: npm run soak -- [--minutes N] [--seed S] [--kills N] [--seconds N] [--calls N] [--json]\n',
  );
  process.exit(2);
}
const say = (line: string): void => void process.stderr.write(`${line}\n`);
say(`seed ${seed}`);

const totals = { rounds: 0, calls: 0, messages: 0, deaths: 0, restarts: 0 };
const deathsBy: Record<string, number> = {};
const outcomes: Record<string, number> = {};
const verified: string[] = [];
const problems: string[] = [];

function add(to: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [name, times] of Object.entries(more)) to[name] = (to[name] ?? 0) + times;
}

async function round(number: number): Promise<void> {
  await guard(
    `round ${number} of seed ${seed}: kills`,
    async () => {
      const report = await soakKills(kills, seed + number, seconds * 1000);
      totals.calls += report.calls;
      totals.restarts += report.restarts;
      for (const deaths of Object.values(report.kills)) totals.deaths += deaths;
      add(deathsBy, report.kills);
      add(outcomes, report.outcomes);
      verified.push(...report.verified);
      problems.push(...report.problems);
    },
    HALF_ms,
  );
  await guard(
    `round ${number} of seed ${seed}: numbered messages`,
    async () => {
      const report = await soak(calls);
      totals.messages += report.calls;
      verified.push(...report.verified);
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
  const { sleeps } = wakeups();
  say(`round ${totals.rounds}: ${totals.calls + totals.messages} calls, ${totals.deaths} deaths, ${sleeps} sleeps`);
}

const { lost: rescued, ...counts } = wakeups();
const report = {
  seed,
  took_s: Math.round((performance.now() - began_ms) / 1000),
  ...totals,
  timeouts: outcomes['ERR_IPC_TIMEOUT'] ?? 0,
  aborts: outcomes['ERR_IPC_ABORTED'] ?? 0,
  wakeups: { ...counts, rescued },
  /** What `verify` found in kernel memory, after each half: nothing. */
  verify: verified,
  deathsBy,
  outcomes,
  problems,
};

/** The report for a reader. */
function summary(): string {
  const { took_s, rounds, messages, deaths, restarts, timeouts, aborts } = report;
  return [
    `seed ${seed}: ${rounds} rounds in ${took_s} s`,
    `${totals.calls} calls and ${messages} numbered messages; ${timeouts} timeouts, ${aborts} aborts`,
    `${deaths} deaths, ${restarts} restarts`,
    `${counts.sleeps} sleeps, ${counts.notifies} wakeups; ${rescued} were lost and rescued by the end of a slice`,
    `verify: ${verified.length === 0 ? 'clean' : verified.join('; ')}`,
    ...problems,
    '',
  ].join('\n');
}

process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : summary());
process.exitCode = problems.length === 0 ? 0 : 1;
