/**
 * The engine: QuickJS-ng as the package `quickjs-wasi` ships it, one binary and no code of the package's own. It is
 * found when the first task of the kind is spawned, compiled once, and begun once: the memory of an instance that has
 * run our prelude, and nothing of a guest's, is the *image* that every task starts from.
 *
 * A task has an instance of its own, and so a memory of its own: what corrupts the engine's heap corrupts its own. An
 * instance whose task has ended is filled with the image again and kept for the next, which costs a copy where a new
 * instance costs a millisecond. All the state of an instance is its memory and its stack pointer.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { requireFrom } from '../../platform/load.ts';
import { setImmediate } from '../../platform/timers.ts';
import { IpcError } from '../../rpc/ipc-error.ts';
import { withFuel } from './fuel.ts';
import { OPERATIONS, PRELUDE, preludeText } from './prelude.ts';
import { checkBoxes, freeBox, isException, readPointer, Vm, writeText } from './vm.ts';

const PACKAGE = 'quickjs-wasi';
const BINARY = 'quickjs.wasm';
const PAGE = 4096;
const EMPTY_PAGE = Buffer.alloc(PAGE);
/** Memory that an ended task leaves is used again up to this size; what is larger goes back to the system. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024;
const KEPT_MAX = 8;

/** Functions of the prelude that the host calls. */
const FUNCTIONS = [
  'newTape',
  'flatten',
  'flattenThrown',
  'build',
  'callWith',
  'exportsOf',
  'makeConsole',
  'makeGlobal',
  'makeHost',
  'hexadecimal',
  'bigintOf',
] as const;

/** Addresses of boxes and of rooms in the image, the same in every instance. */
export interface Places {
  readonly functions: Readonly<Record<(typeof FUNCTIONS)[number], number>>;
  /** Boxes of the symbols of a tape, and what their values point to, in the order of OPERATIONS. */
  readonly operations: readonly number[];
  readonly symbols: readonly number[];
  readonly undefined: number;
  /** Boxes for arguments, and pointers to boxes behind them; then room for two results. */
  readonly slots: number;
  readonly argv: number;
  readonly out: number;
}

/** Arguments that have a box ready; more go as a tape. */
export const SLOTS = 16;

interface Engine {
  readonly module: WebAssembly.Module;
  /** The pages of the image that are not empty, as spans of it. */
  readonly image: Uint8Array;
  readonly spans: readonly (readonly [begin: number, end: number])[];
  readonly stackPointer: number;
  readonly runtime: number;
  readonly context: number;
  readonly counter: number;
  readonly random: number;
  readonly places: Places;
}

let engine: Engine | null = null;
const kept: Vm[] = [];

/** Exports that we use: those of the package's own interface, and what an instance is begun with. */
const isWanted = (name: string): boolean =>
  name === 'memory' || name === '__stack_pointer' || name === '_initialize' || /^(?:qjs|wasm)_/.test(name);

/** Where the binary is looked for: beside the script, the program, and where the process was started. */
function findBinary(script: URL): string {
  const from = [join(process.cwd(), 'package.json')];
  if (process.argv[1] !== undefined) from.unshift(process.argv[1]);
  let cause: unknown;
  for (const place of [script.protocol === 'file:' ? script : null, ...from]) {
    if (place === null) continue;
    try {
      return requireFrom(place).resolve(`${PACKAGE}/${BINARY}`);
    } catch (error) {
      cause = error;
    }
  }
  const text = `engine 'quickjs' needs the package ${PACKAGE}, which is not installed: npm install ${PACKAGE}`;
  throw new IpcError('ERR_IPC_SPAWN_FAILED', text, { phase: 'spawn', cause });
}

function load(script: URL): Engine {
  const path = findBinary(script);
  try {
    const module = new WebAssembly.Module(withFuel(readFileSync(path), 'host_interrupt', isWanted) as BufferSource);
    return begin(module);
  } catch (cause) {
    const text = `${path} is not a version of ${PACKAGE} that l3kernel knows: ${String((cause as Error).message)}`;
    throw new IpcError('ERR_IPC_SPAWN_FAILED', text, { phase: 'spawn', cause });
  }
}

/** Makes the image. */
function begin(module: WebAssembly.Module): Engine {
  const vm = new Vm(module);
  const { raw } = vm;
  raw._initialize();
  if (raw.qjs_init() !== 0) throw new Error('it does not begin');
  raw.qjs_set_interrupt_handler(1);
  raw.qjs_set_module_loader(1);
  checkBoxes(vm);
  const places = makePlaces(vm);
  const counter = findCounter(vm);
  const random = findRandom(vm);
  raw.qjs_run_gc();
  const image = new Uint8Array(raw.memory.buffer).slice();
  const spans: [number, number][] = [];
  for (let page = 0; page < image.length; page += PAGE) {
    if (EMPTY_PAGE.equals(image.subarray(page, page + PAGE))) continue;
    const last = spans.at(-1);
    if (last?.[1] === page) last[1] = page + PAGE;
    else spans.push([page, page + PAGE]);
  }
  const { value: stackPointer } = raw.__stack_pointer as { value: number };
  const runtime = raw.qjs_get_runtime_ptr();
  const context = raw.qjs_get_context_ptr();
  return { module, image, spans, stackPointer, runtime, context, counter, random, places };
}

/** Words of a context among which its counter and the state of `Math.random` are. */
const CONTEXT_WORDS = 256;

/** By how much each word of the context goes down while a text runs. */
function fallen(vm: Vm, text: string): number[] {
  const look = (): Int32Array =>
    new Int32Array(vm.raw.memory.buffer, vm.raw.qjs_get_context_ptr(), CONTEXT_WORDS).slice();
  const [code, length] = writeText(vm, text);
  const before = look();
  freeBox(vm, vm.raw.qjs_eval(code, length, code + length, 0));
  const after = look();
  vm.raw.wasm_free(code);
  return [...before].map((word, index) => word - after[index]!);
}

const placeIn = (vm: Vm, index: number): number => (index < 0 ? 0 : vm.raw.qjs_get_context_ptr() + 4 * index);

/**
 * Where the interpreter counts: the word of its context that goes down with the rounds of a loop. It is not exported.
 * 0: it was not found, and a guest that is late is stopped later.
 */
function findCounter(vm: Vm): number {
  const [once, more] = [fallen(vm, 'for (let i = 0; i < 100; i++);'), fallen(vm, 'for (let i = 0; i < 300; i++);')];
  // Each round asks once or twice: when the loop turns, and where the compiler of the engine says so.
  const isCounter = (fall: number, index: number): boolean =>
    fall >= 100 && fall < 500 && [200, 400].includes(more[index]! - fall);
  return placeIn(vm, once.findIndex(isCounter));
}

/**
 * Where the state of `Math.random` is, two words that change with it and with nothing else: every task would else begin
 * with the image's. 0: it was not found.
 */
function findRandom(vm: Vm): number {
  const [still, random, again] = [fallen(vm, '1'), fallen(vm, 'Math.random()'), fallen(vm, 'Math.random()')];
  const isState = (fall: number, index: number): boolean => still[index] === 0 && fall !== 0 && again[index] !== 0;
  const first = random.findIndex((fall, i) => isState(fall, i) && Math.abs(fall) > 20_000);
  return first >= 0 && isState(random[first + 1]!, first + 1) ? placeIn(vm, first) : 0;
}

function makePlaces(vm: Vm): Places {
  const { raw } = vm;
  const [code, length] = writeText(vm, preludeText);
  const [name] = writeText(vm, PRELUDE);
  const made = raw.qjs_eval(code, length, name, 0);
  if (isException(vm, made)) throw new Error('its prelude does not run');
  const property = (key: string): number => {
    const [text] = writeText(vm, key);
    return raw.qjs_get_prop_string(made, text);
  };
  const functions = Object.fromEntries(FUNCTIONS.map((key) => [key, property(key)])) as Places['functions'];
  const list = property('operations');
  const operations = OPERATIONS.map((_, index) => raw.qjs_get_prop_uint32(list, index));
  freeBox(vm, list);
  const slots = raw.wasm_malloc(SLOTS * 8 + SLOTS * 4 + 16);
  const symbols = operations.map((box) => readPointer(vm, box));
  const argv = slots + SLOTS * 8;
  const out = argv + SLOTS * 4;
  return { functions, operations, symbols, undefined: raw.qjs_get_undefined(), slots, argv, out };
}

/** An instance that begins where the image does. `script`: beside which the package may be. */
export function openVm(script: URL): Vm {
  engine ??= load(script);
  const again = kept.pop();
  if (kept.length === 0) setImmediate(makeSpare).unref();
  const vm = again ?? new Vm(engine.module);
  fill(vm, engine);
  return vm;
}

/** One instance is always ready: to make one takes a millisecond, to fill one a part of that. */
function makeSpare(): void {
  if (kept.length === 0) kept.push(new Vm(engine!.module));
}

export function placesOf(): Places {
  return engine!.places;
}

function fill(vm: Vm, { image, spans, stackPointer, runtime, context, counter, random }: Engine): void {
  const { raw, isUsed } = vm;
  vm.isUsed = true;
  const short = image.length - raw.memory.buffer.byteLength;
  if (short > 0) raw.memory.grow(short / 65_536);
  const bytes = new Uint8Array(raw.memory.buffer);
  let from = 0;
  for (const [begins, ends] of spans) {
    if (isUsed) bytes.fill(0, from, begins);
    bytes.set(image.subarray(begins, ends), begins);
    from = ends;
  }
  if (isUsed) bytes.fill(0, from);
  raw.qjs_set_runtime_and_context(runtime, context);
  (raw.__stack_pointer as { value: number }).value = stackPointer;
  vm.reset();
  vm.counter = counter;
  if (random !== 0) crypto.getRandomValues(new Uint8Array(raw.memory.buffer, random, 8));
}

/** Takes back the instance of a task that has ended. No activation of it is on the stack. */
export function closeVm(vm: Vm): void {
  vm.guest = null;
  if (kept.length < KEPT_MAX && vm.raw.memory.buffer.byteLength <= KEPT_BYTES_MAX) kept.push(vm);
}
