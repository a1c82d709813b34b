/**
 * What a visitor looks for: words, "phrases", or a /regular expression/flags.
 *
 * Invariant: a query is bounded in length before anything is done with it.
 */
import { wordsOf } from './words.ts';

export type Query =
  | {
      kind: 'words';
      /** Each a list of words that have to follow each other; most are one word. */ phrases: string[][];
    }
  | { kind: 'pattern'; source: string; flags: string };

export const query_length_max = 256;
const phrases_max = 16;

/** A query that cannot be answered; the message is for the visitor. */
export class BadQuery extends Error {
  override name = 'BadQuery';
}

/** Throws BadQuery. The pattern's syntax is left to the engine that will run it. */
export function readQuery(text: string): Query {
  if (text.length > query_length_max) {
    throw new BadQuery(`The query has ${text.length} characters; ${query_length_max} are the limit.`);
  }
  const pattern = /^\/(.+)\/([a-z]*)$/s.exec(text.trim());
  if (pattern) return { kind: 'pattern', source: pattern[1] ?? '', flags: pattern[2] ?? '' };
  const phrases: string[][] = [];
  for (const [, quoted, plain] of text.matchAll(/"([^"]*)"?|([^"\s]+)/g)) {
    // `node_modules` and `e-mail` are phrases too: their words follow each other.
    const words = wordsOf(quoted ?? plain ?? '');
    if (words.length) phrases.push(words);
  }
  if (!phrases.length) throw new BadQuery('There is no word in the query. Words are made of letters and digits.');
  if (phrases.length > phrases_max)
    throw new BadQuery(`The query has ${phrases.length} words; ${phrases_max} are the limit.`);
  return { kind: 'words', phrases };
}
