/** Short texts in kernel memory: a word with the length in bytes, and room for the bytes in UTF-8 elsewhere. */
import { peek, poke } from '#atomics';
import { putBytes, takeBytes } from '../platform/atomics.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Writes a text at word `at`, its length into word `lengthAt`; one longer than `max` bytes is cut between characters.
 */
export function putText(at: number, lengthAt: number, max: number, text: string): void {
  const bytes = new Uint8Array(max);
  const { written } = encoder.encodeInto(text, bytes);
  putBytes(at * 4, bytes, 0, written);
  poke(lengthAt, written);
}

export function takeText(at: number, lengthAt: number): string {
  const bytes = new Uint8Array(peek(lengthAt));
  takeBytes(at * 4, bytes, 0, bytes.length);
  return decoder.decode(bytes);
}

export const byteLength = (text: string): number => encoder.encode(text).length;
