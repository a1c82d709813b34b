/**
 * The rarer kinds of the codec: collections, dates, errors, buffers and their views, boxed primitives, arrays with
 * holes or names, and what only `postMessage` carries. Each is written as a *kind* byte and its parts, and comes back
 * as
 * `structuredClone` would have given it.
 *
 * `v8.Serializer` could write these too, but it knows no functions, keeps no identity with values outside it, asks a
 * getter again that the first pass has asked, and gives each view a buffer of its own. So these kinds are part of the
 * one stream.
 *
 * Words: a *sink* and a *source* are the two ends of the stream in codec.ts, handed in so that this file imports
 * nothing from there. An object *begins* when it gets its number, before its parts are read; one that can only be made
 * from its parts *finishes* later.
 *
 * Invariant: what V8 would refuse to clone is refused here, by the brand of the object and not by its prototype; for
 * classes of the host whose brand cannot be seen, the host's own `structuredClone` is asked.
 */
import { isMoved } from './move.ts';
import { types } from 'node:util';

/** The writing end. A writer takes a position and gives the next one. */
export interface Sink {
  value(value: unknown, position: number, depth: number): number;
  string(value: string, position: number): number;
  count(count: number, position: number): number;
  float(value: number, position: number): number;
  byte(value: number, position: number): number;
  bytes(value: Uint8Array, position: number): number;
  properties(value: object, keys: readonly string[], position: number, depth: number): number;
  /** Puts a value on the list for `postMessage` and gives its index. */
  carried(value: unknown): number;
  refuse(what: string, depth: number): never;
  /**
   * Says where the next value stands: `index` among `keys`; a key that begins with a zero character is printed as it
   * is.
   */
  path(depth: number, keys: readonly string[] | null, index: number): void;
}

/** The reading end. */
export interface Source {
  value(depth: number): unknown;
  /** As `value`, but a property that was gone when its turn came is given as a marker. */
  any(depth: number): unknown;
  isAbsent(value: unknown): boolean;
  string(): string;
  byte(): number;
  count(): number;
  boundedCount(byteCount: number): number;
  float(): number;
  buffer(length: number): ArrayBuffer;
  properties(target: object, count: number, depth: number): void;
  emptyArray(length: number): unknown[];
  carried(index: number): unknown;
  /** Gives an object the next number; `undefined` when it cannot be made yet. */
  begin(object: object | undefined): number;
  finish(number: number, object: unknown): void;
  fail(what: string): never;
}

/** What `writeStructured` gives for an object that is to be written by its own enumerable properties. */
export const PLAIN = -1;

const KIND_SPARSE_ARRAY = 1;
const KIND_MAP = 2;
const KIND_SET = 3;
const KIND_DATE = 4;
const KIND_REGEXP = 5;
const KIND_ERROR = 6;
const KIND_DOM_EXCEPTION = 7;
const KIND_ARRAY_BUFFER = 8;
const KIND_RESIZABLE_BUFFER = 9;
const KIND_VIEW = 10;
const KIND_BOXED = 11;
const KIND_CARRIED = 12;

const ERROR_HAS_MESSAGE = 1;
const ERROR_HAS_STACK = 2;
const ERROR_HAS_CAUSE = 4;
/** The names that `structuredClone` keeps; any other error arrives as an Error. */
const errorKinds = [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError] as const;
const errorNames = errorKinds.map((kind) => kind.name);

type View = ArrayBufferView & { length?: number };
type ViewConstructor = new (buffer: ArrayBufferLike, byteOffset: number, length?: number) => View;
/** The kinds of view by number; a host without Float16Array refuses that number. */
const viewNames = [
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float16Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
  'DataView',
] as const;
const viewConstructors = viewNames.map(
  (name) => (globalThis as unknown as Record<string, ViewConstructor | undefined>)[name],
);
const VIEW_IS_TRACKING = 1;
/** Address space that a resizable buffer may reserve on the word of a message. */
const RESERVED_BYTES_MAX = 2 ** 32;

const getterOf = (prototype: object, key: PropertyKey): ((target: unknown) => unknown) => {
  const getter = Object.getOwnPropertyDescriptor(prototype, key)?.get as () => unknown;
  return (target) => Reflect.apply(getter, target, []);
};
const TypedArrayPrototype = Object.getPrototypeOf(Uint8Array.prototype) as object;
const typedArrayName = getterOf(TypedArrayPrototype, Symbol.toStringTag) as (view: unknown) => string;
const regExpSource = getterOf(RegExp.prototype, 'source') as (regExp: unknown) => string;
const mapForEach = Map.prototype.forEach;
const setForEach = Set.prototype.forEach;
const dateTime = Date.prototype.getTime;
/** Own properties may hide what the prototype's getters say. */
const viewParts = (view: object, isDataView: boolean) => {
  const prototype = isDataView ? DataView.prototype : TypedArrayPrototype;
  return {
    buffer: getterOf(prototype, 'buffer')(view) as ArrayBufferLike,
    byteOffset: getterOf(prototype, 'byteOffset')(view) as number,
    byteLength: getterOf(prototype, 'byteLength')(view) as number,
  };
};

/**
 * Constructors of the host whose instances might not be what they look like: carried, or refused, by a brand that no
 * script can see. An object with one of them in its prototype chain is shown to `structuredClone`.
 */
const hostNames = new Set([
  ...Object.getOwnPropertyNames(globalThis).filter((name) => /^[A-Z]/.test(name) && name !== 'Object'),
  ...Object.getOwnPropertyNames(Intl),
  ...Object.getOwnPropertyNames(WebAssembly),
  ...Object.getOwnPropertyNames((globalThis as { Temporal?: object }).Temporal ?? {}),
  'KeyObject',
  'X509Certificate',
  'Histogram',
  'RecordableHistogram',
  'IntervalHistogram',
  'BlockList',
  'SocketAddress',
  'FileHandle',
  'StatWatcher',
  'Worker',
  'TLSWrap',
  'TCP',
  'Pipe',
  'UDP',
  'Process',
  'FSWatcher',
  'HandleWrap',
]);

/** Writes an object whose prototype is not that of a record; PLAIN when its own properties say everything. */
export function writeStructured(sink: Sink, value: object, position: number, depth: number): number {
  if (types.isMap(value)) return writeMap(sink, value, position, depth);
  if (types.isSet(value)) return writeSet(sink, value, position, depth);
  if (types.isDate(value)) return sink.float(dateTime.call(value), sink.byte(KIND_DATE, position));
  if (types.isNativeError(value) && !(value instanceof DOMException)) return writeError(sink, value, position, depth);
  if (ArrayBuffer.isView(value)) return writeView(sink, value, position, depth);
  if (types.isArrayBuffer(value)) return writeArrayBuffer(sink, value, position, depth);
  if (types.isSharedArrayBuffer(value)) return writeCarried(sink, value, position);
  if (types.isBoxedPrimitive(value)) return writeBoxed(sink, value, position, depth);
  if (types.isRegExp(value)) {
    const next = sink.string(regExpSource(value), sink.byte(KIND_REGEXP, position));
    return sink.string(value.flags, next);
  }
  refuseByBrand(sink, value, depth);
  return writeHostObject(sink, value, position, depth);
}

function refuseByBrand(sink: Sink, value: object, depth: number): void {
  if (types.isPromise(value)) sink.refuse('a Promise', depth);
  if (types.isWeakMap(value)) sink.refuse('a WeakMap', depth);
  if (types.isWeakSet(value)) sink.refuse('a WeakSet', depth);
  if (types.isGeneratorObject(value)) sink.refuse('a generator; an exported generator function gives a stream', depth);
  if (types.isMapIterator(value) || types.isSetIterator(value)) sink.refuse('an iterator', depth);
  if (types.isModuleNamespaceObject(value)) sink.refuse('a module namespace', depth);
  if (types.isArgumentsObject(value)) sink.refuse('an arguments object', depth);
  if (types.isExternal(value)) sink.refuse('an external value', depth);
}

function hostClassOf(value: object): string | null {
  let prototype = Object.getPrototypeOf(value) as object | null;
  while (prototype !== null && prototype !== Object.prototype) {
    const constructor = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value as unknown;
    if (typeof constructor === 'function' && hostNames.has(constructor.name)) return constructor.name;
    // The prototypes of iterators have no constructor, or one behind an accessor, but a tag.
    const tag = Object.getOwnPropertyDescriptor(prototype, Symbol.toStringTag)?.value as unknown;
    if (typeof tag === 'string' && / Iterator$|Generator$|^Iterator Helper$/.test(tag)) return tag;
    prototype = Object.getPrototypeOf(prototype) as object | null;
  }
  return null;
}

const article = (name: string): string => (/^[AEIO]/.test(name) ? `an ${name}` : `a ${name}`);

function writeHostObject(sink: Sink, value: object, position: number, depth: number): number {
  const name = hostClassOf(value);
  if (name === null) return PLAIN;
  let clone: object;
  try {
    clone = structuredClone(value);
  } catch (error) {
    if (!(error instanceof DOMException) || error.name !== 'DataCloneError') throw error;
    // What must be transferred can be carried; a function inside is no obstacle for us, so only the object itself
    // counts.
    if (/needs? (transfer|to be transferred)|transferList/i.test(error.message))
      return writeCarried(sink, value, position);
    if (!Object.values(value).some((property) => typeof property === 'function')) sink.refuse(article(name), depth);
    return PLAIN;
  }
  if (clone instanceof DOMException) return writeDomException(sink, value as DOMException, position);
  const isSame = Object.getPrototypeOf(clone) === Object.prototype;
  return isSame ? PLAIN : writeCarried(sink, value, position);
}

function writeCarried(sink: Sink, value: object, position: number): number {
  return sink.count(sink.carried(value), sink.byte(KIND_CARRIED, position));
}

function writeMap(sink: Sink, value: Map<unknown, unknown>, position: number, depth: number): number {
  // Getters of the entries may change the map: what is sent is what it held when its turn came.
  const entries: unknown[] = [];
  mapForEach.call(value, (item, key) => entries.push(key, item));
  let p = sink.count(entries.length / 2, sink.byte(KIND_MAP, position));
  for (let i = 0; i < entries.length; i++) {
    sink.path(depth, [`\0.entries()[${i >> 1}][${i & 1}]`], 0);
    p = sink.value(entries[i], p, depth + 1);
  }
  return p;
}

function writeSet(sink: Sink, value: Set<unknown>, position: number, depth: number): number {
  const items: unknown[] = [];
  setForEach.call(value, (item) => items.push(item));
  let p = sink.count(items.length, sink.byte(KIND_SET, position));
  for (let i = 0; i < items.length; i++) {
    sink.path(depth, [`\0.values()[${i}]`], 0);
    p = sink.value(items[i], p, depth + 1);
  }
  return p;
}

function writeError(sink: Sink, value: Error, position: number, depth: number): number {
  const message = Object.getOwnPropertyDescriptor(value, 'message');
  const cause = Object.getOwnPropertyDescriptor(value, 'cause');
  const hasMessage = message !== undefined && 'value' in message;
  const hasCause = cause !== undefined && 'value' in cause;
  const kind = errorNames.indexOf(String(value.name));
  const stack: unknown = value.stack;
  const hasStack = typeof stack === 'string';
  let p = sink.byte(KIND_ERROR, position);
  p = sink.byte(kind < 0 ? 0 : kind, p);
  p = sink.byte(
    (hasMessage ? ERROR_HAS_MESSAGE : 0) | (hasStack ? ERROR_HAS_STACK : 0) | (hasCause ? ERROR_HAS_CAUSE : 0),
    p,
  );
  if (hasMessage) p = sink.string(String(message.value), p);
  if (hasStack) p = sink.string(stack, p);
  if (!hasCause) return p;
  sink.path(depth, ['cause'], 0);
  return sink.value(cause.value, p, depth + 1);
}

function writeDomException(sink: Sink, value: DOMException, position: number): number {
  const next = sink.string(value.message, sink.byte(KIND_DOM_EXCEPTION, position));
  return sink.string(String(value.stack), sink.string(value.name, next));
}

function writeArrayBuffer(sink: Sink, value: ArrayBuffer, position: number, depth: number): number {
  if (isMoved(value)) return writeCarried(sink, value, position);
  if (value.detached) sink.refuse('a detached ArrayBuffer', depth);
  let p = sink.byte(value.resizable ? KIND_RESIZABLE_BUFFER : KIND_ARRAY_BUFFER, position);
  p = sink.count(value.byteLength, p);
  if (value.resizable) p = sink.float(value.maxByteLength, p);
  return sink.bytes(new Uint8Array(value), p);
}

/** Whether a view follows the length of its resizable buffer: no property tells, but a clone of it can be tried. */
function isTracking(view: View, buffer: ArrayBuffer | SharedArrayBuffer, end: number): boolean {
  const isResizable = types.isSharedArrayBuffer(buffer) ? buffer.growable : (buffer as ArrayBuffer).resizable;
  const unit = types.isDataView(view) ? 1 : (view as Uint8Array).BYTES_PER_ELEMENT;
  if (!isResizable || buffer.byteLength - end >= unit) return false;
  if (types.isSharedArrayBuffer(buffer)) return false;
  const clone = structuredClone(view);
  const cloned = clone.buffer as ArrayBuffer;
  if (cloned.maxByteLength - cloned.byteLength >= unit) {
    cloned.resize(cloned.byteLength + unit);
    return clone.byteLength !== view.byteLength;
  }
  if (view.byteLength === 0) return false;
  cloned.resize(cloned.byteLength - 1);
  // A fixed view is out of bounds now: a DataView says so by an error, the others by a length of 0 at offset 0.
  try {
    return clone.byteLength > 0 || clone.byteOffset === view.byteOffset;
  } catch {
    return false;
  }
}

function writeView(sink: Sink, value: ArrayBufferView, position: number, depth: number): number {
  const isDataView = types.isDataView(value);
  const kind = isDataView ? viewNames.length - 1 : viewNames.indexOf(typedArrayName(value) as 'Uint8Array');
  let parts: { buffer: ArrayBufferLike; byteOffset: number; byteLength: number };
  try {
    parts = viewParts(value, isDataView);
    if (!isDataView) Reflect.apply(Uint8Array.prototype.keys, value, []);
  } catch {
    return sink.refuse('a view of bytes that are gone', depth);
  }
  const { buffer, byteOffset, byteLength } = parts;
  const tracking = isTracking(value, buffer, byteOffset + byteLength);
  let p = sink.byte(kind, sink.byte(KIND_VIEW, position));
  p = sink.byte(tracking ? VIEW_IS_TRACKING : 0, p);
  const unit = isDataView ? 1 : (value as Uint8Array).BYTES_PER_ELEMENT;
  p = sink.count(byteLength / unit, sink.count(byteOffset, p));
  sink.path(depth, ['buffer'], 0);
  return sink.value(buffer, p, depth + 1);
}

function writeBoxed(sink: Sink, value: object, position: number, depth: number): number {
  if (types.isSymbolObject(value)) sink.refuse('a symbol', depth);
  let primitive: unknown;
  if (types.isNumberObject(value)) primitive = Number.prototype.valueOf.call(value);
  else if (types.isStringObject(value)) primitive = String.prototype.valueOf.call(value);
  else if (types.isBooleanObject(value)) primitive = Boolean.prototype.valueOf.call(value);
  else primitive = BigInt.prototype.valueOf.call(value as unknown as bigint);
  return sink.value(primitive, sink.byte(KIND_BOXED, position), depth + 1);
}

/** An array with holes or with named properties: its keys, as those of an object, after its length. */
export function writeSparseArray(sink: Sink, value: unknown[], position: number, depth: number): number {
  const keys = Object.keys(value);
  let p = sink.count(value.length, sink.byte(KIND_SPARSE_ARRAY, position));
  p = sink.count(keys.length, p);
  return sink.properties(value, keys, p, depth);
}

/** Reads what the tag of a structured value announced. */
export function readStructured(source: Source, depth: number): unknown {
  const kind = source.byte();
  switch (kind) {
    case KIND_SPARSE_ARRAY:
      return readSparseArray(source, depth);
    case KIND_MAP:
      return readMap(source, depth);
    case KIND_SET:
      return readSet(source, depth);
    case KIND_DATE:
      return begun(source, new Date(readFloat(source)));
    case KIND_REGEXP:
      return readRegExp(source);
    case KIND_ERROR:
      return readError(source, depth);
    case KIND_DOM_EXCEPTION:
      return readDomException(source);
    case KIND_ARRAY_BUFFER:
      return begun(source, source.buffer(source.count()));
    case KIND_RESIZABLE_BUFFER:
      return begun(source, readResizable(source));
    case KIND_VIEW:
      return readView(source, depth);
    case KIND_BOXED:
      return readBoxed(source, depth);
    case KIND_CARRIED:
      return begun(source, source.carried(source.count()) as object);
    default:
      return source.fail(`an unknown kind ${kind}`);
  }
}

function begun<T extends object>(source: Source, object: T): T {
  source.begin(object);
  return object;
}

/** A float is written as a value, so its tag is skipped here. */
function readFloat(source: Source): number {
  source.byte();
  return source.float();
}

function readSparseArray(source: Source, depth: number): unknown[] {
  const length = source.count();
  const count = source.boundedCount(2);
  const result = begun(source, source.emptyArray(length));
  source.properties(result, count, depth);
  if (result.length !== length) source.fail('an array is longer than it says');
  return result;
}

function readMap(source: Source, depth: number): Map<unknown, unknown> {
  const count = source.boundedCount(2);
  const result = begun(source, new Map<unknown, unknown>());
  for (let i = 0; i < count; i++) {
    const key = source.value(depth + 1);
    result.set(key, source.value(depth + 1));
  }
  return result;
}

function readSet(source: Source, depth: number): Set<unknown> {
  const count = source.boundedCount(1);
  const result = begun(source, new Set<unknown>());
  for (let i = 0; i < count; i++) result.add(source.value(depth + 1));
  return result;
}

function readRegExp(source: Source): RegExp {
  const pattern = source.string();
  return begun(source, new RegExp(pattern, source.string()));
}

function hidden(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, writable: true, enumerable: false, configurable: true });
}

function readError(source: Source, depth: number): Error {
  const kind = errorKinds[source.byte()] ?? source.fail('an unknown kind of error');
  const flags = source.byte();
  const message = flags & ERROR_HAS_MESSAGE ? source.string() : undefined;
  const stack = flags & ERROR_HAS_STACK ? source.string() : undefined;
  const result = withoutStack(() => new kind(message));
  setStack(result, stack);
  source.begin(result);
  if (flags & ERROR_HAS_CAUSE) hidden(result, 'cause', source.value(depth + 1));
  return result;
}

/** V8 gives an error its own accessor for the stack: the assignment keeps it, a definition would replace it. */
function setStack(error: Error, stack: string | undefined): void {
  if (Object.hasOwn(error, 'stack')) (error as { stack: unknown }).stack = stack;
  else hidden(error, 'stack', stack);
}

/** Makes an error without the cost of looking at the frames, which would be ours. */
function withoutStack<T>(make: () => T): T {
  const limit = Error.stackTraceLimit;
  try {
    Error.stackTraceLimit = 0;
    return make();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

function readDomException(source: Source): DOMException {
  const message = source.string();
  const name = source.string();
  const result = withoutStack(() => new DOMException(message, name));
  setStack(result, source.string());
  return begun(source, result);
}

function readResizable(source: Source): ArrayBuffer {
  const length = source.count();
  const maxByteLength = readFloat(source);
  const content = source.buffer(length);
  if (!(maxByteLength >= length && maxByteLength <= RESERVED_BYTES_MAX)) source.fail('a resizable buffer is malformed');
  const result = new ArrayBuffer(length, { maxByteLength });
  new Uint8Array(result).set(new Uint8Array(content));
  return result;
}

function readView(source: Source, depth: number): View {
  const constructor = viewConstructors[source.byte()] ?? source.fail('an unknown kind of view');
  const tracking = source.byte() === VIEW_IS_TRACKING;
  const byteOffset = source.count();
  const length = source.count();
  const number = source.begin(undefined);
  const buffer = source.value(depth + 1);
  if (!types.isAnyArrayBuffer(buffer)) return source.fail('a view of something that is no buffer');
  const result = new constructor(buffer, byteOffset, tracking ? undefined : length);
  source.finish(number, result);
  return result;
}

function readBoxed(source: Source, depth: number): object {
  const number = source.begin(undefined);
  const primitive = source.value(depth + 1);
  if (
    primitive === null ||
    primitive === undefined ||
    typeof primitive === 'object' ||
    typeof primitive === 'function'
  ) {
    source.fail('a boxed value that is no primitive');
  }
  const result = Object(primitive) as object;
  source.finish(number, result);
  return result;
}
