/**
 * Makes the engine's binary one that can be stopped anywhere. QuickJS asks its interrupt handler in the loops of a
 * script, and in some loops of its own; in others it does not: `[].sort` over an array whose length is four billion, or
 * the decimal digits of a large bigint, run for minutes. So every loop of the binary counts down, and asks the same
 * handler when it has counted enough. The interpreter's own function, the largest, is left as it is: it asks by itself.
 *
 * On the way the exports that we do not use are left out: each costs an object at every instantiation.
 *
 * The format is that of the WebAssembly core specification, section 5. Indices of functions do not change: the handler
 * is an import that is there already, and the counter is a new last global.
 */

/** Rounds of loops between two questions. */
const ROUNDS = 50_000;

/** Sections, by their ids. */
const IMPORTS = 2;
const GLOBALS = 6;
const EXPORTS = 7;
const CODE = 10;
const CUSTOM = 0;

class Reader {
  readonly bytes: Uint8Array;
  at: number;
  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.at = at;
  }
  byte(): number {
    return this.bytes[this.at++]!;
  }
  /** An unsigned LEB128 number; of a signed one the length is what matters, and is the same. */
  number(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  }
  name(): string {
    const length = this.number();
    this.at += length;
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + this.at - length, length).toString('latin1');
  }
}

/** Unsigned LEB128. */
function encoded(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 128; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  bytes.push(value);
  return bytes;
}

/** The binary with its loops counted, and with no exports but those that are `wanted`. Throws for what is unknown. */
export function withFuel(bytes: Uint8Array, handler: string, wanted: (name: string) => boolean): Uint8Array {
  const reader = new Reader(bytes, 8);
  const parts: Uint8Array[] = [bytes.subarray(0, 8)];
  let call = -1;
  let globals = 0;
  while (reader.at < bytes.length) {
    const begin = reader.at;
    const id = reader.byte();
    const length = reader.number();
    const body = reader.at;
    const end = body + length;
    const content = new Reader(bytes, body);
    if (id === IMPORTS) call = importIndex(content, handler);
    if (id === GLOBALS) {
      globals = content.number();
      // (global (mut i32) (i32.const ROUNDS))
      const added = Uint8Array.from([0x7f, 1, 0x41, ...signed(ROUNDS), 0x0b]);
      parts.push(...section(id, [Uint8Array.from(encoded(globals + 1)), bytes.subarray(content.at, end), added]));
    } else if (id === EXPORTS) parts.push(...section(id, exportsOf(content, wanted)));
    else if (id === CODE) parts.push(...section(id, code(content, globals, call)));
    else if (id !== CUSTOM) parts.push(bytes.subarray(begin, end));
    reader.at = end;
  }
  return Buffer.concat(parts);
}

/** Signed LEB128 of a number that is not negative. */
function signed(value: number): number[] {
  const bytes = encoded(value);
  const last = bytes.length - 1;
  if ((bytes[last]! & 0x40) === 0) return bytes;
  bytes[last]! |= 0x80;
  return [...bytes, 0];
}

function section(id: number, content: readonly Uint8Array[]): Uint8Array[] {
  const length = content.reduce((sum, part) => sum + part.length, 0);
  return [Uint8Array.from([id, ...encoded(length)]), ...content];
}

/** The index of an imported function. The binary imports functions only. */
function importIndex(reader: Reader, wanted: string): number {
  const count = reader.number();
  for (let index = 0; index < count; index++) {
    reader.name();
    const name = reader.name();
    if (reader.byte() !== 0) throw new Error(`it imports ${name}, which is no function`);
    reader.number();
    if (name === wanted) return index;
  }
  throw new Error(`it does not import ${wanted}`);
}

function exportsOf(reader: Reader, wanted: (name: string) => boolean): Uint8Array[] {
  const kept: Uint8Array[] = [];
  for (let count = reader.number(); count > 0; count--) {
    const begin = reader.at;
    const name = reader.name();
    reader.byte();
    reader.number();
    if (wanted(name)) kept.push(reader.bytes.subarray(begin, reader.at));
  }
  return [Uint8Array.from(encoded(kept.length)), ...kept];
}

function code(reader: Reader, counter: number, call: number): Uint8Array[] {
  const count = reader.number();
  const parts: Uint8Array[] = [Uint8Array.from(encoded(count))];
  const bodies = Array.from({ length: count }, () => {
    const length = reader.number();
    const begin = reader.at;
    reader.at += length;
    return reader.bytes.subarray(begin, reader.at);
  });
  const largest = Math.max(...bodies.map((body) => body.length));
  const g = encoded(counter);
  // counter -= 1; if (counter == 0) { counter = ROUNDS; drop(handler()); }
  const count1 = [0x23, ...g, 0x41, 1, 0x6b, 0x24, ...g, 0x23, ...g, 0x45, 0x04, 0x40];
  const ask = [0x41, ...signed(ROUNDS), 0x24, ...g, 0x10, ...encoded(call), 0x1a, 0x0b];
  const inserted = Uint8Array.from([...count1, ...ask]);
  for (const body of bodies) {
    const places = body.length === largest ? [] : loopsIn(body);
    parts.push(Uint8Array.from(encoded(body.length + places.length * inserted.length)));
    let from = 0;
    for (const place of places) {
      parts.push(body.subarray(from, place), inserted);
      from = place;
    }
    parts.push(body.subarray(from));
  }
  return parts;
}

/** What follows an opcode: none, one or two numbers, a list of numbers, four or eight bytes, a second opcode. */
const NONE = 0;
const ONE = 1;
const TWO = 2;
const LIST = 3;
const FOUR = 4;
const EIGHT = 5;
const BULK = 6;
const UNKNOWN = 7;

const LOOP = 0x03;
const BR_TABLE = 0x0e;

/** By opcode: section 5.4 of the specification, without vectors, exceptions and garbage collection. */
const FOLLOWS = new Uint8Array(256).fill(UNKNOWN);
// unreachable, nop, else, end, return, drop, select, ref.is_null; comparisons, arithmetic and conversions.
for (const opcode of [0x00, 0x01, 0x05, 0x0b, 0x0f, 0x1a, 0x1b, 0xd1]) FOLLOWS[opcode] = NONE;
FOLLOWS.fill(NONE, 0x45, 0xc5);
// block, loop, if, br, br_if, call, return_call; variables and tables; memory.size and grow, constants, references.
for (const opcode of [0x02, LOOP, 0x04, 0x0c, 0x0d, 0x10, 0x12, 0x3f, 0x40, 0x41, 0x42, 0xd0, 0xd2])
  FOLLOWS[opcode] = ONE;
FOLLOWS.fill(ONE, 0x20, 0x27);
// call_indirect, return_call_indirect; loads and stores.
for (const opcode of [0x11, 0x13]) FOLLOWS[opcode] = TWO;
FOLLOWS.fill(TWO, 0x28, 0x3f);
FOLLOWS[BR_TABLE] = LIST;
FOLLOWS[0x1c] = LIST;
FOLLOWS[0x43] = FOUR;
FOLLOWS[0x44] = EIGHT;
FOLLOWS[0xfc] = BULK;
/** Numbers behind each instruction of the group 0xfc: conversions, then those of memory and tables. */
const BULK_NUMBERS = [0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 1, 2, 1, 2, 1, 1, 1];

/** Where the loops of a function body begin. With half a million instructions, none has a call to itself. */
function loopsIn(body: Uint8Array): number[] {
  const reader = new Reader(body, 0);
  for (let groups = reader.number(); groups > 0; groups--) {
    reader.number();
    reader.byte();
  }
  const places: number[] = [];
  const { length } = body;
  let { at } = reader;
  while (at < length) {
    const opcode = body[at++]!;
    const follows = FOLLOWS[opcode]!;
    if (follows === ONE) while (body[at++]! >= 0x80);
    else if (follows === TWO) {
      while (body[at++]! >= 0x80);
      while (body[at++]! >= 0x80);
    } else if (follows !== NONE) {
      reader.at = at;
      skip(reader, opcode, follows);
      at = reader.at;
    }
    if (opcode === LOOP) places.push(at);
  }
  return places;
}

/** Moves a reader behind what follows an opcode, of the rarer kinds. */
function skip(reader: Reader, opcode: number, follows: number): void {
  let numbers = 0;
  if (follows === FOUR) reader.at += 4;
  else if (follows === EIGHT) reader.at += 8;
  else if (follows === LIST) numbers = reader.number() + (opcode === BR_TABLE ? 1 : 0);
  else {
    const second = follows === BULK ? reader.number() : 0;
    const known = follows === BULK ? BULK_NUMBERS[second] : undefined;
    if (known === undefined) {
      throw new Error(`it has an instruction that is not known here: 0x${opcode.toString(16)} ${second}`);
    }
    numbers = known;
  }
  for (; numbers > 0; numbers--) reader.number();
}
