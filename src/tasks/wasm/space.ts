/**
 * The linear memory of a task as its address space, and how strings and bytes get in and out of it. A string is
 * {address, length}; the task that receives one gives the room for it by its export `l3_alloc(length)`. What comes from
 * a task is checked here: an address beyond its memory throws, and who threw is whose fault it is.
 *
 * Bytes are copied first and looked at afterwards. Linear memory is not shared with other agents, so nobody writes into
 * it while one of these functions runs.
 */

export interface Space {
  /** Number of this space, never used again. */
  readonly number: number;
  memory: WebAssembly.Memory | null;
  alloc: ((length: number) => number) | null;
  /** All of the memory; empty once the memory has grown, and then made anew. */
  view: Buffer;
}

let spaces = 0;

export const makeSpace = (): Space => ({ number: ++spaces, memory: null, alloc: null, view: Buffer.alloc(0) });

/** The memory as it is now. `Buffer` and not `Uint8Array`: V8 makes strings of its bytes in one step. */
export function viewOf(space: Space): Buffer {
  const { memory } = space;
  if (memory === null) throw new RangeError('the module exports no memory');
  // Growing detaches the old buffer.
  if (space.view.length === 0) space.view = Buffer.from(memory.buffer);
  return space.view;
}

/** Throws unless `length` bytes from `address` on are inside. Both as wasm gives them: signed 32-bit integers. */
export function checkSpan(space: Space, address: number, length: number): void {
  const size = viewOf(space).length;
  if ((address >>> 0) + (length >>> 0) <= size) return;
  throw new RangeError(`${length >>> 0} bytes at address ${address >>> 0} are not within its memory of ${size} bytes`);
}

/** Room for `length` bytes in the space of a task that is to receive them. */
export function allocate(space: Space, length: number): number {
  if (space.alloc === null) throw new TypeError("the module exports no 'l3_alloc(i32) -> i32' to receive bytes with");
  const address = space.alloc(length);
  checkSpan(space, address, length);
  return address >>> 0;
}

/** Bytes that a string takes in a space. */
export const bytesIn = (text: string): number => Buffer.byteLength(text);

export function putString(space: Space, text: string, length: number): number {
  const address = allocate(space, length);
  viewOf(space).write(text, address, length);
  return address;
}

/** `length` was taken before the receiver ran: it must not learn of what became of the bytes since. */
export function putBytes(space: Space, bytes: Uint8Array, length: number): number {
  const address = allocate(space, length);
  viewOf(space).set(bytes.length === length ? bytes : bytes.subarray(0, length), address);
  return address;
}

export function takeString(space: Space, address: number, length: number): string {
  checkSpan(space, address, length);
  return viewOf(space).toString('utf8', address >>> 0, (address >>> 0) + (length >>> 0));
}

export function takeBytes(space: Space, address: number, length: number): Uint8Array {
  checkSpan(space, address, length);
  return new Uint8Array(viewOf(space).buffer.slice(address >>> 0, (address >>> 0) + (length >>> 0)));
}

/** A result is the address of a pair, {address, length}. These read it, and `checkPair` all that it says. */
export const pairAddress = (space: Space, pair: number): number => viewOf(space).readInt32LE(pair >>> 0);
export const pairLength = (space: Space, pair: number): number => viewOf(space).readInt32LE((pair >>> 0) + 4);

export function checkPair(space: Space, pair: number): void {
  checkSpan(space, pair, 8);
  checkSpan(space, pairAddress(space, pair), pairLength(space, pair));
}

/** Bytes that 32 bits can name. */
const ADDRESSES = 2 ** 32;

/** Room in a space for a pair and the bytes that it names, which follow it. Returns the address of the pair. */
export function makePair(space: Space, length: number): number {
  if ((length >>> 0) + 8 > ADDRESSES) throw new RangeError(`there is no room for ${length >>> 0} bytes and their pair`);
  const pair = allocate(space, (length + 8) | 0);
  const view = viewOf(space);
  view.writeInt32LE((pair + 8) | 0, pair);
  view.writeInt32LE(length | 0, pair + 4);
  return pair;
}
