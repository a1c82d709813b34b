/** What is measured of each kernel, by the tables of the constants. */
import { MESSAGE_WORDS, MESSAGE_WORDS_IN_LINE } from '../../src/layout/params.ts';

export const EIGHT = 8;
/** A client that does something else between two calls. */
export const PAUSE_MS = 1;

/** Clients and the pause of each: who calls without one is the greedy one. */
export const CROWDS = {
  'crowd.greedy': [0, ...Array.from({ length: EIGHT }, () => PAUSE_MS)],
  'crowd.equal': Array.from({ length: EIGHT + 1 }, () => 0),
} as const satisfies Readonly<Record<string, readonly number[]>>;

/** Clients of the rows that compare spins. */
export const SPIN_CROWDS = { 'spin.clients.3': 3, 'spin.clients.8': 8 } as const;

/** Words that a message may have: the counts between which the shipped ones were chosen. */
export const WORD_LIMITS: readonly number[] = [2, MESSAGE_WORDS_IN_LINE, MESSAGE_WORDS];
/** Bytes of the messages that are tried with each limit. */
export const MESSAGE_BYTES: readonly number[] = [...WORD_LIMITS.map((words) => words * 8), 512, 4096];

export const asWords = (bytes: number): string => `words.${bytes}`;
export const asString = (bytes: number): string => `string.${bytes}`;

export const MESSAGE_ROWS: readonly string[] = [
  ...WORD_LIMITS.map((words) => asWords(words * 8)),
  ...MESSAGE_BYTES.map(asString),
];
export const SPIN_ROWS: readonly string[] = ['spin.dense', 'spin.millisecond', ...Object.keys(SPIN_CROWDS)];
