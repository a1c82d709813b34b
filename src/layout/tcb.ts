/**
 * The thread control block: eight cache lines, one writer pattern each (paper 5.2.5). Offsets are in words of 32 bits
 * from the start of the record; a `Tcb` is the word index of a record, already multiplied.
 *
 *   line 0  the ipc line    state, sender, tag, sequence and message words 0-5: a short message is this one line.
 *                           Written by the owner while it runs, by the claimer while it is locked.
 *   line 1  message words 6-13          } written by whoever may write line 0
 *   line 2  message words 14-15, dope   }
 *   line 3  pieces in                   written by the sender of a long message
 *   line 4  the owner's line            pieces out, partner of a long transfer, counters, since when
 *   line 5  polling-me queue, head      written under its lock
 *   line 6  links                       polling-me link under its lock; ready and wakeup links by the processor
 *   line 7  identity                    written when the thread is made and when it dies
 *
 * The state word is   kind (3 bits) | parked (1) | generation, low 12 | index (16).
 * The index is the awaited partner (or ANY_INDEX) of a waiting thread, the target of a polling one, the claimer of a
 * locked one. The expected value of every claim is built from the thread id, so that state, partner and generation are
 * one compare.
 */
import { ANY_INDEX, GENERATION_MASK, INDEX_BITS, INDEX_MASK } from './params.ts';

/** T marked with a name, so that swapped arguments are type errors; a plain number at run time. */
export type Brand<T, Name extends string> = T & { readonly __brand: Name };
/** Word index of a tcb record. */
export type Tcb = Brand<number, 'Tcb'>;
/** Generation and index of a thread: unique in time until the generation wraps, after 32,768 uses of one record. */
export type ThreadId = Brand<number, 'ThreadId'>;

export const TCB_WORDS = 128;
/** The tcb array starts behind the header, on a page of its own. */
export const TCB_BASE = 1024;

// Line 0: the ipc line.
export const TCB_STATE = 0;
/** Thread that the message came from; 0 when the kernel itself answers. */
export const TCB_SENDER = 1;
/** Of the message in the line; of the own message while its answer is awaited. */
export const TCB_TAG = 2;
/**
 * While waiting for a reply: the sequence of the call it must answer. Once a message is here: the message's sequence.
 */
export const TCB_SEQUENCE = 3;
export const TCB_WORD = 4;
// Line 2, behind the last message word.
/** Bytes of all string items together, as the sender meant them. */
export const TCB_STRING_TOTAL = 36;
/** Lengths of the string items, in bytes, as the receiver accepts them. */
export const TCB_STRING = 37;
/** Bytes that did not fit the receiver's stated buffers. */
export const TCB_CUT = 45;
/** 1 when the strings follow in pieces after the publication. */
export const TCB_IN_PIECES = 46;
// Line 3.
/** Pieces the sender has put into the window, counted from the start of the message, and LOOK_AGAIN. */
export const TCB_FILLED = 48;
/**
 * Of the own message that was taken out of a queue, written by its taker: its string items if they must follow in
 * pieces, and the bytes that did not fit. Apart from the line's words, which the answer may overwrite before the sender
 * looks.
 */
export const TCB_OUT_PIECES = 49;
export const TCB_OUT_CUT = 50;
/**
 * Sequences of calls of this thread that were answered while the thread did not wait for them, written by who answered.
 * It looks here when it waits for such a call again, after an upcall. A few words, by sequence: what is answered too
 * late of the calls that it made and gave up in that upcall must not cover the one that it comes back to.
 */
export const TCB_MISSED = 51;
const MISSED_MASK = 7;
// Line 4: the owner's.
/** Pieces the receiver has taken out of its window, and LOOK_AGAIN. */
export const TCB_DRAINED = 64;
/** Partner in a long transfer, 0 when there is none: the repair finds both sides of a transfer by it. */
export const TCB_TRANSFER = 65;
/** Messages sent, of all kinds. Wraps. */
export const TCB_SENT = 66;
/** Bytes of string items sent. Wraps. */
export const TCB_BYTES = 67;
/** Milliseconds since boot when the thread last parked. */
export const TCB_SINCE = 68;
/** Times the thread parked. Wraps. */
export const TCB_PARKS = 69;
/** Milliseconds (base + offset) at which the present wait ends; 0 for never. */
export const TCB_DEADLINE = 70;
/** 1 when the receiver has stated buffers; their sizes in bytes follow, one a string item. */
export const TCB_ACCEPT_STATED = 71;
export const TCB_ACCEPT = 72;
// Line 5: the polling-me queue.
/** 0, or index of the holder | QUEUE_CONTENDED. */
export const TCB_QUEUE_LOCK = 80;
export const TCB_QUEUE_FIRST = 81;
export const TCB_QUEUE_LAST = 82;
/** Ticket of the latest arrival: orders the queue when it must be rebuilt. */
export const TCB_QUEUE_TICKET = 83;
// Line 6: links.
export const TCB_POLL_NEXT = 96;
export const TCB_POLL_PREVIOUS = 97;
export const TCB_TICKET = 98;
export const TCB_READY_NEXT = 99;
/** 1 while the thread is linked in its processor's ready queue, whatever its state says. */
export const TCB_READY_LINKED = 100;
export const TCB_WAKEUP_NEXT = 101;
export const TCB_WAKEUP_PREVIOUS = 102;
/** 0, or 1 + the wakeup list it is linked in. */
export const TCB_WAKEUP_LIST = 103;
/** Receive timeout of the call with which a multiplexed thread polls: its wait begins when the message is taken. */
export const TCB_RECEIVE_TIMEOUT = 106;
/** Head of the queue that the polling-me links belong to, 0 for none. Written under that queue's lock. */
export const TCB_POLL_QUEUE = 105;
/** Id of the thread that is polled for, of which the state has the index only. */
export const TCB_POLL_TARGET = 107;
/** 1 when a message for a multiplexed thread lies in its ipc line, to be taken when it runs. */
export const TCB_PENDING = 104;
// Line 7: identity.
export const TCB_ID = 112;
export const TCB_TASK = 113;
export const TCB_CHIEF = 114;
export const TCB_PROCESSOR = 115;
/** Word that is rung when the thread is parked: 0 for its own state word, else its processor's doorbell. */
export const TCB_BELL = 116;
/** Byte index and size of its communication window; 0 for none. */
export const TCB_WINDOW = 117;
export const TCB_WINDOW_BYTES = 118;
/** Id of the task that has taken the record, the first word of it that is written; 0 while it is free. */
export const TCB_TAKEN = 119;
/** 1 for a thread multiplexed on its processor: only that processor changes its state. */
export const TCB_HOME = 120;

/** Bit of a lock word: somebody sleeps on it. */
export const QUEUE_CONTENDED = 1 << 30;

// State word.
export const PARKED = 1 << 28;
export const KIND_MASK = -1 << 29;
/** Not a thread, or no longer one. All of an untouched record is this. */
export const DEAD = 0;
/** Running, or ready to: not receptive. */
export const RUN = 1 << 29;
/** Waits for a message of the partner in the index; anybody may claim it by CAS. */
export const WAIT = 2 << 29;
/** Claimed by the thread in the index, which writes the message. */
export const LOCK = 3 << 29;
/** Wants to send to the thread in the index, and stands in its polling-me queue. */
export const POLL = 4 << 29;
/** As WAIT and POLL, of a thread that only its home processor may change, by plain stores. */
export const HOME_WAIT = 5 << 29;
export const HOME_POLL = 6 << 29;

/** The generation as the state word holds it. An id has it in the same place: `id & STATE_GENERATION`. */
export const STATE_GENERATION = 0x0fff << INDEX_BITS;

/** Where it is said that the answer to the call `sequence` was missed. */
export const missedAt = (tcb: Tcb, sequence: number): number => tcb + TCB_MISSED + (sequence & MISSED_MASK);

/** Word index of the tcb with this index. */
export const tcbAt = (index: number): Tcb => (TCB_BASE + index * TCB_WORDS) as Tcb;
/** Word index of the tcb of a thread, by mask and multiplication: any id has one. */
export const tcbOf = (id: number): Tcb => (TCB_BASE + (id & INDEX_MASK) * TCB_WORDS) as Tcb;
export const indexOfTcb = (tcb: Tcb): number => (tcb - TCB_BASE) / TCB_WORDS;
export const threadIdOf = (index: number, generation: number): ThreadId =>
  (((generation & GENERATION_MASK) << INDEX_BITS) | index) as ThreadId;
export const generationOf = (id: number): number => (id >> INDEX_BITS) & GENERATION_MASK;

/** The state of thread `id` when it runs. */
export const running = (id: number): number => RUN | (id & STATE_GENERATION);
/** The state of thread `id` when it waits for the thread whose index is given, or for ANY_INDEX. */
export const waiting = (id: number, partner: number): number => WAIT | (id & STATE_GENERATION) | (partner & INDEX_MASK);
export const open = (id: number): number => WAIT | (id & STATE_GENERATION) | ANY_INDEX;
export const locked = (id: number, claimer: number): number => LOCK | (id & STATE_GENERATION) | (claimer & INDEX_MASK);
export const polling = (id: number, target: number): number => POLL | (id & STATE_GENERATION) | (target & INDEX_MASK);
export const homeWaiting = (id: number, partner: number): number =>
  HOME_WAIT | (id & STATE_GENERATION) | (partner & INDEX_MASK);
export const homePolling = (id: number, target: number): number =>
  HOME_POLL | (id & STATE_GENERATION) | (target & INDEX_MASK);
