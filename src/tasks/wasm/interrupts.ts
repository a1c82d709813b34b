/**
 * A module whose loops are heard of interrupts. Code that V8 has compiled quickly looks for them in a loop only when a
 * budget of some hundred thousand turns is used up. That is soon, unless a turn moves megabytes by one instruction: a
 * watchdog, or who ends the worker, would wait for minutes. So before each instruction that moves so much a function is
 * called, added at the end of the module, that counts down what is to be moved, 64 bytes or elements a turn, and gives
 * it back: the budget is used up by what is moved, and code that is compiled well looks in every turn of that loop.
 *
 * V8 has validated the bytes. An instruction that is not known here is not guessed at: the answer is null.
 */
import { HEADER_BYTES, numberBytes, Reader, sectionsOf } from './sections.ts';

const TYPE = 1;
const FUNCTION = 3;
const CODE = 10;

/** What follows an opcode. */
const NONE = 0;
const INDEX = 1;
const TWO = 2;
const BLOCK = 3;
const MEMORY = 4;
const UNKNOWN = 5;

/** The immediates of the one-byte instructions; those with a form of their own are read apart. */
function formOf(opcode: number): number {
  if (opcode >= 0x45 && opcode <= 0xc4) return NONE;
  if (opcode >= 0x28 && opcode <= 0x3e) return MEMORY;
  return FORMS.get(opcode) ?? UNKNOWN;
}

const FORMS = new Map<number, number>();
for (const opcode of [0x00, 0x01, 0x05, 0x0a, 0x0b, 0x0f, 0x19, 0x1a, 0x1b, 0xd1]) FORMS.set(opcode, NONE);
for (const opcode of [0x02, 0x03, 0x04, 0x06, 0xd0]) FORMS.set(opcode, BLOCK);
for (const opcode of [0x07, 0x08, 0x09, 0x0c, 0x0d, 0x10, 0x12, 0x14, 0x15, 0x18, 0xd2]) FORMS.set(opcode, INDEX);
for (const opcode of [0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x3f, 0x40, 0x41, 0x42]) FORMS.set(opcode, INDEX);
for (const opcode of [0x11, 0x13]) FORMS.set(opcode, TWO);

const BULK = 0xfc;
const VECTOR = 0xfd;
const ATOMIC = 0xfe;
/** Copying, filling and growing, of memories and tables; what else stands behind BULK is small. */
const LARGE: ReadonlySet<number> = new Set([8, 10, 11, 12, 14, 15, 17]);

/** Steps over a LEB128 number, of either sign. */
function skipNumber(reader: Reader): void {
  while (reader.byte() >= 0x80);
}

function skipMemory(reader: Reader): void {
  const align = reader.number();
  if ((align & 0x40) !== 0) skipNumber(reader);
  skipNumber(reader);
}

/** A type of a block or a local: one byte, a number, or a reference with its heap type spelt out. */
function skipType(reader: Reader): void {
  const first = reader.byte();
  if (first === 0x63 || first === 0x64) skipNumber(reader);
  else if (first >= 0x80) skipNumber(reader);
}

/** Steps over one instruction. Gives whether it moves much; null when it is not known. */
function step(reader: Reader): boolean | null {
  const opcode = reader.byte();
  if (opcode === BULK) return stepBulk(reader);
  if (opcode === VECTOR) return stepVector(reader);
  if (opcode === ATOMIC) {
    if (reader.number() === 3) reader.byte();
    else skipMemory(reader);
    return false;
  }
  if (opcode === 0x43 || opcode === 0x44) {
    reader.at += opcode === 0x43 ? 4 : 8;
    return false;
  }
  if (opcode === 0x0e) {
    for (let left = reader.number(); left >= 0; left--) skipNumber(reader);
    return false;
  }
  if (opcode === 0x1c) {
    for (let left = reader.number(); left > 0; left--) skipType(reader);
    return false;
  }
  if (opcode === 0x1f) {
    skipType(reader);
    for (let left = reader.number(); left > 0; left--) {
      if (reader.byte() < 2) skipNumber(reader);
      skipNumber(reader);
    }
    return false;
  }
  const form = formOf(opcode);
  if (form === UNKNOWN) return null;
  if (form === BLOCK) skipType(reader);
  if (form === INDEX || form === TWO) skipNumber(reader);
  if (form === TWO) skipNumber(reader);
  if (form === MEMORY) skipMemory(reader);
  return false;
}

function stepBulk(reader: Reader): boolean | null {
  const which = reader.number();
  if (which > 17) return null;
  if (which > 7) skipNumber(reader);
  if (which === 8 || which === 10 || which === 12 || which === 14) skipNumber(reader);
  return LARGE.has(which);
}

function stepVector(reader: Reader): boolean | null {
  const which = reader.number();
  if (which <= 11 || (which >= 84 && which <= 93)) skipMemory(reader);
  if (which === 12 || which === 13) reader.at += 16;
  if ((which >= 21 && which <= 34) || (which >= 84 && which <= 91)) reader.byte();
  return which > 0x113 ? null : false;
}

/**
 * (func (param $size i32) (result i32) (local $left i32)
 *   (local.set $left (i32.shr_u (local.get $size) (i32.const 6)))
 *   (loop $again
 *     (if (local.get $left) (then (local.set $left (i32.sub (local.get $left) (i32.const 1))) (br $again))))
 *   (local.get $size))
 */
// prettier-ignore
const COUNT_DOWN = [
  1, 1, 0x7f, 0x20, 0, 0x41, 6, 0x76, 0x21, 1,
  0x03, 0x40, 0x20, 1, 0x04, 0x40, 0x20, 1, 0x41, 1, 0x6b, 0x21, 1, 0x0c, 1, 0x0b, 0x0b,
  0x20, 0, 0x0b,
];

/** The module with the calls; the same bytes when it moves nothing large; null when it has an unknown instruction. */
export function heedful(
  bytes: Uint8Array<ArrayBuffer>,
  types: number,
  functions: number,
): Uint8Array<ArrayBuffer> | null {
  const call = [0x10, ...numberBytes(functions)];
  const parts: Uint8Array[] = [bytes.subarray(0, HEADER_BYTES)];
  let any = false;
  for (const { id, start, from, end } of sectionsOf(bytes)) {
    const reader = new Reader(bytes, from);
    let body: Uint8Array[] | null = null;
    if (id === TYPE) body = [...added(bytes, reader, end), Uint8Array.of(0x60, 1, 0x7f, 1, 0x7f)];
    if (id === FUNCTION) body = [...added(bytes, reader, end), Uint8Array.from(numberBytes(types))];
    if (id === CODE) {
      const code = heedfulCode(bytes, reader, end, call);
      if (code === null) return null;
      any = code.any;
      body = [...code.parts, Uint8Array.from([COUNT_DOWN.length, ...COUNT_DOWN])];
    }
    if (body === null) parts.push(bytes.subarray(start, end));
    else parts.push(Uint8Array.from([id, ...numberBytes(body.reduce((sum, { length }) => sum + length, 0))]), ...body);
  }
  return any ? new Uint8Array(Buffer.concat(parts)) : bytes;
}

/** The content of a section with its count raised by one. */
function added(bytes: Uint8Array, reader: Reader, end: number): Uint8Array[] {
  const count = reader.number();
  return [Uint8Array.from(numberBytes(count + 1)), bytes.subarray(reader.at, end)];
}

/** The functions, with `inserted` before each instruction that moves much, and room for one more. */
function heedfulCode(
  bytes: Uint8Array,
  reader: Reader,
  end: number,
  inserted: readonly number[],
): { parts: Uint8Array[]; any: boolean } | null {
  const count = reader.number();
  const made: Uint8Array[] = [Uint8Array.from(numberBytes(count + 1))];
  let found = false;
  while (reader.at < end) {
    const size = reader.number();
    const begin = reader.at;
    const places: number[] = [];
    for (let groups = reader.number(); groups > 0; groups--) {
      skipNumber(reader);
      skipType(reader);
    }
    while (reader.at < begin + size) {
      const at = reader.at;
      const isLarge = step(reader);
      if (isLarge === null) return null;
      if (isLarge) places.push(at);
    }
    found ||= places.length > 0;
    made.push(Uint8Array.from(numberBytes(size + places.length * inserted.length)));
    let from = begin;
    for (const at of places) {
      made.push(bytes.subarray(from, at), Uint8Array.from(inserted));
      from = at;
    }
    made.push(bytes.subarray(from, begin + size));
  }
  return { parts: made, any: found };
}
