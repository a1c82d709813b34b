/**
 * Arguments and results as messages. Four formats, told by the tag, the cheapest that fits:
 *
 *   NONE     nothing: no arguments, or undefined
 *   NUMBERS  one f64 a message word
 *   INLINE   primitives and short strings, byte by byte in the message words, no serialiser involved
 *   STREAM   the bytes of the codec as string item 0; with a ticket in word 0 when some of it went over the side port
 *
 *   BYTES    of a result: a Uint8Array and nothing else, string item 0
 *   LENT     of arguments: as STREAM, without the byte arrays that are lent; these are the string items from 1 on, and
 *            the words say which arguments they are (rpc/bytes.ts)
 *
 * The bit LAST beside one of them says that the value is what an iterator gave at its end (rpc/generators.ts).
 *
 * What is in the registers has been copied out of shared memory, and a stream is copied before it is decoded: nobody
 * can change what has been checked.
 */
import { peek } from '#atomics';
import { incoming, outgoing } from '../kernel/transfer.ts';
import {
  R_FLOAT,
  R_SENDER,
  R_STRING,
  TAG_FORMAT,
  TAG_FORMAT_SHIFT,
  TAG_STRING_SHIFT,
  TAG_STRINGS,
  TAG_WORDS,
} from '../layout/message.ts';
import { MESSAGE_WORDS, STRINGS_MAX } from '../layout/params.ts';
import { type Tcb, TCB_TASK, TCB_WINDOW, TCB_WINDOW_BYTES, tcbOf } from '../layout/tcb.ts';
import { registers, takeBytes } from '../platform/atomics.ts';
import { registerBytes, registerFloats } from '../platform/registers.ts';
import { isLendable, isWhole, lendTo, lentOut, takeByteString } from './bytes.ts';
import { collect, post, transfersOf } from './carry.ts';
import { CodecError, decode, encode } from './codec.ts';

const NONE = 0 << TAG_FORMAT_SHIFT;
const NUMBERS = 1 << TAG_FORMAT_SHIFT;
const INLINE = 2 << TAG_FORMAT_SHIFT;
const STREAM = 3 << TAG_FORMAT_SHIFT;
const LAST = 4 << TAG_FORMAT_SHIFT;
const BYTES = 8 << TAG_FORMAT_SHIFT;
const LENT = BYTES;
const STREAM_TAG = STREAM | (1 << TAG_STRING_SHIFT);

/** The functions of the value last put, in the order of their handles; null when there were none. */
export let functionsPut: Function[] | null = null;

/** Whether something of the message last put that went over the side port is no longer here: it was transferred. */
export let gaveAway = false;

/** Whether part of the message with this tag went over the side port. */
export const carries = (tag: number): boolean => (tag & TAG_FORMAT) === STREAM && (tag & TAG_WORDS) !== 0;

const INLINE_BYTES = MESSAGE_WORDS * 8;
const INLINE_UNDEFINED = 0;
const INLINE_NULL = 1;
const INLINE_FALSE = 2;
const INLINE_TRUE = 3;
const INLINE_INTEGER = 4;
const INLINE_FLOAT = 5;
/** A string in latin1: length and bytes follow. */
const INLINE_STRING = 6;
/** A function: the number of its handle follows. */
const INLINE_FUNCTION = 7;

const floatCell = new Float64Array(1);
const floatBytes = new Uint8Array(floatCell.buffer);
/** The message words as a Buffer: V8 makes a string of its bytes, and bytes of a string, in one step. */
const inlineBuffer = Buffer.from(registerBytes.buffer, registerBytes.byteOffset, registerBytes.length) as Buffer & {
  latin1Slice(start: number, end: number): string;
  /** Writes whole characters, as many as fit. Returns the number of bytes. */
  utf8Write(value: string, start: number, length: number): number;
};
/** Shorter strings are put quicker character by character. */
const LONG_STRING = 12;
const UTF8_CHARACTER_MAX = 4;

/** Puts the arguments of a call into the registers. `task`: whose they will be. Returns format, words and strings. */
export function putArguments(args: readonly unknown[], task: number): number {
  const count = args.length;
  functionsPut = null;
  if (count === 0) return NONE;
  if (count <= MESSAGE_WORDS && allNumbers(args)) return NUMBERS | count;
  let at = count < 64 ? 1 : -1;
  registerBytes[0] = count;
  for (let i = 0; i < count && at > 0; i++) at = putInline(args[i], at);
  if (at > 0) return INLINE | ((at + 7) >> 3);
  return putStream(args, 'args', task);
}

function allNumbers(args: readonly unknown[]): boolean {
  for (let i = 0; i < args.length; i++) {
    const value = args[i];
    if (typeof value !== 'number') return false;
    registerFloats[R_FLOAT + i] = value;
  }
  return true;
}

/** What an iterator gave at its end: the result of a step, and of the call that made the step. */
export class Last {
  readonly value: unknown;
  constructor(value: unknown) {
    this.value = value;
  }
}

/** Puts a result into the registers. Returns format, words and strings. */
export function putResult(value: unknown, task: number): number {
  functionsPut = null;
  if (value === undefined) return NONE;
  if (typeof value === 'number') {
    registerFloats[R_FLOAT] = value;
    return NUMBERS | 1;
  }
  registerBytes[0] = 1;
  const end = putInline(value, 1);
  if (end === 0) {
    if (value instanceof Last) return LAST | putResult(value.value, task);
    // What is lent to a handler is taken from it before its answer goes.
    if (value instanceof Uint8Array && lentOut === 0 && isWhole(value)) return putBytes(value);
  }
  const tag = end > 0 ? INLINE | ((end + 7) >> 3) : putStream(value, 'result', task);
  if (functionsPut === null) return tag;
  throw new CodecError(
    'ERR_IPC_NOT_CLONEABLE',
    'a function in a result cannot be sent: functions travel as arguments, and are valid until their call returns',
  );
}

/** Writes a primitive from byte `at` on. Returns the byte behind it, or 0 when it must go another way. */
function putInline(value: unknown, at: number): number {
  if (typeof value === 'string') return putInlineString(value, at);
  if (at > INLINE_BYTES - 9) return 0;
  if (typeof value === 'number') return putInlineNumber(value, at);
  if (value === undefined) registerBytes[at] = INLINE_UNDEFINED;
  else if (value === null) registerBytes[at] = INLINE_NULL;
  else if (value === true) registerBytes[at] = INLINE_TRUE;
  else if (value === false) registerBytes[at] = INLINE_FALSE;
  else if (typeof value === 'function') return putInlineFunction(value, at);
  else return 0;
  return at + 1;
}

function putInlineFunction(value: Function, at: number): number {
  // A second function may be the first again, and only the codec keeps identity.
  if (functionsPut !== null) return 0;
  functionsPut = [value];
  registerBytes[at] = INLINE_FUNCTION;
  registerBytes[at + 1] = 0;
  return at + 2;
}

function putInlineNumber(value: number, at: number): number {
  if ((value | 0) === value && !Object.is(value, -0)) {
    registerBytes[at] = INLINE_INTEGER;
    registerBytes[at + 1] = value;
    registerBytes[at + 2] = value >> 8;
    registerBytes[at + 3] = value >> 16;
    registerBytes[at + 4] = value >> 24;
    return at + 5;
  }
  registerBytes[at] = INLINE_FLOAT;
  floatCell[0] = value;
  for (let i = 0; i < 8; i++) registerBytes[at + 1 + i] = floatBytes[i]!;
  return at + 9;
}

function putInlineString(value: string, at: number): number {
  const length = value.length;
  if (at + 2 + length > INLINE_BYTES) return 0;
  registerBytes[at] = INLINE_STRING;
  registerBytes[at + 1] = length;
  const from = at + 2;
  // As many bytes as units, with room for more: it is ASCII, which is latin1 too.
  const isRoomy = from + length + UTF8_CHARACTER_MAX <= INLINE_BYTES;
  if (length >= LONG_STRING && isRoomy && inlineBuffer.utf8Write(value, from, INLINE_BYTES - from) === length) {
    return from + length;
  }
  for (let i = 0; i < length; i++) {
    const unit = value.charCodeAt(i);
    if (unit > 0xff) return 0;
    registerBytes[from + i] = unit;
  }
  return from + length;
}

function putBytes(value: Uint8Array): number {
  outgoing[0] = value;
  registers[R_STRING] = value.length;
  return BYTES | (1 << TAG_STRING_SHIFT);
}

/** As `putArguments`, with byte arrays lent: they are gathered from where they are. */
export function putLending(args: readonly unknown[], task: number): number {
  const lent: number[] = [];
  for (let i = 0; i < args.length && lent.length < STRINGS_MAX - 1; i++) if (isLendable(args[i])) lent.push(i);
  if (lent.length === 0) return putArguments(args, task);
  const encoded = encode(
    args.map((value, i) => (lent.includes(i) ? null : value)),
    'args',
  );
  // One ticket a message is enough: what has a ticket is not for speed.
  if (encoded.carried !== null) return putArguments(args, task);
  functionsPut = encoded.functions;
  outgoing[0] = encoded.bytes;
  registers[R_STRING] = encoded.length;
  lent.forEach((index, i) => {
    const bytes = args[index] as Uint8Array;
    registerFloats[R_FLOAT + i] = index;
    outgoing[1 + i] = bytes;
    registers[R_STRING + 1 + i] = bytes.length;
  });
  return LENT | ((1 + lent.length) << TAG_STRING_SHIFT) | lent.length;
}

function putStream(value: unknown, root: 'args' | 'result', task: number): number {
  const encoded = encode(value, root);
  const { carried } = encoded;
  functionsPut = encoded.functions;
  outgoing[0] = encoded.bytes;
  registers[R_STRING] = encoded.length;
  if (carried === null) return STREAM_TAG;
  gaveAway = transfersOf(carried).length > 0;
  registerFloats[R_FLOAT] = post(task, carried);
  return STREAM_TAG | 1;
}

/** Makes a stub for function handle `index` of the message being read. */
export type ImportFunction = (index: number) => Function;

const refuseFunction: ImportFunction = () => {
  throw new CodecError('ERR_IPC_PROTOCOL', 'a function handle where none can be');
};

/** The arguments in the registers. `self` is the thread that received them. */
export function takeArguments(self: Tcb, tag: number, importFunction: ImportFunction): unknown[] {
  const format = tag & TAG_FORMAT;
  if (format === NONE) return [];
  if (format === NUMBERS) {
    const args: unknown[] = [];
    for (let i = 0; i < (tag & TAG_WORDS); i++) args.push(registerFloats[R_FLOAT + i]);
    return args;
  }
  if (format === INLINE) return takeInline(importFunction);
  if (format === LENT) return takeLent(self, tag, importFunction);
  return takeStream(self, tag, importFunction) as unknown[];
}

/** What is told of buffers that are lent to the call being read. */
let onLent: (buffer: ArrayBuffer) => void = () => {};

export const whenLent = (action: (buffer: ArrayBuffer) => void): void => {
  onLent = action;
};

function takeLent(self: Tcb, tag: number, importFunction: ImportFunction): unknown[] {
  const count = tag & TAG_WORDS;
  const places = Array.from({ length: count }, (_, i) => registerFloats[R_FLOAT + i]!);
  const lengths = Array.from({ length: count + 1 }, (_, i) => registers[R_STRING + i]!);
  const owned = incoming.slice();
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const fits = owned.length > 0 || (lengths.every((length) => length >= 0) && total <= peek(self + TCB_WINDOW_BYTES));
  if (!fits || count !== ((tag & TAG_STRINGS) >> TAG_STRING_SHIFT) - 1) {
    throw new CodecError('ERR_IPC_PROTOCOL', 'a message is longer than its window');
  }
  // The first item is a stream by itself.
  const args = takeStream(self, tag & ~TAG_WORDS, importFunction) as unknown[];
  let at = peek(self + TCB_WINDOW) + lengths[0]!;
  places.forEach((place, i) => {
    const length = lengths[1 + i]!;
    if (!(Number.isInteger(place) && place >= 0 && place < args.length)) {
      throw new CodecError('ERR_IPC_PROTOCOL', 'a lent argument has no place');
    }
    const bytes = lendTo(length);
    onLent(bytes.buffer as ArrayBuffer);
    if (owned.length > 0) bytes.set(owned[1 + i]!);
    else takeBytes(at, bytes, 0, length);
    at += length;
    args[place] = bytes;
  });
  return args;
}

/** The result in the registers. */
export function takeResult(self: Tcb, tag: number, importFunction: ImportFunction = refuseFunction): unknown {
  const format = tag & TAG_FORMAT;
  if (format === NONE) return undefined;
  if (format === NUMBERS) return registerFloats[R_FLOAT];
  if (format === INLINE) {
    inlineAt = 1;
    return takeInlineValue(importFunction);
  }
  if ((format & LAST) !== 0) return new Last(takeResult(self, tag & ~LAST));
  if (format === BYTES) {
    const own = incoming[0];
    if (own === undefined || own === outgoing[0]) return takeByteString(self, (length) => new Uint8Array(length));
    incoming.length = 0;
    return own;
  }
  return takeStream(self, tag, importFunction);
}

/** The result in the registers, a byte array where `placeFor` says. */
export function takeResultInto(self: Tcb, tag: number, placeFor: (length: number) => Uint8Array): unknown {
  if ((tag & TAG_FORMAT) === BYTES) return takeByteString(self, placeFor);
  const value = takeResult(self, tag);
  if (!(value instanceof Uint8Array)) return value;
  const place = placeFor(value.length);
  place.set(value);
  return place;
}

let inlineAt = 0;

function takeInline(importFunction: ImportFunction): unknown[] {
  const count = registerBytes[0]!;
  const args: unknown[] = [];
  inlineAt = 1;
  for (let i = 0; i < count; i++) args.push(takeInlineValue(importFunction));
  return args;
}

function takeInlineValue(importFunction: ImportFunction): unknown {
  const at = inlineAt;
  const kind = registerBytes[at]!;
  if (kind === INLINE_STRING) {
    const from = at + 2;
    inlineAt = from + registerBytes[at + 1]!;
    if (!(inlineAt <= INLINE_BYTES)) throw new CodecError('ERR_IPC_PROTOCOL', 'a string is longer than its message');
    return inlineBuffer.latin1Slice(from, inlineAt);
  }
  if (kind === INLINE_INTEGER) {
    inlineAt = at + 5;
    return (
      registerBytes[at + 1]! |
      (registerBytes[at + 2]! << 8) |
      (registerBytes[at + 3]! << 16) |
      (registerBytes[at + 4]! << 24)
    );
  }
  if (kind === INLINE_FLOAT) {
    for (let i = 0; i < 8; i++) floatBytes[i] = registerBytes[at + 1 + i]!;
    inlineAt = at + 9;
    return floatCell[0];
  }
  if (kind === INLINE_FUNCTION) {
    inlineAt = at + 2;
    return importFunction(registerBytes[at + 1]!);
  }
  inlineAt = at + 1;
  if (kind === INLINE_NULL) return null;
  return kind === INLINE_UNDEFINED ? undefined : kind === INLINE_TRUE;
}

const SCRATCH_BYTES_MAX = 1 << 22;
let scratch = new Uint8Array(4096);

function takeStream(self: Tcb, tag: number, importFunction: ImportFunction): unknown {
  const length = registers[R_STRING]!;
  const sender = tcbOf(registers[R_SENDER]!);
  const carried = (tag & TAG_WORDS) === 0 ? null : collect(peek(sender + TCB_TASK), registerFloats[R_FLOAT]!);
  const own = incoming[0];
  if (own !== undefined) {
    incoming.length = 0;
    return decode(own, 0, length, { importFunction, carried });
  }
  if (!(length >= 0 && length <= peek(self + TCB_WINDOW_BYTES)))
    throw new CodecError('ERR_IPC_PROTOCOL', 'a message is longer than its window');
  if (length > scratch.length) scratch = new Uint8Array(Math.max(length, 2 * scratch.length));
  const bytes = scratch;
  takeBytes(peek(self + TCB_WINDOW), bytes, 0, length);
  // Decoding runs no code of ours that receives, but a stub made on the way may be called by a getter later: not now.
  const value = decode(bytes, 0, length, { importFunction, carried });
  if (scratch.length > SCRATCH_BYTES_MAX) scratch = new Uint8Array(4096);
  return value;
}
