/**
 * The numbers of the codec's format, as codec.ts draws it: what the writer and the reader agree on.
 */
import { Buffer } from 'node:buffer';

export const FORMAT_TREE = 1;
export const FORMAT_GRAPH = 2;
export const HEADER_BYTES = 5;

/** Tags below 0x20; above: 0x20 | length is an array, 0x40 | length a string, 0x80 | n the integer n. */
export const TAG_NULL = 0x01;
export const TAG_UNDEFINED = 0x02;
export const TAG_FALSE = 0x03;
export const TAG_TRUE = 0x04;
export const TAG_INT16 = 0x05;
export const TAG_INT32 = 0x06;
export const TAG_FLOAT64 = 0x07;
export const TAG_STRING = 0x08;
export const TAG_BIGINT = 0x09;
export const TAG_FUNCTION = 0x0a;
export const TAG_REFERENCE = 0x0b;
/** Stands for an element or a property that was not there when its turn came. */
export const TAG_ABSENT = 0x0c;
/** Only in TAG_ARRAY_SKIPPING: a run of absent elements. */
export const TAG_SKIP = 0x0d;
export const TAG_ARRAY = 0x0e;
export const TAG_ARRAY_SKIPPING = 0x0f;
/** Key and value in turn. */
export const TAG_RECORD = 0x10;
/** The text of a new shape, then its values. */
export const TAG_SHAPE = 0x11;
/** The number of a shape of this message, then its values. */
export const TAG_SHAPED = 0x12;
/** A Uint8Array over the whole of its own buffer. */
export const TAG_BYTES = 0x13;
/** A kind byte of codec-structured.ts follows. */
export const TAG_STRUCTURED = 0x14;
export const TAG_SHORT_ARRAY = 0x20;
export const SHORT_ARRAY_MAX = 0x1f;
export const TAG_SHORT_STRING = 0x40;
export const SHORT_STRING_MAX = 0x3f;
export const TAG_SMALL_INTEGER = 0x80;

/**
 * `structuredClone` overflows the default stack at some 2,500 objects; a bound that both sides can always meet is
 * lower.
 */
export const DEPTH_MAX = 1000;

export const CHUNK_HEADER_BYTES = 5;
export const TEXT_LATIN1 = 0;
export const TEXT_UTF16 = 1;
/** Up to this length an array's keys are listed to see that it has no holes and no named properties. */
export const KEYS_LISTED_MAX = 64;
export const SHAPE_KEYS_MAX = 32;
export const SHAPE_CHARACTERS_MAX = 1024;
/** Shapes kept over messages, on either side; when there are more, all are forgotten. */
export const SHAPES_KEPT_MAX = 1024;

export const ObjectPrototype = Object.prototype;
/** The native string methods of Buffer; they work on any Uint8Array. */
export interface TextMethods {
  latin1Write(this: Uint8Array, text: string, offset: number, length: number): number;
  ucs2Write(this: Uint8Array, text: string, offset: number, length: number): number;
  latin1Slice(this: Uint8Array, start: number, end: number): string;
  ucs2Slice(this: Uint8Array, start: number, end: number): string;
}

export const { latin1Write, ucs2Write, latin1Slice, ucs2Slice } = Buffer.prototype as unknown as TextMethods;
export const float = new Float64Array(1);
export const floatBytes = new Uint8Array(float.buffer);
