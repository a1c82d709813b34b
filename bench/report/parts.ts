/** What `npm run bench` runs, and how long each may take. */
import type { SUITES } from './results.ts';

export interface Part {
  readonly suite: (typeof SUITES)[number];
  /** The rows of the suite that are run, in a run that judges and in one with `--quick`; none: all. */
  readonly rows: readonly string[];
  readonly quickRows: readonly string[];
  /** No process is started after so many seconds: in a run that judges, and in one with `--quick`. */
  readonly seconds: number;
  readonly quick_s: number;
}

/** All of it, with the pages. */
export const ALL_S = 20 * 60;
export const ALL_QUICK_S = 3 * 60;
/** The last process of a suite may begin at the end of its time: what its end and its start take besides. */
export const BETWEEN_S = 10;
export const BETWEEN_QUICK_S = 4;

export const PARTS: readonly Part[] = [
  { suite: 'pingpong', rows: [], quickRows: [], seconds: 370, quick_s: 64 },
  { suite: 'removal', rows: [], quickRows: [], seconds: 240, quick_s: 30 },
  { suite: 'use', rows: [], quickRows: [], seconds: 180, quick_s: 18 },
  { suite: 'constants', rows: [], quickRows: [], seconds: 130, quick_s: 16 },
  { suite: 'compat', rows: [], quickRows: [], seconds: 110, quick_s: 16 },
  // The other sizes are for who looks into one of them.
  { suite: 'rivals', rows: ['null.', '4096.'], quickRows: ['null.'], seconds: 100, quick_s: 12 },
];
