/**
 * The atomic operations as WebAssembly instructions over kernel memory. V8 inlines a call of such a function, and calls
 * `Atomics.*` out of line: on x86-64 an atomic load is 2.3 instead of 5.2 ns, a compare-exchange 6.4 instead of 9.4.
 *
 * The module is assembled here, for it is smaller than its own loader would be. In the text format:
 *
 *   (import "l3" "memory" (memory PAGES PAGES shared))
 *   (func (export "load") (param $at i32) (result i32)
 *     (i32.atomic.load (i32.shl (local.get $at) (i32.const 2))))
 *   (func (export "compareExchange") (param $at i32) (param $expected i32) (param $value i32) (result i32)
 *     (i32.atomic.rmw.cmpxchg (i32.shl (local.get $at) (i32.const 2)) (local.get $expected) (local.get $value)))
 *   (func (export "exchange") (param $at i32) (param $value i32) (result i32)
 *     (i32.atomic.rmw.xchg (i32.shl (local.get $at) (i32.const 2)) (local.get $value)))
 *   (func (export "spin") (param $at i32) (param $value i32) (param $loads i32) (result i32)
 *     (loop $again
 *       (if (i32.gt_s (local.get $loads) (i32.const 0)) (then
 *         (if (i32.eq (call $load (local.get $at)) (local.get $value)) (then (return (i32.const 1))))
 *         (call $pause)
 *         (local.set $loads (i32.sub (local.get $loads) (i32.const 1)))
 *         (br $again))))
 *     (i32.const 0))
 *
 * The spin is here for another reason: V8 takes thousands of turns of a loop in JavaScript for a sign that its function
 * is hot, and the compiler's thread then takes the core on which the partner should run. The first 500 calls of a task
 * took 120 ms so, and take 30.
 */

/** The instructions, with their encodings in the WebAssembly core specification and its threads proposal. */
const LOCAL_GET = 0x20;
const I32_CONST = 0x41;
const I32_SHL = 0x74;
const I32_EQ = 0x46;
const I32_GT_S = 0x4a;
const I32_SUB = 0x6b;
const LOCAL_SET = 0x21;
const CALL = 0x10;
const LOOP = [0x03, 0x40];
const IF = [0x04, 0x40];
const BRANCH = 0x0c;
const RETURN = 0x0f;
const END = 0x0b;
const ALIGNED_4 = [2, 0];
const ATOMIC_LOAD = [0xfe, 0x10, ...ALIGNED_4];
const ATOMIC_EXCHANGE = [0xfe, 0x41, ...ALIGNED_4];
const ATOMIC_COMPARE_EXCHANGE = [0xfe, 0x48, ...ALIGNED_4];
const I32 = 0x7f;
const FUNCTION = 0x60;

const AT = [LOCAL_GET, 0];
const SECOND = [LOCAL_GET, 1];
const THIRD = [LOCAL_GET, 2];
/** The one imported function. */
const PAUSE = 0;
const BYTE_OF_AT = [...AT, I32_CONST, 2, I32_SHL];

const functions: { name: string; parameters: number; code: number[] }[] = [
  { name: 'load', parameters: 1, code: [...BYTE_OF_AT, ...ATOMIC_LOAD] },
  {
    name: 'compareExchange',
    parameters: 3,
    code: [...BYTE_OF_AT, ...SECOND, ...THIRD, ...ATOMIC_COMPARE_EXCHANGE],
  },
  { name: 'exchange', parameters: 2, code: [...BYTE_OF_AT, ...SECOND, ...ATOMIC_EXCHANGE] },
  {
    name: 'spin',
    parameters: 3,
    code: [
      ...LOOP,
      ...[...THIRD, I32_CONST, 0, I32_GT_S, ...IF],
      ...[...BYTE_OF_AT, ...ATOMIC_LOAD, ...SECOND, I32_EQ, ...IF, I32_CONST, 1, RETURN, END],
      ...[CALL, PAUSE],
      ...[...THIRD, I32_CONST, 1, I32_SUB, LOCAL_SET, 2],
      ...[BRANCH, 1, END],
      END,
      ...[I32_CONST, 0],
    ],
  },
];

/** Unsigned LEB128. */
function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];
}

const counted = (items: number[][]): number[] => [...leb(items.length), ...items.flat()];
const text = (value: string): number[] => counted(Array.from(Buffer.from(value), (byte) => [byte]));
const section = (id: number, body: number[]): number[] => [id, ...leb(body.length), ...body];

function assemble(pages: number): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameters }) => [
    FUNCTION,
    ...counted(Array.from({ length: parameters }, () => [I32])),
    ...counted([[I32]]),
  ]);
  const pause = [...text('l3'), ...text('pause'), 0, functions.length];
  const memory = [...text('l3'), ...text('memory'), 2, 3, ...leb(pages), ...leb(pages)];
  const exports = functions.map(({ name }, i) => [...text(name), 0, i + 1]);
  const bodies = functions.map(({ code }) => [...leb(code.length + 2), 0, ...code, END]);
  return new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, counted([...types, [FUNCTION, 0, 0]])),
    ...section(2, counted([pause, memory])),
    ...section(3, counted(functions.map((_, i) => [i]))),
    ...section(7, counted(exports)),
    ...section(10, counted(bodies)),
  ]);
}

/** The operations, on word indices. All are sequentially consistent. */
export interface AtomicOperations {
  load(at: number): number;
  /** Returns the old value. */
  compareExchange(at: number, expected: number, value: number): number;
  /** Returns the old value. */
  exchange(at: number, value: number): number;
  /** Loads until the word is `value`, at most `loads` times; 1 when it was. */
  spin(at: number, value: number, loads: number): number;
}

/** The operations over a shared memory of this many pages. */
export function compileAtomics(memory: WebAssembly.Memory, pages: number, pause: () => void): AtomicOperations {
  const module = new WebAssembly.Module(assemble(pages));
  return new WebAssembly.Instance(module, { l3: { memory, pause } }).exports as unknown as AtomicOperations;
}
