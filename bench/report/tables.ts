/**
 * docs/benchmarks.md from the results in bench/results/: every figure of it is generated. A table whose result is not
 * there says how to make it; a row that a result lacks is named as not measured.
 */
import type { Removal, Report as Removals } from '../removal/main.ts';
import { CELLS } from '../removal/cells.ts';
import { ROWS } from '../pingpong/rows.ts';
import { constants } from './constants.ts';
import { figuresOf } from './figures.ts';
import { HEAD, lineOf } from './lines.ts';
import { duration, made, percent, table, times } from './markdown.ts';
import { PUBLISHED } from './published.ts';
import type { Results, Row, Rows } from './results.ts';
import { exponentOf, LIMITS, seriesOf } from './scale.ts';
import { slower } from './slower.ts';
import { useTable } from './use.ts';

const begins = (name: string, beginnings: readonly string[]): boolean =>
  beginnings.some((word) => name === word || name.startsWith(`${word}.`));

/** The rows with these beginnings, in the order of the report. */
function rowsOf({ rows }: Rows, beginnings: readonly string[]): Row[] {
  return rows.filter(({ name }) => begins(name, beginnings));
}

/** The rows with these beginnings as a table, and the names of those that the report lacks. */
function rowTable({ pingpong }: Results, beginnings: readonly string[]): string[] {
  if (pingpong === undefined) return [made('pingpong')];
  const measured = new Set(pingpong.rows.map(({ name }) => name));
  const missing = ROWS.filter(({ name }) => begins(name, beginnings) && !measured.has(name));
  const names = missing.map(({ name }) => `\`${name}\``).join(', ');
  return [
    ...table(HEAD, rowsOf(pingpong, beginnings).map(lineOf)),
    ...(missing.length === 0 ? [] : ['', `Not measured yet: ${names}.`]),
  ];
}

const section = (results: Results, beginnings: readonly string[], ...words: string[]): string[] => [
  ...words,
  '',
  ...rowTable(results, beginnings),
];

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

const RIVALS_HEAD = ['row', 'theirs', 'ours', 'ratio', 'p10 to p90'];
const rivalLine = (row: Row): string[] => lineOf(row).slice(0, RIVALS_HEAD.length);

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
  const others =
    results.rivals === undefined ? [made('rivals')] : table(RIVALS_HEAD, results.rivals.rows.map(rivalLine));
  const drop = results.compat === undefined ? [made('compat')] : table(HEAD, results.compat.rows.map(lineOf));
  return [
    ...lines,
    '',
    'The same call made in other ways, ours beside each in the same run: the ratio is how many of our calls go into one of theirs. The number is the bytes each way, 0 is two numbers there and their sum back.',
    '',
    ...others,
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

const SCALE = ['threads', 'timeouts', 'tasks', 'wasm.tasks', 'wasm.round'];

/** Below this exponent a cost does not grow: the series of one row, measured twice, differ as much. */
const FLAT = 0.03;

function scale(results: Results): string[] {
  const lines = seriesOf(results).map(({ what, unit, points }) => {
    const exponent = exponentOf(points);
    const [first, last] = [points[0]!, points.at(-1)!];
    const fitted = exponent === undefined ? 'one size' : exponent.toFixed(2);
    const verdict = exponent === undefined ? '' : exponent < FLAT ? 'flat' : `n^${exponent.toFixed(2)}`;
    const cost = (value: number): string => (unit === 'ns a call' ? duration(value) : `${times(value)} ${unit}`);
    return [what, `${first.size} to ${last.size}`, cost(first.cost), cost(last.cost), fitted, verdict];
  });
  const head = ['number of', 'from, to', 'cost at the first', 'at the last', 'exponent', 'reads as'];
  return [
    '## I. Scale',
    '',
    'What a call costs as the number of something beside it grows. The exponent b is that of cost = a · n^b, fitted by least squares of the logarithms: 0 is a cost that does not depend on n, 1 one that is proportional to it.',
    '',
    ...(lines.length === 0 ? [made('pingpong')] : table(head, lines)),
    '',
    ...rowTable(results, SCALE),
    '',
    'Where growth ends (`src/layout/params.ts`):',
    '',
    ...table(
      ['what', 'limit', 'beyond'],
      LIMITS.map((line) => [...line]),
    ),
  ];
}

/** The plots of what has been measured; draw.ts makes the files. */
function picturesOf(results: Results): string[] {
  const drawn = figuresOf(results);
  if (drawn.length === 0) return [];
  return ['## Plots', '', ...drawn.flatMap(({ name, caption }) => [`![${caption}](figures/${name}.svg)`, ''])].slice(
    0,
    -1,
  );
}

/** The whole page. */
export function benchmarksPage(results: Results): string {
  const { machine } = Object.values(results as Readonly<Record<string, Rows | undefined>>).find(Boolean) ?? {};
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
    '## E. Use',
    '',
    'Calls as programs make them: one after another, one a millisecond, bursts, several clients, more threads than cores. The same program twice, with a task and with a worker and `postMessage`, in processes that take turns; every call is timed by itself, the reading of the clock included.',
    '',
    ...useTable(results),
    '',
    ...section(
      results,
      [
        'worker.sync',
        'worker.upcall',
        'worker.stream',
        'worker.sparse',
        'burst',
        'clients',
        'idle',
        'worker.resident',
        'wasm.resident',
        'boot',
        'spawn',
        'wasm.spawn',
        'quickjs',
        'death',
        'restart',
      ],
      'Records and callbacks, hand-over on one core (`worker.sparse`, `burst`), memory, idling, starting and ending:',
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
    ...constants(results),
    '',
    ...scale(results),
    '',
    ...slower(results),
    '',
    ...picturesOf(results),
  ].join('\n')}\n`;
}
