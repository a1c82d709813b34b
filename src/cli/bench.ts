/**
 * `l3 bench SUITE [ROW…] [--json] [--quick] [--seconds N]`: measures and prints; `l3 bench --report FILE.html` draws
 * what was measured. The suites live in bench/ of the source tree and are
 * not part of the published package (they need the rivals and the floors that they compare with), so that the command
 * looks for them beside its own package and says where to find them when they are not there.
 *
 * Standard output holds the report and nothing else; progress goes to standard error, and only to a terminal.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

interface Plan {
  readonly processes: number;
  readonly placements: number;
  readonly pairs: number;
  readonly block_ms: number;
}

interface Report {
  readonly rows: readonly { readonly name: string }[];
  readonly failures: readonly { readonly rows: readonly string[] }[];
}

/** What a suite's entry module exports; described here because src/ does not import from bench/. */
interface Suite {
  readonly FULL: Plan;
  readonly QUICK: Plan;
  reportText(report: Report): string;
}

type Run = (options: {
  readonly words: readonly string[];
  readonly plan: Plan;
  readonly budget_ms?: number;
  readonly progress?: (done: number, all: number, what: string) => void;
}) => Promise<Report>;

/** The folder of each suite in bench/ and the function that runs it. */
const SUITES: Readonly<Record<string, string>> = {
  pingpong: 'runPingpong',
  removal: 'runRemoval',
  rivals: 'runRivals',
  compat: 'runCompat',
  use: 'runUse',
  constants: 'runConstants',
};

const USAGE = `Usage: l3 bench pingpong [ROW...] [--json] [--quick]
       l3 bench removal [NAME...] [--json] [--quick]
       l3 bench rivals [ROW...] [--json] [--quick]
       l3 bench compat [ROW...] [--json] [--quick]
       l3 bench use [ROW...] [--json] [--quick]
       l3 bench constants [NAME...] [--json] [--quick]
       l3 bench --report FILE.html

  pingpong  one call, beside the least that the machine allows
  removal   the same call without one technique or one check, beside the call with it
  rivals    the same call by other packages and by what Node has (npm fetches the packages)
  compat    the drop-ins, beside the packages that they stand in for (npm fetches those)
  use       calls as programs make them, with their tails and processor time, beside postMessage
  constants what the kernel's constants were chosen by
  ROW       the name of a row, or the beginning of some names; without one, all rows (about five minutes)
  --json    one JSON document on standard output
  --quick   few samples: to see that a row runs, not what it costs
  --seconds start nothing after so many seconds
  --report  one page with plots of the results in bench/results, and the same plots in docs/figures
`;

const OUTSIDE = `l3 bench: the benchmarks are not in the published package; run it from a checkout of the source:
  git clone the repository, npm install, then npx l3 bench pingpong
`;

/** The suite's entry, from src/cli/ in a checkout or from dist/ at whichever depth a build has put this file. */
function suiteUrl(suite: string, module = 'main'): URL | undefined {
  for (const up of ['../../', '../', '../../../']) {
    for (const name of [`bench/${suite}/${module}.ts`, `bench/${suite}/${module}.js`]) {
      const url = new URL(up + name, import.meta.url);
      // Node strips types outside node_modules only, so that sources which were installed cannot run.
      if (existsSync(fileURLToPath(url)) && !(name.endsWith('.ts') && url.pathname.includes('/node_modules/')))
        return url;
    }
  }
  return undefined;
}

function progressLine(done: number, all: number, what: string): void {
  const line = `[${done}/${all}] ${what}`.slice(0, (process.stderr.columns ?? 80) - 1);
  process.stderr.write(`\r\u001b[K${line}`);
}

const optionsOf = (words: readonly string[]) =>
  parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      json: { type: 'boolean' },
      quick: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
      seconds: { type: 'string' },
      report: { type: 'string' },
    },
  });

function complain(message: string): number {
  process.stderr.write(message);
  return 2;
}

/** Writes the page with the plots; which of them there are depends on what has been measured. */
async function report(file: string): Promise<number> {
  const url = suiteUrl('report', 'plots');
  if (url === undefined) return complain(OUTSIDE);
  const { writePlots } = (await import(url.href)) as { writePlots(file: string): readonly string[] };
  process.stdout.write(`${writePlots(file).join('\n')}\n`);
  return 0;
}

/** Runs the command; the result is the exit code. Rows without any figure make it 1, wrong usage 2. */
export async function bench(words: readonly string[]): Promise<number> {
  let parsed: ReturnType<typeof optionsOf>;
  try {
    parsed = optionsOf(words);
  } catch (error) {
    return complain(`l3 bench: ${(error as Error).message}\n${USAGE}`);
  }
  const { values: flags, positionals } = parsed;
  const [suiteName, ...rows] = positionals;
  if (flags.help === true) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (flags.report !== undefined && suiteName === undefined) return report(flags.report);
  const runName = Object.hasOwn(SUITES, suiteName ?? '') ? SUITES[suiteName!] : undefined;
  const seconds = Number(flags.seconds ?? 1);
  if (!(seconds > 0)) return complain(`l3 bench: --seconds ${flags.seconds} is no time\n`);
  if (suiteName !== undefined && runName === undefined) {
    return complain(`l3 bench: there is no suite '${suiteName}'\n${USAGE}`);
  }
  if (suiteName === undefined || runName === undefined || flags.report !== undefined) return complain(USAGE);
  const url = suiteUrl(suiteName);
  if (url === undefined) return complain(OUTSIDE);
  const suite = (await import(url.href)) as Suite & Readonly<Record<string, Run>>;
  const interactive = process.stderr.isTTY === true;
  const plan = flags.quick === true ? suite.QUICK : suite.FULL;
  const limit = flags.seconds === undefined ? {} : { budget_ms: seconds * 1e3 };
  let result: Report;
  try {
    result = await suite[runName]!({ words: rows, plan, ...limit, ...(interactive ? { progress: progressLine } : {}) });
  } catch (error) {
    process.stderr.write(`l3 bench: ${(error as Error).message}\n`);
    return 2;
  } finally {
    if (interactive) process.stderr.write('\r\u001b[K');
  }
  process.stdout.write(flags.json === true ? `${JSON.stringify(result, null, 2)}\n` : suite.reportText(result));
  const measured = new Set(result.rows.map((row) => row.name));
  return result.failures.every((failure) => failure.rows.every((name) => measured.has(name))) ? 0 : 1;
}
