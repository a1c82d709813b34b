/**
 * The one way from the kernel to shared words. `load`, `store` and the like are sequentially consistent; `peek` and
 * `poke` are plain, for words that one thread owns at that moment. The kernel names nothing else, so that whoever
 * replaces this module sees every shared access of the shipped text.
 */
import { compileAtomics } from './atomics-wasm.ts';
import { bytes as sharedBytes, memory, PAGES, words as sharedWords } from './memory.ts';

// Constants of this file, not imports: V8 folds the address of a typed array it can see never to change.
const words = sharedWords;
const bytes = sharedBytes;

/** Tells the core that this is a spin loop. Node 22 has no such thing. */
export const pause: () => void = (Atomics as { pause?: () => void }).pause ?? (() => {});

/**
 * The value, the old value, the old value. `spin` loads until the word is `value`, at most `loads` times, and says
 * whether it was. The pause between two loads is not only kind to the other thread of the core: a tighter loop takes
 * the line away from a sender between its claim and its publication, which costs two more transfers of the line.
 */
export const { load, compareExchange, exchange, spin } = compileAtomics(memory, PAGES, pause);

export const store = (at: number, value: number): void => void exchange(at, value);
/** Returns the old value. */
export const add = (at: number, value: number): number => Atomics.add(words, at, value);
export const peek = (at: number): number => words[at]!;
export const poke = (at: number, value: number): void => {
  words[at] = value;
};

/** Bytes up to this many are copied by a loop: shorter than the call and the view that `set` needs. */
const LOOP_BYTES = 64;

/** Copies `length` bytes of a private array to byte `at` of kernel memory. */
export function putBytes(at: number, source: Uint8Array, start: number, length: number): void {
  if (length <= LOOP_BYTES) {
    for (let i = 0; i < length; i++) bytes[at + i] = source[start + i]!;
  } else if (start === 0 && length === source.length) {
    bytes.set(source, at);
  } else {
    bytes.set(source.subarray(start, start + length), at);
  }
}

/** Copies `length` bytes from byte `at` of kernel memory into a private array. */
export function takeBytes(at: number, target: Uint8Array, start: number, length: number): void {
  if (length <= LOOP_BYTES) {
    for (let i = 0; i < length; i++) target[start + i] = bytes[at + i]!;
  } else {
    target.set(bytes.subarray(at, at + length), start);
  }
}

/** Copies inside kernel memory, from one window to another. */
export const moveBytes = (to: number, from: number, length: number): void => {
  bytes.copyWithin(to, from, from + length);
};

/** A private buffer for a message that no window can hold. */
export const allocateBytes = (length: number): Uint8Array => new Uint8Array(length);

export { registers } from './registers.ts';
