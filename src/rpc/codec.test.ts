/** The codec beyond `structuredClone`: handles, carried values, paths, re-entrancy, and bytes from a stranger. */
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { createSecretKey } from 'node:crypto';
import test from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { DEPTH_MAX, decode, encode, type Imports } from './codec.ts';
import { errorToPlain, joinStacks, plainToError } from './errors-codec.ts';

interface Message {
  bytes: Uint8Array;
  imports: Imports;
}

function message(value: unknown): Message {
  const { bytes, length, functions, carried } = encode(value, 'args');
  return {
    bytes: bytes.slice(0, length),
    imports: { importFunction: (index) => functions?.[index] ?? assert.fail('no such function'), carried },
  };
}

const roundTrip = (value: unknown): unknown => {
  const { bytes, imports } = message(value);
  return decode(bytes, 0, bytes.length, imports);
};

test('functions become handles, one for each', () => {
  const first = (): number => 1;
  class Second {}
  const { functions } = encode([first, { deep: new Map([[Second, first]]) }, new Error('e', { cause: first })], 'args');
  assert.deepEqual(functions, [first, Second]);
  const asked: number[] = [];
  const { bytes } = message([first, [first, Second, first]]);
  const stubs = [() => 0, () => 1];
  const imports: Imports = {
    carried: null,
    importFunction: (index) => {
      asked.push(index);
      return stubs[index] as Function;
    },
  };
  const result = decode(bytes, 0, bytes.length, imports) as unknown[];
  assert.deepEqual(asked, [0, 1]);
  assert.equal(result[0], stubs[0]);
  assert.deepEqual(result[1], [stubs[0], stubs[1], stubs[0]]);
  assert.throws(() => decode(bytes, 0, bytes.length, null), { code: 'ERR_IPC_PROTOCOL' });
});

test('a value without functions has no list of them', () => {
  const { functions, carried } = encode([{ a: 1 }], 'args');
  assert.deepEqual([functions, carried], [null, null]);
});

test('what only postMessage carries leaves by the side list', () => {
  const { port1, port2 } = new MessageChannel();
  const memory = new SharedArrayBuffer(8);
  const key = createSecretKey(Buffer.from('0123456789'));
  const module = new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
  const blob = new Blob(['text']);
  const value = {
    memory,
    view: new Int32Array(memory, 4, 1),
    port: port1,
    list: [key, module, blob, key],
    stream: new ReadableStream(),
  };
  const { carried } = encode(value, 'args');
  assert.deepEqual(carried, [memory, port1, key, module, blob, value.stream]);
  const result = roundTrip(value) as typeof value;
  assert.equal(result.view.buffer, memory);
  assert.deepEqual([result.view.byteOffset, result.view.length], [4, 1]);
  assert.equal(result.port, port1);
  assert.deepEqual(result.list, [key, module, blob, key]);
  port1.close();
  port2.close();
});

test('a Buffer arrives as a Uint8Array, a slice of a pool without the pool', () => {
  const pooled = Buffer.from('some bytes');
  const result = roundTrip([pooled, pooled, Buffer.alloc(3)]) as Uint8Array[];
  assert.equal(Object.getPrototypeOf(result[0]), Uint8Array.prototype);
  assert.deepEqual(result[0], new Uint8Array(pooled));
  assert.equal(result[0], result[1]);
  assert.equal(result[0]?.buffer.byteLength, pooled.length);
  const all = new Uint8Array(pooled.buffer);
  const both = roundTrip([all, pooled]) as Uint8Array[];
  assert.equal(both[0]?.buffer, both[1]?.buffer);
});

test('bytes that arrive are owned', () => {
  const { bytes, imports } = message([Uint8Array.of(1, 2, 3)]);
  const [view] = decode(bytes, 0, bytes.length, imports) as Uint8Array[];
  bytes.fill(0xff);
  assert.deepEqual(view, Uint8Array.of(1, 2, 3));
});

test('a refusal names the path and the kind', () => {
  const cases: [unknown, string, string][] = [
    [[{ user: { f: Symbol('s') } }], 'args', 'args[0].user.f cannot be sent: it is a symbol'],
    [{ rows: [1, 2, 3, new WeakMap()] }, 'result', 'result.rows[3] cannot be sent: it is a WeakMap'],
    [Promise.resolve(), 'result', 'result cannot be sent: it is a Promise'],
    [[{ 'a b': [{ 7: new WeakSet() }] }], 'args', 'args[0]["a b"][0][7] cannot be sent: it is a WeakSet'],
    [[new Map([['k', [Symbol('s')]]])], 'args', 'args[0].entries()[0][1][0] cannot be sent: it is a symbol'],
    [[new Set([1, Symbol('s')])], 'args', 'args[0].values()[1] cannot be sent: it is a symbol'],
    [[new Error('e', { cause: { p: Promise.resolve() } })], 'args', 'args[0].cause.p cannot be sent: it is a Promise'],
    [[new Proxy(() => 1, {})], 'args', 'args[0] cannot be sent: it is a Proxy'],
    [[Object.assign([1], { late: Symbol('s') })], 'args', 'args[0].late cannot be sent: it is a symbol'],
    [[new URL('http://host/')], 'args', 'args[0] cannot be sent: it is a URL'],
    [[new WeakRef({})], 'args', 'args[0] cannot be sent: it is a WeakRef'],
    [
      [
        (function* () {
          yield 1;
        })(),
      ],
      'args',
      'args[0] cannot be sent: it is a generator; an exported generator function gives a stream',
    ],
    [[{ a: { b: 1, c: [] }, d: new Proxy({}, {}) }], 'args', 'args[0].d cannot be sent: it is a Proxy'],
  ];
  for (const [value, root, expected] of cases) {
    assert.throws(() => encode(value, root), { name: 'CodecError', code: 'ERR_IPC_NOT_CLONEABLE', message: expected });
    assert.deepEqual(roundTrip([{ a: 1 }, { a: 2 }]), [{ a: 1 }, { a: 2 }]);
  }
});

test('an error of a getter passes, and the next encode works', () => {
  const own = new Error('mine');
  assert.throws(
    () =>
      encode(
        [
          {
            ok: 1,
            get bad() {
              throw own;
            },
          },
        ],
        'args',
      ),
    (error) => error === own,
  );
  const { functions } = encode([1], 'args');
  assert.equal(functions, null);
  assert.deepEqual(roundTrip([{ ok: 1, bad: 2 }]), [{ ok: 1, bad: 2 }]);
});

test('a getter may encode and decode', () => {
  let inner: unknown;
  const shared = { s: 1 };
  const outer = {
    a: [{ x: 1, y: 'one' }, shared],
    get b() {
      roundTrip([{ other: 1 }, { x: 2, y: 'two' }, { another: 2 }]);
      inner = roundTrip([{ x: 2, y: 'two' }, shared, shared, () => 1]);
      assert.throws(() => encode([Symbol('s')], 'inner'), { message: /^inner\[0\]/ });
      return { x: 3, y: 'three' };
    },
    c: [{ x: 4, y: 'four' }, shared],
  };
  const result = roundTrip(outer) as typeof outer;
  assert.deepEqual(result, {
    a: [{ x: 1, y: 'one' }, shared],
    b: { x: 3, y: 'three' },
    c: [{ x: 4, y: 'four' }, shared],
  });
  assert.equal(result.a[1], result.c[1]);
  assert.deepEqual((inner as unknown[]).slice(0, 3), [{ x: 2, y: 'two' }, shared, shared]);
});

test('an import may decode', () => {
  const { bytes } = message([() => 1, 'after', { a: [1] }]);
  const stub = (): void => {};
  const imports: Imports = {
    carried: null,
    importFunction() {
      assert.deepEqual(roundTrip(['in', { b: 2 }]), ['in', { b: 2 }]);
      return stub;
    },
  };
  assert.deepEqual(decode(bytes, 0, bytes.length, imports), [stub, 'after', { a: [1] }]);
});

test('an error that causes itself arrives so', () => {
  const error = new Error('self');
  error.cause = error;
  const result = roundTrip(error) as Error;
  assert.equal(result.cause, result);
  assert.deepEqual(Reflect.ownKeys(result), Reflect.ownKeys(structuredClone(error)));
});

test('a getter runs once', () => {
  let count = 0;
  const value = {
    get n() {
      return ++count;
    },
    m: new Map(),
    d: new Date(0),
  };
  assert.equal((roundTrip([value, [1, , 2]]) as [typeof value])[0].n, 1); // eslint-disable-line no-sparse-arrays
  assert.equal(count, 1);
});

test('keys on Object.prototype are not sent', () => {
  Object.defineProperty(Object.prototype, 'polluted', { value: 1, enumerable: true, configurable: true });
  try {
    const result = roundTrip([{ a: 1 }, { a: 2 }, { toString: 3, polluted: 4 }]) as object[];
    assert.deepEqual(
      result.map((item) => Object.keys(item)),
      [['a'], ['a'], ['toString', 'polluted']],
    );
  } finally {
    Reflect.deleteProperty(Object.prototype, 'polluted');
  }
});

test('nesting is bounded on both sides', () => {
  const nested = (depth: number): unknown => {
    let value: unknown = 'end';
    for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { value };
    return value;
  };
  assert.deepEqual(roundTrip(nested(DEPTH_MAX)), nested(DEPTH_MAX));
  assert.throws(() => encode(nested(DEPTH_MAX + 2), 'args'), {
    code: 'ERR_IPC_NOT_CLONEABLE',
    message: /nested more than/,
  });
  const { bytes } = message([[0]]);
  const bomb = new Uint8Array(200_000).fill(0x21);
  bomb.set(bytes.subarray(0, 5));
  new DataView(bomb.buffer).setUint32(1, bomb.length, true);
  assert.throws(() => decode(bomb, 0, bomb.length, null), { code: 'ERR_IPC_PROTOCOL' });
});

test('a large message does not keep its scratch', () => {
  assert.ok(encode(['x'.repeat(8 << 20)], 'args').bytes.length > 8 << 20);
  assert.ok(encode([1], 'args').bytes.length < 1 << 20);
});

test('more shapes than are kept are forgotten and learnt again', () => {
  for (let i = 0; i < 3000; i++) {
    const value = [
      { [`key${i}`]: i, other: { [`inner${i}`]: null } },
      { [`key${i}`]: 0, other: 1 },
    ];
    assert.deepEqual(roundTrip(value), value);
  }
});

/** Messages of every kind of tag; small, so that all prefixes and many mutations can be tried. */
function samples(): Message[] {
  const shared = { a: 1 };
  const cycle: unknown[] = [];
  cycle.push(cycle, { cycle });
  const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8).buffer;
  const sparse: unknown[] = new Array(2000);
  sparse[3] = 'three';
  return [
    1,
    -1,
    300,
    1e9,
    0.5,
    'text',
    '',
    'ü',
    '日本',
    'x'.repeat(100),
    null,
    undefined,
    true,
    5n,
    -(2n ** 70n),
    [],
    [1, 2, 3],
    [1, , 3], // eslint-disable-line no-sparse-arrays
    { a: 1, b: 'two' },
    [
      { a: 1, b: 'x' },
      { a: 2, b: 'y' },
    ],
    JSON.parse('{"__proto__":1}'),
    [shared, shared],
    cycle,
    new Map<unknown, unknown>([
      ['a', 1],
      [{}, []],
    ]),
    new Set([1, 'x']),
    new Date(1e12),
    /ab+c/gi,
    new TypeError('bad', { cause: { c: 1 } }),
    new DOMException('m', 'AbortError'),
    bytes,
    new Uint8Array(bytes),
    [new Int16Array(bytes, 2, 2), new DataView(bytes)],
    new ArrayBuffer(4, { maxByteLength: 8 }),
    Object('boxed'),
    Object.assign([1], { named: true }),
    sparse,
    [() => 1, new SharedArrayBuffer(4)],
    Array.from({ length: 70 }, (_, index) => index),
    Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`k${index}`, index])),
  ].map(message);
}

/** Decodes what may be anything: a value or a CodecError ERR_IPC_PROTOCOL, and nothing else. */
function decodeAnything(bytes: Uint8Array, start: number, length: number, imports: Imports): boolean {
  try {
    decode(bytes, start, length, imports);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_IPC_PROTOCOL') throw error;
    return false;
  }
}

test('every prefix of a message is refused', () => {
  for (const { bytes, imports } of samples()) {
    for (let length = 0; length < bytes.length; length++) {
      assert.equal(
        decodeAnything(bytes, 0, length, imports),
        false,
        `${length} of ${bytes.length} bytes: ${bytes.join()}`,
      );
      assert.equal(decodeAnything(bytes.slice(0, length), 0, length, imports), false);
    }
    assert.equal(decodeAnything(bytes, 0, bytes.length, imports), true);
    assert.equal(decodeAnything(bytes, 0, bytes.length + 1, imports), false);
    assert.equal(decodeAnything(Uint8Array.of(...bytes, 1), 0, bytes.length + 1, imports), false);
  }
});

test('a mutated message gives a value or a protocol error', () => {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
  let state = seed | 1;
  const random = (below: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
  try {
    for (const { bytes, imports } of samples()) {
      for (let round = 0; round < 400; round++) {
        const mutated = bytes.slice();
        for (let i = random(3); i >= 0; i--)
          mutated[random(mutated.length)] = round % 2 === 0 ? random(256) : random(0x20);
        decodeAnything(mutated, 0, mutated.length, imports);
      }
    }
  } catch (error) {
    throw new Error(`SEED=${seed}`, { cause: error });
  }
});

test('lengths that are not there are not allocated', () => {
  const { bytes } = message([0]);
  // An array of 2^32 - 1, a buffer, a Map, a record and a view of as many: each is compared with what is left.
  for (const start of [[0x0e], [0x13], [0x10], [0x14, 2], [0x14, 3], [0x14, 8], [0x14, 1], [0x08]]) {
    const hostile = Uint8Array.of(...bytes.subarray(0, 5), ...start, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0);
    new DataView(hostile.buffer).setUint32(1, hostile.length, true);
    assert.equal(decodeAnything(hostile, 0, hostile.length, { carried: null, importFunction: () => () => 0 }), false);
  }
});

/** What a thrown value looks like on the other side, by way of the codec as in a real call. */
const thrown = (error: unknown): unknown => plainToError(roundTrip(errorToPlain(error)));

test('a thrown error arrives as itself', () => {
  class NotFound extends TypeError {
    override name = 'NotFound';
    code = 'ENOENT';
    details = { path: '/x', at: new Date(0) };
  }
  const error = new NotFound('no such row', { cause: new RangeError('inner', { cause: 'a string' }) });
  const result = thrown(error) as NotFound & { cause: Error };
  assert.ok(result instanceof TypeError);
  assert.deepEqual(
    [result.name, result.message, result.code, result.details],
    ['NotFound', 'no such row', 'ENOENT', error.details],
  );
  assert.equal(result.stack, error.stack);
  assert.ok(result.cause instanceof RangeError);
  assert.equal(result.cause.cause, 'a string');
  assert.deepEqual(Object.keys(result), ['code', 'details']);
});

test('each global kind of error keeps its constructor', () => {
  for (const kind of [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError]) {
    const result = thrown(new kind('m')) as Error;
    assert.equal(Object.getPrototypeOf(result), kind.prototype);
    assert.equal(Object.hasOwn(result, 'cause'), false);
  }
  const aborted = thrown(AbortSignal.abort().reason) as DOMException;
  assert.ok(aborted instanceof DOMException);
  assert.deepEqual([aborted.name, aborted.code], ['AbortError', 20]);
  const many = thrown(new AggregateError([new TypeError('one'), 2], 'many')) as AggregateError;
  assert.ok(many instanceof AggregateError && many.errors[0] instanceof TypeError);
  assert.equal(many.errors[1], 2);
  const failed = thrown(
    new assert.AssertionError({ actual: 1, expected: 2, operator: 'strictEqual' }),
  ) as assert.AssertionError;
  assert.deepEqual([failed.name, failed.code, failed.actual], ['AssertionError', 'ERR_ASSERTION', 1]);
});

test('a thrown value that is no error arrives as it is', () => {
  for (const value of ['text', 0, -0, null, undefined, 5n, { a: [1] }, new Map([[1, 2]])])
    assert.deepEqual(thrown(value), value);
  const lookAlike = errorToPlain(new Error('inside'));
  assert.deepEqual(thrown(lookAlike), lookAlike);
  for (const value of [Symbol('s'), () => 1, Promise.resolve()]) {
    assert.match((thrown(value) as Error).message, /^a thrown (symbol|function|Promise) that cannot be cloned/);
  }
});

test('what cannot be cloned is dropped with a note', () => {
  const error = Object.assign(new Error('m'), { fine: 1, handler: () => 1, request: { socket: new WeakMap() } });
  Object.defineProperty(error, 'bad', {
    enumerable: true,
    get() {
      throw new Error('no');
    },
  });
  const result = thrown(error) as Error & { fine: number; notes: string[] };
  assert.equal(result.fine, 1);
  assert.equal(Object.hasOwn(result, 'handler'), false);
  assert.deepEqual(
    result.notes.map((note) => note.split(' ')[1]),
    ['handler', 'request', 'bad'],
  );
});

test('chains of causes are bounded, rings are kept', () => {
  let chain = new Error('0');
  for (let i = 1; i < 100; i++) chain = new Error(String(i), { cause: chain });
  let length = 0;
  for (let error = thrown(chain) as Error | undefined; error !== undefined; error = error.cause as Error | undefined)
    length++;
  assert.ok(length > 4 && length < 20);
  const ring = new Error('ring');
  ring.cause = ring;
  const result = thrown(ring) as Error;
  assert.equal(result.cause, result);
});

test('hostile errors neither throw nor hang', () => {
  const throwing = new Proxy(new Error('m'), {
    get() {
      throw new Error('trap');
    },
    getPrototypeOf() {
      throw new Error('trap');
    },
  });
  thrown(throwing);
  thrown(
    Object.defineProperty(new Error('m'), 'message', {
      get() {
        throw new Error('getter');
      },
    }),
  );
  const marked = (fields: object): unknown => ({ ...(errorToPlain(new Error('m')) as object), ...fields });
  for (const fields of [
    { kind: 5 },
    { name: {} },
    { message: null },
    { stack: 1 },
    { properties: 'x' },
    { errors: 3 },
    { notes: [{}] },
    { properties: { message: 'own', stack: 'own', __proto__: null } },
    { kind: '__proto__' },
    { kind: 'constructor' },
  ]) {
    assert.ok(plainToError(marked(fields)) instanceof Error);
  }
});

test('stacks are joined below the callee', () => {
  const error = new Error('two\nlines');
  error.stack = 'Error: two\nlines\n    at add (adder.ts:1:1)\n    at serve (loop.ts:2:2)';
  const result = joinStacks(error, 'adder.add', 'Error\n    at main (main.ts:3:3)\n    at boot (main.ts:4:4)') as Error;
  assert.equal(result, error);
  assert.equal(
    result.stack,
    [
      'Error: two',
      'lines',
      '    at add (adder.ts:1:1)',
      '    at serve (loop.ts:2:2)',
      '    at <ipc adder.add>',
      '    at main (main.ts:3:3)',
      '    at boot (main.ts:4:4)',
    ].join('\n'),
  );
  assert.equal((joinStacks(new TypeError('m'), 'a.b', '') as Error).stack?.endsWith('\n    at <ipc a.b>'), true);
  assert.equal(joinStacks('text', 'a.b', ''), 'text');
});
