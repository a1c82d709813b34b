/**
 * Moving a message from the sender's registers and strings into the receiver (paper 5.2.2-5.2.3): words into the ipc
 * line, string items by one copy into the receiver's communication window.
 *
 * Who moves: the sender's agent, while it holds the receiver's state word locked; or, when the sender stands in the
 * polling-me queue, the receiver's agent out of the sender's own line and window, so that a parked sender need not run.
 * A message longer than the window goes in pieces through the two halves of the window in turn, after the publication:
 * {filled} counts what the sender put in, {drained} what the receiver took out, and each waits on the other's count.
 */
import { allocateBytes, load, moveBytes, pause, peek, poke, putBytes, registers, store, takeBytes } from '#atomics';
import { notify, spinLoads, wait } from '#wait';
import {
  CUT,
  OK,
  PEER_GONE,
  R_CALLED,
  R_CUT,
  R_SENDER,
  R_SEQUENCE,
  R_STRING,
  R_STRING_TOTAL,
  R_TAG,
  R_WORD,
  type Result,
  TAG_STRING_SHIFT,
  TAG_STRINGS,
  TAG_WORDS,
} from '../layout/message.ts';
import { PARK_SLICE_ms, PIECES } from '../layout/params.ts';
import type { Tcb } from '../layout/tcb.ts';
import {
  DEAD,
  TCB_ACCEPT,
  TCB_ACCEPT_STATED,
  TCB_BYTES,
  TCB_CUT,
  TCB_DRAINED,
  TCB_FILLED,
  TCB_ID,
  TCB_IN_PIECES,
  TCB_OUT_CUT,
  TCB_OUT_PIECES,
  TCB_SENDER,
  TCB_SENT,
  TCB_SEQUENCE,
  TCB_STATE,
  TCB_STRING,
  TCB_STRING_TOTAL,
  TCB_TAG,
  TCB_TRANSFER,
  TCB_WINDOW,
  TCB_WINDOW_BYTES,
  TCB_WORD,
  tcbOf,
} from '../layout/tcb.ts';

/** The string items of the next message to send. Who states them keeps them unchanged until the operation ends. */
export const outgoing: Uint8Array[] = [];
/** The receiver's stated buffers for the next message; items go there when there are any. */
export const stated: Uint8Array[] = [];
/** Where the items of a message that did not fit the window, or went to stated buffers, lie after a receive. */
export const incoming: Uint8Array[] = [];

export const stringsIn = (tag: number): number => (tag & TAG_STRINGS) >> TAG_STRING_SHIFT;

/** Writes the message of the registers into `target`'s ipc line, which this agent holds locked (or owns). */
export function putMessage(target: Tcb, sender: number, tag: number, sequence: number): void {
  poke(target + TCB_SENDER, sender);
  poke(target + TCB_TAG, tag);
  poke(target + TCB_SEQUENCE, sequence);
  const count = (tag & TAG_WORDS) << 1;
  for (let i = 0; i < count; i++) poke(target + TCB_WORD + i, registers[R_WORD + i]!);
}

/** Reads the message in the own ipc line into the registers: from here on nobody can change it. */
export function takeMessage(self: Tcb): void {
  const tag = peek(self + TCB_TAG);
  registers[R_SENDER] = peek(self + TCB_SENDER);
  registers[R_TAG] = tag;
  registers[R_SEQUENCE] = peek(self + TCB_SEQUENCE);
  const count = (tag & TAG_WORDS) << 1;
  for (let i = 0; i < count; i++) registers[R_WORD + i] = peek(self + TCB_WORD + i);
}

/** Writes a message that the kernel itself answers with: no sender, a result code in the first word. */
export function putKernelError(target: Tcb, tag: number, code: Result): void {
  poke(target + TCB_SENDER, 0);
  poke(target + TCB_TAG, tag);
  poke(target + TCB_WORD, code);
}

/**
 * States the string items: lengths into `target`, cut to what it accepts, and the bytes into its window if they fit;
 * if not they follow in pieces. With `target` the sender itself this stages a message for a receiver that will pull.
 */
export function putStrings(self: Tcb, target: Tcb, tag: number): void {
  const count = stringsIn(tag);
  const accepts = self !== target && peek(target + TCB_ACCEPT_STATED) !== 0;
  let meant = 0;
  let total = 0;
  for (let i = 0; i < count; i++) {
    const length = registers[R_STRING + i]!;
    const taken = accepts ? Math.min(length, peek(target + TCB_ACCEPT + i)) : length;
    poke(target + TCB_STRING + i, taken);
    meant += length;
    total += taken;
  }
  poke(target + TCB_STRING_TOTAL, total);
  poke(target + TCB_CUT, meant - total);
  registers[R_CUT] = meant - total;
  poke(self + TCB_BYTES, (peek(self + TCB_BYTES) + total) | 0);
  const pieces = total > peek(target + TCB_WINDOW_BYTES);
  poke(target + TCB_IN_PIECES, pieces ? 1 : 0);
  if (pieces) {
    store(target + TCB_FILLED, 0);
    store(target + TCB_DRAINED, 0);
    return;
  }
  let at = peek(target + TCB_WINDOW);
  for (let i = 0; i < count; i++) {
    const length = peek(target + TCB_STRING + i);
    putBytes(at, outgoing[i]!, 0, length);
    at += length;
  }
}

/** Whether the strings put into `target` follow in pieces. */
export const inPieces = (target: Tcb, tag: number): boolean =>
  (tag & TAG_STRINGS) !== 0 && peek(target + TCB_IN_PIECES) !== 0;

/** The receiver's half of a transfer out of the queue: from the line and window of a claimed sender into the own. */
export function pullMessage(self: Tcb, sender: Tcb): void {
  const tag = peek(sender + TCB_TAG);
  poke(self + TCB_SENDER, peek(sender + TCB_ID));
  poke(self + TCB_TAG, tag);
  poke(self + TCB_SEQUENCE, peek(sender + TCB_SEQUENCE));
  const count = (tag & TAG_WORDS) << 1;
  for (let i = 0; i < count; i++) poke(self + TCB_WORD + i, peek(sender + TCB_WORD + i));
  if ((tag & TAG_STRINGS) !== 0) pullStrings(self, sender, stringsIn(tag));
}

function pullStrings(self: Tcb, sender: Tcb, count: number): void {
  const accepts = peek(self + TCB_ACCEPT_STATED) !== 0;
  let total = 0;
  let meant = 0;
  for (let i = 0; i < count; i++) {
    const length = peek(sender + TCB_STRING + i);
    const taken = accepts ? Math.min(length, peek(self + TCB_ACCEPT + i)) : length;
    poke(self + TCB_STRING + i, taken);
    meant += length;
    total += taken;
  }
  poke(self + TCB_STRING_TOTAL, total);
  poke(self + TCB_CUT, meant - total);
  poke(sender + TCB_OUT_CUT, meant - total);
  const pieces = peek(sender + TCB_IN_PIECES) !== 0 || total > peek(self + TCB_WINDOW_BYTES);
  poke(self + TCB_IN_PIECES, pieces ? 1 : 0);
  poke(sender + TCB_OUT_PIECES, pieces ? count : 0);
  if (pieces) {
    store(self + TCB_FILLED, 0);
    store(self + TCB_DRAINED, 0);
    return;
  }
  let from = peek(sender + TCB_WINDOW);
  let to = peek(self + TCB_WINDOW);
  for (let i = 0; i < count; i++) {
    const taken = peek(self + TCB_STRING + i);
    moveBytes(to, from, taken);
    from += peek(sender + TCB_STRING + i);
    to += taken;
  }
}

/**
 * Brings the strings of a received message to where the receiver wants them: nowhere (they are in the window), into its
 * stated buffers, or, longer than the window, into new private ones. Ends the transfer.
 */
export function takeStrings(self: Tcb): Result {
  const tag = peek(self + TCB_TAG);
  const count = stringsIn(tag);
  registers[R_STRING_TOTAL] = peek(self + TCB_STRING_TOTAL);
  for (let i = 0; i < count; i++) registers[R_STRING + i] = peek(self + TCB_STRING + i);
  incoming.length = 0;
  const pieces = inPieces(self, tag);
  // The stated buffers are those of one thread of this agent.
  const accepts = peek(self + TCB_ACCEPT_STATED) !== 0;
  if (pieces || accepts) {
    for (let i = 0; i < count; i++) {
      incoming.push(accepts && stated[i] !== undefined ? stated[i]! : allocateBytes(registers[R_STRING + i]!));
    }
    const result = pieces ? receivePieces(self, count) : scatter(self, count);
    if (result !== OK) return result;
  }
  return peek(self + TCB_CUT) === 0 ? OK : CUT;
}

function scatter(self: Tcb, count: number): Result {
  let at = peek(self + TCB_WINDOW);
  for (let i = 0; i < count; i++) {
    const length = registers[R_STRING + i]!;
    takeBytes(at, incoming[i]!, 0, length);
    at += length;
  }
  return OK;
}

/**
 * Sends the first `count` items of `outgoing` through the halves of the window of thread `to`, which has the header
 * already.
 */
export function sendPieces(self: Tcb, to: number, count: number): Result {
  const target = tcbOf(to);
  store(self + TCB_TRANSFER, to);
  // The repair of a partner that lives still waits for us before it gives the window back.
  if (isGone(to)) return endTransfer(self, PEER_GONE);
  const half = (peek(target + TCB_WINDOW_BYTES) / PIECES) | 0;
  const base = peek(target + TCB_WINDOW);
  let piece = 0;
  let used = 0;
  for (let i = 0; i < count; i++) {
    const length = peek(target + TCB_STRING + i);
    for (let from = 0; from < length;) {
      if (used === 0 && !awaitCount(target + TCB_DRAINED, piece - PIECES + 1, to)) return endTransfer(self, PEER_GONE);
      const run = Math.min(length - from, half - used);
      putBytes(base + (piece % PIECES) * half + used, outgoing[i]!, from, run);
      from += run;
      used += run;
      if (used === half) {
        announce(target + TCB_FILLED, ++piece);
        used = 0;
      }
    }
  }
  if (used > 0) announce(target + TCB_FILLED, ++piece);
  // The last pieces are in the window: the bytes are the sender's own again. It must not wait for them to be drained:
  // a receiver that has them all may begin its next message at once, and with it these counts.
  return endTransfer(self, OK);
}

function receivePieces(self: Tcb, count: number): Result {
  const half = (peek(self + TCB_WINDOW_BYTES) / PIECES) | 0;
  const base = peek(self + TCB_WINDOW);
  const from = peek(self + TCB_SENDER);
  store(self + TCB_TRANSFER, from);
  let piece = 0;
  let used = 0;
  for (let i = 0; i < count; i++) {
    const length = registers[R_STRING + i]!;
    for (let to = 0; to < length;) {
      if (used === 0 && !awaitCount(self + TCB_FILLED, piece + 1, from)) return endTransfer(self, PEER_GONE);
      const run = Math.min(length - to, half - used);
      takeBytes(base + (piece % PIECES) * half + used, incoming[i]!, to, run);
      to += run;
      used += run;
      if (used === half) {
        announce(self + TCB_DRAINED, ++piece);
        used = 0;
      }
    }
  }
  if (used > 0) announce(self + TCB_DRAINED, ++piece);
  return endTransfer(self, OK);
}

function endTransfer(self: Tcb, result: Result): Result {
  store(self + TCB_TRANSFER, 0);
  // SYNC POINT: pairs with awaitCopy of the repair.
  notify(self + TCB_TRANSFER);
  return result;
}

// SYNC POINT: pairs with awaitCount on the other side of the transfer.
function announce(at: number, count: number): void {
  store(at, count);
  notify(at);
}

/** Set in a count by the repair of a partner, so that its sleeper looks again. Of a count that is not meant no harm. */
export const LOOK_AGAIN = 1 << 30;

/** Waits until the count at `at` is `wanted` or more. False: the other side is gone, or (negative) it is broken off. */
function awaitCount(at: number, wanted: number, partner: number): boolean {
  for (let spins = spinLoads; ; spins--) {
    const seen = load(at);
    if (seen < 0 || (seen & (LOOK_AGAIN - 1)) >= wanted) return seen >= 0;
    if (spins > 0) pause();
    else if (isGone(partner)) return false;
    else wait(at, seen, PARK_SLICE_ms);
  }
}

const isGone = (id: number): boolean => load(tcbOf(id) + TCB_STATE) === DEAD || peek(tcbOf(id) + TCB_ID) !== id;

let sequence = 0;

/** The next call sequence of this agent, never 0: it tells the reply that is awaited from one that comes too late. */
export function nextSequence(): number {
  sequence = (sequence + 1) & 0x3fffffff;
  if (sequence === 0) sequence = 1;
  registers[R_CALLED] = sequence;
  return sequence;
}

/** Counts one message sent by `self`. */
export const countSent = (self: Tcb): void => poke(self + TCB_SENT, (peek(self + TCB_SENT) + 1) | 0);
