/** Where we are slower: than was wanted, than others, than without a technique. Made from the figures alone. */
import { targetMet } from '../pingpong/report.ts';
import type { Times, UseRow } from '../use/main.ts';
import { HEAD, lineOf } from './lines.ts';
import { duration, percent, spread, table, times } from './markdown.ts';
import type { Results, Row } from './results.ts';

const TAILS = [
  ['p50', 'p50_ns'],
  ['p99', 'p99_ns'],
  ['p99.9', 'p999_ns'],
  ['CPU a call', 'cpu_ns'],
] as const satisfies readonly (readonly [string, keyof Times])[];

/** The figures of a row of use in which the rival is better. */
function worseIn(row: UseRow): string[][] {
  return TAILS.filter(([, what]) => row[what] > row.beside[what] && row.beside[what] > 0).map(([name, what]) => [
    `\`${row.name}\``,
    name,
    duration(row[what]),
    `${row.floor}: ${duration(row.beside[what])}`,
    times(row[what] / row.beside[what]),
  ]);
}

const rivalLines = (rows: readonly Row[]): string[][] =>
  rows
    .filter(({ name, ratio }) => ratio < 1 && !name.includes('l3kernel'))
    .map((row) => [
      `\`${row.name}\``,
      'median',
      duration(row.floor_ns),
      `theirs: ${duration(row.ns)}`,
      times(1 / row.ratio),
    ]);

/** Techniques without which a call was quicker, in nine of ten processes. */
function uselessIn({ removal }: Results): string[][] {
  return (removal?.rows ?? [])
    .filter(({ kind }) => kind === 'technique')
    .flatMap(({ name, cells }) =>
      cells.filter(({ p90 }) => p90 < 1).map((cell) => [name, `\`${cell.name}\``, percent(cell.ratio), spread(cell)]),
    );
}

export function slower(results: Results): string[] {
  const { pingpong, compat, use, rivals } = results;
  const missed = [...(pingpong?.rows ?? []), ...(compat?.rows ?? [])].filter((row) => targetMet(row) === false);
  const beaten = [...(use?.rows ?? []).flatMap(worseIn), ...rivalLines(rivals?.rows ?? [])];
  const useless = uselessIn(results);
  const parts = [
    missed.length === 0
      ? ['No row misses what is wanted of it.']
      : [
          'Rows that miss what is wanted of them:',
          '',
          ...table(
            [...HEAD, 'what it is'],
            missed.map((row) => [...lineOf(row), row.method]),
          ),
        ],
    beaten.length === 0
      ? []
      : ['Figures in which others are better:', '', ...table(['row', 'figure', 'ours', 'others', 'times'], beaten)],
    useless.length === 0
      ? []
      : [
          'Techniques without which a call was quicker:',
          '',
          ...table(['without', 'cell', 'change', 'p10 to p90'], useless),
        ],
  ];
  const unmeasured = (['pingpong', 'compat', 'use', 'rivals', 'removal'] as const).filter(
    (suite) => results[suite] === undefined,
  );
  const last =
    unmeasured.length === 0
      ? []
      : [`Not measured yet, so that nothing is said of it here: ${unmeasured.join(', ')}.`, ''];
  return [
    '## Where we are slower',
    '',
    ...parts.flatMap((part) => (part.length === 0 ? [] : [...part, ''])),
    ...last,
  ].slice(0, -1);
}
