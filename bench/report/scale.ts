/** How the cost of a call grows with what there is beside it: series of rows, and the exponent that fits each. */
import {
  CALLS_IN_FLIGHT,
  STREAMS_OPEN_MAX,
  STRINGS_MAX,
  TASKS_DEFAULT,
  TASKS_MAX,
  THREADS_DEFAULT,
  THREADS_MAX,
  UPCALL_DEPTH_MAX,
  WAKEUP_LISTS,
} from '../../src/layout/params.ts';
import type { Results } from './results.ts';

export interface Point {
  readonly size: number;
  readonly cost: number;
}

export interface Series {
  readonly name: string;
  readonly what: string;
  /** Unit of the cost. */
  readonly unit: string;
  readonly points: readonly Point[];
}

/** The exponent b of cost = a · size^b, by least squares of the logarithms; undefined of less than two sizes. */
export function exponentOf(points: readonly Point[]): number | undefined {
  const logs = points.map(({ size, cost }) => [Math.log(size), Math.log(cost)] as const);
  const mean = (index: 0 | 1): number => logs.reduce((sum, pair) => sum + pair[index], 0) / logs.length;
  const [x, y] = [mean(0), mean(1)];
  const spread = logs.reduce((sum, pair) => sum + (pair[0] - x) ** 2, 0);
  if (logs.length < 2 || spread === 0) return undefined;
  return logs.reduce((sum, pair) => sum + (pair[0] - x) * (pair[1] - y), 0) / spread;
}

/** Rows of the suites of pairs: the beginning of their names, and what their number counts. The cost is in floors. */
const SERIES = [
  ['threads', 'threads that wait in receive', 'calls with 2 threads'],
  ['tasks', 'tasks that wait, each a worker', 'floors'],
  ['wasm.tasks', 'wasm tasks that live', 'floors'],
  ['timeouts', 'threads that wait with a timeout: a call', 'calls with 1'],
  ['timeouts.tick', 'threads that wait with a timeout: a tick of the clock', 'ticks with 1'],
] as const;

const sizeIn = (name: string, beginning: string): number =>
  name.startsWith(`${beginning}.`) ? Number(name.slice(beginning.length + 1)) : Number.NaN;

/** The series that were measured. */
export function seriesOf({ pingpong, use }: Results): Series[] {
  const fromPairs = SERIES.map(([name, what, unit]) => ({
    name,
    what,
    unit,
    points: (pingpong?.rows ?? []).flatMap((row) => {
      const size = sizeIn(row.name, name);
      return size > 0 ? [{ size, cost: row.ratio }] : [];
    }),
  }));
  const clients = {
    name: 'clients',
    what: 'client agents of one server: time over all calls',
    unit: 'ns a call',
    points: (use?.rows ?? []).flatMap((row) =>
      sizeIn(row.name, 'clients') > 0 ? [{ size: row.size, cost: row.each_ns }] : [],
    ),
  };
  return [...fromPairs, clients].filter(({ points }) => points.length > 0);
}

/** What ends growth: the limit, its number, and what meets it. All are of src/layout/params.ts. */
export const LIMITS: readonly (readonly [what: string, limit: string, beyond: string])[] = [
  ['threads of a system', `${THREADS_DEFAULT}, at most ${THREADS_MAX}`, '`boot({ limits })`; then `ERR_IPC_LIMIT`'],
  ['tasks of a system', `${TASKS_DEFAULT}, at most ${TASKS_MAX}`, '`boot({ limits })`; then `ERR_IPC_LIMIT`'],
  ['waiting timeouts', `one for each thread, in ${WAKEUP_LISTS} lists`, 'a tick inspects the list that is due'],
  [
    'calls of one agent in flight',
    `${CALLS_IN_FLIGHT}`,
    'more wait in the heap of the caller, first come first served',
  ],
  ['upcalls inside upcalls', `${UPCALL_DEPTH_MAX}`, '`ERR_IPC_LIMIT`'],
  ['open streams of one agent', `${STREAMS_OPEN_MAX}`, '`ERR_IPC_LIMIT`'],
  ['strings of one message', `${STRINGS_MAX}`, 'the codec needs one'],
];
