/**
 * Values on their way into a sandbox. Functions are lent and become upcalls; everything else is what `structuredClone`
 * would make of it. An error goes without its stack, which names files of the host's.
 */
import { placesOf } from './engine.ts';
import { errorKinds } from '../../rpc/errors-codec.ts';
import { callBoxes, Mark, markOf, MARKS, Refusal } from './tape.ts';
import { freeBox, GuestThrew, isException, newString, type Vm, writePlain } from './vm.ts';

/** Gives a number to a function that is lent to the guest. */
export type Lend = (fn: Function) => number;

/** A box with a value, the caller's to free. Throws Refusal for what cannot be sent, and GuestThrew for no room. */
export function put(vm: Vm, value: unknown, lend: Lend, root: string): number {
  switch (typeof value) {
    case 'string':
      return checked(vm, newString(vm, value));
    case 'bigint':
      return putBigint(vm, value);
    case 'number':
    case 'boolean':
    case 'undefined':
      return putPlain(vm, value);
    default:
      if (value === null) return putPlain(vm, value);
  }
  const tape = putTape(vm, new Writer(lend, root).write(value));
  try {
    return callBoxes(vm, placesOf().functions.build, [tape]);
  } finally {
    freeBox(vm, tape);
  }
}

/** Calls a function with arguments that are not all plain: all of them as one tape, so that they share what they do. */
export function callWith(vm: Vm, fn: number, args: readonly unknown[], lend: Lend): number {
  const { argv, undefined: nothing, functions } = placesOf();
  const tape = putTape(vm, new Writer(lend, 'args').write([...args]));
  vm.look();
  vm.words[argv >> 2] = fn;
  vm.words[(argv >> 2) + 1] = tape;
  const result = vm.raw.qjs_call(functions.callWith, nothing, 2, argv);
  freeBox(vm, tape);
  return result;
}

function putPlain(vm: Vm, value: unknown): number {
  const box = vm.raw.wasm_malloc(8);
  if (box === 0) throw new RangeError('the memory of the task has no room');
  vm.look();
  writePlain(vm, box, value);
  return box;
}

function checked(vm: Vm, box: number): number {
  if (!isException(vm, box)) return box;
  if (box !== 0) freeBox(vm, box);
  throw new GuestThrew();
}

function putBigint(vm: Vm, value: bigint): number {
  const digits = checked(vm, newString(vm, `0x${(value < 0n ? -value : value).toString(16)}`));
  const sign = putPlain(vm, value < 0n);
  try {
    return callBoxes(vm, placesOf().functions.bigintOf, [digits, sign]);
  } finally {
    freeBox(vm, digits);
    freeBox(vm, sign);
  }
}

/** Bytes, and functions, among the entries of a tape. */
class Bytes {
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}
class Lent {
  readonly id: number;
  constructor(id: number) {
    this.id = id;
  }
}

function putTape(vm: Vm, entries: readonly unknown[]): number {
  const tape = callBoxes(vm, placesOf().functions.newTape, []);
  try {
    for (let i = 0; i < entries.length; i++) putEntry(vm, tape, i, entries[i]);
  } catch (error) {
    freeBox(vm, tape);
    throw error;
  }
  return tape;
}

function putEntry(vm: Vm, tape: number, index: number, entry: unknown): void {
  const { slots, operations } = placesOf();
  vm.look();
  let box = slots;
  let isOurs = false;
  if (entry instanceof Mark) box = operations[MARKS.indexOf(entry)]!;
  else if (!writePlain(vm, slots, entry)) {
    isOurs = true;
    box =
      entry instanceof Bytes
        ? putBytes(vm, entry.bytes)
        : entry instanceof Lent
          ? checked(vm, makeFunction(vm, entry.id))
          : put(vm, entry, () => 0, '');
  }
  const code = vm.raw.qjs_set_prop_uint32(tape, index, box);
  if (isOurs) freeBox(vm, box);
  if (code < 0) throw new GuestThrew();
}

function putBytes(vm: Vm, bytes: Uint8Array): number {
  const address = vm.raw.wasm_malloc(bytes.length + 1);
  if (address === 0) throw new RangeError('the memory of the task has no room');
  vm.look();
  vm.bytes.set(bytes, address);
  const box = vm.raw.qjs_new_array_buffer(address, bytes.length);
  vm.raw.wasm_free(address);
  return checked(vm, box);
}

/** A function of the guest's that calls the host with a number. */
export function makeFunction(vm: Vm, id: number): number {
  const digits = String(id);
  const address = vm.raw.wasm_malloc(digits.length + 1);
  vm.look();
  vm.bytes.write(`${digits}\0`, address, 'latin1');
  const box = vm.raw.qjs_new_host_function(address, digits.length, 0);
  vm.raw.wasm_free(address);
  return box;
}

/** Walks a value of the host's. It is the chief's own: its getters run, as they do for `structuredClone`. */
class Writer {
  private readonly entries: unknown[] = [];
  private readonly seen = new Map<object, number>();
  private readonly path: (string | number)[] = [];
  private readonly lend: Lend;
  private readonly root: string;

  constructor(lend: Lend, root: string) {
    this.lend = lend;
    this.root = root;
  }

  write(value: unknown): readonly unknown[] {
    this.put(value);
    return this.entries;
  }

  private refuse(what: string, code: Refusal['code'] = 'ERR_IPC_NOT_CLONEABLE'): never {
    const path = this.path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${key}`)).join('');
    throw new Refusal(code, `${this.root}${path}: ${what}`);
  }

  private put(value: unknown): void {
    switch (typeof value) {
      case 'function':
        this.entries.push(new Lent(this.lend(value)));
        return;
      case 'symbol':
        this.refuse('a symbol cannot be sent');
      case 'object':
        if (value !== null) this.object(value);
        else this.entries.push(null);
        return;
      default:
        this.entries.push(value);
    }
  }

  private object(value: object): void {
    const known = this.seen.get(value);
    if (known !== undefined) {
      this.entries.push(markOf('again'), known);
      return;
    }
    if (this.path.length > 1000) this.refuse('nested more than 1000 deep', 'ERR_IPC_LIMIT');
    this.seen.set(value, this.seen.size);
    if (Array.isArray(value)) this.array(value);
    else if (ArrayBuffer.isView(value)) this.view(value);
    else if (value instanceof ArrayBuffer) this.entries.push(markOf('bytes'), new Bytes(new Uint8Array(value)));
    else if (value instanceof Map) this.items(markOf('map'), [...value].flat());
    else if (value instanceof Set) this.items(markOf('set'), [...value]);
    else if (value instanceof Date) this.entries.push(markOf('date'), value.getTime());
    else if (value instanceof RegExp) this.entries.push(markOf('regexp'), value.source, value.flags);
    else if (value instanceof Error) this.error(value);
    else if (isBoxed(value)) this.entries.push(markOf('boxed'), value.valueOf());
    else this.record(value);
  }

  private record(value: object): void {
    const name = Object.prototype.toString.call(value).slice(8, -1);
    if (UNSENDABLE.has(name)) this.refuse(`a ${name} cannot be sent`);
    this.entries.push(markOf('object'));
    this.properties(value, Object.keys(value));
  }

  private properties(value: object, keys: readonly string[]): void {
    this.entries.push(keys.length);
    for (const key of keys) {
      this.entries.push(key);
      this.path.push(key);
      this.put((value as Record<string, unknown>)[key]);
      this.path.pop();
    }
  }

  private array(value: readonly unknown[]): void {
    const keys = Object.keys(value);
    if (keys.length !== value.length || (keys.length > 0 && keys.at(-1) !== String(value.length - 1))) {
      this.entries.push(markOf('sparse'), value.length);
      this.properties(value, keys);
    } else this.items(markOf('array'), value);
  }

  private items(mark: Mark, items: readonly unknown[]): void {
    this.entries.push(mark, items.length);
    for (let i = 0; i < items.length; i++) {
      this.path.push(i);
      this.put(items[i]);
      this.path.pop();
    }
  }

  private view(value: ArrayBufferView): void {
    const { buffer, byteOffset, byteLength } = value;
    if (!(buffer instanceof ArrayBuffer)) this.refuse('a view of shared memory cannot be sent');
    // A buffer of Node's pool has other people's bytes in it.
    const isPooled = value instanceof Buffer && buffer.byteLength !== byteLength;
    const name = value instanceof Buffer ? 'Uint8Array' : Object.prototype.toString.call(value).slice(8, -1);
    const length = value instanceof DataView ? byteLength : (value as Uint8Array).length;
    this.entries.push(markOf('view'), name, isPooled ? 0 : byteOffset, length);
    this.object(isPooled ? (buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer) : buffer);
  }

  private error(value: Error): void {
    const kind = Object.hasOwn(errorKinds, value.constructor.name) ? value.constructor.name : 'Error';
    // Its stack names files of the host's: the guest does not get it.
    this.entries.push(markOf('error'), kind, value.name, value.message, '');
    const keys = Object.keys(value).filter((key) => !['name', 'message', 'stack', 'cause'].includes(key));
    this.properties(
      value,
      keys.filter((key) => isPrimitive((value as unknown as Record<string, unknown>)[key])),
    );
    const { cause } = value;
    this.entries.push(cause instanceof Error);
    if (!(cause instanceof Error)) return;
    this.path.push('cause');
    this.put(cause);
    this.path.pop();
  }
}

const isPrimitive = (value: unknown): boolean =>
  value === null || !['object', 'function', 'symbol'].includes(typeof value);
const isBoxed = (value: object): boolean =>
  value instanceof Number || value instanceof String || value instanceof Boolean || value instanceof BigInt;
const UNSENDABLE: ReadonlySet<string> = new Set([
  'Promise',
  'WeakMap',
  'WeakSet',
  'WeakRef',
  'SharedArrayBuffer',
  'Generator',
  'AsyncGenerator',
  'Symbol',
  'Module',
]);
