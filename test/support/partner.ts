/**
 * A second agent for tests of the kernel: a worker that serves as one thread. It sends every message back, with its
 * strings; a call with the method SLEEP is answered before it sleeps, so that the next caller finds it busy.
 */
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { memory } from '../../src/platform/memory.ts';
import { peek, registers, takeBytes } from '../../src/platform/atomics.ts';
import { receive, reply, replyAndReceiveSlow } from '../../src/kernel/ipc-slow.ts';
import { replyAndReceive } from '../../src/kernel/ipc.ts';
import { incoming, outgoing, stringsIn } from '../../src/kernel/transfer.ts';
import {
  NEVER,
  R_SENDER,
  R_SEQUENCE,
  R_STRING,
  R_TAG,
  REPLY,
  TAG_FLAG,
  TAG_KIND,
  TAG_METHOD_SHIFT,
} from '../../src/layout/message.ts';
import { TCB_WINDOW, type Tcb, type ThreadId } from '../../src/layout/tcb.ts';

export const SLEEP = 98 << TAG_METHOD_SHIFT;
export const QUIT = 99 << TAG_METHOD_SHIFT;

/** Starts the partner as `tcb`. */
export const startPartner = (tcb: Tcb, slow = false): Worker =>
  new Worker(new URL(import.meta.url), { workerData: { l3kernel: { memory }, tcb, slow } });

/** Private copies of the strings just received. */
export function takeItems(self: Tcb, tag: number): Uint8Array[] {
  const items: Uint8Array[] = [];
  let at = peek(self + TCB_WINDOW);
  for (let i = 0; i < stringsIn(tag); i++) {
    const length = registers[R_STRING + i]!;
    const item = incoming[i]?.slice(0, length) ?? new Uint8Array(length);
    if (incoming[i] === undefined) takeBytes(at, item, 0, length);
    at += length;
    items.push(item);
  }
  return items;
}

function serve(self: Tcb, slow: boolean): void {
  const answer = slow ? replyAndReceiveSlow : replyAndReceive;
  receive(self, 0, NEVER);
  for (;;) {
    const [from, sequence, tag] = [registers[R_SENDER]! as ThreadId, registers[R_SEQUENCE]!, registers[R_TAG]!];
    for (const [i, item] of takeItems(self, tag).entries()) outgoing[i] = item;
    const method = tag & ~(TAG_FLAG - 1);
    const back = (tag & ~TAG_KIND) | REPLY;
    if (method === QUIT || method === SLEEP) reply(self, from, sequence, back);
    if (method === QUIT) return;
    if (method === SLEEP) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30);
    if (method === SLEEP) receive(self, 0, NEVER);
    else answer(self, from, sequence, back, NEVER);
  }
}

if (!isMainThread && workerData?.tcb !== undefined) serve(workerData.tcb as Tcb, workerData.slow as boolean);
