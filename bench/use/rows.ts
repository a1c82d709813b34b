/**
 * The rows of `l3 bench use`, as data: calls as programs make them. Each is the same program twice, with a task and its
 * stub, and with a worker and `postMessage`, in processes that take turns. Every call is timed by itself, since what a
 * program feels is the tail; the two clock readings, some 80 ns, are in each time.
 */
export interface Row {
  readonly name: string;
  readonly pattern: 'dense' | 'gaps' | 'asleep' | 'burst' | 'flight' | 'clients' | 'pairs' | 'busy';
  /** Calls of a burst or in flight, clients, pairs. */
  readonly size: number;
  readonly method: string;
}

const CLIENTS = [1, 2, 3, 4, 8, 16] as const;

export const ROWS: readonly Row[] = [
  { name: 'dense', pattern: 'dense', size: 1, method: 'One call after another, two numbers there and their sum back.' },
  {
    name: 'millisecond',
    pattern: 'gaps',
    size: 1,
    method: "One call a millisecond, the caller busy in between; its own work is not in the call's processor time.",
  },
  {
    name: 'millisecond.asleep',
    pattern: 'asleep',
    size: 1,
    method: 'One call a millisecond, the caller asleep in its event loop in between.',
  },
  ...[10, 100].map((size): Row => ({
    name: `burst.${size}`,
    pattern: 'burst',
    size,
    method: `${size} calls in a row after each millisecond of work of the caller; every call is timed.`,
  })),
  {
    name: 'flight.1000',
    pattern: 'flight',
    size: 1000,
    method:
      '1,000 asynchronous calls in flight at a time; a time is from the call to its answer, the wait in line in it.',
  },
  ...CLIENTS.map((size): Row => ({
    name: `clients.${size}`,
    pattern: 'clients',
    size,
    method: `${size === 1 ? 'One client agent calls' : `${size} client agents call`} one server agent, each one call after another.`,
  })),
  {
    name: 'pairs.4',
    pattern: 'pairs',
    size: 4,
    method: 'Four client agents and four server agents, one call after another in each pair.',
  },
  {
    name: 'busy',
    pattern: 'busy',
    size: 1,
    method: 'One call after another beside as many threads in endless loops as there are cores.',
  },
];

/** What stands beside each row. */
export const RIVAL = 'postMessage';
const RIVAL_SUFFIX = `@${RIVAL}`;

/** The name of the other side of a row, as jobs have it. */
export const rivalOf = (name: string): string => name + RIVAL_SUFFIX;

/** The row of a job's word, and whether it is the rival's side. */
export function sideOf(word: string): { readonly row: Row; readonly isRival: boolean } {
  const isRival = word.endsWith(RIVAL_SUFFIX);
  const name = isRival ? word.slice(0, -RIVAL_SUFFIX.length) : word;
  const row = ROWS.find((candidate) => candidate.name === name);
  if (row === undefined) throw new Error(`no row '${name}'`);
  return { row, isRival };
}

/** The rows whose names begin with one of the words; all without a word. A word that begins none throws. */
export function selectRows(words: readonly string[]): readonly Row[] {
  const unknown = words.find((word) => !ROWS.some(({ name }) => name.startsWith(word)));
  if (unknown !== undefined) {
    throw new Error(`no row '${unknown}'; there are: ${ROWS.map(({ name }) => name).join(', ')}`);
  }
  return words.length === 0 ? ROWS : ROWS.filter(({ name }) => words.some((word) => name.startsWith(word)));
}
