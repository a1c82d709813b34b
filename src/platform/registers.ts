/**
 * The registers of this agent: 48 private words in which the user part states what is to be sent and finds what was
 * received (paper 5.3.6: short messages travel in registers). Laid out as the ipc line of a tcb, see layout/message.ts.
 */
import { REGISTER_WORDS } from '../layout/message.ts';

const block = new ArrayBuffer(REGISTER_WORDS * 4);
/** The registers as integers; word pairs that hold an f64 are only ever copied, never read, through this view. */
export const registers: Int32Array<ArrayBuffer> = new Int32Array(block);
/** Message word i as f64 is `registerFloats[R_FLOAT + i]`. */
export const registerFloats: Float64Array<ArrayBuffer> = new Float64Array(block);
/** The message words as 128 bytes. */
export const registerBytes: Uint8Array<ArrayBuffer> = new Uint8Array(block, 16, 128);
