/** The table of use: tails and processor time, ours and the rival's. */
import type { Times } from '../use/main.ts';
import { RIVAL, ROWS } from '../use/rows.ts';
import { duration, made, spread, table, times } from './markdown.ts';
import type { Results } from './results.ts';

const figures = ({ p50_ns, p99_ns, p999_ns, cpu_ns }: Times): string[] => [
  ...[p50_ns, p99_ns, p999_ns].map(duration),
  cpu_ns === 0 ? '' : duration(cpu_ns),
];
const HEAD = ['row', 'p50', 'p99', 'p99.9', 'CPU a call'];

export function useTable({ use }: Results): string[] {
  if (use === undefined) return [made('use')];
  const measured = new Map(use.rows.map((row) => [row.name, row]));
  const rivalHead = HEAD.slice(1).map((text) => `${RIVAL}: ${text}`);
  const lines = ROWS.map(({ name, method }) => {
    const row = measured.get(name);
    const first = `\`${name}\`: ${method}`;
    if (row === undefined)
      return [first, 'not measured yet', ...Array<string>(HEAD.length + rivalHead.length - 1).fill('')];
    return [first, ...figures(row), ...figures(row.beside), `${times(row.ratio)} (${spread(row)})`];
  });
  return table([...HEAD, ...rivalHead, 'p50 to p50'], lines);
}
