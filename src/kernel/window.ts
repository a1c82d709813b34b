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
import { indexOfTcb, type Tcb, TCB_WINDOW, TCB_WINDOW_BYTES, tcbAt } from '../layout/tcb.ts';
import { lockQueue, unlockQueue } from './queue.ts';

/** First byte of the windows, on a boundary of the small size. */
export const WINDOWS_START = Math.ceil((WINDOWS_BASE * 4) / WINDOW_SMALL_BYTES) * WINDOW_SMALL_BYTES;

const freeListOf = (size_bytes: number): number =>
  size_bytes === WINDOW_BYTES ? HEADER_WINDOW_FREE_LARGE : HEADER_WINDOW_FREE_SMALL;

/**
 * Gives a thread a communication window: the large one, or that of a single call. False: kernel memory is full. Its own
 * word is written first here, and last in `freeWindow`: no window is without an owner, whoever is ended on the way.
 */
export function giveWindow(tcb: Tcb, large: boolean): boolean {
  const size_bytes = large ? WINDOW_BYTES : WINDOW_SMALL_BYTES;
  lockQueue(HEADER_WINDOW_LOCK, indexOfTcb(tcb));
  const list = freeListOf(size_bytes);
  const free = peek(list);
  const at = free === 0 ? peek(HEADER_WINDOW_NEXT) : free;
  const fits = at + size_bytes <= MEMORY_BYTES;
  if (fits) {
    poke(tcb + TCB_WINDOW_BYTES, size_bytes);
    poke(tcb + TCB_WINDOW, at);
    if (free === 0) poke(HEADER_WINDOW_NEXT, at + size_bytes);
    else poke(list, peek(at >> 2));
  }
  unlockQueue(HEADER_WINDOW_LOCK);
  return fits;
}

/** Takes the window of a thread back, if it has one. */
export function freeWindow(tcb: Tcb, holder: number): void {
  lockQueue(HEADER_WINDOW_LOCK, holder);
  const at = peek(tcb + TCB_WINDOW);
  const list = freeListOf(peek(tcb + TCB_WINDOW_BYTES));
  if (at !== 0) {
    poke(at >> 2, peek(list));
    poke(list, at);
    poke(tcb + TCB_WINDOW, 0);
  }
  poke(tcb + TCB_WINDOW_BYTES, 0);
  unlockQueue(HEADER_WINDOW_LOCK);
}

/** Settles what the dead holder of the lock had begun: a window that is free, or not yet cut, is no thread's. */
export function settleWindows(end: number): void {
  for (let index = 1; index <= end; index++) {
    const at = peek(tcbAt(index) + TCB_WINDOW);
    const list = freeListOf(peek(tcbAt(index) + TCB_WINDOW_BYTES));
    if (at !== 0 && (at === peek(list) || at === peek(HEADER_WINDOW_NEXT))) poke(tcbAt(index) + TCB_WINDOW, 0);
  }
}
