/**
 * Kernel memory from its first word: header, tcb array, task records, processor records, windows.
 * Word 0 of every region is null, so that 0 can mean "none" in every link.
 */

export const HEADER_MAGIC = 1;
export const HEADER_VERSION = 2;
export const HEADER_HASH = 3;
/** Limits chosen at boot. */
export const HEADER_THREADS_MAX = 4;
export const HEADER_TASKS_MAX = 5;
/** Where the next search for a free record starts. */
export const HEADER_THREAD_CURSOR = 8;
export const HEADER_TASK_CURSOR = 9;
/** Window allocator: first unused byte in units of WINDOW_SMALL_BYTES, lock, and one free list a size class. */
export const HEADER_WINDOW_LOCK = 16;
export const HEADER_WINDOW_NEXT = 17;
export const HEADER_WINDOW_FREE_SMALL = 18;
export const HEADER_WINDOW_FREE_LARGE = 19;
/** Milliseconds of the epoch at boot: times in kernel memory are offsets to it (paper 5.3.3). */
export const HEADER_EPOCH_LOW = 20;
export const HEADER_EPOCH_HIGH = 21;
/** 1 when the system is shutting down: no new task, no new call. */
export const HEADER_SHUTDOWN = 22;
/** Raised by the supervisor, every BEAT_ms; 0 while a system has none. */
export const HEADER_BEAT = 23;
/** 1 while servers may follow their callers from core to core (platform/handover.ts). */
export const HEADER_HANDOVER = 25;
/** Held while a name is registered. */
export const HEADER_NAME_LOCK = 24;
/** Rung, with a count that goes up, whenever the supervisor has put another incarnation in place, or given up. */
export const HEADER_RESTARTS = 26;
/** Milliseconds since boot when an agent that parked has tried to spin: it takes both sides (platform/patience.ts). */
export const HEADER_TRIED = 32;
export const HEADER_WORDS = 64;

/**
 * Rings of waits that were broken, between header and tcb array. The supervisor writes the names of a ring here before
 * it ends the wait of its victim; the victim reads them and frees the slot.
 *   {thread id of the victim, 0 when free | sequence of its call | bytes of the text | text in UTF-8}
 */
export const RING_BASE = 128;
export const RING_SLOTS = 7;
export const RING_WORDS = 128;
export const RING_VICTIM = 0;
export const RING_SEQUENCE = 1;
export const RING_TEXT_BYTES = 2;
export const RING_TEXT = 3;
export const RING_TEXT_MAX = (RING_WORDS - RING_TEXT) * 4;
/** Word index of a slot. */
export const ringAt = (slot: number): number => RING_BASE + slot * RING_WORDS;
