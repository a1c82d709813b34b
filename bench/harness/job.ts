/**
 * What the parent process and a measuring child say to each other. A *job* is one repetition of one group of rows; the
 * child runs it in a process of its own and answers with the pairs it took. Everything here is plain JSON.
 */
import { calibratePair, interleave, now_ms, warm } from './interleave.ts';
import type { Calibration, Side } from './interleave.ts';
import type { Overhead } from './overhead.ts';
import type { Pair } from './stats.ts';

/**
 * How much is measured. The full plan is the one by which ratios are judged; the others are for tests and for a look.
 */
export interface Plan {
  /** Fresh processes for each group: compiled code and page placement differ from one to the next. */
  readonly processes: number;
  /** Pairs of thread control blocks within a process, each on cache lines of its own. */
  readonly placements: number;
  /** Pairs of blocks at each placement. */
  readonly pairs: number;
  readonly block_ms: number;
}

/**
 * After this a job takes no further placements of the rows that have figures already. It is several times what a job
 * needs, and keeps a run in its time when a subject has become very slow.
 */
const JOB_BUDGET_MS = 8_000;

export interface Job {
  readonly group: string;
  readonly rows: readonly string[];
  readonly plan: Plan;
  readonly repetition: number;
}

export interface Failure {
  /** The rows that got no figure, or not all of theirs. */
  readonly rows: readonly string[];
  readonly message: string;
}

export interface JobResult {
  readonly overhead: Overhead | undefined;
  readonly pairs: Readonly<Record<string, readonly Pair[]>>;
  readonly failures: readonly Failure[];
  /** What else a group found of a row, as numbers by name: distributions, counts. One entry a measurement. */
  readonly findings: Readonly<Record<string, readonly Finding[]>>;
}

export type Finding = Readonly<Record<string, number | readonly number[]>>;

/** What a group is given: the plan, which rows are wanted, and where the samples go. */
export interface Context {
  readonly plan: Plan;
  readonly repetition: number;
  wants(row: string): boolean;
  /**
   * Takes the plan's pairs at the present placement. The first call for a row calibrates and warms up. `freshAgent`:
   * the far side of this placement is an agent that has compiled nothing yet, and is warmed before each placement.
   */
  measure(row: string, subject: Side, floor: Side, freshAgent?: boolean): Promise<void>;
  /** Adds one pair that the group timed by itself. */
  record(row: string, pair: Pair): void;
  /** Adds what is no pair of times. */
  find(row: string, finding: Finding): void;
  /** Says why a row has no figure in this process; the other rows go on. */
  fail(row: string, error: unknown): void;
}

export interface Collected {
  readonly pairs: Record<string, Pair[]>;
  readonly failures: Failure[];
  readonly findings: Record<string, Finding[]>;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** The context of one job and the place where it collects. */
export function openContext(job: Job): { context: Context; collected: Collected } {
  const collected: Collected = { pairs: {}, failures: [], findings: {} };
  const calibrations = new Map<string, Calibration>();
  const wanted = new Set(job.rows);
  const end_ms = now_ms() + JOB_BUDGET_MS;
  const pairsOf = (row: string): Pair[] => (collected.pairs[row] ??= []);
  const context: Context = {
    plan: job.plan,
    repetition: job.repetition,
    wants: (row) => wanted.has(row),
    async measure(row, subject, floor, freshAgent = false) {
      if (now_ms() > end_ms && pairsOf(row).length > 0) return;
      let known = calibrations.get(row);
      if (known === undefined) {
        known = await calibratePair(subject, floor, job.plan.block_ms);
        calibrations.set(row, known);
      } else if (freshAgent) {
        await warm(subject, known.subject);
      }
      pairsOf(row).push(...(await interleave(subject, floor, known, job.plan.pairs)));
    },
    record: (row, pair) => void pairsOf(row).push(pair),
    find: (row, finding) => void (collected.findings[row] ??= []).push(finding),
    fail: (row, error) => void collected.failures.push({ rows: [row], message: messageOf(error) }),
  };
  return { context, collected };
}

/** How a suite is run. */
export interface RunOptions {
  /** Names of what is to be measured, or beginnings of some; none: all. */
  readonly words: readonly string[];
  readonly plan: Plan;
  /** No process is started after this. */
  readonly budget_ms?: number;
  /** Told before each process: how many of how many, and what it measures. */
  readonly progress?: (done: number, all: number, what: string) => void;
}
