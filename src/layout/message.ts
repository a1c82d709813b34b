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
/** As PEER_GONE, and the partner had not taken the message: nothing was done with it, it may be sent again. */
export const NOT_TAKEN = 12;
/** The supervisor of the system has ended, and every worker with it. */
export const ORPHANED = 13;
/** The answer came while the thread served an upcall of the call, which the partner had given up: it is lost. */
export const MISSED = 14;

/** Timeouts in milliseconds; these two are none. */
export const NEVER = -1;
/** As a receive timeout: what is left of the send timeout, so that one limit holds for the whole call. */
export const REST = -3;
/** Do not park: spin, and come back with NOT_YET, the wait still in place. */
export const SPIN_ONLY = -2;
/** Do not wait at all: open the own state, look once, and come back with NOT_YET. */
export const OPEN_ONLY = -4;

// The registers of an agent: what is to be sent, and what was received. Word indices into the register block.
export const R_SENDER = 1;
export const R_TAG = 2;
export const R_SEQUENCE = 3;
export const R_WORD = 4;
export const R_STRING_TOTAL = 36;
export const R_STRING = 37;
/** Bytes of the message last sent that the receiver's stated buffers had no room for. */
export const R_CUT = 46;
/** Sequence of the call last begun: who serves an upcall before its answer comes must wait for that again. */
export const R_CALLED = 47;
/** Operands of a local thread's operation, beside sender (whom it goes to), tag, sequence and words. */
export const R_SEND_TIMEOUT = 48;
export const R_RECEIVE_TIMEOUT = 49;
/** Index of the thread for which the message last begun polls. */
export const R_TARGET = 50;
export const REGISTER_WORDS = 52;

/** What a generator thread yields: the operation whose operands it has put into the registers. */
export const OP_CALL = 1;
export const OP_REPLY_AND_RECEIVE = 2;
export const OP_SEND = 3;
/** Receive from the thread in R_SENDER, or from anybody when it is 0. */
export const OP_RECEIVE = 4;
/** Give the processor to the next ready thread. */
export const OP_YIELD = 5;
/** Index of message word 0 when the registers are seen as f64. */
export const R_FLOAT = 2;
