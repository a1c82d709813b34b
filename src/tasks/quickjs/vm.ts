/**
 * An instance of the engine, seen from outside: its functions, its memory, and the boxes in it. A *box* is the address
 * of eight bytes of the guest's memory that hold a value and one reference to it; the interface of `quickjs-wasi` takes
 * and gives boxes. Numbers, booleans, null and undefined are read from a box and written into it with no call at all.
 *
 * A value is NaN-boxed: the upper 32 bits are a tag, or, for a number with a fraction, those of the number less a
 * constant (quickjs.h of quickjs-ng, JS_NAN_BOXING). That this is so is checked when the engine begins.
 */
import { performance } from '../../platform/timers.ts';

/** The functions of the binary that we use. Addresses, lengths and truth values are i32. */
export interface Raw {
  readonly memory: WebAssembly.Memory;
  readonly __stack_pointer: WebAssembly.Global;
  _initialize(): void;
  qjs_init(): number;
  qjs_set_interrupt_handler(enabled: number): void;
  qjs_set_module_loader(enabled: number): void;
  qjs_set_memory_limit(bytes: number): void;
  qjs_set_max_stack_size(bytes: number): void;
  qjs_run_gc(): void;
  qjs_get_allocated_size(): number;
  qjs_get_runtime_ptr(): number;
  qjs_get_context_ptr(): number;
  qjs_set_runtime_and_context(runtime: number, context: number): void;
  qjs_eval(code: number, length: number, name: number, flags: number): number;
  qjs_call(fn: number, self: number, count: number, argv: number): number;
  qjs_new_number(value: number): number;
  qjs_new_string(text: number, length: number): number;
  qjs_new_array_buffer(data: number, length: number): number;
  qjs_new_host_function(name: number, length: number, parameters: number): number;
  qjs_new_promise(resolve: number, reject: number): number;
  qjs_new_error(): number;
  qjs_get_undefined(): number;
  qjs_get_string_len(box: number, length: number): number;
  qjs_free_cstring(text: number): void;
  qjs_get_array_buffer(box: number, length: number): number;
  qjs_is_array_buffer(box: number): number;
  qjs_is_promise(box: number): number;
  qjs_is_uncatchable_error(box: number): number;
  qjs_promise_state(box: number): number;
  qjs_promise_result(box: number): number;
  qjs_promise_mark_as_handled(box: number): void;
  qjs_is_job_pending(): number;
  qjs_execute_pending_job(): number;
  qjs_get_exception(): number;
  qjs_throw(box: number): number;
  qjs_get_prop_string(box: number, name: number): number;
  qjs_set_prop_string(box: number, name: number, value: number): number;
  qjs_get_prop_uint32(box: number, index: number): number;
  qjs_set_prop_uint32(box: number, index: number, value: number): number;
  qjs_dup_value(box: number): number;
  qjs_free_value(box: number): void;
  wasm_malloc(length: number): number;
  wasm_free(address: number): void;
}

/** Tags of values. */
export const TAG_INT = 0;
export const TAG_BOOL = 1;
export const TAG_NULL = 2;
export const TAG_UNDEFINED = 3;
export const TAG_EXCEPTION = 6;
export const TAG_SHORT_BIGINT = 7;
export const TAG_OBJECT = -1;
export const TAG_STRING_ROPE = -6;
export const TAG_STRING = -7;
export const TAG_SYMBOL = -8;
export const TAG_BIGINT = -9;
const TAG_FIRST = TAG_BIGINT;
const TAG_FLOAT = 8;
/** What is taken from the upper half of a number. */
const FLOAT_BIAS = 0x7ff80000 - TAG_FIRST + 1;

/**
 * A guest that goes on after its deadline is asked to stop; so much later, and so many questions later, it is stopped,
 * wherever it is. The time alone says nothing on a crowded machine, where no code at all may have run in it.
 */
const GRACE_ms = 50;
const GRACE_QUESTIONS = 20;

/** What the host does for the guest of an instance. Nothing here may throw, but for `HardStop`. */
export interface Guest {
  /** A host function was called: gives a box, or 0 when it has thrown in the guest. */
  call(id: number, count: number, argv: number): number;
  /** The name of a module that another imports, in memory of its own; 0: refused. */
  normalize(referrer: string, specifier: string): number;
  /** The text of a module, in memory of its own; its length goes to `length`. 0: refused. */
  load(name: string, length: number): number;
}

/** Thrown when the guest has thrown; what it threw is the engine's pending exception. */
export class GuestThrew extends Error {}

/** Thrown through the engine's own frames: the instance is of no use afterwards. */
export class HardStop extends Error {}

export class Vm {
  readonly raw: Raw;
  guest: Guest | null = null;
  /** Views of memory, made anew when it has grown. */
  words = new Int32Array(0);
  bytes: Buffer = Buffer.alloc(0);
  floats = new Float64Array(0);
  /** Whether its memory has been written. */
  isUsed = false;
  /** Milliseconds of this process after which the guest is stopped. */
  deadline = Number.POSITIVE_INFINITY;
  /** Whether it was, since the last call began. */
  late = false;
  /** Address of what the interpreter counts down to its next question; 0: not known. */
  counter = 0;
  private lateSince = 0;
  private questions = 0;

  constructor(module: WebAssembly.Module) {
    const instance = new WebAssembly.Instance(module, this.imports());
    this.raw = instance.exports as unknown as Raw;
  }

  /** Forgets what an earlier guest has left. */
  reset(): void {
    this.guest = null;
    this.begin(Number.POSITIVE_INFINITY);
    this.renew();
  }

  /** States when the guest is to be stopped that runs next. */
  begin(deadline: number): void {
    this.deadline = deadline;
    this.late = false;
    this.lateSince = 0;
    this.questions = 0;
  }

  renew(): void {
    const { buffer } = this.raw.memory;
    this.words = new Int32Array(buffer);
    this.floats = new Float64Array(buffer);
    this.bytes = Buffer.from(buffer);
  }

  /** To be called before the views are used, when the guest may have run since. */
  look(): void {
    if (this.words.length === 0) this.renew();
  }

  private imports(): WebAssembly.Imports {
    return {
      env: {
        host_interrupt: () => this.interrupt(),
        host_call: (name: number, length: number, _self: number, count: number, argv: number) =>
          this.guest!.call(this.idAt(name, length), count, argv),
        host_module_normalize: (referrer: number, specifier: number) =>
          this.guest!.normalize(this.textAt(referrer), this.textAt(specifier)),
        host_module_load: (name: number, length: number) => this.guest!.load(this.textAt(name), length),
        host_promise_rejection: () => {},
        host_get_timezone_offset: () => 0,
      },
      wasi_snapshot_preview1: {
        clock_time_get: (_clock: number, _precision: bigint, out: number) => this.clock(out),
        random_get: (address: number, length: number) => {
          this.look();
          crypto.getRandomValues(new Uint8Array(this.raw.memory.buffer, address, length));
          return 0;
        },
        fd_write: () => BAD_FILE,
        fd_close: () => BAD_FILE,
        fd_seek: () => BAD_FILE,
        fd_fdstat_get: () => BAD_FILE,
      },
    };
  }

  private interrupt(): number {
    if (this.deadline === Number.POSITIVE_INFINITY) return 0;
    const now = performance.now();
    if (now <= this.deadline) return 0;
    if (this.lateSince === 0) this.lateSince = now;
    this.late = true;
    // The interpreter asks once in ten thousand rounds, which may be long in coming: the next is to be the one.
    if (this.counter !== 0) {
      this.look();
      this.words[this.counter >> 2] = 1;
    }
    if (++this.questions > GRACE_QUESTIONS && now - this.lateSince > GRACE_ms) {
      throw new HardStop('it ran on after its deadline');
    }
    return 1;
  }

  /** Milliseconds, and no finer: of both clocks that it may ask for. */
  private clock(out: number): number {
    this.look();
    this.bytes.writeBigUInt64LE(BigInt(Date.now()) * 1_000_000n, out);
    return 0;
  }

  /** The number that is the name of a host function. */
  private idAt(address: number, length: number): number {
    this.look();
    let id = 0;
    for (let i = 0; i < length; i++) id = id * 10 + this.bytes[address + i]! - 48;
    return id;
  }

  private textAt(address: number): string {
    this.look();
    return this.bytes.toString('utf8', address, this.bytes.indexOf(0, address));
  }
}

/** WASI's error number for a file that is not open. */
const BAD_FILE = 8;

/** Writes a text into memory of its own, with a zero behind it. Gives address and length. */
export function writeText(vm: Vm, text: string): [address: number, length: number] {
  const isWellFormed = text.isWellFormed();
  const encoded = isWellFormed ? null : wtf8(text);
  const length = encoded === null ? Buffer.byteLength(text) : encoded.length;
  const address = vm.raw.wasm_malloc(length + 1);
  if (address === 0) throw new RangeError('the memory of the task has no room');
  vm.look();
  if (encoded === null) vm.bytes.write(text, address, length, 'utf8');
  else vm.bytes.set(encoded, address);
  vm.bytes[address + length] = 0;
  return [address, length];
}

/** UTF-8 in which a lone surrogate is encoded as any other code unit would be: what the engine reads and writes. */
function wtf8(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (code < 0xd800 || code > 0xdfff) bytes.push(...Buffer.from(character));
    else bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
  }
  return Uint8Array.from(bytes);
}

/** The text of `length` bytes. A lone surrogate shows as three replacement characters in plain UTF-8. */
function textOf(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  if (!text.includes('\ufffd')) return text;
  let made = '';
  let from = 0;
  for (let at = bytes.indexOf(0xed); at >= 0; at = bytes.indexOf(0xed, at + 1)) {
    if (at + 2 >= bytes.length || bytes[at + 1]! < 0xa0) continue;
    made += bytes.toString('utf8', from, at);
    made += String.fromCharCode(0xd000 | ((bytes[at + 1]! & 0x3f) << 6) | (bytes[at + 2]! & 0x3f));
    from = at + 3;
  }
  return made + bytes.toString('utf8', from);
}

/** A box with a string; an exception's box when there is no room. */
export function newString(vm: Vm, text: string): number {
  const [address, length] = writeText(vm, text);
  const box = vm.raw.qjs_new_string(address, length);
  vm.raw.wasm_free(address);
  return box;
}

/** The string in a box. `max`: bytes above which it is not read, and null is given. */
export function readString(vm: Vm, box: number, out: number, max = Number.POSITIVE_INFINITY): string | null {
  const address = vm.raw.qjs_get_string_len(box, out);
  if (address === 0) throw new GuestThrew();
  vm.look();
  const length = vm.words[out >> 2]! >>> 0;
  const text = length > max ? null : textOf(vm.bytes.subarray(address, address + length));
  vm.raw.qjs_free_cstring(address);
  return text;
}

/** The tag of the value in a box; TAG_FLOAT for a number with a fraction. */
export function tagOf(vm: Vm, box: number): number {
  vm.look();
  const tag = vm.words[(box >> 2) + 1]!;
  return (tag - TAG_FIRST) >>> 0 < TAG_FLOAT - TAG_FIRST ? tag : TAG_FLOAT;
}

/** What the value in a box points to. */
export function readPointer(vm: Vm, box: number): number {
  vm.look();
  return vm.words[box >> 2]!;
}

export const isException = (vm: Vm, box: number): boolean => box === 0 || tagOf(vm, box) === TAG_EXCEPTION;

const scratch = new Float64Array(1);
const scratchWords = new Int32Array(scratch.buffer);

/** The number, boolean, null or undefined in a box whose tag is one of these. */
export function readPlain(vm: Vm, box: number, tag: number): number | boolean | null | undefined {
  const at = box >> 2;
  switch (tag) {
    case TAG_INT:
      return vm.words[at];
    case TAG_BOOL:
      return vm.words[at] !== 0;
    case TAG_NULL:
      return null;
    case TAG_FLOAT:
      scratchWords[0] = vm.words[at]!;
      scratchWords[1] = vm.words[at + 1]! + FLOAT_BIAS;
      return scratch[0];
    default:
      return undefined;
  }
}

/** Writes a number, boolean, null or undefined. False: it is something else. The views are as memory is. */
export function writePlain(vm: Vm, box: number, value: unknown): boolean {
  const at = box >> 2;
  const { words } = vm;
  if (typeof value === 'number') {
    const integer = value | 0;
    if (integer === value && (integer !== 0 || !Object.is(value, -0))) {
      words[at] = integer;
      words[at + 1] = TAG_INT;
      return true;
    }
    scratch[0] = value === value ? value : Number.NaN;
    words[at] = scratchWords[0]!;
    words[at + 1] = (value === value ? scratchWords[1]! : 0x7ff80000) - FLOAT_BIAS;
    if (value !== value) words[at] = 0;
    return true;
  }
  if (typeof value === 'boolean') {
    words[at] = value ? 1 : 0;
    words[at + 1] = TAG_BOOL;
    return true;
  }
  if (value !== undefined && value !== null) return false;
  words[at] = 0;
  words[at + 1] = value === null ? TAG_NULL : TAG_UNDEFINED;
  return true;
}

export const freeBox = (vm: Vm, box: number): void => vm.raw.qjs_free_value(box);

/** Throws unless boxes are laid out as this file takes them to be. */
export function checkBoxes(vm: Vm): void {
  const room = vm.raw.wasm_malloc(8);
  vm.renew();
  for (const value of [0, -0, 1, -1, 1.5, -2.25e300, 2 ** 31, -(2 ** 31), Number.NaN, Number.POSITIVE_INFINITY]) {
    const box = vm.raw.qjs_new_number(value);
    const read = readPlain(vm, box, tagOf(vm, box));
    writePlain(vm, room, value);
    const isSame = readPointer(vm, room) === readPointer(vm, box) && tagOf(vm, room) === tagOf(vm, box);
    if (!Object.is(read, value) || (!isSame && !Number.isInteger(value))) {
      throw new Error(`its values are laid out in another way: ${value} reads as ${String(read)}`);
    }
    freeBox(vm, box);
  }
  vm.raw.wasm_free(room);
}
