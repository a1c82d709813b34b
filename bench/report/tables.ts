/**
 * docs/benchmarks.md from the results in bench/results/: every figure of it is generated. A table whose result is not
 * there says how to make it; a row that a result lacks is left out.
 */
import type { Report as Removals, Removal } from '../removal/main.ts';
import { duration } from '../../scripts/readme-figures.mjs';
import type { Machine } from '../harness/machine.ts';
import { targetMet } from '../pingpong/report.ts';
import type { ReportRow } from '../pingpong/report.ts';
import { CELLS } from '../removal/cells.ts';
import { PUBLISHED } from './published.ts';

/** What all suites have in a row. */
export type Row = Pick<
  ReportRow,
  'name' | 'ns' | 'floor_ns' | 'ratio' | 'p10' | 'p90' | 'floor' | 'method' | 'target' | 'p99_ns'
>;

export interface Rows {
  readonly machine: Machine;
  readonly rows: readonly Row[];
}

export interface Results {
  readonly pingpong?: Rows | undefined;
  readonly compat?: Rows | undefined;
  readonly removal?: Removals | undefined;
}

const times = (ratio: number): string => ratio.toFixed(ratio < 0.1 ? 3 : ratio < 10 ? 2 : 0);
const percent = (ratio: number): string => `${ratio >= 1 ? '+' : '−'}${Math.abs((ratio - 1) * 100).toFixed(0)} %`;
const spread = ({ p10, p90 }: { p10: number; p90: number }): string => `${times(p10)} to ${times(p90)}`;

function table(head: readonly string[], lines: readonly (readonly string[])[]): string[] {
  const rule = head.map((_, column) => (column === 0 ? '---' : '---:'));
  return [head, rule, ...lines].map((cells) => `| ${cells.join(' | ')} |`);
}

const made = (suite: string): string =>
  `Not measured yet: \`npx l3 bench ${suite} --json > bench/results/${suite}.json\`.`;

function wanted({ target }: Row): string {
  if (target === undefined) return '';
  if ('ratio_max' in target) return `${times(target.ratio_max)} ×`;
  return 'ns_max' in target ? duration(target.ns_max) : `p99 ${duration(target.p99_ns_max)}`;
}

const HEAD = ['row', 'time', 'floor beside it', 'ratio', 'p10 to p90', 'wanted'];

const lineOf = (row: Row): string[] => [
  `\`${row.name}\``,
  duration(row.ns),
  duration(row.floor_ns),
  times(row.ratio),
  spread(row),
  wanted(row),
];

/** The rows with these beginnings, in the order of the report. */
function rowsOf({ rows }: Rows, beginnings: readonly string[]): Row[] {
  return rows.filter(({ name }) => beginnings.some((word) => name === word || name.startsWith(`${word}.`)));
}

function section(results: Results, beginnings: readonly string[], ...words: string[]): string[] {
  if (results.pingpong === undefined) return [...words, '', made('pingpong')];
  return [...words, '', ...table(HEAD, rowsOf(results.pingpong, beginnings).map(lineOf))];
}

/** The paper: 250 of 172 cycles, its Table 3. */
const PAPER_RATIO = 250 / 172;

function minimum(results: Results): string[] {
  return section(
    results,
    ['worker.call', 'local.call', 'local.passive', 'wasm.call'],
    '## A. The minimum, and what was reached',
    '',
    `The paper counts the cycles that a message across address spaces cannot do without, 172, and needs 250: ${times(PAPER_RATIO)} times as many. Here the least is measured: two cache lines that go to the other core and back, two bare generator switches, an import call and an export call of WebAssembly with nothing between. A local call to a function on the caller's stack switches no generator, so that it can be below its floor.`,
  );
}

const CELL_NAMES = CELLS.map(({ name }) => name);

function removalLine({ name, instead, cells }: Removal): string[] {
  const byName = new Map(cells.map((cell) => [cell.name, cell]));
  return [
    `**${name}**: ${instead}`,
    ...CELL_NAMES.map((cell) => {
      const found = byName.get(cell);
      return found === undefined ? '' : percent(found.ratio);
    }),
  ];
}

function removed(removal: Removals | undefined, kind: Removal['kind']): string[] {
  if (removal === undefined) return [made('removal')];
  const lines = removal.rows.filter((row) => row.kind === kind).map(removalLine);
  return table(['without', ...CELL_NAMES.map((name) => `\`${name}\``)], lines);
}

const techniques = ({ removal }: Results): string[] => [
  '## B. What each technique is worth',
  '',
  "The kernel with one technique taken out, beside the kernel: how much longer a call takes (the paper's Table 1). `worker.N` is a low-level call of N bytes each way between two cores, `local.N` one between two generator threads of one agent, `local.timeout` with a timeout. An empty cell: the technique has no part in it. Variants are edits of the kernel's text made while the benchmark is bundled (`bench/removal/variants.ts`); the shipped build has no flag. Differences below the spread of the machine, some 10 %, are none.",
  '',
  ...removed(removal, 'technique'),
];

function checks({ removal }: Results): string[] {
  const lines = (removal?.rows ?? []).flatMap(({ name, breaks }) =>
    breaks === undefined ? [] : [`- Without **${name}**: ${breaks}.`],
  );
  return [
    '## G. What each check is worth',
    '',
    'The same with one check taken out. What is saved is what security costs; what breaks is said below.',
    '',
    ...removed(removal, 'check'),
    '',
    ...lines,
  ];
}

function rivals(results: Results): string[] {
  const lines = section(
    results,
    [
      'wasm.call',
      'wasm.sync',
      'local.passive',
      'worker.call',
      'worker.sync',
      'worker.async',
      'postMessage',
      'synckit',
      'comlink',
    ],
    '## D. The null call across systems',
    '',
    'Measured in one run, one beside the other.',
  );
  const drop = results.compat === undefined ? [made('compat')] : table(HEAD, results.compat.rows.map(lineOf));
  return [
    ...lines,
    '',
    'The drop-ins beside the packages that they stand in for; the floor is the original, so that less is better:',
    '',
    ...drop,
    '',
    'Published by others, on their machines, not measured here:',
    '',
    ...table(
      ['system', 'null call', 'source'],
      PUBLISHED.map(({ system, figure, source }) => [system, figure, source]),
    ),
  ];
}

function slower({ pingpong, compat }: Results): string[] {
  const missed = [...(pingpong?.rows ?? []), ...(compat?.rows ?? [])].filter((row) => targetMet(row) === false);
  const lines = missed.map((row) => [...lineOf(row), row.method]);
  return [
    '## Where it falls short',
    '',
    missed.length === 0 ? 'No row misses what is wanted of it.' : 'Rows that miss what is wanted of them:',
    '',
    ...(missed.length === 0 ? [] : table([...HEAD, 'what it is'], lines)),
  ];
}

/** The whole page. */
export function benchmarksPage(results: Results): string {
  const { machine } = results.pingpong ?? results.removal ?? results.compat ?? {};
  const where =
    machine === undefined
      ? 'Nothing has been measured yet.'
      : `${machine.cpu}, ${machine.cores} cores, ${machine.kernel}, Node ${machine.node} (V8 ${machine.v8}), ${machine.commit}.`;
  return `${[
    '# Benchmarks',
    '',
    'Made by `npm run bench`; no figure is typed. How a ratio is made, and how far to trust it: [bench/README.md](../bench/README.md).',
    '',
    where,
    '',
    ...minimum(results),
    '',
    ...techniques(results),
    '',
    ...section(
      results,
      ['worker.bytes', 'worker.sync.bytes', 'worker.move', 'wasm.bytes'],
      '## C. Sizes',
      '',
      'Bytes there and back, both sides read every line. The floor is a bare hand-over and one copy each way.',
    ),
    '',
    ...rivals(results),
    '',
    ...section(
      results,
      [
        'worker.sync',
        'worker.upcall',
        'worker.sparse',
        'burst',
        'clients',
        'threads',
        'wasm.tasks',
        'wasm.round',
        'idle',
        'boot',
        'spawn',
        'wasm.spawn',
        'quickjs',
        'death',
        'restart',
      ],
      '## E. Use',
      '',
      'Calls as programs make them: records and callbacks, one call a millisecond, bursts, several clients, many threads, starting and ending.',
    ),
    '',
    ...section(
      results,
      ['docs'],
      '## F. A whole system',
      '',
      'The indexing of [examples/docs-browser](../examples/docs-browser/README.md), 10⁵ to 10⁶ protected calls, over the same modules called directly.',
    ),
    '',
    ...checks(results),
    '',
    ...slower(results),
  ].join('\n')}\n`;
}
