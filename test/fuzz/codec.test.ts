/**
 * The codec against `structuredClone` on generated values: everything fast-check can make, and graphs with shared parts
 * and cycles. FUZZ_MS sets the time, SEED replays a run; a failure prints the seed and the shrunk value.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { decode, encode, type Imports } from '../../src/rpc/codec.ts';

const time_ms = Number(process.env.FUZZ_MS ?? 5000);
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

function roundTrip(value: unknown): unknown {
  const { bytes, length, functions, carried } = encode(value, 'result');
  const imports: Imports = { importFunction: (index) => functions?.[index] as Function, carried };
  return decode(bytes.slice(0, length), 0, length, imports);
}

/**
 * The objects of a value in the order of a walk, each named by where it was met first: two graphs are alike when these
 * are.
 */
function identities(root: unknown): string[] {
  const numbers = new Map<unknown, number>();
  const result: string[] = [];
  const walk = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null) return;
    const known = numbers.get(value);
    if (known !== undefined) {
      result.push(`${path}=${known}`);
      return;
    }
    numbers.set(value, numbers.size);
    if (ArrayBuffer.isView(value)) walk(value.buffer, `${path}.buffer`);
    else if (value instanceof Map)
      [...value].forEach(([key, item], index) => {
        walk(key, `${path}<${index}`);
        walk(item, `${path}>${index}`);
      });
    else if (value instanceof Set) [...value].forEach((item, index) => walk(item, `${path}#${index}`));
    if (ArrayBuffer.isView(value)) return;
    result.push(`${path}:${Object.keys(value).join('|')}`);
    for (const key of Object.keys(value)) walk((value as Record<string, unknown>)[key], `${path}.${key}`);
  };
  walk(root, '');
  return result;
}

function compare(value: unknown): void {
  let expected: unknown;
  try {
    expected = structuredClone(value);
  } catch (error) {
    assert.equal((error as Error).name, 'DataCloneError');
    assert.throws(() => encode(value, 'result'), { code: 'ERR_IPC_NOT_CLONEABLE' });
    return;
  }
  const actual = roundTrip(value);
  assert.deepStrictEqual(actual, expected);
  assert.deepEqual(identities(actual), identities(expected));
}

const everything = fc.anything({
  maxDepth: 4,
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withNullPrototype: true,
  withObjectString: true,
  withSparseArray: true,
  withTypedArray: true,
  withUnicodeString: true,
  key: fc.oneof(
    fc.string(),
    fc.constantFrom('__proto__', 'constructor', 'length', 'a', 'b', '0', '1', '-1', '4294967295'),
  ),
});

/** Parts that refer to each other by number: each part's slots are filled with other parts, itself among them. */
const slot = fc.nat(11);
const part = fc.oneof(
  fc.record({
    kind: fc.constant('record' as const),
    slots: fc.array(slot, { maxLength: 5 }),
    keys: fc.uniqueArray(fc.string(), { minLength: 5, maxLength: 5 }),
  }),
  fc.record({
    kind: fc.constantFrom(
      'same' as const,
      'array' as const,
      'holes' as const,
      'map' as const,
      'set' as const,
      'named' as const,
    ),
    slots: fc.array(slot, { maxLength: 5 }),
  }),
  fc.record({
    kind: fc.constantFrom('view' as const, 'buffer' as const),
    slots: fc.constant([] as number[]),
    bytes: fc.nat(3),
    offset: fc.nat(4),
  }),
  fc.record({ kind: fc.constant('leaf' as const), slots: fc.constant([] as number[]), leaf: everything }),
);
type Part = typeof part extends fc.Arbitrary<infer T> ? T : never;

function build(parts: readonly Part[]): unknown {
  const buffers = [0, 1, 2, 3].map((size) => new ArrayBuffer(size * 8, size === 3 ? { maxByteLength: 64 } : undefined));
  const made = parts.map((item): unknown => {
    switch (item.kind) {
      case 'record':
      case 'same':
        return {};
      case 'array':
      case 'holes':
      case 'named':
        return [];
      case 'map':
        return new Map();
      case 'set':
        return new Set();
      case 'view': {
        const buffer = buffers[item.bytes] as ArrayBuffer;
        return new Uint8Array(buffer, Math.min(item.offset, buffer.byteLength));
      }
      case 'buffer':
        return buffers[item.bytes];
      default:
        return item.leaf;
    }
  });
  parts.forEach((item, index) => {
    const target = made[index] as Record<string, unknown> & unknown[] & Map<unknown, unknown> & Set<unknown>;
    item.slots.forEach((number, place) => {
      const value = made[number % made.length];
      if (item.kind === 'record')
        Object.defineProperty(target, item.keys[place] as string, {
          value,
          enumerable: true,
          configurable: true,
          writable: true,
        });
      else if (item.kind === 'same') target[`key${place}`] = value;
      else if (item.kind === 'array') target.push(value);
      else if (item.kind === 'holes') target[place * 2] = value;
      else if (item.kind === 'named') target[place === 0 ? '0' : `name${place}`] = value;
      else if (item.kind === 'map') target.set(place % 2 === 0 ? value : place, value);
      else target.add(value);
    });
  });
  return made[0];
}

const graph = fc.array(part, { minLength: 1, maxLength: 12 });

function check(property: fc.IRawProperty<unknown>): void {
  void fc.assert(property, {
    seed,
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: time_ms / 3,
    markInterruptAsFailure: false,
    endOnFailure: false,
  });
}

test(`any value arrives as structuredClone gives it (SEED=${seed})`, (context) => {
  context.diagnostic(`SEED=${seed}`);
  check(fc.property(everything, compare));
});

test(`a graph keeps its identities (SEED=${seed})`, () => {
  check(fc.property(graph, (parts) => compare(build(parts))));
});

test(`any bytes give a value or a protocol error (SEED=${seed})`, () => {
  const bytes = fc.tuple(graph, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 }));
  check(
    fc.property(bytes, ([parts, changes]) => {
      const { bytes: written, length } = encode(build(parts), 'result');
      const message = written.slice(0, length);
      for (const [place, byte] of changes) message[place % length] = byte;
      try {
        decode(message, 0, length, null);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'ERR_IPC_PROTOCOL');
      }
    }),
  );
});
