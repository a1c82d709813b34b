/**
 * Counts of times by their size: what tails are read from, where a median of blocks would hide them. Logarithmic bins
 * with 32 linear parts in each power of two, so that a quantile is off by 3 % at most; one count a call, no allocation.
 */

/** Bits of the linear part of a bin. */
const PART_BITS = 5;
const PARTS = 1 << PART_BITS;
/** Times are whole nanoseconds below 2^41, half an hour. */
const POWERS = 41 - PART_BITS;
const TIME_MAX_ns = 2 ** 41 - 1;

export const BINS: number = (POWERS + 1) * PARTS;

/** A new histogram; over shared memory when the counts are another agent's. */
export const histogram = (): Float64Array<ArrayBuffer> => new Float64Array(BINS);

function binOf(ns: number): number {
  const whole = Math.min(Math.max(Math.floor(ns), 0), TIME_MAX_ns);
  if (whole < PARTS) return whole;
  const power = Math.floor(Math.log2(whole)) - PART_BITS;
  return (power + 1) * PARTS + Math.min(Math.floor(whole / 2 ** power) - PARTS, PARTS - 1);
}

/** The middle of a bin, in nanoseconds. */
export function timeOf(bin: number): number {
  if (bin < PARTS) return bin + 0.5;
  const width = 2 ** (Math.floor(bin / PARTS) - 1);
  return (PARTS + (bin % PARTS) + 0.5) * width;
}

/** Adds a time in milliseconds, as the clocks give it. */
export function count(counts: Float64Array, time_ms: number): void {
  const bin = binOf(time_ms * 1e6);
  counts[bin] = (counts[bin] as number) + 1;
}

export function addTo(sum: Float64Array, counts: ArrayLike<number>): void {
  for (let bin = 0; bin < sum.length; bin++) sum[bin] = (sum[bin] as number) + (counts[bin] ?? 0);
}

export const totalOf = (counts: Float64Array): number => counts.reduce((sum, one) => sum + one, 0);

/** The q-quantile in nanoseconds; NaN of no times. */
export function quantileOf(counts: Float64Array, q: number): number {
  const wanted = q * totalOf(counts);
  let seen = 0;
  let last = Number.NaN;
  for (const [bin, times] of counts.entries()) {
    if (times === 0) continue;
    seen += times;
    last = timeOf(bin);
    if (seen >= wanted) break;
  }
  return last;
}

/** What is sent from one process to another: bins that hold something, each with its count. */
export function packed(counts: Float64Array): { readonly bins: number[]; readonly times: number[] } {
  const bins = [...counts.keys()].filter((bin) => counts[bin] !== 0);
  return { bins, times: bins.map((bin) => counts[bin] as number) };
}

export function unpacked(bins: readonly number[], times: readonly number[]): Float64Array<ArrayBuffer> {
  const counts = histogram();
  for (const [index, bin] of bins.entries()) counts[bin] = times[index] as number;
  return counts;
}
