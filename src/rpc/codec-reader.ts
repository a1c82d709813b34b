/**
 * The reading half of the codec: bytes to a value, trusting nothing. The format is in codec.ts. The position is module
 * state, for a reader gives back the value.
 */
import {
  CHUNK_HEADER_BYTES,
  DEPTH_MAX,
  FORMAT_GRAPH,
  FORMAT_TREE,
  HEADER_BYTES,
  KEYS_LISTED_MAX,
  ObjectPrototype,
  SHAPES_KEPT_MAX,
  SHAPE_CHARACTERS_MAX,
  SHAPE_KEYS_MAX,
  SHORT_ARRAY_MAX,
  SHORT_STRING_MAX,
  TAG_ABSENT,
  TAG_ARRAY,
  TAG_ARRAY_SKIPPING,
  TAG_BIGINT,
  TAG_BYTES,
  TAG_FALSE,
  TAG_FLOAT64,
  TAG_FUNCTION,
  TAG_INT16,
  TAG_INT32,
  TAG_NULL,
  TAG_RECORD,
  TAG_REFERENCE,
  TAG_SHAPE,
  TAG_SHAPED,
  TAG_SHORT_ARRAY,
  TAG_SHORT_STRING,
  TAG_SKIP,
  TAG_SMALL_INTEGER,
  TAG_STRING,
  TAG_STRUCTURED,
  TAG_TRUE,
  TAG_UNDEFINED,
  TEXT_UTF16,
  float,
  floatBytes,
  latin1Slice,
  ucs2Slice,
} from './codec-format.ts';
import { readStructured, type Source } from './codec-structured.ts';
import { CodecError } from './errors-codec.ts';

/** What the decoder needs from its caller. */
export interface Imports {
  /** The stub for a function handle; called once for each distinct function. */
  importFunction(index: number): Function;
  /** What arrived by `postMessage`, in the order of `Encoded.carried`. */
  carried: readonly unknown[] | null;
}

interface KnownShape {
  keys: readonly string[];
  /** Some key is one that Object.prototype has (`__proto__`, `toString`): assignment might not make an own property. */
  inherited: boolean;
}
const knownShapes = new Map<string, KnownShape>();
/** What TAG_ABSENT reads as. */
const ABSENT = Symbol('absent');

let input: Uint8Array = new Uint8Array(0);
let at = 0;
let end = 0;
let textAt = 0;
let textEnd = 0;
let chunk = '';
let chunkAt = 0;
let shapes: KnownShape[] = [];
/** In the order in which they begin; null in a tree. */
let objects: unknown[] | null = null;
let imports: Imports | null = null;

function fail(what: string): never {
  throw new CodecError('ERR_IPC_PROTOCOL', `malformed message: ${what} at byte ${at}`);
}

function readByte(): number {
  if (at >= end) fail('it ends early');
  return input[at++] as number;
}

function readCount(): number {
  let result = 0;
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = readByte();
    if (shift === 28 && byte > 0x0f) break;
    result += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return result;
  }
  return fail('a count is too long');
}

/** A count of things of which each takes at least `byteCount` bytes. */
function readBoundedCount(byteCount: number): number {
  const count = readCount();
  if (count * byteCount > end - at) fail('a count is larger than the message');
  return count;
}

function readFloat(): number {
  if (end - at < 8) fail('it ends early');
  floatBytes[0] = input[at] as number;
  floatBytes[1] = input[at + 1] as number;
  floatBytes[2] = input[at + 2] as number;
  floatBytes[3] = input[at + 3] as number;
  floatBytes[4] = input[at + 4] as number;
  floatBytes[5] = input[at + 5] as number;
  floatBytes[6] = input[at + 6] as number;
  floatBytes[7] = input[at + 7] as number;
  at += 8;
  return float[0] as number;
}

function readInt16(): number {
  if (end - at < 2) fail('it ends early');
  const value = (input[at] as number) | ((input[at + 1] as number) << 8);
  at += 2;
  return (value << 16) >> 16;
}

function readInt32(): number {
  if (end - at < 4) fail('it ends early');
  const low = (input[at] as number) | ((input[at + 1] as number) << 8);
  const value = low | ((input[at + 2] as number) << 16) | ((input[at + 3] as number) << 24);
  at += 4;
  return value;
}

function nextChunk(): void {
  if (textEnd - textAt < CHUNK_HEADER_BYTES) fail('its text ends early');
  const encoding = input[textAt] as number;
  const length =
    ((input[textAt + 1] as number) |
      ((input[textAt + 2] as number) << 8) |
      ((input[textAt + 3] as number) << 16) |
      ((input[textAt + 4] as number) << 24)) >>>
    0;
  const start = textAt + CHUNK_HEADER_BYTES;
  if (encoding > TEXT_UTF16 || length === 0) fail('a chunk of text is malformed');
  const stop = start + (encoding === TEXT_UTF16 ? length * 2 : length);
  if (stop > textEnd) fail('its text ends early');
  chunk = encoding === TEXT_UTF16 ? ucs2Slice.call(input, start, stop) : latin1Slice.call(input, start, stop);
  chunkAt = 0;
  textAt = stop;
}

function readText(length: number): string {
  if (length === 0) return '';
  if (chunkAt === chunk.length) nextChunk();
  const stop = chunkAt + length;
  if (stop > chunk.length) fail('a string crosses its text');
  const result = chunk.slice(chunkAt, stop);
  chunkAt = stop;
  return result;
}

function readString(): string {
  const tag = readByte();
  if (tag >= TAG_SHORT_STRING && tag < TAG_SMALL_INTEGER) return readText(tag & SHORT_STRING_MAX);
  if (tag !== TAG_STRING) fail('a string is missing');
  return readText(readCount());
}

/** A value where one must be: `ABSENT` is for the few places that know it. */
function readValue(depth: number): unknown {
  const value = readAny(depth);
  return value === ABSENT ? fail('an absent value') : value;
}

function readAny(depth: number): unknown {
  if (at >= end) fail('it ends early');
  const tag = input[at++] as number;
  if (tag >= TAG_SMALL_INTEGER) return tag & 0x7f;
  if (tag >= TAG_SHORT_STRING) return readText(tag & SHORT_STRING_MAX);
  if (tag >= TAG_SHORT_ARRAY) {
    const length = tag & SHORT_ARRAY_MAX;
    if (length > end - at) fail('a count is larger than the message');
    return readArray(length, depth);
  }
  switch (tag) {
    case TAG_NULL:
      return null;
    case TAG_UNDEFINED:
      return undefined;
    case TAG_FALSE:
      return false;
    case TAG_TRUE:
      return true;
    case TAG_INT16:
      return readInt16();
    case TAG_INT32:
      return readInt32();
    case TAG_FLOAT64:
      return readFloat();
    case TAG_STRING:
      return readText(readCount());
    case TAG_SHAPED:
      return readShaped(depth);
    case TAG_SHAPE:
      return readShape(depth);
    case TAG_ABSENT:
      return ABSENT;
    default:
      return readRare(tag, depth);
  }
}

function readRare(tag: number, depth: number): unknown {
  switch (tag) {
    case TAG_ARRAY:
      return readArray(readBoundedCount(1), depth);
    case TAG_ARRAY_SKIPPING:
      return readSkippingArray(depth);
    case TAG_RECORD:
      return readPairs(depth);
    case TAG_BYTES:
      return readBytesView();
    case TAG_BIGINT:
      return readBigInt();
    case TAG_FUNCTION:
      return readFunction();
    case TAG_REFERENCE:
      return readReference();
    case TAG_STRUCTURED: {
      enter(depth);
      return readStructured(source, depth);
    }
    default:
      return fail(`an unknown tag ${tag}`);
  }
}

function enter(depth: number): void {
  if (depth > DEPTH_MAX) fail(`it is nested more than ${DEPTH_MAX} deep`);
}

function readArray(length: number, depth: number): unknown[] {
  enter(depth);
  const result: unknown[] = length === 0 ? [] : new Array(length);
  if (objects !== null) objects.push(result);
  const numberCount = length > KEYS_LISTED_MAX ? readNumbers(result, length) : 0;
  for (let i = numberCount; i < length; i++) {
    const element = readAny(depth + 1);
    if (element !== ABSENT) result[i] = element;
  }
  return result;
}

/**
 * The numbers at the start of a long array, without a dispatch and a boxed number for each; gives how many there were.
 */
function readNumbers(result: unknown[], length: number): number {
  let i = 0;
  for (; i < length && at < end; i++) {
    const tag = input[at] as number;
    if (tag === TAG_FLOAT64) {
      at++;
      result[i] = readFloat();
    } else if (tag === TAG_INT32) {
      at++;
      result[i] = readInt32();
    } else if (tag === TAG_INT16) {
      at++;
      result[i] = readInt16();
    } else if (tag >= TAG_SMALL_INTEGER) {
      at++;
      result[i] = tag & 0x7f;
    } else break;
  }
  return i;
}

/** An array of any length that takes memory only for the elements it gets. */
function emptyArray(length: number): unknown[] {
  const result: unknown[] = [];
  // Beyond 32 Mi elements V8 keeps a dictionary, and keeps it when the length shrinks; below, it would allocate.
  if (length > 1024) result.length = 0xffff_ffff;
  result.length = length;
  return result;
}

function readSkippingArray(depth: number): unknown[] {
  enter(depth);
  const length = readCount();
  const result = emptyArray(length);
  if (objects !== null) objects.push(result);
  for (let i = 0; i < length; i++) {
    if (at < end && input[at] === TAG_SKIP) {
      at++;
      const skipped = readCount();
      if (skipped === 0 || skipped > length - i) fail('a run of absent elements is malformed');
      i += skipped - 1;
      continue;
    }
    const element = readAny(depth + 1);
    if (element !== ABSENT) result[i] = element;
  }
  return result;
}

function knownShape(shapeText: string): KnownShape {
  let shape = knownShapes.get(shapeText);
  if (shape !== undefined) return shape;
  if (shapeText.charCodeAt(0) !== 0) fail('a shape is malformed');
  // The text is copied, so that what is kept does not hold the message's text.
  const keys = JSON.parse(JSON.stringify(shapeText.slice(1).split('\0'))) as string[];
  if (keys.length > SHAPE_KEYS_MAX || shapeText.length > SHAPE_CHARACTERS_MAX) fail('a shape is too large');
  shape = { keys, inherited: keys.some((key) => key in ObjectPrototype) };
  if (knownShapes.size >= SHAPES_KEPT_MAX) knownShapes.clear();
  knownShapes.set(`\0${keys.join('\0')}`, shape);
  return shape;
}

function readShape(depth: number): unknown {
  const shape = knownShape(readText(readCount()));
  shapes.push(shape);
  return readRecord(shape, depth);
}

function readShaped(depth: number): unknown {
  const shape = shapes[readCount()];
  if (shape === undefined) return fail('an unknown shape');
  return readRecord(shape, depth);
}

function define(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
}

function readRecord(shape: KnownShape, depth: number): unknown {
  enter(depth);
  const keys = shape.keys;
  const result: Record<string, unknown> = {};
  if (objects !== null) objects.push(result);
  for (let i = 0; i < keys.length; i++) {
    const value = readAny(depth + 1);
    if (value === ABSENT) continue;
    if (shape.inherited) define(result, keys[i] as string, value);
    else result[keys[i] as string] = value;
  }
  return result;
}

function readPairs(depth: number): unknown {
  enter(depth);
  const result = {};
  if (objects !== null) objects.push(result);
  readProperties(result, readBoundedCount(2), depth);
  return result;
}

function readProperties(target: object, count: number, depth: number): void {
  for (let i = 0; i < count; i++) {
    const key = readString();
    const value = readAny(depth + 1);
    if (value === ABSENT) continue;
    if (key in ObjectPrototype || key === 'length') define(target, key, value);
    else (target as Record<string, unknown>)[key] = value;
  }
}

/** A copy with memory of its own; the constructor makes it without clearing it first, as `ArrayBuffer.slice` would. */
function readOwned(length: number): Uint8Array<ArrayBuffer> {
  if (length > end - at) fail('a count is larger than the message');
  const start = at;
  at += length;
  return new Uint8Array(input.subarray(start, at));
}

function readBuffer(length: number): ArrayBuffer {
  return readOwned(length).buffer;
}

function readBytesView(): Uint8Array {
  const result = readOwned(readCount());
  if (objects !== null) objects.push(result, result.buffer);
  return result;
}

function readBigInt(): bigint {
  const digits = readString();
  if (!/^-?[0-9a-f]+$/.test(digits)) fail('a bigint is malformed');
  return digits.startsWith('-') ? -BigInt(`0x${digits.slice(1)}`) : BigInt(`0x${digits}`);
}

function readFunction(): Function {
  const index = readCount();
  if (imports === null) return fail('a function where none can be imported');
  const result = imports.importFunction(index);
  if (objects !== null) objects.push(result);
  return result;
}

function readReference(): unknown {
  const index = readCount();
  if (objects === null || index >= objects.length) return fail('an unknown reference');
  const result = objects[index];
  return result === ABSENT ? fail('a reference to a value that is not made yet') : result;
}

const source: Source = {
  value: readValue,
  any: readAny,
  isAbsent: (value) => value === ABSENT,
  string: readString,
  byte: readByte,
  count: readCount,
  boundedCount: readBoundedCount,
  float: readFloat,
  buffer: readBuffer,
  properties: readProperties,
  emptyArray,
  carried(index) {
    const list = imports === null ? null : imports.carried;
    if (list === null || index >= list.length) return fail('an unknown carried value');
    return list[index];
  },
  begin(object) {
    if (objects === null) return -1;
    return objects.push(object === undefined ? ABSENT : object) - 1;
  },
  finish(index, object) {
    if (objects !== null) objects[index] = object;
  },
  fail,
};

function readMessage(bytes: Uint8Array, start: number, length: number): unknown {
  if (length < HEADER_BYTES + 1 || start < 0 || start + length > bytes.length) fail('it is too short');
  const format = bytes[start] as number;
  if (format !== FORMAT_TREE && format !== FORMAT_GRAPH) fail(`an unknown format ${format}`);
  const textOffset =
    ((bytes[start + 1] as number) |
      ((bytes[start + 2] as number) << 8) |
      ((bytes[start + 3] as number) << 16) |
      ((bytes[start + 4] as number) << 24)) >>>
    0;
  if (textOffset < HEADER_BYTES || textOffset > length) fail('its text begins outside');
  at = start + HEADER_BYTES;
  end = start + textOffset;
  textAt = end;
  textEnd = start + length;
  objects = format === FORMAT_GRAPH ? [] : null;
  const value = readValue(0);
  if (at !== end || textAt !== textEnd || chunkAt !== chunk.length) fail('something is left over');
  return value;
}

/**
 * Reads a value from `bytes`, `length` bytes from `start`: private memory, for what is checked must not change
 * afterwards. The value owns its memory. Throws a CodecError ERR_IPC_PROTOCOL for bytes that no encoder writes.
 */
export function decode(bytes: Uint8Array, start: number, length: number, importing: Imports | null): unknown {
  // A stub maker may itself decode; what is put aside costs less than asking whether it will.
  const [input0, at0, end0, textAt0, textEnd0] = [input, at, end, textAt, textEnd] as const;
  const [chunk0, chunkAt0, shapes0, objects0, imports0] = [chunk, chunkAt, shapes, objects, imports] as const;
  input = bytes;
  at = start;
  chunk = '';
  chunkAt = 0;
  shapes = [];
  imports = importing;
  try {
    return readMessage(bytes, start, length);
  } catch (error) {
    if (error instanceof CodecError) throw error;
    throw new CodecError('ERR_IPC_PROTOCOL', 'malformed message', { cause: error });
  } finally {
    input = input0;
    at = at0;
    end = end0;
    textAt = textAt0;
    textEnd = textEnd0;
    chunk = chunk0;
    chunkAt = chunkAt0;
    shapes = shapes0;
    objects = objects0;
    imports = imports0;
  }
}
