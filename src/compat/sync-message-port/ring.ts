/**
 * One direction of a channel: a ring of bytes in shared memory with one writer and one reader, in different threads.
 *
 * ```
 * line 0, the writer's   word 0  WRITTEN    messages posted, in the ring and by the port; the reader sleeps on it
 *                        word 1  HEAD       bytes ever written to the ring
 *                        word 2  CLOSED     1: no message follows
 * line 1, the reader's   word 16 TAIL       bytes ever read from the ring
 *                        word 17 SLEEPING   1: wake the reader after a message
 *                        word 18 LISTENING  1: ring the reader's event loop after a message
 *                        word 19 RUNG       1: the loop has been rung and has not looked yet; both set it
 * then                   the ring: records of number (4 bytes), length (4 bytes), bytes, rounded up to 8
 * ```
 *
 * Every message has the next number. A message that the ring cannot hold goes by the port, under its number. A record
 * of length SKIP says that the rest of the ring is unused.
 */
import { Patience } from './patience.ts';
import { performance } from '../../platform/timers.ts';

const WRITTEN = 0;
const HEAD = 1;
const CLOSED = 2;
const TAIL = 16;
const SLEEPING = 17;
const LISTENING = 18;
const RUNG = 19;
const HEADER_BYTES = 128;
/** A power of two, so that the counts of bytes may overflow. */
const RING_BYTES = 64 * 1024;
const RECORD_BYTES = 8;
const SKIP = -1;

/** As long as the head of a record, so that one always fits before the end of the ring. */
const padded = (length: number): number => (length + 7) & ~7;

export const makeRing = (): SharedArrayBuffer => new SharedArrayBuffer(HEADER_BYTES + RING_BYTES);
export const isRing = (value: unknown): value is SharedArrayBuffer =>
  value instanceof SharedArrayBuffer && value.byteLength === HEADER_BYTES + RING_BYTES;

class RingEnd {
  protected readonly words: Int32Array;
  protected readonly ring: Int32Array;
  protected readonly bytes: Uint8Array;

  constructor(buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer, 0, HEADER_BYTES / 4);
    this.ring = new Int32Array(buffer, HEADER_BYTES);
    this.bytes = new Uint8Array(buffer, HEADER_BYTES);
  }

  /** No message follows, and whoever sleeps for one wakes. */
  close(): void {
    Atomics.store(this.words, CLOSED, 1);
    Atomics.notify(this.words, WRITTEN);
  }

  isClosed(): boolean {
    return Atomics.load(this.words, CLOSED) !== 0;
  }
}

export class RingWriter extends RingEnd {
  /** The number of the next message. */
  next = 0;
  private head = 0;

  /** Puts the next message into the ring. False: there is no room for it now. */
  put(message: Uint8Array, length: number): boolean {
    const size = RECORD_BYTES + padded(length);
    const at = this.head & (RING_BYTES - 1);
    const skipped = at + size > RING_BYTES ? RING_BYTES - at : 0;
    if (skipped + size > RING_BYTES - ((this.head - Atomics.load(this.words, TAIL)) | 0)) return false;
    if (skipped > 0) this.ring[(at >> 2) + 1] = SKIP;
    const start = skipped > 0 ? 0 : at;
    this.ring[start >> 2] = this.next;
    this.ring[(start >> 2) + 1] = length;
    this.copy(message, length, start + RECORD_BYTES);
    this.head = (this.head + skipped + size) | 0;
    Atomics.store(this.words, HEAD, this.head);
    return true;
  }

  private copy(message: Uint8Array, length: number, to: number): void {
    if (length > 64) this.bytes.set(message.subarray(0, length), to);
    else for (let i = 0; i < length; i++) this.bytes[to + i] = message[i]!;
  }

  /**
   * Counts the message that was put, or posted, and wakes the reader. True: its event loop is to be rung.
   * SYNC POINT: pairs with RingReader.wait and RingReader.listen.
   */
  publish(): boolean {
    this.next = (this.next + 1) | 0;
    Atomics.store(this.words, WRITTEN, this.next);
    if (Atomics.load(this.words, SLEEPING) !== 0) Atomics.notify(this.words, WRITTEN);
    return Atomics.load(this.words, LISTENING) !== 0 && Atomics.exchange(this.words, RUNG, 1) === 0;
  }
}

export class RingReader extends RingEnd {
  /** The number of the message to be read next. */
  next = 0;
  private tail = 0;
  private readonly patience = new Patience();

  hasMessage(): boolean {
    return Atomics.load(this.words, WRITTEN) !== this.next;
  }

  /** A copy of the next message; null when it went by the port. Only when there is a message. */
  take(): Uint8Array | null {
    const head = Atomics.load(this.words, HEAD);
    if (head === this.tail) return null;
    let at = this.tail & (RING_BYTES - 1);
    if (this.ring[(at >> 2) + 1] === SKIP) {
      this.tail = (this.tail + RING_BYTES - at) | 0;
      at = 0;
    }
    if (this.ring[at >> 2] !== this.next) return null;
    const length = this.ring[(at >> 2) + 1]!;
    const message = this.bytes.slice(at + RECORD_BYTES, at + RECORD_BYTES + length);
    this.tail = (this.tail + RECORD_BYTES + padded(length)) | 0;
    Atomics.store(this.words, TAIL, this.tail);
    return message;
  }

  /** Waits for a message, or the end of them, for at most `timeout` milliseconds: spins, then sleeps. */
  wait(timeout: number): void {
    if (this.spin()) return;
    const began_ms = performance.now();
    Atomics.store(this.words, SLEEPING, 1);
    // A close between the look and the sleep is seen by the next look: the caller sleeps in slices.
    if (!this.isClosed()) Atomics.wait(this.words, WRITTEN, this.next, timeout);
    Atomics.store(this.words, SLEEPING, 0);
    this.patience.learnSleep(performance.now() - began_ms);
  }

  private spin(): boolean {
    const loads = this.patience.loads();
    for (let left = loads; left > 0; left--) {
      if (!this.hasMessage() && !this.isClosed()) continue;
      this.patience.learnSpin(loads, true);
      return true;
    }
    this.patience.learnSpin(loads, false);
    return false;
  }

  listen(on: boolean): void {
    Atomics.store(this.words, LISTENING, on ? 1 : 0);
  }

  /** To be said before the loop looks for messages. */
  answerBell(): void {
    Atomics.store(this.words, RUNG, 0);
  }
}
