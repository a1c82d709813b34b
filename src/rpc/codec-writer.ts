/**
 * The writing half of the codec: a value to bytes in a private scratch array. The format is in codec.ts.
 *
 * A writer takes the position and gives the next one; everything else is the state below, which a nested encode (a
 * getter that makes a call) puts aside.
 */
import { Buffer } from 'node:buffer';
import { inspect, types } from 'node:util';
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
  TEXT_LATIN1,
  TEXT_UTF16,
  float,
  floatBytes,
  latin1Write,
  ucs2Write,
} from './codec-format.ts';
import { PLAIN, type Sink, writeSparseArray, writeStructured } from './codec-structured.ts';
import { CodecError } from './errors-codec.ts';
import { isMoved } from './move.ts';

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

/** Every write between two capacity checks fits in this many bytes. */
const SLACK_BYTES = 64;
const SCRATCH_BYTES_MIN = 4096;
/** A scratch larger than this is given back at the next encode, so that one huge message does not pin its memory. */
const SCRATCH_BYTES_KEPT_MAX = 4 * 1024 * 1024;
const MESSAGE_BYTES_MAX = 0xffff_ffff;
/** A slice of a string keeps the whole string alive: a chunk bounds what one kept property can retain. */
const CHUNK_CHARACTERS_MAX = 16 * 1024;
/** So many objects are found by scanning a short array, which is quicker than hashing; then a Map takes over. */
const SCANNED_MAX = 32;

/**
 * Objects used as dictionaries have a new shape each; after so many new ones in a message the rest are written plainly.
 */
const SHAPES_LEARNT_MAX = 16;
/** So many absent elements in a row make it worth listing the array's keys to find the next one. */
const ABSENT_RUN_MAX = 256;

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

/** A path is read by people: a long one is shown by its ends. */
const PATH_MAX = 200;

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
  if (path.length <= PATH_MAX) return path;
  return `${path.slice(0, PATH_MAX / 2)}…${path.slice(-PATH_MAX / 2)}`;
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
