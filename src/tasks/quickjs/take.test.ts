/** The strict reader: whatever a guest puts into a tape, what comes of it is a plain value or a refusal. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openVm, placesOf } from './engine.ts';
import { OPERATIONS } from './prelude.ts';
import { readTape } from './take.ts';
import { callBoxes, Refusal } from './tape.ts';
import { freeBox, isException, newString, type Vm, writePlain, writeText } from './vm.ts';

const vm = openVm(new URL(import.meta.url));
/** Stands for the symbol of an operation among the entries of a tape. */
class Op {
  readonly name: (typeof OPERATIONS)[number];
  constructor(name: (typeof OPERATIONS)[number]) {
    this.name = name;
  }
}
const op = (name: (typeof OPERATIONS)[number]): Op => new Op(name);
/** An entry that is the value of an expression in the guest. */
class Guest {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

function boxOf(entry: unknown): number {
  if (entry instanceof Op) return vm.raw.qjs_dup_value(placesOf().operations[OPERATIONS.indexOf(entry.name)]!);
  if (entry instanceof Guest) return evaluate(vm, entry.text);
  if (typeof entry === 'string') return newString(vm, entry);
  const box = vm.raw.wasm_malloc(8);
  vm.look();
  assert.ok(writePlain(vm, box, entry));
  return box;
}

function evaluate(of: Vm, text: string): number {
  const [code, length] = writeText(of, text);
  const box = of.raw.qjs_eval(code, length, code + length, 0);
  assert.ok(!isException(of, box), text);
  return box;
}

function tapeOf(entries: readonly unknown[]): number {
  const tape = callBoxes(vm, placesOf().functions.newTape, []);
  entries.forEach((entry, index) => {
    const box = boxOf(entry);
    vm.raw.qjs_set_prop_uint32(tape, index, box);
    freeBox(vm, box);
  });
  return tape;
}

const read = (...entries: unknown[]): unknown => {
  const tape = tapeOf(entries);
  try {
    return readTape(vm, tape, { parts: 1_000_000, text_bytes: 1 << 24 });
  } finally {
    freeBox(vm, tape);
  }
};

test('SBX2010 a tape that describes a value gives it', () => {
  assert.deepEqual(read(op('object'), 2, 'a', 1, 'b', op('array'), 2, true, null), { a: 1, b: [true, null] });
  assert.deepEqual(read(op('map'), 2, 'k', op('set'), 1, -0), new Map([['k', new Set([-0])]]));
  assert.deepEqual(read(op('boxed'), 'text'), Object('text'));
  const own = read(op('object'), 1, '__proto__', op('object'), 0) as object;
  assert.deepEqual([Object.keys(own), Object.getPrototypeOf(own)], [['__proto__'], Object.prototype]);
  const bytes = new Guest('new Uint8Array([1, 2, 3]).buffer');
  assert.deepEqual(read(op('view'), 'Uint8Array', 1, 2, op('bytes'), bytes), new Uint8Array([1, 2, 3]).subarray(1));
});

const malformed: readonly (readonly unknown[])[] = [
  [],
  [1, 2],
  [op('object')],
  [op('object'), -1],
  [op('object'), 0.5],
  [op('object'), Number.NaN],
  [op('object'), 4_294_967_295, 'a', 1],
  [op('object'), 1, 5, 5],
  [op('object'), 1, op('object'), 0, 1],
  [op('array'), 3, 1, 2],
  [op('sparse'), 2 ** 32, 0],
  [op('sparse'), 5, 1, 'length', 3],
  [op('sparse'), 5, 1, '7', 3],
  [op('again'), 0],
  [op('again'), 'constructor'],
  [op('again'), -1],
  [op('date'), '1970'],
  [op('regexp'), '(', ''],
  [op('regexp'), 'a', 'zzz'],
  [op('view'), 'Uint8Array', 0, 9, op('bytes'), new Guest('new ArrayBuffer(3)')],
  [op('view'), 'Uint8Array', -1, 1, op('bytes'), new Guest('new ArrayBuffer(3)')],
  [op('view'), 'constructor', 0, 1, op('bytes'), new Guest('new ArrayBuffer(3)')],
  [op('view'), 'Uint8Array', 0, 1, op('object'), 0],
  [op('bytes'), new Guest('({})')],
  [op('bytes'), new Guest('new Proxy(new ArrayBuffer(1), {})')],
  [op('bytes'), 5],
  [op('error'), 'Function', 'n', 'm', '', 0, false],
  [op('error'), 'constructor', 'n', 'm', '', 0, false],
  [op('error'), 'Error', 'n', 5, '', 0, false],
  [op('error'), 'Error', 'n', 'm', '', 0, 1],
  [op('boxed'), null],
  [op('boxed'), op('object')],
  [new Guest('Symbol("object")')],
  [new Guest('({})')],
  [new Guest('(() => 1)')],
];

test('SBX2020 a tape that describes none is refused', () => {
  for (const entries of malformed) assert.throws(() => read(...entries), Refusal, JSON.stringify(entries));
});

test('SBX2030 objects nested without an end are refused before the stack is used up', () => {
  const entries: unknown[] = [];
  for (let i = 0; i < 20_000; i++) entries.push(op('array'), 1);
  assert.throws(() => read(...entries, 1), Refusal);
});

test('SBX2040 random tapes give plain values or refusals', () => {
  let seed = 0x5b78_0001;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed % below;
  };
  const words = ['a', '__proto__', 'constructor', 'length', '0', 'Uint8Array', 'Error', 'RangeError', ''];
  const entry = (): unknown => {
    switch (random(5)) {
      case 0:
      case 1:
        return op(OPERATIONS[random(OPERATIONS.length)]!);
      case 2:
        return words[random(words.length)];
      case 3:
        return random(4);
      default:
        return [null, undefined, true, -1, 1e9, Number.NaN][random(6)];
    }
  };
  for (let round = 0; round < 3000; round++) {
    const entries = Array.from({ length: 1 + random(12) }, entry);
    try {
      read(...entries);
    } catch (error) {
      assert.ok(error instanceof Refusal, `${JSON.stringify(entries)}: ${String(error)}`);
    }
  }
  assert.equal(({} as Record<string, unknown>)['a'], undefined);
});
