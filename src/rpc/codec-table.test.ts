/**
 * The codec against `structuredClone`, value by value. `assertSameGraph` is stricter than deepStrictEqual: it also
 * compares prototypes, the order and the attributes of properties, and which objects are one and the same.
 */
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import test from 'node:test';
import { types } from 'node:util';
import vm from 'node:vm';
import { decode, encode, type Imports } from './codec.ts';

/** Encodes, copies the bytes to an odd place, decodes. Functions and carried values arrive as themselves. */
function roundTrip(value: unknown): unknown {
  const { bytes, length, functions, carried } = encode(value, 'result');
  const copy = new Uint8Array(length + 5);
  copy.set(bytes.subarray(0, length), 3);
  const imports: Imports = { importFunction: (index) => functions?.[index] as Function, carried };
  return decode(copy, 3, length, imports);
}

function assertSameGraph(actual: unknown, expected: unknown): void {
  const pairs = new Map<unknown, unknown>();
  const back = new Map<unknown, unknown>();
  const queue: [unknown, unknown, string][] = [[actual, expected, 'value']];
  for (let item = queue.pop(); item !== undefined; item = queue.pop()) {
    const [a, b, path] = item;
    if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) {
      assert.ok(Object.is(a, b), `${path}: ${String(a)} is not ${String(b)}`);
      continue;
    }
    assert.equal(pairs.has(a), back.has(b), `${path}: identity`);
    if (pairs.has(a)) {
      assert.equal(pairs.get(a), b, `${path}: identity`);
      continue;
    }
    pairs.set(a, b);
    back.set(b, a);
    assert.equal(Object.getPrototypeOf(a), Object.getPrototypeOf(b), `${path}: prototype`);
    if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b)) {
      assert.deepEqual([a.byteOffset, a.byteLength], [b.byteOffset, b.byteLength], path);
      queue.push([a.buffer, b.buffer, `${path}.buffer`]);
      continue;
    }
    if (types.isArrayBuffer(a)) {
      assert.deepEqual(new Uint8Array(a), new Uint8Array(b as ArrayBuffer), path);
      assert.deepEqual(
        [a.resizable, a.maxByteLength],
        [(b as ArrayBuffer).resizable, (b as ArrayBuffer).maxByteLength],
      );
    }
    if (types.isDate(a) || types.isRegExp(a) || types.isBoxedPrimitive(a)) assert.deepStrictEqual(a, b, path);
    if (types.isMap(a)) queue.push([[...a], [...(b as Map<unknown, unknown>)], `${path}.entries`]);
    if (types.isSet(a)) queue.push([[...a], [...(b as Set<unknown>)], `${path}.values`]);
    assert.deepEqual(Reflect.ownKeys(a), Reflect.ownKeys(b), `${path}: keys`);
    for (const key of Reflect.ownKeys(a)) {
      const { value: x, ...attributes } = Object.getOwnPropertyDescriptor(a, key) as PropertyDescriptor;
      const { value: y, ...others } = Object.getOwnPropertyDescriptor(b, key) as PropertyDescriptor;
      assert.deepEqual(attributes, others, `${path}.${String(key)}: attributes`);
      queue.push([x, y, `${path}.${String(key)}`]);
    }
  }
}

class Point {
  x = 1;
  y = 2;
  #hidden = 3;
  get sum(): number {
    return this.x + this.y + this.#hidden;
  }
}
class Names extends Array<string> {}
class Ages extends Map<string, number> {}
class NotFound extends TypeError {
  override name = 'NotFound';
  code = 'ENOENT';
}

const shared = { a: [1, 2] };
const cycle: Record<string, unknown> = { name: 'cycle' };
cycle.self = cycle;
cycle.list = [cycle, { cycle }];
const cyclicMap = new Map<unknown, unknown>();
cyclicMap.set(cyclicMap, new Set([cyclicMap]));
const buffer = Uint8Array.from({ length: 16 }, (_, index) => index).buffer;
const resizable = new ArrayBuffer(8, { maxByteLength: 32 });
const full = new ArrayBuffer(8, { maxByteLength: 8 });
const named = (name: string) => Object.assign(new Error('m'), { name });
const withCause: Error = new RangeError('outer', { cause: { inner: new TypeError('inner') } });
const withHoles = [1, , 3, , undefined]; // eslint-disable-line no-sparse-arrays
const trailingHoles = new Array<number>(5);
trailingHoles[1] = 1;
const long = (length: number): number[] => Array.from({ length }, (_, index) => index);
const longWithHoles = long(5000);
for (let i = 100; i < 4000; i++) Reflect.deleteProperty(longWithHoles, i);
Reflect.deleteProperty(longWithHoles, 4999);
const longNamed = Object.assign(long(300), { extra: 1 });
const trickyKeys = Object.assign([1, , 3], { foo: 1 }); // eslint-disable-line no-sparse-arrays
const huge: unknown[] = [];
huge.length = 2 ** 31;
huge[7] = 'seven';
huge[2 ** 30] = shared;
const getters = {
  get a(): number {
    return 1;
  },
  b: 2,
  get c(): object {
    return { d: 3 };
  },
};
const removed = {
  get a(): number {
    delete (this as { b?: number }).b;
    return 1;
  },
  b: 2,
  c: 3,
};
const deletedKey: Record<string, number> = { a: 1, b: 2, c: 3 };
delete deletedKey.a;
const hiddenKeys = Object.defineProperty({ a: 1, [Symbol('s')]: 2 }, 'hidden', { value: 3, enumerable: false });
const matchResult = /b(?<rest>.)/.exec('abc') as unknown;
const unshadowed = Object.assign(new Map([[1, 2]]), { extra: true });
const manyShapes = long(100).map((index) => ({ [`k${index}`]: index, v: `${index}` }));
const rows = long(40).map((id) => ({
  id,
  title: `row ${id}`,
  tags: ['x', 'y'],
  author: { name: `n${id % 3}` },
  ok: id > 3,
}));
const record = { a: 1 };

const values: Record<string, unknown> = {
  undefined: undefined,
  null: null,
  true: true,
  false: false,
  zero: 0,
  'minus zero': -0,
  NaN: NaN,
  infinities: [Infinity, -Infinity],
  integers: [
    1,
    127,
    128,
    -1,
    -128,
    32767,
    32768,
    -32768,
    -32769,
    65535,
    2 ** 31 - 1,
    2 ** 31,
    -(2 ** 31),
    -(2 ** 31) - 1,
    2 ** 32,
    2 ** 53,
  ],
  fractions: [0.1, -0.1, 5e-324, 1.7976931348623157e308],
  'empty string': '',
  ASCII: 'hello',
  latin1: 'Grüße ÿ',
  utf16: '日本語 🎉',
  'lone surrogates': ['\ud800', '\udc00x', 'a\udfff'],
  'surrogates that meet': ['\ud83c', '\udf89'],
  'zero characters': ['\0', 'a\0b'],
  'a long string': 'x'.repeat(100_000),
  'a long wide string': '語'.repeat(50_000),
  'strings over several chunks': long(3000).map((n) => `string number ${n}`),
  'string of 63': 's'.repeat(63),
  'string of 64': 's'.repeat(64),
  'string of 16384': 's'.repeat(16384),
  bigints: [0n, 1n, -1n, 2n ** 64n, -(10n ** 30n)],
  boxed: [Object(1), Object(-0), Object('text'), Object(true), Object(5n), Object('')],
  'boxed with properties': Object.assign(Object('abc') as object, { extra: 1 }),
  'empty array': [],
  'nested arrays': [[], [[]], [[[1]]]],
  'array of 31': long(31),
  'array of 32': long(32),
  'array of 65': long(65),
  'array of 1000 floats': long(1000).map((n) => n / 3),
  holes: withHoles,
  'only holes': new Array(3),
  'trailing holes': trailingHoles,
  'many holes': longWithHoles,
  'length without elements': huge,
  'long array of holes': new Array(100_000),
  'named properties': Object.assign([1, 2], { foo: 'bar', 'x y': {} }),
  'named properties and holes': trickyKeys,
  'named properties on a long array': longNamed,
  'a match': matchResult,
  'named properties on an empty array': Object.assign([], { '-1': 1 }),
  'array of undefined': [undefined, undefined],
  'subclass of Array': Names.from(['a', 'b']),
  'empty object': {},
  object: record,
  'undefined property': { a: undefined },
  'order of keys': { b: 1, 2: 'two', a: 3, 1: 'one', '': 4, '-1': 5 },
  '__proto__ as own key': JSON.parse('{"__proto__":{"a":1},"b":2}'),
  'keys of Object.prototype': { constructor: 1, toString: 2, hasOwnProperty: 3, valueOf: null },
  'null prototype': Object.assign(Object.create(null) as object, { a: 1 }),
  'class instance': new Point(),
  'inherited properties': Object.create({ inherited: 1 }),
  getters: getters,
  'property removed by a getter': removed,
  'deleted key': deletedKey,
  'hidden and symbol keys': hiddenKeys,
  frozen: Object.freeze({ a: Object.freeze([1]) }),
  'keys with zero characters': { 'a\0b': 1, '\0': 2 },
  'key of any kind': { ü: 1, 日: 2, '\ud800': 3, 'a b': 4 },
  'many keys': Object.fromEntries(long(500).map((n) => [`key ${n}`, n])),
  'many shapes': manyShapes,
  rows: rows,
  'a long key': { ['k'.repeat(5000)]: 1 },
  'shared reference': [shared, shared, { shared }],
  cycle: cycle,
  'shared by many': long(100).map((n) => (n % 2 === 0 ? shared : { n })),
  'shared after many': [...long(50).map(() => ({})), shared, shared],
  'record and its twin': [{ a: 1 }, record, record],
  Date: [new Date(0), new Date(1.5e12)],
  RegExp: [/a\/b/giu, new RegExp(''), /[\n]/y, Object.assign(/x/g, { lastIndex: 3 })],
  Map: new Map<unknown, unknown>([
    [1, 'a'],
    [{ k: 1 }, shared],
    [NaN, -0],
    ['m', new Map()],
  ]),
  Set: new Set([1, 'a', shared, NaN]),
  'cycle through Map and Set': cyclicMap,
  'Map with own properties': unshadowed,
  'subclass of Map': new Ages([['a', 2]]),
  'Map that shares with an array': [shared, new Map([[shared, shared.a]])],
  Error: new Error('plain'),
  TypeError: new TypeError(''),
  'Error without message': new Error(),
  'subclass of Error': new NotFound('gone'),
  'Errors by name': [
    'EvalError',
    'RangeError',
    'ReferenceError',
    'SyntaxError',
    'URIError',
    'AggregateError',
    'Other',
  ].map(named),
  'Error with cause': withCause,
  AggregateError: new AggregateError([1], 'many'),
  DOMException: new DOMException('stop', 'AbortError'),
  ArrayBuffer: buffer,
  'empty ArrayBuffer': new ArrayBuffer(0),
  'resizable ArrayBuffer': resizable,
  Uint8Array: new Uint8Array([1, 2, 3]),
  'empty Uint8Array': new Uint8Array(0),
  'part of a buffer': new Uint8Array(buffer, 4, 4),
  'views that share': [new Uint8Array(buffer), new Float64Array(buffer, 8, 1), buffer, new DataView(buffer, 3, 5)],
  'buffer before its view': [buffer, new Uint8Array(buffer)],
  'the same view twice': [new Uint8Array(buffer)].flatMap((v) => [v, v]),
  'all kinds of view': [
    Int8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
    DataView,
  ].map((View) => Reflect.construct(View, [buffer, 8, 1]) as unknown),
  'whole Buffer': Buffer.from(buffer),
  'view that follows a length': new Uint8Array(resizable, 2),
  'view of fixed length': new Uint8Array(resizable, 2, 3),
  'views of a full buffer': [
    new Uint8Array(full),
    new Uint8Array(full, 0, 8),
    new DataView(full, 4),
    new Uint16Array(full, 2),
  ],
  'view that lies': Object.defineProperty(new Uint8Array(4), 'byteLength', { value: 1e9 }),
  'other realm': vm.runInNewContext('({ a: [1, { b: new Map([[1, 2]]) }], d: new Date(5), e: new Uint8Array(2) })'),
  deep: long(500).reduce<unknown>((inner) => [{ inner }], 'end'),
  EventTarget: new EventTarget(),
  Math: Math,
  'arguments in sloppy clothes': { 0: 'a', 1: 'b', length: 2 },
};

for (const [name, value] of Object.entries(values)) {
  test(`gives what structuredClone gives: ${name}`, () => {
    const actual = roundTrip(value);
    assertSameGraph(actual, structuredClone(value));
    // A huge array would be walked index by index.
    if (value !== huge) assert.deepStrictEqual(roundTrip([value, value]), structuredClone([value, value]));
  });
}

test('an invalid Date stays one', () => {
  assert.deepEqual((roundTrip([new Date(NaN)]) as [Date])[0].getTime(), NaN);
});

test('views that follow a length follow it', () => {
  const actual = roundTrip([
    new Uint8Array(resizable, 2),
    new Uint8Array(resizable, 2, 3),
    new Uint8Array(full),
  ]) as Uint8Array[];
  const [first, , last] = actual.map((view) => view.buffer as ArrayBuffer) as [ArrayBuffer, ArrayBuffer, ArrayBuffer];
  first.resize(20);
  last.resize(4);
  assert.deepEqual(
    actual.map((view) => view.length),
    [18, 3, 4],
  );
});

test('refuses what structuredClone refuses', () => {
  const detached = new ArrayBuffer(8);
  const orphan = new Uint8Array(detached);
  structuredClone(detached, { transfer: [detached] });
  const shrunk = new ArrayBuffer(8, { maxByteLength: 8 });
  const outside = [new Uint8Array(shrunk, 4, 4), new DataView(shrunk, 4, 4)];
  shrunk.resize(2);
  const refused: unknown[] = [
    Symbol('s'),
    Object(Symbol('s')),
    new WeakMap(),
    new WeakSet(),
    new WeakRef({}),
    Promise.resolve(),
    new FinalizationRegistry(() => {}),
    (function* () {
      yield 1;
    })(),
    [][Symbol.iterator](),
    new Map().values(),
    ''.matchAll(/a/g),
    new Proxy({}, {}),
    new Proxy([], {}),
    (function (..._: unknown[]) {
      return arguments;
    })(1, 2),
    (function () {
      return arguments;
    })(),
    new Intl.NumberFormat(),
    new URL('http://host/'),
    new Headers(),
    new WebAssembly.Memory({ initial: 1 }),
    detached,
    orphan,
    ...outside,
  ];
  for (const value of refused) {
    assert.throws(() => structuredClone(value), { name: 'DataCloneError' });
    assert.throws(() => encode([{ deep: value }], 'args'), {
      code: 'ERR_IPC_NOT_CLONEABLE',
      message: /^args\[0\]\.deep cannot be sent/,
    });
  }
});
