/**
 * The rows of `l3 bench compat`, as data. Each row is a program that runs unchanged on an original and on its drop-in;
 * the figure is the ratio of the two, the drop-in's time over the original's.
 */
import type { ProgramName } from './programs.ts';

export interface Row {
  readonly name: string;
  readonly program: ProgramName;
  /** The original package, where the program is not called after it. */
  readonly original?: 'tinypool' | 'piscina';
  readonly args: readonly string[];
  readonly unit: string;
  readonly method: string;
  /** At most this part of the original's time. */
  readonly target_max: number;
}

const FASTER = 1 / 20;
const NOT_SLOWER = 1.05;
const CALL = 'ns per call';

const SYNCHRONOUS: readonly ProgramName[] = ['synckit', 'make-synchronized', 'sync-message-port', 'sync-child-process'];

const PATTERNS = [
  ['dense', CALL, 'One null call after another: two numbers there, their sum back.'],
  ['millisecond', CALL, 'The same call once a millisecond, the caller busy between.'],
  ['process', 'ns per process', 'A process that imports the package, makes one call, and exits.'],
] as const;

/** A child process answers by its own pipes: nothing on our side can make it 20 times faster. */
const targetOf = (program: ProgramName, pattern: string): number =>
  pattern === 'dense' && program !== 'sync-child-process' ? FASTER : NOT_SLOWER;

const synchronous: readonly Row[] = SYNCHRONOUS.flatMap((program) =>
  PATTERNS.map(([pattern, unit, method]) => ({
    name: `${program}.${pattern}`,
    program,
    args: [pattern],
    unit,
    method: program === 'sync-child-process' ? method.replace(/: two.*/, ': a line to cat and back.') : method,
    target_max: targetOf(program, pattern),
  })),
);

const pools: readonly Row[] = (['tinypool', 'piscina'] as const).flatMap((program) =>
  (
    [
      ['small', '2', 'Two threads, 64 tasks in flight, two numbers each.'],
      ['large', '1048576', 'Two threads, 8 tasks in flight, 1 MiB of bytes each way.'],
    ] as const
  ).map(([size, bytes, method]) => ({
    name: `${program}.${size}`,
    program,
    args: [size, bytes],
    unit: 'ns per task',
    method,
    target_max: NOT_SLOWER,
  })),
);

/** A pool of our own, which stands in for none, beside the pools that there are. */
const instances: readonly Row[] = pools.map((row) => {
  const original = row.program as 'tinypool' | 'piscina';
  return { ...row, name: `instances.${row.name}`, program: `instances-${original}` as const, original };
});

export const ROWS: readonly Row[] = [...synchronous, ...pools, ...instances];

/** The rows whose names begin with one of these words; all without a word. Throws for a word that begins none. */
export function selectRows(words: readonly string[]): readonly Row[] {
  const unknown = words.find((word) => !ROWS.some(({ name }) => name.startsWith(word)));
  if (unknown !== undefined) {
    throw new Error(`no row '${unknown}'; the rows are ${ROWS.map(({ name }) => name).join(', ')}`);
  }
  return words.length === 0 ? ROWS : ROWS.filter(({ name }) => words.some((word) => name.startsWith(word)));
}
