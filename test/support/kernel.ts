/**
 * Kernel memory for tests, and threads in it that one JavaScript thread plays in turn: every operation of the kernel
 * names the thread it acts for, and the non-blocking ones let a test perform an interleaving step by step.
 */
import assert from 'node:assert/strict';
import { peek, poke, registers } from '../../src/platform/atomics.ts';
import { startClock } from '../../src/platform/clock.ts';
import { verify } from '../../src/kernel/verify.ts';
import { createTask, createThread, formatMemory, freeTask, freeThread, giveWindow } from '../../src/kernel/tcb.ts';
import { layoutHash } from '../../src/layout/describe.ts';
import { R_CALLED, R_SENDER, R_SEQUENCE, R_STRING, R_TAG, R_WORD, TAG_STRING_SHIFT } from '../../src/layout/message.ts';
import { INDEX_MASK } from '../../src/layout/params.ts';
import {
  type Processor,
  processorAt,
  TASK_ALIVE,
  TASK_KIND_MAIN,
  TASK_KIND_WORKER,
  TASK_PROCESSOR,
  TASK_STATE,
  type TaskId,
  type TaskRecord,
  taskAt,
} from '../../src/layout/task.ts';
import {
  DEAD,
  KIND_MASK,
  TCB_ACCEPT,
  TCB_ACCEPT_STATED,
  TCB_ID,
  TCB_STATE,
  TCB_TAKEN,
  type Tcb,
  type ThreadId,
  tcbAt,
  tcbOf,
} from '../../src/layout/tcb.ts';
import { countTasks, countThreads } from './records.ts';
import { outgoing, stated } from '../../src/kernel/transfer.ts';

export const THREADS = 64;
export const TASKS = 16;

formatMemory(THREADS, TASKS, layoutHash());
startClock();

/** A task in an agent of its own, as its chief would make it. */
export function makeTask(chief: TaskId | 0 = 0): { id: TaskId; task: TaskRecord; processor: Processor } {
  const id = createTask(chief as TaskId, chief === 0 ? TASK_KIND_MAIN : TASK_KIND_WORKER, 0);
  assert.notEqual(id, 0);
  const task = taskAt(id & INDEX_MASK);
  poke(task + TASK_STATE, TASK_ALIVE);
  return { id, task, processor: processorAt(peek(task + TASK_PROCESSOR)) };
}

/** The first task of all; every thread of a test that names no other belongs to it. */
export const root: ReturnType<typeof makeTask> = makeTask();

export const idOf = (tcb: Tcb): ThreadId => peek(tcb + TCB_ID) as ThreadId;
export const indexOf = (tcb: Tcb): number => idOf(tcb) & INDEX_MASK;
export const kindOf = (tcb: Tcb): number => peek(tcb + TCB_STATE) & KIND_MASK;
export const stateOf = (tcb: Tcb): number => peek(tcb + TCB_STATE);

interface ThreadOptions {
  home?: boolean;
  of?: ReturnType<typeof makeTask>;
  /** Bytes of window: false none, 'small' or 'large'. */
  window?: 'small' | 'large' | false;
}

/** A running thread. */
export function makeThread({ home = false, of = root, window = 'small' }: ThreadOptions = {}): Tcb {
  const id = createThread(of.task, of.processor, home);
  assert.notEqual(id, 0, 'the system has a thread left');
  const tcb = tcbOf(id);
  if (window !== false) assert.ok(giveWindow(tcb, window === 'large'));
  return tcb;
}

/** Frees every thread, and every task but the first: the next test begins as in fresh memory. */
export function freeAll(): void {
  for (let index = 1; index <= THREADS; index++) {
    const tcb = tcbAt(index);
    if (peek(tcb + TCB_TAKEN) === 0) continue;
    poke(tcb + TCB_STATE, DEAD);
    freeThread(tcb, index);
  }
  for (let index = 1; index <= TASKS; index++) {
    if (taskAt(index) !== root.task && peek(taskAt(index) + TASK_STATE) !== 0) freeTask(taskAt(index));
  }
  stated.length = 0;
  outgoing.length = 0;
  assert.equal(countThreads(), 0);
  assert.equal(countTasks(), 1);
}

/** Nothing in kernel memory contradicts the invariants, and nothing is left once all threads are freed. */
export function assertSound(): void {
  assert.deepEqual(verify(), []);
  freeAll();
  assert.deepEqual(verify(), []);
}

/** States the message of the registers: integers, two a message word. */
export function putWords(...integers: number[]): void {
  for (const [i, integer] of integers.entries()) registers[R_WORD + i] = integer;
}

export const wordsHere = (count: number): number[] => [...registers.subarray(R_WORD, R_WORD + count)];
export const sender = (): ThreadId => registers[R_SENDER]! as ThreadId;
export const sequence = (): number => registers[R_SEQUENCE]!;
export const tag = (): number => registers[R_TAG]!;
export const called = (): number => registers[R_CALLED]!;

/** States string items and returns the tag bits for them. */
export function putItems(...items: Uint8Array[]): number {
  for (const [i, item] of items.entries()) {
    outgoing[i] = item;
    registers[R_STRING + i] = item.length;
  }
  return items.length << TAG_STRING_SHIFT;
}

/** States the receiver's buffers. */
export function accept(tcb: Tcb, ...buffers: Uint8Array[]): void {
  stated.length = 0;
  stated.push(...buffers);
  for (const [i, buffer] of buffers.entries()) poke(tcb + TCB_ACCEPT + i, buffer.length);
  poke(tcb + TCB_ACCEPT_STATED, buffers.length === 0 ? 0 : 1);
}

/** Bytes that repeat at no power of two. */
export const pattern = (length: number, seed = 0): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8) * 13 + seed) & 0xff);
