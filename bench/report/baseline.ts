/** Whether ratios have become worse than they were. */
import type { Row } from './results.ts';

type Ratios = Pick<Row, 'ratio' | 'p10' | 'p90'>;

export interface Baseline {
  readonly machine: object;
  readonly rows: Readonly<Record<string, Ratios>>;
}

export interface Verdict {
  /** One line a row. */
  readonly lines: readonly string[];
  /** Rows whose ratio is above its limit. */
  readonly worse: readonly string[];
  /** Rows that were to be measured and have no figure: of them nothing is known, and that is no pass. */
  readonly unmeasured: readonly string[];
}

/** Two runs of the same code agree within this much, and within half their own spread where that is more. */
const TOLERANCE = 0.15;

const toleranceOf = ({ ratio, p10, p90 }: Ratios): number => Math.max(TOLERANCE, (p90 - p10) / 2 / ratio);

/**
 * Compares the rows named in `wanted` with the baseline. A row that the baseline lacks is new, and passes if it has a
 * figure.
 */
export function compare(
  baseline: Baseline,
  rows: readonly Pick<Row, 'name' | 'ratio'>[],
  wanted: readonly string[],
): Verdict {
  const measured = new Map(rows.map(({ name, ratio }) => [name, ratio]));
  const worse: string[] = [];
  const unmeasured: string[] = [];
  const lines = wanted.map((name) => {
    const ratio = measured.get(name) ?? Number.NaN;
    const before = baseline.rows[name];
    if (!Number.isFinite(ratio)) {
      unmeasured.push(name);
      return `${name}: NOT MEASURED${before === undefined ? '' : `, was ${before.ratio.toFixed(2)}`}`;
    }
    if (before === undefined) return `${name}: ${ratio.toFixed(2)}, new`;
    const limit = before.ratio * (1 + toleranceOf(before));
    const text = `${name}: ${ratio.toFixed(2)}, was ${before.ratio.toFixed(2)}, at most ${limit.toFixed(2)}`;
    if (ratio <= limit) return text;
    worse.push(name);
    return `${text}: WORSE`;
  });
  return { lines, worse, unmeasured };
}

/**
 * The baseline with the ratios that a report has of the rows named in `wanted`; the others stay as they were. Refused
 * when one of them has no figure: the row would be new ever after, and never compared.
 */
export function acceptable(
  before: Baseline | undefined,
  machine: object,
  rows: readonly Row[],
  wanted: readonly string[],
): Baseline {
  const taken = rows.filter(({ name, ratio }) => Number.isFinite(ratio) && wanted.includes(name));
  const measured = new Set(taken.map(({ name }) => name));
  const missing = wanted.filter((name) => !measured.has(name));
  if (missing.length > 0) throw new Error(`these rows have no figure: ${missing.join(', ')}; measure them first`);
  return {
    machine,
    rows: {
      ...before?.rows,
      ...Object.fromEntries(taken.map(({ name, ratio, p10, p90 }) => [name, { ratio, p10, p90 }])),
    },
  };
}
