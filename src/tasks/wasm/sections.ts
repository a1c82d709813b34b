/** The bytes of a WebAssembly module: its sections, and the numbers, names and types in them. */

/** A value type by its name; `other` are vectors and references, which never cross a border. */
export type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'other';

export const HEADER_BYTES = 8;

const VALUE_TYPES: Record<number, ValueType> = { 0x7f: 'i32', 0x7e: 'i64', 0x7d: 'f32', 0x7c: 'f64' };
const text = new TextDecoder();

/** Reads a module's bytes from front to back. */
export class Reader {
  private readonly bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  byte(): number {
    return this.bytes[this.at++] ?? 0;
  }

  /** An unsigned LEB128 number; those above 2^53 lose digits, and are refused as too large wherever they are read. */
  number(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  name(): string {
    const length = this.number();
    this.at += length;
    return text.decode(this.bytes.subarray(this.at - length, this.at));
  }

  valueType(): ValueType {
    const byte = this.byte();
    // A reference with its heap type spelt out: a signed LEB128 number follows.
    if (byte === 0x63 || byte === 0x64) this.number();
    return VALUE_TYPES[byte] ?? 'other';
  }

  valueTypes(): ValueType[] {
    return Array.from({ length: this.number() }, () => this.valueType());
  }
}

/** The sections, each from its first byte, and from that of its content, to its end. */
export function* sectionsOf(bytes: Uint8Array): Generator<{ id: number; start: number; from: number; end: number }> {
  for (let at = HEADER_BYTES; at < bytes.length;) {
    const reader = new Reader(bytes, at + 1);
    const length = reader.number();
    yield { id: bytes[at]!, start: at, from: reader.at, end: reader.at + length };
    at = reader.at + length;
  }
}

/** A number as unsigned LEB128. */
export function numberBytes(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) | 0x80);
  bytes.push(value);
  return bytes;
}
