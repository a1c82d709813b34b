/**
 * What the agents of the scenarios do: small users of the kernel, bundled with it and compiled as it is. A message is
 * one word, `wordOf(thread, n)`, and its answer the same word with ANSWER; a program says by `note` what came of each
 * operation, and the scenario's check compares.
 */
import { allocateBytes, load, peek, registers, store, takeBytes } from '#atomics';
import { wait } from '#wait';
import {
  type Body,
  dispatch,
  drainInbox,
  parkAbroad,
  type Passive,
  startBody,
  startPassive,
  waitsAbroad,
} from '../../src/kernel/dispatch.ts';
import { cancel, freeThreads, repairTask } from '../../src/kernel/fault.ts';
import { call, replyAndReceive } from '../../src/kernel/ipc.ts';
import { awaitMessage, receive, reply, replyAndReceiveFrom, send } from '../../src/kernel/ipc-slow.ts';
import { processorOf } from '../../src/kernel/park.ts';
import { firstInQueue } from '../../src/kernel/queue.ts';
import { createThread, freeTask, freeThread, giveWindow } from '../../src/kernel/tcb.ts';
import { incoming, outgoing, stringsIn } from '../../src/kernel/transfer.ts';
import { ANY_INDEX, INDEX_MASK, PARK_SLICE_ms } from '../../src/layout/params.ts';
import {
  ABORTED,
  CALL,
  CUT,
  LIMIT,
  NEVER,
  OK,
  OP_CALL,
  OP_RECEIVE,
  OP_REPLY_AND_RECEIVE,
  PEER_GONE,
  R_CALLED,
  R_CUT,
  R_RECEIVE_TIMEOUT,
  R_SEND_TIMEOUT,
  R_SENDER,
  R_SEQUENCE,
  R_STRING,
  R_TAG,
  R_WORD,
  REPLY,
  type Result,
  TAG_KIND,
  TAG_STRING_SHIFT,
} from '../../src/layout/message.ts';
import {
  type Processor,
  PROCESSOR_DOORBELL,
  PROCESSOR_ENDED,
  PROCESSOR_INBOX,
  PROCESSOR_READY_FIRST,
  processorAt,
  TASK_FREE,
  TASK_PROCESSOR,
  TASK_STATE,
  taskAt,
  type TaskId,
} from '../../src/layout/task.ts';
import { indexOfTcb, type Tcb, TCB_WINDOW, tcbOf, type ThreadId } from '../../src/layout/tcb.ts';
import { awaitDeath, awaitEnd, claimThat, holdsPattern, makeBuffer, note } from './seam.ts';

/** Notes: the n-th operation of this agent ended with a result; a message was served; a thread was made. */
export const ENDED_WITH = 1;
export const SERVED = 2;
export const MADE = 3;

/** Claims of the programs, by number. */
export const claims: readonly string[] = [
  'an answer is the one to this very call',
  'an open receive without a timeout ends with a message, or because who was sending it died',
  'a message says who sent it',
  'an answer comes from the thread that was called',
  'the bytes that arrive are those that were sent',
  'a failed operation leaves nothing cut',
];
const OWN_ANSWER = 0;
const RECEIVES = 1;
const TELLS_SENDER = 2;
const FROM_CALLED = 3;
const WHOLE = 4;
const NOT_CUT = 5;

/** Set in the word of an answer, in that of an upcall. */
export const ANSWER: number = 1 << 20;
export const UPCALL: number = 1 << 21;
const wordOf = (self: Tcb, n: number): number => (indexOfTcb(self) << 8) | n;

/** The call was answered: by whom it was sent to, and with the answer to it. */
function claimAnswer(self: Tcb, to: ThreadId, n: number): void {
  claimThat(registers[R_SENDER] === to, FROM_CALLED);
  claimThat(registers[R_WORD] === (wordOf(self, n) | ANSWER), OWN_ANSWER);
}

/** Calls `to` a number of times. */
export function callTimes(self: Tcb, to: ThreadId, times: number, send_ms: number, receive_ms: number): void {
  for (let n = 1; n <= times; n++) {
    registers[R_WORD] = wordOf(self, n);
    const result = call(self, to, ANY_INDEX, CALL | 1, send_ms, receive_ms);
    if (result === OK) claimAnswer(self, to, n);
    note(ENDED_WITH, n, result);
  }
}

/** Calls `to`, and may give up, then again, and may not. */
export function callAgain(self: Tcb, to: ThreadId, send_ms: number): void {
  for (let n = 1; n <= 2; n++) {
    registers[R_WORD] = wordOf(self, n);
    const result = call(self, to, ANY_INDEX, CALL | 1, n === 1 ? send_ms : NEVER, NEVER);
    if (result === OK) claimAnswer(self, to, n);
    note(ENDED_WITH, n, result);
  }
}

/** Calls `first`, then `second`. */
export function callBoth(self: Tcb, first: ThreadId, second: ThreadId): void {
  for (let n = 1; n <= 2; n++) {
    const to = n === 1 ? first : second;
    registers[R_WORD] = wordOf(self, n);
    const result = call(self, to, ANY_INDEX, CALL | 1, NEVER, NEVER);
    if (result === OK) claimAnswer(self, to, n);
    note(ENDED_WITH, n, result);
  }
}

/** Goes on with its first call, which was begun before, then calls again. `target`: it polls for that index. */
export function callOn(self: Tcb, to: ThreadId, target: number, times: number): void {
  const result = awaitMessage(self, NEVER, NEVER, target);
  if (result === OK) claimAnswer(self, to, 1);
  note(ENDED_WITH, 1, result);
  for (let n = 2; n <= times; n++) {
    registers[R_WORD] = wordOf(self, n);
    note(ENDED_WITH, n, call(self, to, ANY_INDEX, CALL | 1, NEVER, NEVER));
  }
}

/** Sends messages that want no answer. */
export function sendTimes(self: Tcb, to: ThreadId, times: number, send_ms: number): void {
  for (let n = 1; n <= times; n++) {
    registers[R_WORD] = wordOf(self, n);
    note(ENDED_WITH, n, send(self, to, 1, send_ms));
  }
}

/** Receives from anybody until there is a message, its sender not having died over it. */
function receiveNext(self: Tcb, first: Result): void {
  let result = first;
  while (result !== OK) {
    claimThat(result === PEER_GONE, RECEIVES);
    result = receive(self, 0, NEVER);
  }
}

/** Notes the message in the registers. */
function noteMessage(): void {
  const word = registers[R_WORD]!;
  claimThat(((word >> 8) & 0xff) === (registers[R_SENDER]! & INDEX_MASK), TELLS_SENDER);
  note(SERVED, word);
}

/** Serves calls, one after the other, for ever. */
export function serve(self: Tcb): void {
  receiveNext(self, receive(self, 0, NEVER));
  serveOn(self);
}

/** As `serve`, with the first message in the registers: `from` and `sequence` are those of a call taken before. */
export function serveFrom(self: Tcb, from: ThreadId, sequence: number, word: number): void {
  registers[R_SENDER] = from;
  registers[R_SEQUENCE] = sequence;
  registers[R_WORD] = word;
  serveOn(self);
}

function serveOn(self: Tcb): void {
  for (;;) {
    noteMessage();
    const from = registers[R_SENDER]! as ThreadId;
    registers[R_WORD] = registers[R_WORD]! | ANSWER;
    receiveNext(self, replyAndReceive(self, from, registers[R_SEQUENCE]!, REPLY | 1, NEVER));
  }
}

/** Takes messages that want no answer, for ever; with a timeout, until none comes in time. */
export function takeAll(self: Tcb, receive_ms: number): void {
  while (receive(self, 0, receive_ms) === OK) noteMessage();
}

/** Takes a number of messages of one thread, by closed receives. */
export function takeFrom(self: Tcb, from: ThreadId, times: number, receive_ms: number): void {
  for (let n = 1; n <= times; n++) {
    const result = receive(self, from, receive_ms);
    if (result === OK) noteMessage();
    note(ENDED_WITH, n, result);
  }
}

/** Serves calls by calling `next` with the same word, and answers with what that answers. */
export function relay(self: Tcb, next: ThreadId): void {
  receiveNext(self, receive(self, 0, NEVER));
  for (;;) {
    noteMessage();
    const from = registers[R_SENDER]! as ThreadId;
    const sequence = registers[R_SEQUENCE]!;
    const word = registers[R_WORD]!;
    registers[R_WORD] = (indexOfTcb(self) << 8) | (word & 0xff);
    call(self, next, ANY_INDEX, CALL | 1, NEVER, NEVER);
    registers[R_WORD] = word | ANSWER;
    receiveNext(self, replyAndReceive(self, from, sequence, REPLY | 1, NEVER));
  }
}

/** Serves calls, calling the caller back within each; waits for what that gives, or gives it up. */
export function serveWithUpcall(self: Tcb, receive_ms: number): void {
  receiveNext(self, receive(self, 0, NEVER));
  for (;;) {
    noteMessage();
    const from = registers[R_SENDER]! as ThreadId;
    const sequence = registers[R_SEQUENCE]!;
    const word = registers[R_WORD]!;
    registers[R_WORD] = word | UPCALL;
    const result = call(self, from, indexOfTcb(self), CALL | 1, NEVER, receive_ms);
    if (result === OK) claimThat(registers[R_WORD] === (word | UPCALL | ANSWER), OWN_ANSWER);
    note(ENDED_WITH, word & 0xff, result);
    registers[R_WORD] = word | ANSWER;
    receiveNext(self, replyAndReceive(self, from, sequence, REPLY | 1, NEVER));
  }
}

/** Calls `to`, and serves the upcalls that come before the answer. */
export function callServingUpcalls(self: Tcb, to: ThreadId, times: number): void {
  for (let n = 1; n <= times; n++) {
    registers[R_WORD] = wordOf(self, n);
    let result = call(self, to, ANY_INDEX, CALL | 1, NEVER, NEVER);
    const awaited = registers[R_CALLED]!;
    while (result === OK && (registers[R_TAG]! & TAG_KIND) === CALL) {
      note(SERVED, registers[R_WORD]!);
      registers[R_WORD] = registers[R_WORD]! | ANSWER;
      const from = registers[R_SENDER]! as ThreadId;
      result = replyAndReceiveFrom(self, from, registers[R_SEQUENCE]!, REPLY | 1, to, awaited, NEVER);
    }
    if (result === OK) claimAnswer(self, to, n);
    note(ENDED_WITH, n, result);
  }
}

/** Ends the wait of a thread, if it waits; says whether it did. */
export function cancelOnce(self: Tcb, tcb: Tcb): void {
  note(ENDED_WITH, 1, cancel(tcb, ABORTED, indexOfTcb(self)) ? 1 : 0);
}

/** When agent number `agent` was killed, repairs what its task left; `frees`: and gives the records back. */
export function repairAfter(self: Tcb, agent: number, task: TaskId, frees: boolean): void {
  if (!awaitEnd(agent)) return;
  repairTask(taskAt(task & INDEX_MASK), indexOfTcb(self));
  if (frees) free(self, task);
}

/**
 * The supervisor of two agents: hears of their deaths, and repairs what they left, of two at once that of the second
 * first when `reversed`. All that it has heard of are known to be dead before the first of them is repaired.
 */
export function supervise(
  self: Tcb,
  first: number,
  firstTask: TaskId,
  second: number,
  secondTask: TaskId,
  reversed: boolean,
): void {
  for (let left = 3; left !== 0;) {
    const heard = awaitDeath(first, second, left);
    if ((heard & 1) !== 0) sayEnded(firstTask);
    if ((heard & 2) !== 0) sayEnded(secondTask);
    if (reversed && (heard & 2) !== 0) repairNow(self, secondTask);
    if ((heard & 1) !== 0) repairNow(self, firstTask);
    if (!reversed && (heard & 2) !== 0) repairNow(self, secondTask);
    left &= ~heard;
  }
}

/** As `sayEnded` in src/user/agent.ts. */
function sayEnded(task: TaskId): void {
  store(processorAt(peek(taskAt(task & INDEX_MASK) + TASK_PROCESSOR)) + PROCESSOR_ENDED, 1);
}

/** Repairs a task of which no code runs. */
export function repairNow(self: Tcb, task: TaskId): void {
  repairTask(taskAt(task & INDEX_MASK), indexOfTcb(self));
}

function free(self: Tcb, task: TaskId): void {
  const record = taskAt(task & INDEX_MASK);
  freeThreads(record, indexOfTcb(self));
  freeTask(record);
}

/** Makes a thread with a window and gives it back, a number of times; in the end one is kept. */
export function makeAndFree(self: Tcb, task: TaskId, times: number): void {
  for (let n = 1; n <= times; n++) {
    const id = createThread(taskAt(task & INDEX_MASK), processorOf(self), false);
    const fits = id !== 0 && giveWindow(tcbOf(id), false);
    if (id !== 0 && (n < times || !fits)) freeThread(tcbOf(id), indexOfTcb(self));
    note(ENDED_WITH, n, fits ? OK : LIMIT);
  }
}

/** When agent number `agent` was killed, which was to repair what `victim` left, repairs both. */
export function repairBoth(self: Tcb, agent: number, task: TaskId, victim: number, other: TaskId): void {
  const died = awaitEnd(victim);
  if (!awaitEnd(agent)) return;
  repairTask(taskAt(task & INDEX_MASK), indexOfTcb(self));
  free(self, task);
  const record = taskAt(other & INDEX_MASK);
  if (!died || load(record + TASK_STATE) === TASK_FREE) return;
  repairTask(record, indexOfTcb(self));
  free(self, other);
}

/** As `repairAfter`, and at once takes a record for a thread of its own, which serves: the only free one. */
export function repairAndServe(self: Tcb, agent: number, task: TaskId, own: TaskId): void {
  if (!awaitEnd(agent)) return;
  repairTask(taskAt(task & INDEX_MASK), indexOfTcb(self));
  free(self, task);
  const id = createThread(taskAt(own & INDEX_MASK), processorAt(own & INDEX_MASK), false);
  note(MADE, id);
  serve(tcbOf(id));
}

// Strings: item 0 is a pattern whose seed is the word.

const ONE_ITEM = 1 << TAG_STRING_SHIFT;

function putItem(length: number, seed: number): void {
  outgoing[0] = makeBuffer(length, seed);
  registers[R_STRING] = length;
  registers[R_WORD] = seed;
}

/** What came is item 0 with the seed of its word, whole, in the window or out of it. */
function claimItem(self: Tcb): void {
  if (stringsIn(registers[R_TAG]!) === 0) return;
  const length = registers[R_STRING]!;
  let item = incoming[0];
  if (item === undefined) {
    item = allocateBytes(length);
    takeBytes(peek(self + TCB_WINDOW), item, 0, length);
  }
  claimThat(holdsPattern(item, length, registers[R_WORD]!), WHOLE);
}

/** Calls with a string of `length` bytes; the answer may bring one. */
export function callWithString(self: Tcb, to: ThreadId, times: number, length: number, receive_ms: number): void {
  for (let n = 1; n <= times; n++) {
    const tag = length === 0 ? CALL | 1 : CALL | 1 | ONE_ITEM;
    if (length === 0) registers[R_WORD] = wordOf(self, n);
    else putItem(length, wordOf(self, n));
    const result = call(self, to, ANY_INDEX, tag, NEVER, receive_ms);
    if (result === OK) claimItem(self);
    if (result !== CUT) claimThat(registers[R_CUT] === 0, NOT_CUT);
    note(ENDED_WITH, n, result);
  }
}

/** Sends `first` a string of `length` bytes, then calls `second`, which answers with one. */
export function sendThenCall(self: Tcb, first: ThreadId, second: ThreadId, length: number): void {
  putItem(length, wordOf(self, 1));
  note(ENDED_WITH, 1, send(self, first, 1 | ONE_ITEM, NEVER));
  registers[R_WORD] = wordOf(self, 2);
  const result = call(self, second, ANY_INDEX, CALL | 1, NEVER, NEVER);
  if (result === OK) claimItem(self);
  note(ENDED_WITH, 2, result);
}

/** Serves a number of calls, answering with strings of `length` bytes. */
export function serveStrings(self: Tcb, times: number, length: number): void {
  for (let n = 1; n <= times; n++) {
    const result = receive(self, 0, NEVER);
    note(ENDED_WITH, n, result);
    if (result !== OK) continue;
    noteMessage();
    claimItem(self);
    const from = registers[R_SENDER]! as ThreadId;
    const sequence = registers[R_SEQUENCE]!;
    if (length > 0) putItem(length, registers[R_WORD]! | ANSWER);
    else registers[R_WORD] = registers[R_WORD]! | ANSWER;
    reply(self, from, sequence, length > 0 ? REPLY | 1 | ONE_ITEM : REPLY | 1);
  }
}

// Threads multiplexed on one processor. Their code is a number, the tcb of the thread.

/** What a generator thread has done so far, and whom it calls: 0 when it serves. */
const progress: number[] = [];
let callee = 0;

/** Runs passive threads, which serve, as an event loop does; `second` may be 0. */
export function runPassive(first: Tcb, second: Tcb): void {
  startPassive(first, first as number as unknown as Passive);
  if (second !== 0) startPassive(second, second as number as unknown as Passive);
  runLoop(processorOf(first));
}

/** Runs a generator thread: it calls `to` as often as `times` says, or serves when `to` is 0. */
export function runBody(self: Tcb, to: number, times: number): void {
  callee = to;
  progress[self] = to === 0 ? 0 : times;
  startBody(processorOf(self), self, self as number as unknown as Body);
  runLoop(processorOf(self));
}

/** As `runLocal` and `arm` in src/user/loop.ts. */
function runLoop(processor: Processor): void {
  const inbox = processor + PROCESSOR_INBOX;
  for (;;) {
    if (firstInQueue(inbox) !== 0) drainInbox(processor);
    if ((peek(processor + PROCESSOR_READY_FIRST) !== 0 || waitsAbroad()) && dispatch(processor, 0)) continue;
    const seen = load(processor + PROCESSOR_DOORBELL);
    if (firstInQueue(inbox) === 0 && parkAbroad()) wait(processor + PROCESSOR_DOORBELL, seen, PARK_SLICE_ms);
  }
}

/** Stands for the call of a passive thread's function. */
export function servePassively(_self: Tcb, _tag: number): number {
  noteMessage();
  registers[R_WORD] = registers[R_WORD]! | ANSWER;
  return REPLY | 1;
}

const yielded = (op: number): { done: boolean; value: number } => ({ done: op === 0, value: op });

/** Stands for `next` of a generator thread. */
export function resumeBody(self: Tcb, result: Result): { done: boolean; value: number } {
  registers[R_RECEIVE_TIMEOUT] = NEVER;
  registers[R_SEND_TIMEOUT] = NEVER;
  if (callee !== 0) return yielded(callNext(self, result));
  const isFirst = progress[self] === 0;
  progress[self] = 1;
  if (!isFirst) noteMessage();
  if (isFirst) registers[R_SENDER] = 0;
  registers[R_TAG] = REPLY | 1;
  registers[R_WORD] = registers[R_WORD]! | ANSWER;
  return yielded(isFirst ? OP_RECEIVE : OP_REPLY_AND_RECEIVE);
}

/** The next of the calls of a generator thread, which counts up from 0 above bit 8. */
function callNext(self: Tcb, result: Result): number {
  const times = progress[self]! & 0xff;
  const n = progress[self]! >> 8;
  if (n > 0 && result === OK) claimAnswer(self, callee as ThreadId, n);
  if (n > 0) note(ENDED_WITH, n, result);
  if (n === times) return 0;
  progress[self] = progress[self]! + 0x100;
  registers[R_SENDER] = callee;
  registers[R_TAG] = CALL | 1;
  registers[R_WORD] = wordOf(self, n + 1);
  return OP_CALL;
}
