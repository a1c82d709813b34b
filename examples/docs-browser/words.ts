/**
 * What a word is: a run of letters, marks and digits, in any script.
 *
 * Invariant: the index stores the stems of exactly these words in this order, with one blank between them, so that
 * the n-th stem belongs to the n-th word of the text and a hit in the stems can be shown in the text.
 */

/** A run of more than 64 characters counts as several words: encoded data in a text must not become one huge term. */
export const wordPattern = /[\p{L}\p{M}\p{N}]{1,64}/gu;

export function wordsOf(text: string): string[] {
  return text.match(wordPattern) ?? [];
}
