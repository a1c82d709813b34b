/**
 * Communication windows: the region of kernel memory into which senders write the strings of a receiver (paper 5.2.3).
 * Windows come in two sizes, for threads that wait in place and for single calls in flight. They are cut from the end
 * of kernel memory as they are needed, and go back to a free list, linked through their first word.
 */
import { peek, poke } from '#atomics';
import {
  HEADER_WINDOW_FREE_LARGE,
  HEADER_WINDOW_FREE_SMALL,
  HEADER_WINDOW_LOCK,
  HEADER_WINDOW_NEXT,
} from '../layout/map.ts';
import { MEMORY_BYTES, WINDOW_BYTES, WINDOW_SMALL_BYTES } from '../layout/params.ts';
import { WINDOWS_BASE } from '../layout/task.ts';
import { lockQueue, unlockQueue } from './queue.ts';

/** First byte of the windows, on a boundary of the small size. */
export const WINDOWS_START = Math.ceil((WINDOWS_BASE * 4) / WINDOW_SMALL_BYTES) * WINDOW_SMALL_BYTES;

const freeListOf = (size_bytes: number): number =>
  size_bytes === WINDOW_BYTES ? HEADER_WINDOW_FREE_LARGE : HEADER_WINDOW_FREE_SMALL;

/** Byte index of a window of this size (one of the two in params.ts), or 0: kernel memory is full. */
export function allocateWindow(size_bytes: number, holder: number): number {
  lockQueue(HEADER_WINDOW_LOCK, holder);
  const list = freeListOf(size_bytes);
  let at = peek(list);
  if (at !== 0) {
    poke(list, peek(at >> 2));
  } else {
    const next = peek(HEADER_WINDOW_NEXT);
    if (next + size_bytes <= MEMORY_BYTES) {
      at = next;
      poke(HEADER_WINDOW_NEXT, next + size_bytes);
    }
  }
  unlockQueue(HEADER_WINDOW_LOCK);
  return at;
}

export function freeWindow(at: number, size_bytes: number, holder: number): void {
  lockQueue(HEADER_WINDOW_LOCK, holder);
  const list = freeListOf(size_bytes);
  poke(at >> 2, peek(list));
  poke(list, at);
  unlockQueue(HEADER_WINDOW_LOCK);
}
