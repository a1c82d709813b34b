/**
 * `l3 bench SUITE [ROW…] [--json] [--quick]`: measures and prints. The suites live in bench/ of the source tree and are
 * not part of the published package (they need the rivals and the floors that they compare with), so that the command
 * looks for them beside its own package and says where to find them when they are not there.
 *
 * Standard output holds the report and nothing else; progress goes to standard error, and only to a terminal.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

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
  readonly progress?: (done: number, all: number, what: string) => void;
}) => Promise<Report>;

/** The folder of each suite in bench/ and the function that runs it. */
const SUITES: Readonly<Record<string, string>> = {
  pingpong: 'runPingpong',
  removal: 'runRemoval',
  rivals: 'runRivals',
  compat: 'runCompat',
};

const USAGE = `Usage: l3 bench pingpong [ROW...] [--json] [--quick]
       l3 bench removal [NAME...] [--json] [--quick]
       l3 bench rivals [ROW...] [--json] [--quick]
       l3 bench compat [ROW...] [--json] [--quick]

  pingpong  one call, beside the least that the machine allows
  removal   the same call without one technique or one check, beside the call with it
  rivals    the same call by other packages and by what Node has (npm fetches the packages)
  compat    the drop-ins, beside the packages that they stand in for (npm fetches those)
  ROW       the name of a row, or the beginning of some names; without one, all rows (about five minutes)
  --json    one JSON document on standard output
  --quick   few samples: to see that a row runs, not what it costs
`;

const OUTSIDE = `l3 bench: the benchmarks are not in the published package; run it from a checkout of the source:
  git clone the repository, npm install, then npx l3 bench pingpong
`;

/** The suite's entry, from src/cli/ in a checkout or from dist/ at whichever depth a build has put this file. */
function suiteUrl(suite: string): URL | undefined {
  for (const up of ['../../', '../', '../../../']) {
    for (const name of [`bench/${suite}/main.ts`, `bench/${suite}/main.js`]) {
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

/** Runs the command; the result is the exit code. Rows without any figure make it 1, wrong usage 2. */
export async function bench(words: readonly string[]): Promise<number> {
  const flags = words.filter((word) => word.startsWith('-'));
  const [suiteName, ...rows] = words.filter((word) => !word.startsWith('-'));
  const unknown = flags.find((flag) => !['--json', '--quick', '--help', '-h'].includes(flag));
  if (flags.includes('--help') || flags.includes('-h')) {
    process.stdout.write(USAGE);
    return 0;
  }
  const runName = SUITES[suiteName ?? ''];
  if (suiteName === undefined || runName === undefined || unknown !== undefined) {
    process.stderr.write(unknown === undefined ? USAGE : `l3 bench: unknown option ${unknown}\n${USAGE}`);
    return 2;
  }
  const url = suiteUrl(suiteName);
  if (url === undefined) {
    process.stderr.write(OUTSIDE);
    return 2;
  }
  const suite = (await import(url.href)) as Suite & Readonly<Record<string, Run>>;
  const interactive = process.stderr.isTTY === true;
  const plan = flags.includes('--quick') ? suite.QUICK : suite.FULL;
  let report: Report;
  try {
    report = await suite[runName]!({ words: rows, plan, ...(interactive ? { progress: progressLine } : {}) });
  } catch (error) {
    process.stderr.write(`l3 bench: ${(error as Error).message}\n`);
    return 2;
  } finally {
    if (interactive) process.stderr.write('\r\u001b[K');
  }
  process.stdout.write(flags.includes('--json') ? `${JSON.stringify(report, null, 2)}\n` : suite.reportText(report));
  const measured = new Set(report.rows.map((row) => row.name));
  return report.failures.every((failure) => failure.rows.every((name) => measured.has(name))) ? 0 : 1;
}
