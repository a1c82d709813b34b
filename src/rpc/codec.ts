/**
 * The codec: a JavaScript value (the arguments of a call, or its result) to bytes in a private scratch array, and back.
 *
 * The value that arrives is the value `structuredClone` would have given: shared references, cycles, holes, `-0`, lone
 * surrogates and an own `__proto__` survive, prototypes of user classes do not. One thing is added: a function becomes
 * a
 * *handle*, a number that the receiver turns into a stub. What only `postMessage` can carry (a shared buffer, a port, a
 * compiled module) leaves by a side list and is named here by its index.
 *
 * Words: a *tag* is the first byte of a value; a *record* is a plain object; its *shape* is the list of its keys,
 * written once in a message and then named by number; the *text* of a message is all its strings in one piece, written
 * by one native call and sliced by the reader. This file holds the kinds that calls are made of, codec-structured.ts
 * the rest.
 *
 *   byte 0      FORMAT_TREE (no object occurs twice) or FORMAT_GRAPH (the reader numbers the objects as they begin)
 *   byte 1-4    where the text begins, from byte 0, little endian
 *   byte 5-     one value: a tag, then what the tag says
 *   text        chunks: encoding (1 byte), length in characters (4 bytes), characters; no string crosses a chunk
 *
 * Invariant: the decoder trusts nothing. Every length is compared with the bytes that are left before anything is
 * allocated by it, nesting is bounded by DEPTH_MAX on both sides, and what remains unread is an error.
 *
 * The paper copies strings once and never looks inside them (section 5.2.2); a JavaScript value has no layout that
 * could be copied, so this pass is the price of ordinary values, and message words avoid it.
 */
import { isMoved } from './move.ts';
import { Buffer } from 'node:buffer';
import { inspect, types } from 'node:util';
import {
  readStructured,
  writeSparseArray,
  writeStructured,
  PLAIN,
  type Sink,
  type Source,
} from './codec-structured.ts';
import { CodecError } from './errors-codec.ts';

export { CodecError };

/** What `encode` gives. The same object is given by every encode that is not nested in another. */
export interface Encoded {
  /** Scratch memory, valid until the next encode. */
  bytes: Uint8Array;
  /** Bytes used, from 0. */
  length: number;
  /** The functions of the value; a handle in the bytes is an index into this list. */
  functions: Function[] | null;
  /** What the caller must send by `postMessage`, in this order. */
  carried: unknown[] | null;
}

/** What the decoder needs from its caller. */
export interface Imports {
  /** The stub for a function handle; called once for each distinct function. */
  importFunction(index: number): Function;
  /** What arrived by `postMessage`, in the order of `Encoded.carried`. */
  carried: readonly unknown[] | null;
}

const FORMAT_TREE = 1;
const FORMAT_GRAPH = 2;
const HEADER_BYTES = 5;

/** Tags below 0x20; above: 0x20 | length is an array, 0x40 | length a string, 0x80 | n the integer n. */
const TAG_NULL = 0x01;
const TAG_UNDEFINED = 0x02;
const TAG_FALSE = 0x03;
const TAG_TRUE = 0x04;
const TAG_INT16 = 0x05;
const TAG_INT32 = 0x06;
const TAG_FLOAT64 = 0x07;
const TAG_STRING = 0x08;
const TAG_BIGINT = 0x09;
const TAG_FUNCTION = 0x0a;
const TAG_REFERENCE = 0x0b;
/** Stands for an element or a property that was not there when its turn came. */
const TAG_ABSENT = 0x0c;
/** Only in TAG_ARRAY_SKIPPING: a run of absent elements. */
const TAG_SKIP = 0x0d;
const TAG_ARRAY = 0x0e;
const TAG_ARRAY_SKIPPING = 0x0f;
/** Key and value in turn. */
const TAG_RECORD = 0x10;
/** The text of a new shape, then its values. */
const TAG_SHAPE = 0x11;
/** The number of a shape of this message, then its values. */
const TAG_SHAPED = 0x12;
/** A Uint8Array over the whole of its own buffer. */
const TAG_BYTES = 0x13;
/** A kind byte of codec-structured.ts follows. */
const TAG_STRUCTURED = 0x14;
const TAG_SHORT_ARRAY = 0x20;
const SHORT_ARRAY_MAX = 0x1f;
const TAG_SHORT_STRING = 0x40;
const SHORT_STRING_MAX = 0x3f;
const TAG_SMALL_INTEGER = 0x80;

/**
 * `structuredClone` overflows the default stack at some 2,500 objects; a bound that both sides can always meet is
 * lower.
 */
export const DEPTH_MAX = 1000;
/** Every write between two capacity checks fits in this many bytes. */
const SLACK_BYTES = 64;
const SCRATCH_BYTES_MIN = 4096;
/** A scratch larger than this is given back at the next encode, so that one huge message does not pin its memory. */
const SCRATCH_BYTES_KEPT_MAX = 4 * 1024 * 1024;
const MESSAGE_BYTES_MAX = 0xffff_ffff;
/** A slice of a string keeps the whole string alive: a chunk bounds what one kept property can retain. */
const CHUNK_CHARACTERS_MAX = 16 * 1024;
const CHUNK_HEADER_BYTES = 5;
const TEXT_LATIN1 = 0;
const TEXT_UTF16 = 1;
/** So many objects are found by scanning a short array, which is quicker than hashing; then a Map takes over. */
const SCANNED_MAX = 32;
/** Up to this length an array's keys are listed to see that it has no holes and no named properties. */
const KEYS_LISTED_MAX = 64;
const SHAPE_KEYS_MAX = 32;
const SHAPE_CHARACTERS_MAX = 1024;
/**
 * Objects used as dictionaries have a new shape each; after so many new ones in a message the rest are written plainly.
 */
const SHAPES_LEARNT_MAX = 16;
/** Shapes kept over messages, on either side; when there are more, all are forgotten. */
const SHAPES_KEPT_MAX = 1024;
/** So many absent elements in a row make it worth listing the array's keys to find the next one. */
const ABSENT_RUN_MAX = 256;

const ObjectPrototype = Object.prototype;
const getPrototypeOf = Object.getPrototypeOf;
const objectKeys = Object.keys;
const hasOwn = Object.hasOwn;
const isArray = Array.isArray;
const isProxy = types.isProxy;
const isUint8Array = types.isUint8Array;

const getterOf = (prototype: object, key: string): ((target: unknown) => unknown) => {
  const getter = Object.getOwnPropertyDescriptor(prototype, key)?.get as () => unknown;
  return (target) => Reflect.apply(getter, target, []);
};
const TypedArrayPrototype = getPrototypeOf(Uint8Array.prototype) as object;
/**
 * The prototype's own getters: an instance can carry a lying `byteLength`, and what it lies about would be scratch
 * memory.
 */
const bufferOf = getterOf(TypedArrayPrototype, 'buffer') as (view: unknown) => ArrayBufferLike;
const byteLengthOf = getterOf(TypedArrayPrototype, 'byteLength') as (view: unknown) => number;
const byteOffsetOf = getterOf(TypedArrayPrototype, 'byteOffset') as (view: unknown) => number;

/** The native string methods of Buffer; they work on any Uint8Array. */
interface TextMethods {
  latin1Write(this: Uint8Array, text: string, offset: number, length: number): number;
  ucs2Write(this: Uint8Array, text: string, offset: number, length: number): number;
  latin1Slice(this: Uint8Array, start: number, end: number): string;
  ucs2Slice(this: Uint8Array, start: number, end: number): string;
}
const { latin1Write, ucs2Write, latin1Slice, ucs2Slice } = Buffer.prototype as unknown as TextMethods;

const float = new Float64Array(1);
const floatBytes = new Uint8Array(float.buffer);

// Writing. A writer takes the position and gives the next one; everything else is the state below, which a nested
// encode (a getter that makes a call) puts aside.

interface Shape {
  keys: string[];
  /** Each key after a zero character. */
  text: string;
  /** The shape that came after this one the last time: the first guess. */
  next: Shape | null;
  /** The message in which `index` is valid. */
  message: number;
  index: number;
  /** Begins with an index-like key, as an arguments object does. */
  indexed: boolean;
}
interface ShapeBranch {
  branches: Map<string, ShapeBranch> | null;
  shape: Shape | null;
}
const newShape = (keys: string[], text: string, indexed: boolean): Shape => ({
  keys,
  text,
  next: null,
  message: 0,
  index: 0,
  indexed,
});
let shapeRoot: ShapeBranch = { branches: null, shape: null };
let shapesKept = 0;
/** Stands before the first record of every message. */
const firstShape = newShape([], '', false);

/** Not a Buffer: its `slice` shares the memory, and who keeps a message must not be surprised. */
const newScratch = (length: number): Uint8Array => new Uint8Array(length);
let out = newScratch(SCRATCH_BYTES_MIN);
let outLimit = out.length - SLACK_BYTES;
let text = '';
let texts: string[] | null = null;
let scanned: unknown[] = new Array(SCANNED_MAX).fill(null);
let objectCount = 0;
/** All objects in order, once there are more than SCANNED_MAX. A Set asks once where a Map would be asked twice. */
let objectSet: Set<unknown> | null = null;
/** Their numbers, made when the first of so many occurs again. */
let objectIndexes: Map<unknown, number> | null = null;
let isGraph = false;
let messageNumber = 0;
let shapeCount = 0;
let shapesLearnt = 0;
let lastShape = firstShape;
let functions: Function[] | null = null;
let carried: unknown[] | null = null;
let rootName = '';
/**
 * The way to the value being written: at each depth the keys (null for an array's elements) and the place among them.
 */
let pathKeys: (readonly string[] | null)[] = [];
let pathIndexes = new Int32Array(DEPTH_MAX + 2);
let isWriting = false;
/** Someone has put enumerable properties on Object.prototype, which `for in` would show. */
let isPolluted = false;

const encoded: Encoded = { bytes: out, length: 0, functions: null, carried: null };

function grow(position: number, byteCount: number): void {
  const needed = position + byteCount + SLACK_BYTES;
  if (needed > MESSAGE_BYTES_MAX) throw new CodecError('ERR_IPC_OVERFLOW', `${rootName} is larger than 4 GiB`);
  const larger = newScratch(Math.min(Math.max(needed, out.length * 2), MESSAGE_BYTES_MAX));
  larger.set(out.subarray(0, position));
  out = larger;
  outLimit = out.length - SLACK_BYTES;
}

function reserve(position: number, byteCount: number): void {
  if (position + byteCount > outLimit) grow(position, byteCount);
}

function currentPath(depth: number): string {
  let path = rootName;
  for (let i = 0; i < depth; i++) {
    const keys = pathKeys[i];
    const index = pathIndexes[i] as number;
    if (keys === null || keys === undefined) {
      path += `[${index}]`;
      continue;
    }
    const key = keys[index] as string;
    if (key.startsWith('\0')) path += key.slice(1);
    else if (/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key)) path += `.${key}`;
    else path += /^(0|[1-9]\d{0,9})$/.test(key) ? `[${key}]` : `[${JSON.stringify(key)}]`;
  }
  return path;
}

function refuse(what: string, depth: number): never {
  throw new CodecError('ERR_IPC_NOT_CLONEABLE', `${currentPath(depth)} cannot be sent: it is ${what}`);
}

/** The number of an object that was met before, or -1; a new one gets the next number. */
function track(object: unknown): number {
  if (objectSet !== null) return trackMany(objectSet, object);
  const count = objectCount;
  for (let i = 0; i < count; i++) if (scanned[i] === object) return i;
  if (count === SCANNED_MAX) {
    objectSet = new Set(scanned);
    return trackMany(objectSet, object);
  }
  scanned[count] = object;
  objectCount = count + 1;
  return -1;
}

function trackMany(set: Set<unknown>, object: unknown): number {
  set.add(object);
  if (set.size > objectCount) {
    if (objectIndexes !== null) objectIndexes.set(object, objectCount);
    objectCount++;
    return -1;
  }
  if (objectIndexes === null) {
    objectIndexes = new Map();
    for (const known of set) objectIndexes.set(known, objectIndexes.size);
  }
  return objectIndexes.get(object) as number;
}

function isTracked(object: unknown): boolean {
  if (objectSet !== null) return objectSet.has(object);
  for (let i = 0; i < objectCount; i++) if (scanned[i] === object) return true;
  return false;
}

/** At most 5 bytes, which the slack covers. */
function writeCount(count: number, position: number): number {
  let p = position;
  let rest = count;
  while (rest >= 0x80) {
    out[p++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  out[p++] = rest;
  return p;
}

function writeFloat(value: number, p: number): number {
  float[0] = value;
  out[p] = TAG_FLOAT64;
  out[p + 1] = floatBytes[0] as number;
  out[p + 2] = floatBytes[1] as number;
  out[p + 3] = floatBytes[2] as number;
  out[p + 4] = floatBytes[3] as number;
  out[p + 5] = floatBytes[4] as number;
  out[p + 6] = floatBytes[5] as number;
  out[p + 7] = floatBytes[6] as number;
  out[p + 8] = floatBytes[7] as number;
  return p + 9;
}

function writeNumber(value: number, p: number): number {
  const integer = value | 0;
  if (integer !== value || (integer === 0 && 1 / value < 0)) return writeFloat(value, p);
  if (integer >= 0 && integer < 0x80) {
    out[p] = TAG_SMALL_INTEGER | integer;
    return p + 1;
  }
  out[p + 1] = integer;
  out[p + 2] = integer >> 8;
  if ((integer << 16) >> 16 === integer) {
    out[p] = TAG_INT16;
    return p + 3;
  }
  out[p] = TAG_INT32;
  out[p + 3] = integer >> 16;
  out[p + 4] = integer >> 24;
  return p + 5;
}

function addText(value: string): void {
  if (text.length + value.length > CHUNK_CHARACTERS_MAX && text.length > 0) {
    if (texts === null) texts = [];
    texts.push(text);
    text = value;
  } else text += value;
}

function writeString(value: string, position: number): number {
  const length = value.length;
  addText(value);
  if (length <= SHORT_STRING_MAX) {
    out[position] = TAG_SHORT_STRING | length;
    return position + 1;
  }
  out[position] = TAG_STRING;
  return writeCount(length, position + 1);
}

/** A new object gets its number before its parts; one met before is only named. */
function writeReference(index: number, position: number): number {
  isGraph = true;
  out[position] = TAG_REFERENCE;
  return writeCount(index, position + 1);
}

function writeFunction(value: Function, position: number, depth: number): number {
  if (isProxy(value)) refuse('a Proxy', depth);
  const index = track(value);
  if (index >= 0) return writeReference(index, position);
  if (functions === null) functions = [];
  out[position] = TAG_FUNCTION;
  return writeCount(functions.push(value) - 1, position + 1);
}

function writeCarried(value: unknown): number {
  if (carried === null) carried = [];
  return carried.push(value) - 1;
}

function writeValue(value: unknown, position: number, depth: number): number {
  if (position > outLimit) grow(position, SLACK_BYTES);
  switch (typeof value) {
    case 'number':
      return writeNumber(value, position);
    case 'string':
      return writeString(value, position);
    case 'object':
      if (value !== null) return writeObject(value, position, depth);
      out[position] = TAG_NULL;
      return position + 1;
    case 'boolean':
      out[position] = value ? TAG_TRUE : TAG_FALSE;
      return position + 1;
    case 'undefined':
      out[position] = TAG_UNDEFINED;
      return position + 1;
    case 'function':
      return writeFunction(value, position, depth);
    case 'bigint':
      out[position] = TAG_BIGINT;
      return writeString(value.toString(16), position + 1);
    default:
      return refuse('a symbol', depth);
  }
}

function writeObject(value: object, position: number, depth: number): number {
  const index = track(value);
  if (index >= 0) return writeReference(index, position);
  if (depth > DEPTH_MAX) refuse(`nested more than ${DEPTH_MAX} deep`, depth);
  if (isProxy(value)) refuse('a Proxy', depth);
  if (isArray(value)) return writeArray(value, position, depth);
  const prototype = getPrototypeOf(value) as unknown;
  if (prototype === ObjectPrototype) return writeRecord(value, position, depth, true);
  if (prototype === null) return writeRecord(value, position, depth, false);
  if (prototype === Uint8Array.prototype || prototype === Buffer.prototype) {
    const next = writeBytes(value, position, depth);
    if (next >= 0) return next;
  }
  return writeOther(value, position, depth);
}

/** What codec-structured.ts knows, and otherwise the enumerable own properties as they are. */
function writeOther(value: object, position: number, depth: number): number {
  out[position] = TAG_STRUCTURED;
  const next = writeStructured(sink, value, position + 1, depth);
  return next === PLAIN ? writePairs(value, objectKeys(value), position, depth) : next;
}

const indexNames = Array.from({ length: KEYS_LISTED_MAX }, (_, index) => String(index));
const elementsHidden = {
  showHidden: false,
  depth: 0,
  colors: false,
  customInspect: false,
  showProxy: false,
  maxArrayLength: 0,
  breakLength: Infinity,
  compact: 3,
  sorted: false,
  getters: false,
  numericSeparator: false,
} as const;

/**
 * Whether an array has elements only. No short question exists for it in the language: the keys of a short array can be
 * listed, those of a long one would be as many strings as it has elements. `inspect` asks V8 for the keys that are not
 * indices, in constant time; when its answer is not the one we know, the keys are listed after all.
 */
function isDense(value: unknown[], length: number): boolean {
  if (length > KEYS_LISTED_MAX && inspect(value, elementsHidden) === `[ ... ${length} more items ]`) return true;
  const keys = objectKeys(value);
  if (keys.length !== length) return false;
  return length === 0 || keys[length - 1] === (length <= KEYS_LISTED_MAX ? indexNames[length - 1] : String(length - 1));
}

function writeArray(value: unknown[], position: number, depth: number): number {
  const length = value.length;
  if (!isDense(value, length)) {
    out[position] = TAG_STRUCTURED;
    return writeSparseArray(sink, value, position + 1, depth);
  }
  let p = position;
  if (length <= SHORT_ARRAY_MAX) out[p++] = TAG_SHORT_ARRAY | length;
  else {
    out[p] = TAG_ARRAY;
    p = writeCount(length, p + 1);
  }
  pathKeys[depth] = null;
  let absentRun = 0;
  for (let i = 0; i < length; i++) {
    pathIndexes[depth] = i;
    const element = value[i];
    if (typeof element === 'number') {
      if (p > outLimit) grow(p, SLACK_BYTES);
      p = writeNumber(element, p);
      absentRun = 0;
      continue;
    }
    if (element !== undefined || hasOwn(value, i)) {
      p = writeValue(element, p, depth + 1);
      absentRun = 0;
      continue;
    }
    reserve(p, SLACK_BYTES);
    if (++absentRun < ABSENT_RUN_MAX) {
      out[p++] = TAG_ABSENT;
      continue;
    }
    out[position] = TAG_ARRAY_SKIPPING;
    const nextIndex = nextElement(value, i, length);
    out[p++] = TAG_SKIP;
    p = writeCount(nextIndex - i, p);
    i = nextIndex - 1;
    absentRun = 0;
  }
  return p;
}

/** The first index above `index` that is there, or the length. */
function nextElement(value: unknown[], index: number, length: number): number {
  const keys = objectKeys(value);
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (Number(keys[middle]) > index) high = middle;
    else low = middle + 1;
  }
  return low === keys.length ? length : Math.min(Number(keys[low]), length);
}

/** The shape with these keys; null when it is not worth learning. */
function findShape(keys: string[]): Shape | null {
  if (keys.length > SHAPE_KEYS_MAX) return null;
  let branch = shapeRoot;
  let i = 0;
  for (; i < keys.length; i++) {
    const next = branch.branches?.get(keys[i] as string);
    if (next === undefined) break;
    branch = next;
  }
  if (i === keys.length && branch.shape !== null) return branch.shape;
  if (shapesLearnt >= SHAPES_LEARNT_MAX) return null;
  shapesLearnt++;
  let shapeText = '';
  for (const key of keys) {
    if (key.includes('\0')) return null;
    shapeText += `\0${key}`;
  }
  if (shapeText.length > SHAPE_CHARACTERS_MAX) return null;
  if (++shapesKept > SHAPES_KEPT_MAX) {
    shapesKept = 1;
    i = 0;
    branch = shapeRoot = { branches: null, shape: null };
    firstShape.next = null;
  }
  for (; i < keys.length; i++) {
    const next: ShapeBranch = { branches: null, shape: null };
    branch.branches ??= new Map();
    branch.branches.set(keys[i] as string, next);
    branch = next;
  }
  branch.shape = newShape(keys, shapeText, /^\d/.test(keys[0] as string));
  return branch.shape;
}

/** Whether the enumerable keys of a record are these. Only `for in` reads keys without making a list of them. */
function hasKeys(value: object, keys: readonly string[]): boolean {
  let count = 0;
  for (const key in value) if (keys[count++] !== key) return false;
  return count === keys.length;
}

function writeRecord(value: object, position: number, depth: number, isInherited: boolean): number {
  let shape = lastShape.next;
  if (shape === null || !isInherited || isPolluted || !hasKeys(value, shape.keys)) {
    const keys = objectKeys(value);
    if (keys.length === 0) return writeOther(value, position, depth);
    shape = findShape(keys);
    if (shape === null) return writePlainPairs(value, keys, position, depth);
    lastShape.next = shape;
  }
  lastShape = shape;
  // An arguments object has the prototype of a record and cannot be cloned; only an index-like key betrays it.
  if (shape.indexed && types.isArgumentsObject(value)) refuse('an arguments object', depth);
  const p = writeShape(shape, position);
  pathKeys[depth] = shape.keys;
  return !isInherited || isPolluted || shape.indexed
    ? writeKeyed(value, shape.keys, p, depth)
    : writeEnumerated(value, shape.keys, p, depth);
}

function writeShape(shape: Shape, position: number): number {
  if (shape.message === messageNumber) {
    out[position] = TAG_SHAPED;
    return writeCount(shape.index, position + 1);
  }
  shape.message = messageNumber;
  shape.index = shapeCount++;
  addText(shape.text);
  out[position] = TAG_SHAPE;
  return writeCount(shape.text.length, position + 1);
}

/**
 * The properties in the order of `for in`, which V8 reads by their place in the object: a third of the price of a
 * lookup by key. A property that a getter has deleted meanwhile is not visited; objects with index-like keys and
 * dictionaries go the other way, because one of them here would make V8 forget the places for all.
 */
function writeEnumerated(value: object, keys: readonly string[], position: number, depth: number): number {
  let p = position;
  let i = 0;
  for (const key in value) {
    while (i < keys.length && keys[i] !== key) {
      p = writeAbsent(p);
      i++;
    }
    // No getter can put a key into an enumeration that has begun; if one could, the shape would not cover it.
    if (i === keys.length) break;
    pathIndexes[depth] = i++;
    p = writeValue((value as Record<string, unknown>)[key], p, depth + 1);
  }
  for (; i < keys.length; i++) p = writeAbsent(p);
  return p;
}

function writeKeyed(value: object, keys: readonly string[], position: number, depth: number): number {
  let p = position;
  for (let i = 0; i < keys.length; i++) {
    pathIndexes[depth] = i;
    const key = keys[i] as string;
    const property = (value as Record<string, unknown>)[key];
    if (property === undefined && !hasOwn(value, key)) p = writeAbsent(p);
    else p = writeValue(property, p, depth + 1);
  }
  return p;
}

function writeAbsent(position: number): number {
  reserve(position, SLACK_BYTES);
  out[position] = TAG_ABSENT;
  return position + 1;
}

function writePlainPairs(value: object, keys: readonly string[], position: number, depth: number): number {
  if (types.isArgumentsObject(value)) refuse('an arguments object', depth);
  return writePairs(value, keys, position, depth);
}

function writePairs(value: object, keys: readonly string[], position: number, depth: number): number {
  out[position] = TAG_RECORD;
  return writeProperties(value, keys, writeCount(keys.length, position + 1), depth);
}

function writeProperties(value: object, keys: readonly string[], position: number, depth: number): number {
  let p = position;
  pathKeys[depth] = keys;
  for (let i = 0; i < keys.length; i++) {
    pathIndexes[depth] = i;
    const key = keys[i] as string;
    reserve(p, SLACK_BYTES);
    p = writeString(key, p);
    const property = (value as Record<string, unknown>)[key];
    if (property === undefined && !hasOwn(value, key)) p = writeAbsent(p);
    else p = writeValue(property, p, depth + 1);
  }
  return p;
}

/**
 * A Uint8Array over the whole of a buffer that nothing else in the message shows; otherwise -1. A Buffer that is a part
 * of a larger one is sent alone: most are slices of a pool, whose other bytes are nobody's business.
 */
function writeBytes(value: object, position: number, depth: number): number {
  if (!isUint8Array(value)) return -1;
  const buffer = bufferOf(value);
  const length = byteLengthOf(value);
  const isPart = length !== buffer.byteLength;
  if (types.isSharedArrayBuffer(buffer) || (buffer as ArrayBuffer).resizable || isTracked(buffer) || isMoved(buffer))
    return -1;
  if ((buffer as ArrayBuffer).detached) refuse('a view of a detached ArrayBuffer', depth);
  if (isPart && getPrototypeOf(value) !== Buffer.prototype) return -1;
  // The number after the view's is the buffer's; that of a pool goes to an object that nobody else has.
  track(isPart ? {} : buffer);
  reserve(position, length);
  out[position] = TAG_BYTES;
  const p = writeCount(length, position + 1);
  // A part goes by way of its own view, for `set` asks the instance only for what its prototype tells it.
  out.set(new Uint8Array(buffer, byteOffsetOf(value), length), p);
  return p + length;
}

/** On a string that V8 keeps in one byte a character this answers without looking at the characters. */
const beyondLatin1 = /[^\0-\xff]/;

function writeChunk(chunk: string, position: number): number {
  const length = chunk.length;
  const isWide = beyondLatin1.test(chunk);
  const byteCount = isWide ? length * 2 : length;
  reserve(position, CHUNK_HEADER_BYTES + byteCount);
  out[position] = isWide ? TEXT_UTF16 : TEXT_LATIN1;
  out[position + 1] = length;
  out[position + 2] = length >>> 8;
  out[position + 3] = length >>> 16;
  out[position + 4] = length >>> 24;
  const start = position + CHUNK_HEADER_BYTES;
  if (isWide) ucs2Write.call(out, chunk, start, byteCount);
  else latin1Write.call(out, chunk, start, byteCount);
  return start + byteCount;
}

function writeMessage(value: unknown): number {
  let p = writeValue(value, HEADER_BYTES, 0);
  out[0] = isGraph ? FORMAT_GRAPH : FORMAT_TREE;
  out[1] = p;
  out[2] = p >>> 8;
  out[3] = p >>> 16;
  out[4] = p >>> 24;
  if (texts !== null) for (const chunk of texts) p = writeChunk(chunk, p);
  if (text.length > 0) p = writeChunk(text, p);
  return p;
}

function hasEnumerable(value: object): boolean {
  for (const _ in value) return true;
  return false;
}

function resetWriter(): void {
  const count = objectCount < SCANNED_MAX ? objectCount : SCANNED_MAX;
  for (let i = 0; i < count; i++) scanned[i] = null;
  objectCount = 0;
  objectSet = null;
  objectIndexes = null;
  isGraph = false;
  text = '';
  texts = null;
  functions = null;
  carried = null;
  shapeCount = 0;
  shapesLearnt = 0;
  pathKeys.length = 0;
  isWriting = false;
}

/**
 * Writes a value. `root` is what error messages call it: `args` gives `args[0].user.f`.
 * Throws a CodecError ERR_IPC_NOT_CLONEABLE for what cannot be cloned; an error of a getter passes as it is.
 */
export function encode(value: unknown, root: 'args' | 'result' | (string & {})): Encoded {
  if (isWriting) return encodeNested(value, root);
  if (out.length > SCRATCH_BYTES_KEPT_MAX) {
    out = newScratch(SCRATCH_BYTES_MIN);
    outLimit = out.length - SLACK_BYTES;
  }
  isWriting = true;
  rootName = root;
  messageNumber++;
  lastShape = firstShape;
  isPolluted = hasEnumerable(ObjectPrototype);
  try {
    encoded.length = writeMessage(value);
    encoded.bytes = out;
    encoded.functions = functions;
    encoded.carried = carried;
    return encoded;
  } finally {
    resetWriter();
  }
}

/** An encode inside a getter of another: it gets a state of its own and gives it back. */
function encodeNested(value: unknown, root: string): Encoded {
  const saved = {
    out,
    outLimit,
    text,
    texts,
    scanned,
    objectCount,
    objectSet,
    objectIndexes,
    isGraph,
    shapeCount,
    shapesLearnt,
    lastShape,
    functions,
    carried,
    rootName,
    pathKeys,
    pathIndexes,
  };
  out = newScratch(SCRATCH_BYTES_MIN);
  outLimit = out.length - SLACK_BYTES;
  text = '';
  texts = functions = carried = null;
  scanned = new Array(SCANNED_MAX).fill(null);
  objectCount = shapeCount = shapesLearnt = 0;
  objectSet = null;
  objectIndexes = null;
  isGraph = false;
  pathKeys = [];
  pathIndexes = new Int32Array(DEPTH_MAX + 2);
  isWriting = false;
  const { bytes, length, functions: outerFunctions, carried: outerCarried } = encoded;
  try {
    return { ...encode(value, root) };
  } finally {
    Object.assign(encoded, { bytes, length, functions: outerFunctions, carried: outerCarried });
    ({
      out,
      outLimit,
      text,
      texts,
      scanned,
      objectCount,
      objectSet,
      objectIndexes,
      isGraph,
      shapeCount,
      shapesLearnt,
      lastShape,
      functions,
      carried,
      rootName,
      pathKeys,
      pathIndexes,
    } = saved);
    isWriting = true;
    // The shapes that either message has numbered so far are numbered again: a number is never valid in two messages.
    messageNumber++;
  }
}

const sink: Sink = {
  value: writeValue,
  string(value, position) {
    reserve(position, SLACK_BYTES);
    return writeString(value, position);
  },
  count(count, position) {
    reserve(position, SLACK_BYTES);
    return writeCount(count, position);
  },
  float(value, position) {
    reserve(position, SLACK_BYTES);
    return writeFloat(value, position);
  },
  byte(value, position) {
    reserve(position, SLACK_BYTES);
    out[position] = value;
    return position + 1;
  },
  bytes(value, position) {
    reserve(position, value.length);
    out.set(value, position);
    return position + value.length;
  },
  properties: writeProperties,
  carried: writeCarried,
  refuse,
  path(depth, keys, index) {
    pathKeys[depth] = keys;
    pathIndexes[depth] = index;
  },
};

// Reading. The position is module state, for a reader gives back the value.

interface KnownShape {
  keys: readonly string[];
  /** Some key is one that Object.prototype has (`__proto__`, `toString`): assignment might not make an own property. */
  inherited: boolean;
}
const knownShapes = new Map<string, KnownShape>();
/** What TAG_ABSENT reads as. */
const ABSENT = Symbol('absent');

let input: Uint8Array = out;
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
