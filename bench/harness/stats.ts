/**
 * Order statistics over small sets of samples. A benchmark here is judged by its median; p10 and p90 say how far to
 * trust it. Means are not offered: one preempted block on a shared machine moves a mean and leaves a median alone.
 */

export interface Summary {
  readonly median: number;
  readonly p10: number;
  readonly p90: number;
  readonly samples: number;
}

/** One subject block and the floor block beside it, each as nanoseconds a round. */
export interface Pair {
  readonly ns: number;
  readonly floor_ns: number;
}

export interface PairSummary {
  readonly ns: number;
  readonly floor_ns: number;
  /**
   * Median of the ratios of the pairs, which is not the ratio of the medians: both sides of a pair shared one moment.
   */
  readonly ratio: number;
  readonly p10: number;
  readonly p90: number;
  readonly samples: number;
  /** For rows whose tail is what counts. */
  readonly p99_ns: number;
  /** How far the floor itself moved: two cores that share a cache now, two that do not a second later. */
  readonly floor_p10_ns: number;
  readonly floor_p90_ns: number;
}

/** The q-quantile (0 to 1) by linear interpolation between the two nearest samples; NaN of no samples. */
export function quantile(samples: readonly number[], q: number): number {
  if (samples.length === 0) return Number.NaN;
  const sorted = Float64Array.from(samples).sort();
  const position = q * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.ceil(position);
  const low = sorted[below] as number;
  const high = sorted[above] as number;
  return low + (high - low) * (position - below);
}

export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}

export function summarize(samples: readonly number[]): Summary {
  return {
    median: median(samples),
    p10: quantile(samples, 0.1),
    p90: quantile(samples, 0.9),
    samples: samples.length,
  };
}

/** Summary of interleaved pairs. `p10` and `p90` are of the ratios. */
export function summarizePairs(pairs: readonly Pair[]): PairSummary {
  const ratios = summarize(pairs.map((pair) => pair.ns / pair.floor_ns));
  const floors = summarize(pairs.map((pair) => pair.floor_ns));
  const times = pairs.map((pair) => pair.ns);
  return {
    ns: median(times),
    floor_ns: floors.median,
    ratio: ratios.median,
    p10: ratios.p10,
    p90: ratios.p90,
    samples: pairs.length,
    p99_ns: quantile(times, 0.99),
    floor_p10_ns: floors.p10,
    floor_p90_ns: floors.p90,
  };
}
