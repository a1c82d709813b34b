/**
 * `with({ borrow })` and `with({ into })`: byte arrays with fewer copies.
 *
 * Ordinary values are owned by who gets them: the bytes of an argument are copied into the message, into the window of
 * the callee, out of it, and into an array of their own. A *lent* argument is gathered by the kernel from the caller's
 * array straight into the window, and from there into an array that the callee uses again for the next call; when the
 * call is answered that array is detached, so that who kept it sees nothing instead of another call's bytes. A view of
 * the window itself would save one more copy; it would change under its holder as soon as the handler calls somebody,
 * for the answer comes into the same window.
 *
 * A byte result is copied straight out of the window, into `into`, or with `borrow` into an array that is lent to the
 * caller until its next call through the same stubs.
 */
import { peek, registers } from '#atomics';
import { incoming } from '../kernel/transfer.ts';
import { R_STRING } from '../layout/message.ts';
import { type Tcb, TCB_WINDOW, TCB_WINDOW_BYTES } from '../layout/tcb.ts';
import { takeBytes } from '../platform/atomics.ts';
import { CodecError } from './errors-codec.ts';
import { IpcError } from './ipc-error.ts';
import { isMoved } from './move.ts';

/** Longer arrays are not kept for the next call. */
const KEPT_BYTES_MAX = 1 << 22;

/** An array that is lent, again and again, and detached in between. */
export class Loan {
  private buffer = new ArrayBuffer(0);
  private isOut = false;

  /** A view of the whole of it. Its length is that of the bytes, so that a clone of it has no others. */
  lend(length: number): Uint8Array {
    this.end();
    if (this.buffer.byteLength !== length) this.buffer = new ArrayBuffer(length);
    this.isOut = true;
    return new Uint8Array(this.buffer);
  }

  end(): void {
    if (!this.isOut) return;
    this.isOut = false;
    this.buffer = recovered(this.buffer);
  }
}

/** Detaches a buffer. Gives its memory, or none when it is not worth keeping, or has been given away. */
function recovered(buffer: ArrayBuffer): ArrayBuffer {
  if (buffer.detached) return new ArrayBuffer(0);
  return buffer.byteLength > KEPT_BYTES_MAX ? buffer.transfer(0) : buffer.transfer();
}

/** Memory of lent arguments that may be lent again. */
const spare: ArrayBuffer[] = [];
const SPARE_MAX = 4;
/** Arguments that are lent to handlers of this agent now. */
export let lentOut = 0;

/** An array to lend to a handler, of any content. */
export function lendTo(length: number): Uint8Array {
  lentOut++;
  const at = spare.findIndex((buffer) => buffer.byteLength === length);
  return new Uint8Array(at < 0 ? new ArrayBuffer(length) : spare.splice(at, 1)[0]!);
}

/** The calls that these were lent to have been answered. */
export function endLoans(loans: readonly ArrayBuffer[]): void {
  for (const buffer of loans) {
    lentOut--;
    const memory = recovered(buffer);
    if (memory.byteLength === 0) continue;
    if (spare.length === SPARE_MAX) spare.shift();
    spare.push(memory);
  }
}

/**
 * Whether a byte array arrives as its bytes and no more: its buffer is its own, or it is a Buffer, most of which are
 * slices of a pool; and private and plain.
 */
export function isWhole(value: Uint8Array): boolean {
  const { buffer } = value;
  return (
    value.length > 0 &&
    buffer instanceof ArrayBuffer &&
    (buffer.byteLength === value.length || value instanceof Buffer) &&
    !buffer.resizable &&
    !isMoved(buffer)
  );
}

/** Whether an argument can be lent. Shared memory need not be: the callee sees the caller's own. */
export const isLendable = (value: unknown): value is Uint8Array =>
  value instanceof Uint8Array && value.length > 0 && value.buffer instanceof ArrayBuffer && !isMoved(value.buffer);

/** Copies the byte string in the registers, alone in the message of `self`, to where `placeFor` says. */
export function takeByteString(self: Tcb, placeFor: (length: number) => Uint8Array): Uint8Array {
  const length = registers[R_STRING]!;
  const own = incoming[0];
  if (own !== undefined) {
    incoming.length = 0;
    // What a task in this agent answered is still its own.
    const place = placeFor(length);
    place.set(own.length === length ? own : own.subarray(0, length));
    return place;
  }
  if (!(length >= 0 && length <= peek(self + TCB_WINDOW_BYTES)))
    throw new CodecError('ERR_IPC_PROTOCOL', 'a message is longer than its window');
  const place = placeFor(length);
  takeBytes(peek(self + TCB_WINDOW), place, 0, length);
  return place;
}

/** What of a call an error names. */
interface Named {
  readonly task: string;
  readonly method: string;
}

/** The byte options of a stub object. */
export class ByteOptions {
  readonly borrow: boolean;
  readonly into: Uint8Array | null;
  private readonly loan = new Loan();

  constructor(borrow: boolean, into: Uint8Array | null) {
    this.borrow = borrow;
    this.into = into;
  }

  /** What was lent by the call before is taken back. */
  begin(): void {
    this.loan.end();
  }

  /** Where a byte result goes. Throws ERR_IPC_OVERFLOW. */
  placeFor({ task, method }: Named, isBlocked: boolean): (length: number) => Uint8Array {
    const { into, loan } = this;
    if (into === null)
      return isBlocked && this.borrow ? (length) => loan.lend(length) : (length) => new Uint8Array(length);
    return (length) => {
      if (length <= into.length) return into.subarray(0, length);
      const text = `${task}.${method}(): the result has ${length} bytes, the buffer given as into has ${into.length}`;
      throw new IpcError('ERR_IPC_OVERFLOW', text, { task, method, phase: 'transfer' });
    };
  }

  /** A result that has come another way: only bytes have a place. */
  place(value: unknown, named: Named): unknown {
    if (this.into === null || !(value instanceof Uint8Array)) return value;
    const place = this.placeFor(named, true)(value.length);
    place.set(value);
    return place;
  }
}
