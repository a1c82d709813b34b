/**
 * Explores the interleavings of the kernel:
 *
 *   node test/model/explore.ts                      the bounded selection of `npm test`, as a table
 *   node test/model/explore.ts --all                every scenario, without its bound; a limit of states holds
 *   node test/model/explore.ts SCENARIO             this one, completely; [--preemptions N] [--states N] [--seconds N]
 *   node test/model/explore.ts SCENARIO --random SEED [--runs N]
 *   node test/model/explore.ts SCENARIO --replay SCHEDULE
 *
 * `--write` puts the table of either of the first two into docs/proof.md.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { explore, type Limits, type Outcome, parseSchedule, simplest, walk } from './search.ts';
import { scenarios } from './scenarios.ts';
import { type Kernel, loadKernel, prepare, replay, type Scenario } from './system.ts';
import type { Event } from './world.ts';

/** More states than this do not fit the memory of a small machine. */
const STATES_MAX = 6_000_000;

/** What happened, a line each, without the plain accesses that nobody else sees. */
export function traceLines(events: readonly Event[]): string[] {
  return events.map(({ agent, where, text }, i) => {
    const inside = where.slice(-3).join(' > ');
    return `${String(i + 1).padStart(4)}  ${agent.padEnd(10)} ${text.padEnd(70)} ${inside}`;
  });
}

interface Row {
  readonly scenario: Scenario;
  readonly outcome: Outcome;
  readonly verdict: string;
}

const figures = ({ scenario, outcome, verdict }: Row): string =>
  [
    scenario.name.padEnd(24),
    String(outcome.states).padStart(9),
    String(outcome.transitions).padStart(10),
    String(outcome.ends).padStart(7),
    String(outcome.depth).padStart(6),
    (outcome.ms / 1000).toFixed(1).padStart(7),
    `  ${verdict}`,
  ].join(' ');

const header = ['scenario'.padEnd(24), '   states', 'transitions', '  ends', ' depth', 'seconds', ' verdict'].join(' ');

/** Puts the rows between the two marks with this name in docs/proof.md. */
function write(mark: string, rows: readonly Row[]): void {
  const path = join(import.meta.dirname, '../../docs/proof.md');
  const lines = rows.map(({ scenario, outcome, verdict }) => {
    const { states, transitions, ends, ms } = outcome;
    return `| ${scenario.name} | ${scenario.about} | ${states} | ${transitions} | ${ends} | ${(ms / 1000).toFixed(1)} | ${verdict} |`;
  });
  const table = [
    '| scenario | what happens | states | steps | ends | s | explored |',
    '|---|---|--:|--:|--:|--:|---|',
    ...lines,
  ];
  const text = readFileSync(path, 'utf8');
  const [begin, end] = [`<!-- ${mark} -->\n`, `<!-- end of ${mark} -->`];
  if (!text.includes(begin) || !text.includes(end)) throw new Error(`docs/proof.md has no marks '${mark}'`);
  const [before, after] = [text.slice(0, text.indexOf(begin) + begin.length), text.slice(text.indexOf(end))];
  writeFileSync(path, `${before}${table.join('\n')}\n${after}`);
}

function show(kernel: Kernel, scenario: Scenario, reason: string, schedule: string): void {
  const { events, wrong } = replay(kernel, scenario, parseSchedule(schedule));
  console.log(traceLines(events).join('\n'));
  console.log(`\n${scenario.name}: ${wrong ?? reason}`);
  console.log(`node test/model/explore.ts ${scenario.name} --replay ${schedule}`);
  process.exitCode = 1;
}

function verdictOn({ failure, complete }: Outcome, { preemptions }: Limits): string {
  if (failure !== null) return 'FAILED';
  if (!complete) return 'not complete';
  return preemptions === undefined ? 'complete' : `complete to ${preemptions} preemptions`;
}

function run(kernel: Kernel, scenario: Scenario, limits: Limits): Row {
  const { makeWorld, checkEnd } = prepare(kernel, scenario);
  const outcome = explore(makeWorld, checkEnd, limits);
  const isKnown = outcome.failure !== null && scenario.fails?.test(outcome.failure.reason) === true;
  const row = { scenario, outcome, verdict: isKnown ? 'fails, as CAVEATS says' : verdictOn(outcome, limits) };
  console.log(figures(row));
  if (outcome.failure === null || isKnown) return row;
  const { reason, schedule } = simplest(makeWorld, checkEnd, { ms: 60_000 }) ?? outcome.failure;
  show(kernel, scenario, reason, schedule);
  return row;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      all: { type: 'boolean' },
      preemptions: { type: 'string' },
      states: { type: 'string' },
      seconds: { type: 'string' },
      random: { type: 'string' },
      runs: { type: 'string' },
      replay: { type: 'string' },
      write: { type: 'boolean' },
    },
  });
  const kernel = await loadKernel();
  const wanted = scenarios.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  if (wanted.length === 0) throw new Error(`the scenarios are: ${scenarios.map(({ name }) => name).join(', ')}`);
  const rows: Row[] = [];
  console.log(header);
  for (const scenario of wanted) {
    if (values.replay !== undefined) {
      show(kernel, scenario, 'nothing is wrong', values.replay);
    } else if (values.random !== undefined) {
      const { makeWorld, checkEnd } = prepare(kernel, scenario);
      const outcome = walk(makeWorld, checkEnd, Number(values.random), Number(values.runs ?? 10_000));
      console.log(figures({ scenario, outcome, verdict: `${outcome.ends} runs at random` }));
      if (outcome.failure !== null) show(kernel, scenario, outcome.failure.reason, outcome.failure.schedule);
    } else {
      const bounded = positionals.length === 0 && values.all !== true;
      if (bounded && scenario.deep === true) continue;
      const preemptions = values.preemptions === undefined ? undefined : Number(values.preemptions);
      const bound = preemptions ?? (bounded ? scenario.preemptions : undefined);
      const row = run(kernel, scenario, {
        ...(bound === undefined ? {} : { preemptions: bound }),
        states: Number(values.states ?? STATES_MAX),
        ...(values.seconds === undefined ? {} : { ms: Number(values.seconds) * 1000 }),
      });
      rows.push(row);
    }
  }
  if (values.write === true) write(values.all === true ? 'deep' : 'test', rows);
}

if (import.meta.main) await main();
