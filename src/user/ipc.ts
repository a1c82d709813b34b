/**
 * `l3kernel/ipc`: the low level. Synchronous ipc over thread ids and message words, as in the paper (5.2.1): a message
 * is a tag, up to 16 words of 64 bits and up to 8 strings. All functions act for the agent's current thread: the caller
 * thread of ordinary code, the server thread inside a synchronous handler. They block; results are codes, nothing is
 * thrown for what a partner does.
 *
 * One agent may hold two copies of this package (a task's own import beside the one that started it): the first copy
 * evaluated is the kernel of the agent, and the others give its functions.
 */
import { registers } from '#atomics';
import * as fast from '../kernel/ipc.ts';
import * as slow from '../kernel/ipc-slow.ts';
import { isPassiveHere, callPassive } from '../kernel/dispatch.ts';
import { incoming, outgoing, stated } from '../kernel/transfer.ts';
import {
  METHOD_MAX,
  CALL,
  NEVER,
  R_CUT,
  R_SENDER,
  R_SEQUENCE,
  R_STRING,
  R_TAG,
  REPLY,
  type Result,
  TAG_METHOD_SHIFT,
  TAG_STRING_SHIFT,
  TAG_STRINGS,
  TAG_WORDS,
} from '../layout/message.ts';
import { ANY_INDEX, MESSAGE_WORDS, STRINGS_MAX } from '../layout/params.ts';
import { TCB_ACCEPT, TCB_ACCEPT_STATED, TCB_WINDOW, type Tcb, type ThreadId } from '../layout/tcb.ts';
import { peek, poke } from '../platform/atomics.ts';
import { bytes } from '../platform/memory.ts';
import { registerFloats } from '../platform/registers.ts';
import { agent, idOf, isAttached } from './agent.ts';
import {
  cancelWait,
  isGeneratorThread,
  type Operation,
  operation,
  receiveFromThread,
  sendToThread,
  startThread as startGenerator,
  type ThreadBody,
} from './threads.ts';

export type { Operation, Result, ThreadBody, ThreadId };

function current(): Tcb {
  if (!isAttached()) throw new Error('l3kernel/ipc: this thread belongs to no system; boot() one first');
  return agent.current;
}

/** A timeout that is no number would never be over. */
function checkTimeout(timeout_ms: number): void {
  if (timeout_ms >= NEVER) return;
  throw new RangeError(`a timeout is ${String(timeout_ms)}; it must be milliseconds, or NEVER (${NEVER})`);
}

/** The current thread, for an operation that blocks it. */
function blocking(): Tcb {
  const self = current();
  if (isGeneratorThread(idOf(self))) {
    throw new Error('l3kernel/ipc: a generator thread must not block its agent; yield operation.call() and the like');
  }
  return self;
}

/**
 * The tag of a message of `words` message words (0-16) and `strings` string items (0-8); `method` (0-32767) is the
 * partner's to interpret.
 */
function makeTag(words: number, strings = 0, method = 0): number {
  if (!(words >= 0 && words <= MESSAGE_WORDS && strings >= 0 && strings <= STRINGS_MAX)) {
    throw new RangeError(`a message has at most ${MESSAGE_WORDS} words and ${STRINGS_MAX} strings`);
  }
  if (!(method >= 0 && method <= METHOD_MAX))
    throw new RangeError(`method is ${method}; it must be 0 to ${METHOD_MAX}`);
  return words | (strings << TAG_STRING_SHIFT) | (method << TAG_METHOD_SHIFT);
}

/** Sends the message of the registers to `to` and waits for its answer. Timeouts in milliseconds, -1 for never. */
function call(to: ThreadId, tag: number, sendTimeout_ms = NEVER, receiveTimeout_ms = NEVER): Result {
  if (isPassiveHere(to)) return callPassive(current(), to, tag | CALL);
  registers[R_CUT] = 0;
  checkTimeout(sendTimeout_ms);
  checkTimeout(receiveTimeout_ms);
  const self = blocking();
  if (isGeneratorThread(to)) return sendToThread(self, to, tag | CALL, sendTimeout_ms, receiveTimeout_ms);
  return fast.call(self, to, ANY_INDEX, tag | CALL, sendTimeout_ms, receiveTimeout_ms);
}

/** Sends the message of the registers to `to` and waits until it is taken. */
function send(to: ThreadId, tag: number, timeout_ms = NEVER): Result {
  checkTimeout(timeout_ms);
  const self = blocking();
  return isGeneratorThread(to) ? sendToThread(self, to, tag, timeout_ms, NEVER) : slow.send(self, to, tag, timeout_ms);
}

/** Waits for a message of `from`, or of anybody when it is 0. */
function receive(from: ThreadId | 0 = 0, timeout_ms = NEVER): Result {
  checkTimeout(timeout_ms);
  const self = blocking();
  if (from !== 0 && isGeneratorThread(from)) return receiveFromThread(self, from, timeout_ms);
  return slow.receive(self, from, timeout_ms);
}

/** Answers the call `sequence` of `to` with the registers and waits for the next message of anybody. */
function replyAndReceive(to: ThreadId, sequence: number, tag: number, timeout_ms = NEVER): Result {
  checkTimeout(timeout_ms);
  registers[R_CUT] = 0;
  return fast.replyAndReceive(blocking(), to, sequence, tag | REPLY, timeout_ms);
}

/** Answers the call `sequence` of `to` and goes on. */
const reply = (to: ThreadId, sequence: number, tag: number): Result => slow.reply(current(), to, sequence, tag | REPLY);

/** Thread id of the current thread. */
const self = (): ThreadId => idOf(current());
/** Of the message last received. */
const sender = (): ThreadId => registers[R_SENDER]! as ThreadId;
const sequence = (): number => registers[R_SEQUENCE]!;
const tag = (): number => registers[R_TAG]!;
const wordsIn = (message: number): number => message & TAG_WORDS;
const stringsIn = (message: number): number => (message & TAG_STRINGS) >> TAG_STRING_SHIFT;
const methodIn = (message: number): number => message >> TAG_METHOD_SHIFT;
/** Bytes of the message last sent that did not fit the receiver's stated buffers. */
const cutBytes = (): number => registers[R_CUT]!;

/** States string item `i` of the next message: these bytes, which must stay unchanged until the operation ends. */
function setString(i: number, item: Uint8Array): void {
  if (!(i >= 0 && i < STRINGS_MAX)) throw new RangeError(`a message has string items 0 to ${STRINGS_MAX - 1}`);
  if (!(item instanceof Uint8Array)) throw new TypeError('setString() takes a Uint8Array; a text needs a TextEncoder');
  outgoing[i] = item;
  registers[R_STRING + i] = item.length;
}

/** Length in bytes of string item `i` of the message last received. */
const stringLength = (i: number): number => registers[R_STRING + i]!;

/**
 * String item `i` of the message last received: the stated buffer it was scattered into, private memory if it was
 * longer than the window, else a view of the window, valid until the next receive.
 */
function stringAt(i: number): Uint8Array {
  const own = incoming[i];
  if (own !== undefined) return own.length === stringLength(i) ? own : own.subarray(0, stringLength(i));
  let at = peek(current() + TCB_WINDOW);
  for (let k = 0; k < i; k++) at += stringLength(k);
  return bytes.subarray(at, at + stringLength(i));
}

/**
 * States where the strings of the next messages go, item by item; what is longer is cut, and both sides are told
 * (result CUT). Without buffers they stay in the window.
 */
function acceptInto(buffers: readonly Uint8Array[]): void {
  if (!Array.isArray(buffers) || !buffers.every((buffer) => buffer instanceof Uint8Array)) {
    throw new TypeError('acceptInto() takes an array of Uint8Arrays');
  }
  const tcb = current();
  stated.length = 0;
  stated.push(...buffers.slice(0, STRINGS_MAX));
  for (let i = 0; i < STRINGS_MAX; i++) poke(tcb + TCB_ACCEPT + i, buffers[i]?.length ?? 0);
  poke(tcb + TCB_ACCEPT_STATED, buffers.length === 0 ? 0 : 1);
}

/** Ends the wait of a thread of this system with ABORTED, from any other thread. */
class CancelToken {
  readonly thread: ThreadId;

  constructor(thread: ThreadId) {
    this.thread = thread;
  }

  /** True when the thread was waiting and its partner had not begun the transfer. */
  cancel(): boolean {
    return cancelWait(this.thread);
  }
}

/**
 * Starts a generator thread of this agent's task and returns its id; it runs when the event loop next turns. It yields
 * what `operation.call()` and the like make, and is given their results.
 */
function startThread(body: ThreadBody): ThreadId {
  current();
  return startGenerator(body);
}

const implementation = {
  call,
  send,
  receive,
  replyAndReceive,
  reply,
  makeTag,
  self,
  sender,
  sequence,
  tag,
  wordsIn,
  stringsIn,
  methodIn,
  cutBytes,
  setString,
  stringLength,
  stringAt,
  acceptInto,
  CancelToken,
  startThread,
  operation,
  /** The 16 message words as f64. */
  message: registerFloats.subarray(2, 2 + MESSAGE_WORDS),
  /** The same words as 32 integers. */
  messageIntegers: registers.subarray(4, 4 + 2 * MESSAGE_WORDS),
};

const KEY = Symbol.for('l3kernel.ipc');
const shared = globalThis as { [KEY]?: typeof implementation };
/** The low level of this agent's kernel. */
const ipc = (shared[KEY] ??= implementation);

const {
  call: call_,
  send: send_,
  receive: receive_,
  replyAndReceive: replyAndReceive_,
  reply: reply_,
  makeTag: makeTag_,
  self: self_,
  sender: sender_,
  sequence: sequence_,
  tag: tag_,
  wordsIn: wordsIn_,
  stringsIn: stringsIn_,
  methodIn: methodIn_,
  cutBytes: cutBytes_,
  setString: setString_,
  stringLength: stringLength_,
  stringAt: stringAt_,
  acceptInto: acceptInto_,
  CancelToken: CancelToken_,
  startThread: startThread_,
  operation: operation_,
  message,
  messageIntegers,
} = ipc;

export {
  acceptInto_ as acceptInto,
  call_ as call,
  CancelToken_ as CancelToken,
  cutBytes_ as cutBytes,
  makeTag_ as makeTag,
  message,
  messageIntegers,
  methodIn_ as methodIn,
  operation_ as operation,
  receive_ as receive,
  reply_ as reply,
  replyAndReceive_ as replyAndReceive,
  self_ as self,
  send_ as send,
  sender_ as sender,
  sequence_ as sequence,
  setString_ as setString,
  startThread_ as startThread,
  stringAt_ as stringAt,
  stringLength_ as stringLength,
  stringsIn_ as stringsIn,
  tag_ as tag,
  wordsIn_ as wordsIn,
};
export {
  ABORTED,
  CUT,
  DEADLOCK,
  DENIED,
  LIMIT,
  NEVER,
  NO_SUCH_THREAD,
  NOT_TAKEN,
  OK,
  ORPHANED,
  PEER_GONE,
  RECEIVE_TIMEOUT,
  SEND_TIMEOUT,
} from '../layout/message.ts';
