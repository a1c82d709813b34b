/**
 * The codec: a JavaScript value (the arguments of a call, or its result) to bytes in a private scratch array, and back.
 *
 * The value that arrives is the value `structuredClone` would have given: shared references, cycles, holes, `-0`, lone
 * surrogates and an own `__proto__` survive, prototypes of user classes do not. One thing is added: a function becomes
 * a
 * *handle*, a number that the receiver turns into a stub. What only `postMessage` can carry (a shared buffer, a port, a
 * compiled module) leaves by a side list and is named here by its index.
 *
 * Words: a *tag* is the first byte of a value; a *record* is a plain object; its *shape* is the list of its keys,
 * written once in a message and then named by number; the *text* of a message is all its strings in one piece, written
 * by one native call and sliced by the reader. codec-writer.ts and codec-reader.ts hold the
 * kinds that calls are made of, codec-structured.ts the rest.
 *
 *   byte 0      FORMAT_TREE (no object occurs twice) or FORMAT_GRAPH (the reader numbers the objects as they begin)
 *   byte 1-4    where the text begins, from byte 0, little endian
 *   byte 5-     one value: a tag, then what the tag says
 *   text        chunks: encoding (1 byte), length in characters (4 bytes), characters; no string crosses a chunk
 *
 * Invariant: the decoder trusts nothing. Every length is compared with the bytes that are left before anything is
 * allocated by it, nesting is bounded by DEPTH_MAX on both sides, and what remains unread is an error.
 *
 * The paper copies strings once and never looks inside them (section 5.2.2); a JavaScript value has no layout that
 * could be copied, so this pass is the price of ordinary values, and message words avoid it.
 */
export { DEPTH_MAX } from './codec-format.ts';
export { decode, type Imports } from './codec-reader.ts';
export { encode, type Encoded } from './codec-writer.ts';
export { CodecError } from './errors-codec.ts';
