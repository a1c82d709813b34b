/**
 * What runs in the guest before anything of the guest's own: it takes values apart and puts them together.
 *
 * A value crosses as a *tape*: a flat array of primitives, in which a symbol of ours stands for "an object begins".
 * The guest flattens its own values, so that getters and proxies run where they belong: in the sandbox, on the guest's
 * stack, under its limits. The host reads the tape, and trusts nothing that it says (take.ts).
 *
 * The text uses what it captured before the guest's code could change it, calls through `apply`, and keeps its own data
 * on objects without a prototype: a setter that the guest puts on `Array.prototype` is not asked.
 */

/** Name of the text in stacks; frames of it are left out. */
export const PRELUDE = 'l3:prelude';

/** The symbols of a tape. What follows each is said where it is read, in take.ts. */
export const OPERATIONS = [
  'object',
  'array',
  'sparse',
  'again',
  'map',
  'set',
  'date',
  'regexp',
  'error',
  'bytes',
  'view',
  'boxed',
] as const;
export type Operation = (typeof OPERATIONS)[number];

/** Entries of an error's chain of causes. */
const CHAIN_MAX = 8;
const STACK_CHARACTERS_MAX = 16 * 1024;
/** As deep as the codec goes; the guest's own stack is shorter than that for most. */
const DEPTH_MAX = 1000;

export const preludeText = `(() => {
'use strict';
const { apply, construct, ownKeys, getPrototypeOf, defineProperty } = Reflect;
const { keys: keysOf, freeze, setPrototypeOf } = Object;
const { isArray } = Array;
const { isError } = Error;
const ObjectPrototype = Object.prototype;
const ArrayPrototype = Array.prototype;
const isEnumerable = ObjectPrototype.propertyIsEnumerable;
const stringSlice = String.prototype.slice;
const stringify = JSON.stringify;
const functionText = Function.prototype.toString;
const getter = (prototype, name) => Object.getOwnPropertyDescriptor(prototype, name).get;
const TypedArray = getPrototypeOf(Uint8Array);
const typedName = getter(TypedArray.prototype, Symbol.toStringTag);
const typedBuffer = getter(TypedArray.prototype, 'buffer');
const typedOffset = getter(TypedArray.prototype, 'byteOffset');
const typedLength = getter(TypedArray.prototype, 'length');
const viewBuffer = getter(DataView.prototype, 'buffer');
const viewOffset = getter(DataView.prototype, 'byteOffset');
const viewLength = getter(DataView.prototype, 'byteLength');
const bufferLength = getter(ArrayBuffer.prototype, 'byteLength');
const mapSize = getter(Map.prototype, 'size');
const setSize = getter(Set.prototype, 'size');
const mapEach = Map.prototype.forEach;
const setEach = Set.prototype.forEach;
const dateValue = Date.prototype.valueOf;
const regexpSource = getter(RegExp.prototype, 'source');
const regexpFlags = getter(RegExp.prototype, 'flags');
const boxes = [Number, String, Boolean, BigInt].map((kind) => kind.prototype.valueOf);
const { Map: GuestMap, Set: GuestSet, Date: GuestDate, RegExp: GuestRegExp, DataView: GuestView, String: text } = globalThis;
const mapGet = GuestMap.prototype.get, mapSet = GuestMap.prototype.set, setAdd = GuestSet.prototype.add;
const tag = Symbol.toStringTag;
const GuestObject = Object;
const bare = (object) => setPrototypeOf(object, null);
const byName = bare({
  Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array,
  Float64Array, BigInt64Array, BigUint64Array,
});
if (typeof Float16Array === 'function') byName.Float16Array = Float16Array;
const errors = bare({ Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError });
const errorKinds = new GuestMap();
errorKinds.get = mapGet;
for (const name of keysOf(errors)) apply(mapSet, errorKinds, [errors[name].prototype, name]);
const operations = [${OPERATIONS.map((name) => `'${name}'`).join(', ')}].map((name) => Symbol(name));
const [${OPERATIONS.map((name) => name.toUpperCase()).join(', ')}] = operations;
const newTape = () => bare([]);
const REFUSED = bare({});
const CODES = bare({ refused: 0, limit: 1 });

const begin = (max) => {
  const seen = new GuestMap();
  seen.get = mapGet;
  seen.set = mapSet;
  return bare({ tape: newTape(), at: 0, max, seen, count: 0, path: newTape(), depth: 0, why: '', code: 0 });
};
const refuse = (s, what, code) => {
  let path = '';
  for (let i = 0; i < s.depth; i++) {
    const key = s.path[i];
    path += typeof key === 'number' ? '[' + key + ']' : '.' + key;
  }
  s.why = path + '\\0' + what;
  s.code = code;
  throw REFUSED;
};
const is = (method, value) => {
  try {
    apply(method, value, []);
    return true;
  } catch {
    return false;
  }
};
const read = (object, key) => {
  try {
    return object[key];
  } catch {
    return undefined;
  }
};

const put = (s, value) => {
  if (s.at >= s.max) refuse(s, 'it has more than ' + s.max + ' parts', CODES.limit);
  switch (typeof value) {
    case 'symbol':
      return refuse(s, 'a symbol', CODES.refused);
    case 'function':
      return refuse(s, 'a function', CODES.refused);
    case 'object':
      if (value !== null) return putObject(s, value);
  }
  s.tape[s.at++] = value;
};
const putObject = (s, value) => {
  const known = s.seen.get(value);
  if (known !== undefined) {
    s.tape[s.at++] = AGAIN;
    s.tape[s.at++] = known;
    return;
  }
  if (s.depth > ${DEPTH_MAX}) refuse(s, 'nested more than ${DEPTH_MAX} deep', CODES.limit);
  s.seen.set(value, s.count++);
  if (isArray(value)) return putArray(s, value);
  const prototype = getPrototypeOf(value);
  if (prototype !== ObjectPrototype && prototype !== null && putSpecial(s, value)) return;
  s.tape[s.at++] = OBJECT;
  putProperties(s, value, keysOf(value));
};
const putProperties = (s, value, keys) => {
  const { length } = keys;
  s.tape[s.at++] = length;
  for (let i = 0; i < length; i++) {
    const key = keys[i];
    s.tape[s.at++] = key;
    s.path[s.depth++] = key;
    put(s, value[key]);
    s.depth--;
  }
};
const putArray = (s, value) => {
  const { length } = value;
  const keys = ownKeys(value);
  if (keys.length !== length + 1 || (length > 0 && keys[length - 1] !== text(length - 1))) {
    const kept = newTape();
    let count = 0;
    for (let i = 0; i < keys.length; i++) {
      if (typeof keys[i] === 'string' && keys[i] !== 'length' && apply(isEnumerable, value, [keys[i]])) kept[count++] = keys[i];
    }
    s.tape[s.at++] = SPARSE;
    s.tape[s.at++] = length;
    return putProperties(s, value, kept);
  }
  s.tape[s.at++] = ARRAY;
  s.tape[s.at++] = length;
  for (let i = 0; i < length; i++) {
    s.path[s.depth++] = i;
    put(s, value[i]);
    s.depth--;
  }
};
const putSpecial = (s, value) => {
  const typed = apply(typedName, value, []);
  if (typed !== undefined) return putView(s, typed, apply(typedBuffer, value, []), apply(typedOffset, value, []), apply(typedLength, value, []));
  if (isError(value)) return putError(s, value);
  if (is(dateValue, value)) {
    s.tape[s.at++] = DATE;
    s.tape[s.at++] = apply(dateValue, value, []);
  } else if (is(mapSize, value)) putEntries(s, MAP, value, mapSize, mapEach);
  else if (is(setSize, value)) putEntries(s, SET, value, setSize, setEach);
  else if (is(bufferLength, value)) {
    s.tape[s.at++] = BYTES;
    s.tape[s.at++] = value;
  } else if (is(viewBuffer, value)) {
    return putView(s, 'DataView', apply(viewBuffer, value, []), apply(viewOffset, value, []), apply(viewLength, value, []));
  } else if (is(regexpSource, value)) {
    s.tape[s.at++] = REGEXP;
    s.tape[s.at++] = apply(regexpSource, value, []);
    s.tape[s.at++] = text(apply(regexpFlags, value, []));
  } else return putOther(s, value);
  return true;
};
const putOther = (s, value) => {
  for (let i = 0; i < boxes.length; i++) {
    if (!is(boxes[i], value)) continue;
    s.tape[s.at++] = BOXED;
    s.tape[s.at++] = apply(boxes[i], value, []);
    return true;
  }
  const kind = read(value, tag);
  switch (kind) {
    case 'Promise': case 'WeakMap': case 'WeakSet': case 'WeakRef': case 'FinalizationRegistry': case 'Generator':
    case 'AsyncGenerator': case 'SharedArrayBuffer': case 'Symbol': case 'Module': case 'Array Iterator':
    case 'Map Iterator': case 'Set Iterator': case 'String Iterator': case 'RegExp String Iterator':
      refuse(s, 'a ' + kind, CODES.refused);
  }
  return false;
};
const putView = (s, name, buffer, offset, length) => {
  s.tape[s.at++] = VIEW;
  s.tape[s.at++] = name;
  s.tape[s.at++] = offset;
  s.tape[s.at++] = length;
  put(s, buffer);
  return true;
};
const putEntries = (s, operation, value, size, each) => {
  s.tape[s.at++] = operation;
  const entries = newTape();
  let count = 0;
  apply(each, value, [(item, key) => {
    entries[count++] = key;
    if (operation === MAP) entries[count++] = item;
  }]);
  s.tape[s.at++] = count;
  for (let i = 0; i < count; i++) {
    s.path[s.depth++] = i;
    put(s, entries[i]);
    s.depth--;
  }
};
// kind, name, message, stack, whether it has a cause; a tape for the cause, and one for its properties.
const putError = (s, error) => {
  let kind = 'Error';
  let prototype = getPrototypeOf(error);
  for (let i = 0; i < 16 && prototype !== null; i++) {
    const known = errorKinds.get(prototype);
    if (known !== undefined) {
      kind = known;
      break;
    }
    prototype = getPrototypeOf(prototype);
  }
  const name = read(error, 'name');
  const message = read(error, 'message');
  const stack = read(error, 'stack');
  s.tape[s.at++] = ERROR;
  s.tape[s.at++] = kind;
  s.tape[s.at++] = typeof name === 'string' ? name : kind;
  s.tape[s.at++] = typeof message === 'string' ? message : '';
  s.tape[s.at++] = typeof stack === 'string' ? apply(stringSlice, stack, [0, ${STACK_CHARACTERS_MAX}]) : '';
  // A trial asks whether an error can be sent: it always can.
  if (s.trial) return true;
  const properties = bare({});
  const keys = keysOf(error);
  for (let i = 0; i < keys.length && i < 64; i++) {
    const key = keys[i];
    if (key === 'name' || key === 'message' || key === 'stack' || key === 'cause') continue;
    const value = read(error, key);
    if (isSendable(s, value)) defineProperty(properties, key, { __proto__: null, value, enumerable: true });
  }
  putProperties(s, properties, keysOf(properties));
  const cause = read(error, 'cause');
  const hasCause = cause !== undefined && s.depth < ${CHAIN_MAX} && isSendable(s, cause);
  s.tape[s.at++] = hasCause;
  if (hasCause) {
    s.path[s.depth++] = 'cause';
    put(s, cause);
    s.depth--;
  }
  return true;
};
// An error is not refused for what hangs on it: that is left out. A trial says what can be sent.
const isSendable = (s, value) => {
  if (typeof value === 'symbol' || typeof value === 'function') return false;
  if (typeof value !== 'object' || value === null) return true;
  const trial = begin(10000);
  trial.trial = true;
  trial.depth = s.depth;
  try {
    put(trial, value);
    return true;
  } catch {
    return false;
  }
};

const flatten = (value, max) => {
  const s = begin(max);
  try {
    put(s, value);
  } catch (error) {
    if (error === REFUSED) return s.code + s.why;
    throw error;
  }
  return s.tape;
};
const flattenThrown = (thrown) => {
  const s = begin(10000);
  try {
    put(s, thrown);
    return s.tape;
  } catch {
    const tape = newTape();
    let what = 'a thrown ' + typeof thrown + ' that cannot be sent';
    try {
      what += ': ' + apply(stringSlice, text(thrown), [0, 1000]);
    } catch {}
    tape[0] = ERROR;
    tape[1] = 'Error';
    tape[2] = 'Error';
    tape[3] = what;
    tape[4] = '';
    tape[5] = 0;
    tape[6] = false;
    return tape;
  }
};

const take = (s) => {
  const value = s.tape[s.at++];
  if (typeof value !== 'symbol') return value;
  switch (value) {
    case OBJECT: {
      const object = bare({});
      s.made[s.count++] = object;
      takeProperties(s, object);
      return setPrototypeOf(object, ObjectPrototype);
    }
    case ARRAY: case SPARSE: return takeArray(s, value);
    case AGAIN: return s.made[s.tape[s.at++]];
    case MAP: case SET: return takeEntries(s, value);
    case DATE: return (s.made[s.count++] = new GuestDate(s.tape[s.at++]));
    case REGEXP: return (s.made[s.count++] = new GuestRegExp(s.tape[s.at++], s.tape[s.at++]));
    case BOXED: return (s.made[s.count++] = GuestObject(s.tape[s.at++]));
    case BYTES: return (s.made[s.count++] = s.tape[s.at++]);
    case ERROR: return takeError(s);
    default: return takeView(s);
  }
};
const takeProperties = (s, object) => {
  const count = s.tape[s.at++];
  for (let i = 0; i < count; i++) {
    const key = s.tape[s.at++];
    object[key] = take(s);
  }
};
const takeArray = (s, operation) => {
  const array = newTape();
  s.made[s.count++] = array;
  const length = s.tape[s.at++];
  if (operation === SPARSE) takeProperties(s, array);
  else for (let i = 0; i < length; i++) array[i] = take(s);
  array.length = length;
  return setPrototypeOf(array, ArrayPrototype);
};
const takeEntries = (s, operation) => {
  const made = operation === MAP ? new GuestMap() : new GuestSet();
  s.made[s.count++] = made;
  const count = s.tape[s.at++];
  for (let i = 0; i < count; i++) {
    if (operation === SET) apply(setAdd, made, [take(s)]);
    else {
      const key = take(s);
      apply(mapSet, made, [key, take(s)]);
      i++;
    }
  }
  return made;
};
const takeView = (s) => {
  const index = s.count++;
  const name = s.tape[s.at++];
  const offset = s.tape[s.at++];
  const length = s.tape[s.at++];
  const buffer = take(s);
  return (s.made[index] = construct(name === 'DataView' ? GuestView : byName[name], [buffer, offset, length]));
};
const takeError = (s) => {
  const index = s.count++;
  const kind = s.tape[s.at++];
  const name = s.tape[s.at++];
  const error = construct(errors[kind], [s.tape[s.at++]]);
  s.made[index] = error;
  s.at++;
  const hidden = (key, value) => defineProperty(error, key, { __proto__: null, value, writable: true, configurable: true });
  if (name !== kind) hidden('name', name);
  const properties = bare({});
  takeProperties(s, properties);
  for (const key of keysOf(properties)) {
    defineProperty(error, key, { __proto__: null, value: properties[key], writable: true, configurable: true, enumerable: true });
  }
  if (s.tape[s.at++]) hidden('cause', take(s));
  return error;
};
const build = (tape) => take(bare({ tape, at: 0, made: newTape(), count: 0 }));
const callWith = (fn, tape) => apply(fn, undefined, build(tape));

// The functions of a module's namespace: names and functions in turn.
const exportsOf = (namespace) => {
  const found = newTape();
  let count = 0;
  for (const name of keysOf(namespace)) {
    const value = read(namespace, name);
    if (typeof value !== 'function' || apply(stringSlice, apply(functionText, value, []), [0, 6]) === 'class ') continue;
    found[count++] = name;
    found[count++] = value;
  }
  return found;
};

const shown = (value) => {
  if (typeof value === 'string') return value;
  if (typeof value === 'bigint') return value + 'n';
  if (typeof value === 'function') return '[function]';
  if (typeof value !== 'object' || value === null) return text(value);
  try {
    if (isError(value)) return text(value) + '\\n' + text(value.stack);
    return stringify(value) ?? text(value);
  } catch {
    return '[object]';
  }
};
const makeConsole = (print) => {
  const console = {};
  for (const level of ['log', 'info', 'debug', 'warn', 'error']) {
    console[level] = (...values) => {
      let line = '';
      for (let i = 0; i < values.length; i++) line += (i === 0 ? '' : ' ') + shown(values[i]);
      print(level, line);
    };
  }
  return console;
};
const makeGlobal = (name, value) => defineProperty(globalThis, name, { __proto__: null, value, writable: true, configurable: true });
const makeHost = (tape) => {
  const host = bare({});
  for (let i = 0; tape[i] !== undefined; i += 2) {
    const fn = tape[i + 1];
    defineProperty(fn, 'name', { __proto__: null, value: tape[i], configurable: true });
    host[tape[i]] = fn;
  }
  return freeze(host);
};
const hexadecimal = (value) => {
  const negative = value < 0n;
  return (negative ? '-' : '') + apply(bigintText, negative ? -value : value, [16]);
};
const bigintText = BigInt.prototype.toString;
const bigintOf = (digits, negative) => {
  const value = GuestBigInt(digits);
  return negative ? -value : value;
};
const GuestBigInt = BigInt;
return freeze(bare({ operations, newTape, flatten, flattenThrown, build, callWith, exportsOf, makeConsole, makeGlobal, makeHost, hexadecimal, bigintOf }));
})()`;
