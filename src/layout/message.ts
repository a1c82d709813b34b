/**
 * The tag of a message, and the result of an ipc operation.
 *
 * A tag is one positive 32-bit integer, the dope of the message (paper 5.4):
 *   bits 0-4 message words (0-16) | 5-8 string items (0-8) | 9-10 kind | 11-14 format | 15 flag | 16-30 method
 * The kernel reads words, strings, kind; format, flag and method belong to the two partners.
 */

export const TAG_WORDS = 0x1f;
export const TAG_STRING_SHIFT = 5;
export const TAG_STRINGS = 0xf << TAG_STRING_SHIFT;
export const TAG_KIND = 3 << 9;
/** Wants no answer. */
export const SEND = 0;
/** The sender waits for the answer. */
export const CALL = 1 << 9;
export const REPLY = 2 << 9;
/** An answer that is an error: thrown by the callee, or (from sender 0) given by the kernel. */
export const ERROR = 3 << 9;
export const TAG_FORMAT_SHIFT = 11;
export const TAG_FORMAT = 0xf << TAG_FORMAT_SHIFT;
export const TAG_FLAG = 1 << 15;
export const TAG_METHOD_SHIFT = 16;
export const METHOD_MAX = 0x7fff;

/** Results of ipc operations. A peer's death or refusal is a code; nothing is thrown. */
export type Result = number;
export const OK = 0;
/** The transfer has not started in time: in the send phase, in the receive phase. */
export const SEND_TIMEOUT = 1;
export const RECEIVE_TIMEOUT = 2;
/** Cancelled by another thread before the transfer began. */
export const ABORTED = 3;
/** The partner ended, or its task did, with the operation under way. */
export const PEER_GONE = 4;
/** No thread has this id, or no longer. */
export const NO_SUCH_THREAD = 5;
/** The message is longer than the receiver's stated buffers: it got what fits, both sides are told. */
export const CUT = 6;
/** The partner is in another clan, and no chief passes the message on. */
export const DENIED = 7;
/** The operation could only wait for itself. */
export const DEADLOCK = 8;
/** A table is full. */
export const LIMIT = 9;
/** Nothing yet: the thread is still waiting (only where the caller asked not to block). */
export const NOT_YET = 10;
/** The partner no longer waits for this reply: it was dropped. */
export const DROPPED = 11;

/** Timeouts in milliseconds; these two are none. */
export const NEVER = -1;
/** Do not park: spin, and come back with NOT_YET, the wait still in place. */
export const SPIN_ONLY = -2;

// The registers of an agent: what is to be sent, and what was received. Word indices into the register block.
export const R_SENDER = 1;
export const R_TAG = 2;
export const R_SEQUENCE = 3;
export const R_WORD = 4;
export const R_STRING_TOTAL = 36;
export const R_STRING = 37;
export const REGISTER_WORDS = 48;
/** Index of message word 0 when the registers are seen as f64. */
export const R_FLOAT = 2;
