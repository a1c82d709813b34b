/**
 * Values on their way out of a sandbox. The reader believes nothing. Whatever the guest has done to its own side, what
 * is read is a list of primitives; counts are checked against what is left of it, kinds against the ones there are, and
 * the objects that it describes are made here, of our own prototypes, property by property as own data. A string that
 * occurs a thousand times is read once, so that a small tape does not become a large value.
 */
import { placesOf } from './engine.ts';
import { type Operation, PRELUDE } from './prelude.ts';
import { errorKinds } from '../../rpc/errors-codec.ts';
import { callBoxes, Mark, MARKS, Refusal } from './tape.ts';
import {
  freeBox,
  readPlain,
  readPointer,
  readString,
  TAG_BIGINT,
  TAG_OBJECT,
  TAG_SHORT_BIGINT,
  TAG_STRING,
  TAG_STRING_ROPE,
  TAG_SYMBOL,
  tagOf,
  type Vm,
  writePlain,
} from './vm.ts';

/**
 * What is left of what may be read. A string that shares the memory of another takes none in the guest, and all of its
 * length here: together they are not to be more than the guest may have.
 */
export interface Room {
  parts: number;
  text_bytes: number;
}

/** The value in a box, which stays the caller's. `root`: what a path begins with. */
export function take(vm: Vm, box: number, room: Room, root: string): unknown {
  const tag = tagOf(vm, box);
  switch (tag) {
    case TAG_STRING:
    case TAG_STRING_ROPE:
      return readText(vm, box, room);
    case TAG_BIGINT:
    case TAG_SHORT_BIGINT:
      return readBigint(vm, box);
    case TAG_SYMBOL:
      throw new Refusal('ERR_IPC_NOT_CLONEABLE', `${root}: a symbol cannot be sent`);
    case TAG_OBJECT:
      return takeObject(vm, box, room, root);
    default:
      return readPlain(vm, box, tag);
  }
}

function readText(vm: Vm, box: number, room: Room): string {
  const text = readString(vm, box, placesOf().out, room.text_bytes);
  if (text === null) throw new Refusal('ERR_IPC_LIMIT', 'its strings are together longer than its memory (memory.mb)');
  room.text_bytes -= text.length;
  return text;
}

function takeObject(vm: Vm, box: number, room: Room, root: string): unknown {
  const { functions } = placesOf();
  vm.look();
  writePlain(vm, placesOf().slots, room.parts);
  const tape = callBoxes(vm, functions.flatten, [box, placesOf().slots]);
  try {
    if (tagOf(vm, tape) === TAG_OBJECT) return readTape(vm, tape, room);
    // Of the form `0.a.b\0a function`: a code, the path, and what is there.
    const said = readString(vm, tape, placesOf().out) ?? '';
    const end = said.indexOf('\0');
    const path = `${root}${said.slice(1, end)}`;
    const what = said.slice(end + 1);
    if (said.startsWith('1')) throw new Refusal('ERR_IPC_LIMIT', `${path}: ${what}`);
    throw new Refusal('ERR_IPC_NOT_CLONEABLE', `${path}: ${what} cannot be sent`);
  } finally {
    freeBox(vm, tape);
  }
}

/** The value that a tape describes. Throws Refusal for what describes none. */
export const readTape = (vm: Vm, box: number, room: Room): unknown => new Tape(vm, box, room).whole();

/** What was thrown, whose box this is. */
export function takeThrown(vm: Vm, box: number, room: Room): unknown {
  const tag = tagOf(vm, box);
  if (tag !== TAG_OBJECT && tag !== TAG_SYMBOL) return take(vm, box, room, 'thrown');
  const tape = callBoxes(vm, placesOf().functions.flattenThrown, [box]);
  try {
    return readTape(vm, tape, room);
  } finally {
    freeBox(vm, tape);
  }
}

function readBigint(vm: Vm, box: number): bigint {
  const digits = callBoxes(vm, placesOf().functions.hexadecimal, [box]);
  const text = readString(vm, digits, placesOf().out)!;
  freeBox(vm, digits);
  return text.startsWith('-') ? -BigInt(`0x${text.slice(1)}`) : BigInt(`0x${text}`);
}

const malformed = (): Refusal => new Refusal('ERR_IPC_NOT_CLONEABLE', 'the task sent what is no value');

const VIEWS: Record<string, (new (buffer: ArrayBuffer, offset: number, length: number) => object) | undefined> = {
  __proto__: null as never,
  Int8Array,
  Uint8Array,
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
  Float16Array: (globalThis as unknown as Record<string, typeof Float32Array | undefined>)['Float16Array'],
};
/** Objects within objects that a tape may describe: the guest refuses more than that too. */
const DEPTH_MAX = 1100;

class Tape {
  private readonly vm: Vm;
  private readonly box: number;
  private readonly length: number;
  private at = 0;
  private depth = 0;
  private readonly made: unknown[] = [];
  /** Strings and bigints by their address. */
  private readonly texts = new Map<number, string | bigint>();
  private readonly symbols = placesOf().symbols;
  private readonly room: Room;

  constructor(vm: Vm, box: number, room: Room) {
    this.vm = vm;
    this.box = box;
    this.room = room;
    this.length = lengthOf(vm, box);
    room.parts = Math.max(1, room.parts - this.length);
  }

  whole(): unknown {
    const value = this.value();
    if (this.at !== this.length) throw malformed();
    return value;
  }

  /** The next entry: a primitive or a mark. */
  private next(): unknown {
    if (this.at >= this.length) throw malformed();
    const { vm } = this;
    const entry = vm.raw.qjs_get_prop_uint32(this.box, this.at++);
    try {
      return this.entry(entry, tagOf(vm, entry));
    } finally {
      freeBox(vm, entry);
    }
  }

  private entry(entry: number, tag: number): unknown {
    const { vm } = this;
    switch (tag) {
      case TAG_OBJECT:
        throw malformed();
      case TAG_SYMBOL: {
        const index = this.symbols.indexOf(readPointer(vm, entry));
        if (index < 0) throw malformed();
        return MARKS[index];
      }
      case TAG_STRING:
      case TAG_STRING_ROPE:
      case TAG_BIGINT: {
        const pointer = readPointer(vm, entry);
        let text = this.texts.get(pointer);
        if (text === undefined) {
          text = tag === TAG_BIGINT ? readBigint(vm, entry) : readText(vm, entry, this.room);
          this.texts.set(pointer, text);
        }
        return text;
      }
      case TAG_SHORT_BIGINT:
        return readBigint(vm, entry);
      default:
        return readPlain(vm, entry, tag);
    }
  }

  private text(): string {
    const value = this.next();
    if (typeof value !== 'string') throw malformed();
    return value;
  }

  /** A number of entries, of which each takes at least one of what is left. */
  private count(): number {
    const value = this.next();
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > this.length - this.at) {
      throw malformed();
    }
    return value;
  }

  private value(): unknown {
    const entry = this.next();
    if (!(entry instanceof Mark)) return entry;
    if (++this.depth > DEPTH_MAX) throw malformed();
    const made = this.object(entry.operation);
    this.depth--;
    return made;
  }

  private object(operation: Operation): unknown {
    switch (operation) {
      case 'object':
        return this.properties(this.keep({}));
      case 'array':
        return this.array();
      case 'sparse':
        return this.sparse();
      case 'again': {
        const index = this.next();
        if (typeof index !== 'number' || !(index in this.made)) throw malformed();
        return this.made[index];
      }
      case 'map':
        return this.map();
      case 'set':
        return this.set();
      case 'date':
        return this.keep(new Date(Number(this.plain('number'))));
      case 'regexp':
        return this.keep(this.regexp());
      case 'error':
        return this.error();
      case 'bytes':
        return this.keep(this.bytes());
      case 'view':
        return this.view();
      case 'boxed':
        return this.keep(this.boxed());
    }
  }

  private keep<T>(made: T): T {
    this.made.push(made);
    return made;
  }

  private plain(type: string): unknown {
    const value = this.next();
    if (typeof value !== type) throw malformed();
    return value;
  }

  private properties(object: object): object {
    for (let count = this.count(); count > 0; count--) {
      const key = this.text();
      const value = this.value();
      if (key === '__proto__') define(object, key, value);
      else (object as Record<string, unknown>)[key] = value;
    }
    return object;
  }

  private array(): unknown[] {
    const array = this.keep<unknown[]>([]);
    for (let count = this.count(); count > 0; count--) array.push(this.value());
    return array;
  }

  private sparse(): unknown[] {
    const array = this.keep<unknown[]>([]);
    const length = this.next();
    if (typeof length !== 'number' || length >>> 0 !== length) throw malformed();
    array.length = length;
    for (let count = this.count(); count > 0; count--) {
      const key = this.text();
      if (key === 'length' || Number(key) >= length) throw malformed();
      define(array, key, this.value());
    }
    return array;
  }

  private map(): Map<unknown, unknown> {
    const map = this.keep(new Map<unknown, unknown>());
    for (let count = this.count(); count > 0; count -= 2) {
      const key = this.value();
      map.set(key, this.value());
    }
    return map;
  }

  private set(): Set<unknown> {
    const set = this.keep(new Set<unknown>());
    for (let count = this.count(); count > 0; count--) set.add(this.value());
    return set;
  }

  private regexp(): RegExp {
    const source = this.text();
    const flags = this.text();
    try {
      return new RegExp(source, flags);
    } catch {
      throw new Refusal('ERR_IPC_NOT_CLONEABLE', 'a regular expression that this Node does not know cannot be sent');
    }
  }

  private boxed(): object {
    const value = this.next();
    if (typeof value === 'object' || value === undefined) throw malformed();
    return Object(value) as object;
  }

  private bytes(): ArrayBuffer {
    const { vm } = this;
    if (this.at >= this.length) throw malformed();
    const entry = vm.raw.qjs_get_prop_uint32(this.box, this.at++);
    try {
      if (tagOf(vm, entry) !== TAG_OBJECT || vm.raw.qjs_is_array_buffer(entry) === 0) throw malformed();
      return bytesOf(vm, entry);
    } finally {
      freeBox(vm, entry);
    }
  }

  private view(): object {
    const place = this.made.push(null) - 1;
    const kind = VIEWS[this.text()];
    const offset = this.plain('number') as number;
    const length = this.plain('number') as number;
    const buffer = this.value();
    if (kind === undefined || !(buffer instanceof ArrayBuffer)) throw malformed();
    try {
      return (this.made[place] = new kind(buffer, offset, length));
    } catch {
      throw malformed();
    }
  }

  private error(): Error {
    const place = this.made.push(null) - 1;
    const kind = errorKinds[this.text()];
    const name = this.text();
    const message = this.text();
    const frames = this.text();
    if (kind === undefined) throw malformed();
    const error = new kind(message);
    this.made[place] = error;
    if (name !== error.name) hide(error, 'name', name);
    hide(error, 'stack', `${name}${message === '' ? '' : ': '}${message}\n${framesOf(frames)}`);
    for (let count = this.count(); count > 0; count--) {
      const key = this.text();
      const value = this.value();
      if (key !== 'stack' && key !== 'message' && key !== 'cause') define(error, key, value);
    }
    if (this.plain('boolean') === true) hide(error, 'cause', this.value());
    return error;
  }
}

const framesOf = (stack: string): string =>
  stack
    .split('\n')
    .filter((line) => /^\s*at /.test(line) && !line.includes(PRELUDE))
    .join('\n');

const define = (object: object, key: string, value: unknown): unknown =>
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
const hide = (object: object, key: string, value: unknown): unknown =>
  Object.defineProperty(object, key, { value, writable: true, enumerable: false, configurable: true });

/** The length of an array of the prelude's. */
export function lengthOf(vm: Vm, box: number): number {
  const [name] = lengthName(vm);
  const length = vm.raw.qjs_get_prop_string(box, name);
  const value = readPlain(vm, length, tagOf(vm, length));
  freeBox(vm, length);
  vm.raw.wasm_free(name);
  if (typeof value !== 'number') throw malformed();
  return value;
}

function lengthName(vm: Vm): [number] {
  const address = vm.raw.wasm_malloc(8);
  vm.look();
  vm.bytes.write('length\0', address, 'latin1');
  return [address];
}

function bytesOf(vm: Vm, box: number): ArrayBuffer {
  const { out } = placesOf();
  const address = vm.raw.qjs_get_array_buffer(box, out);
  vm.look();
  const length = vm.words[out >> 2]! >>> 0;
  if (address === 0 || length === 0) return new ArrayBuffer(0);
  return vm.raw.memory.buffer.slice(address, address + length) as ArrayBuffer;
}
