/**
 * Communication windows between linear memories (paper 5.2.3). The instruction that copies names its two memories in
 * the code, so each pair of spaces has a tiny instance of its own that holds both and nothing else: one copy, bounds
 * checked by the processor, no view that growth detaches. Made on first use, the least recently used dropped.
 */
import { type Space, viewOf } from './space.ts';

type Copy = (target: number, source: number, length: number) => void;

/** Each copier keeps two memories, and each memory 8 GiB of address space, from being given back. */
const COPIERS_MAX = 64;

// prettier-ignore
const COPIER = Uint8Array.of(
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00,
  0x01, 0x07, 0x01, 0x60, 0x03, 0x7f, 0x7f, 0x7f, 0x00, // type 0: (i32, i32, i32) -> ()
  0x02, 0x0f, 0x02, // imports: memories m.a and m.b, of any size
  0x01, 0x6d, 0x01, 0x61, 0x02, 0x00, 0x00,
  0x01, 0x6d, 0x01, 0x62, 0x02, 0x00, 0x00,
  0x03, 0x02, 0x01, 0x00, // function 0: type 0
  0x07, 0x08, 0x01, 0x04, 0x63, 0x6f, 0x70, 0x79, 0x00, 0x00, // export "copy"
  0x0a, 0x0e, 0x01, 0x0c, 0x00, // its code: memory.copy into a, from b
  0x20, 0x00, 0x20, 0x01, 0x20, 0x02, 0xfc, 0x0a, 0x00, 0x01, 0x0b,
);

let module: WebAssembly.Module | null = null;
const copiers = new Map<number, Copy>();
let lastKey = 0;
let last: Copy | null = null;

/** One number for two spaces: their numbers stay below 2^26 for as long as anybody can spawn. */
const keyOf = (to: Space, from: Space): number => to.number * 2 ** 26 + from.number;

/** Copies between two spaces. Both spans have been checked; whoever could not be reached throws. */
export function copyBetween(to: Space, target: number, from: Space, source: number, length: number): void {
  const key = keyOf(to, from);
  if (key !== lastKey || last === null) {
    // Whoever is interrupted in between leaves no copier under the key of another.
    lastKey = 0;
    last = copierFor(key, to, from);
    lastKey = key;
  }
  last(target, source, length);
}

function copierFor(key: number, to: Space, from: Space): Copy {
  const known = copiers.get(key);
  if (known !== undefined) copiers.delete(key);
  const copy = known ?? makeCopier(to, from) ?? copyViews(to, from);
  copiers.set(key, copy);
  if (copiers.size > COPIERS_MAX) copiers.delete(copiers.keys().next().value!);
  return copy;
}

/** The copier of a pair; null where the host cannot make one: without multi-memory, or out of memory. */
export function makeCopier(to: Space, from: Space): Copy | null {
  try {
    module ??= new WebAssembly.Module(COPIER);
    const { exports } = new WebAssembly.Instance(module, { m: { a: to.memory!, b: from.memory! } });
    return exports['copy'] as Copy;
  } catch {
    return null;
  }
}

/** The same by views. */
export function copyViews(to: Space, from: Space): Copy {
  return (target, source, length) => {
    const at = source >>> 0;
    viewOf(to).set(viewOf(from).subarray(at, at + (length >>> 0)), target >>> 0);
  };
}

/** Forgets the windows of a space that is no more. */
export function dropCopiers({ number }: Space): void {
  for (const key of copiers.keys()) {
    if (key % 2 ** 26 === number || Math.floor(key / 2 ** 26) === number) copiers.delete(key);
  }
  last = null;
}
