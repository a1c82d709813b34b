/** A row of a suite of pairs as a line of a table. */
import { duration, spread, times } from './markdown.ts';
import type { Row } from './results.ts';

function wanted({ target }: Row): string {
  if (target === undefined) return '';
  if ('ratio_max' in target) return `${times(target.ratio_max)} ×`;
  return 'ns_max' in target ? duration(target.ns_max) : `p99 ${duration(target.p99_ns_max)}`;
}

export const HEAD: readonly string[] = ['row', 'time', 'floor beside it', 'ratio', 'p10 to p90', 'wanted'];

const figure = ({ unit }: Row, value: number): string =>
  unit?.startsWith('bytes') === true ? `${Math.round(value / 1024)} KiB` : duration(value);

export const lineOf = (row: Row): string[] => [
  `\`${row.name}\``,
  figure(row, row.ns),
  figure(row, row.floor_ns),
  times(row.ratio),
  spread(row),
  wanted(row),
];
