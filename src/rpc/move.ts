/**
 * `move(buffer)`: an ArrayBuffer that is to be transferred with the next call or result it appears in, not copied. It
 * goes over the side port and is detached here, as with the transfer list of `postMessage`.
 */
import { shown } from './shown.ts';

let any = false;
const moved = new WeakSet<object>();

/** Marks a buffer, or the buffer of a view. Gives back its argument. Throws a TypeError for what has no such buffer. */
export function move<T extends ArrayBuffer | ArrayBufferView>(x: T): T {
  const buffer: unknown = ArrayBuffer.isView(x) ? x.buffer : x;
  if (!(buffer instanceof ArrayBuffer)) {
    throw new TypeError(`move() takes an ArrayBuffer or a view of one, not ${shown(x)}`);
  }
  any = true;
  moved.add(buffer);
  return x;
}

export const isMoved = (buffer: object): boolean => any && moved.has(buffer);
