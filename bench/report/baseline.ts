/** Whether ratios have become worse than they were. */
import type { Row } from './tables.ts';

export interface Baseline {
  readonly machine: object;
  readonly rows: Readonly<Record<string, Pick<Row, 'ratio' | 'p10' | 'p90'>>>;
}

/** Two runs of the same code agree within this much, and within half their own spread where that is more. */
const TOLERANCE = 0.15;

const toleranceOf = ({ ratio, p10, p90 }: Pick<Row, 'ratio' | 'p10' | 'p90'>): number =>
  Math.max(TOLERANCE, (p90 - p10) / 2 / ratio);

/** One line a row, and the names of those that are worse. A row without a baseline is new, and passes. */
export function compare(
  baseline: Baseline,
  rows: readonly Pick<Row, 'name' | 'ratio'>[],
): { readonly lines: readonly string[]; readonly worse: readonly string[] } {
  const worse: string[] = [];
  const lines = rows.map(({ name, ratio }) => {
    const before = baseline.rows[name];
    if (before === undefined) return `${name}: ${ratio.toFixed(2)}, new`;
    const limit = before.ratio * (1 + toleranceOf(before));
    const text = `${name}: ${ratio.toFixed(2)}, was ${before.ratio.toFixed(2)}, at most ${limit.toFixed(2)}`;
    if (ratio <= limit) return text;
    worse.push(name);
    return `${text}: WORSE`;
  });
  return { lines, worse };
}
