/**
 * Threads of a wasm task with a stack of their own (JSPI). A call by `.async`, or of another agent, is an activation on
 * a stack that V8 makes for it. What a passive thread may not do there suspends it: it calls another agent, or a
 * granted function that gives a promise, and the agent goes on with something else meanwhile.
 *
 * Only frames of wasm can be suspended. So each import is a pair, joined by a stub in wasm (stacks-stub.ts): a plain
 * function that tries, and one that blocks, which is called only when the first one says so. A `.sync` caller keeps the
 * agent anyway: its activation is a passive one, on the caller's stack.
 *
 * V8 resumes a stack in a microtask. Two tasks that answer each other at once would keep timers and sockets waiting for
 * ever, so that only so many are resumed in one turn of the event loop.
 *
 * Invariant: `current` is the thread whose wasm frames are the inmost of this instance on the stack, null in a passive
 * activation. It is set wherever a stack is entered or resumed, and put back wherever JavaScript returns to it.
 */
import { registers } from '#atomics';
import { createThread, freeThread, giveWindow } from '../../kernel/tcb.ts';
import { sameClan } from '../../kernel/clan.ts';
import { DENIED, LIMIT, R_SENDER, RECEIVE_TIMEOUT, type Result, SEND_TIMEOUT } from '../../layout/message.ts';
import { INDEX_MASK } from '../../layout/params.ts';
import { taskAt } from '../../layout/task.ts';
import { type Tcb, tcbOf, type ThreadId } from '../../layout/tcb.ts';
import { now_ms } from '#wait';
import { endCallOf, type Options } from '../../rpc/call.ts';
import { abortedError, type Calling, failure } from '../../rpc/failure.ts';
import { type Entry, Fifo, NOWHERE } from '../../rpc/fifo.ts';
import { clearTimeout, setImmediate, setTimeout } from '../../platform/timers.ts';
import { agent, holder, idOf } from '../../user/agent.ts';
import { gone, isGone, type RawFunction, stack, type WasmTask } from './record.ts';
import type { Signature } from './signature.ts';
import { checkArguments, putArguments } from './switch.ts';
import { inTurn } from './turns.ts';
import { allocate, checkPair, pairAddress, pairLength, takeBytes, takeString } from './space.ts';

/** What JSPI adds to `WebAssembly`; the types of the language do not know it yet. */
interface WithStacks {
  readonly promising: (f: RawFunction) => (...args: unknown[]) => Promise<unknown>;
  readonly Suspending: new (f: RawFunction) => RawFunction;
}
const jspi = WebAssembly as unknown as Partial<WithStacks>;

/** Whether this host has stacks to suspend: Node 24 and later. */
export const hasStacks = (): boolean => typeof jspi.Suspending === 'function' && typeof jspi.promising === 'function';

/** What a suspended thread waits for has come to this. */
interface Outcome {
  readonly failed: boolean;
  readonly value: unknown;
}

interface Thread {
  readonly number: number;
  readonly id: ThreadId;
  readonly tcb: Tcb;
  /** Who called. */
  sender: number;
  /** The call that it serves; null when it serves none. */
  call: Activation | null;
  outcome: Outcome | null;
  /** Makes of the outcome what the import gives. Throws what it throws. */
  finish: ((outcome: Outcome) => unknown) | null;
  wake: ((number: number) => void) | null;
  /** Its own part of the memory for what the compiler keeps off the wasm stack; 0 where the module has no such. */
  base: number;
  pointer: number;
}

/** The threads of one instance. */
export interface Stacks {
  readonly task: WasmTask;
  /** Acts upon faults that were noted. */
  readonly settle: () => void;
  current: Thread | null;
  active: number;
  readonly limit: number;
  /** Passive activations. */
  inside: number;
  readonly threads: Thread[];
  readonly free: Thread[];
  readonly entries: Map<string, (...args: unknown[]) => Promise<unknown>>;
  /** Tells the stub that the import must block. */
  readonly blocked: WebAssembly.Global<'i32'>;
  /** The compiler's stack pointer, where the module exports it. */
  pointer: WebAssembly.Global<'i32'> | null;
  ended: boolean;
}

/** A call of a task with stacks of its own, from its making to its answer. */
interface Activation extends Entry {
  readonly signature: Signature;
  readonly sender: number;
  args: readonly unknown[];
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Calls that wait for a thread. They outlive an instance: the next one takes them. */
export type Lane = Fifo<Activation>;
export const makeLane = (): Lane => new Fifo();

/** For `__stack_pointer` of each thread but the first. */
const SHADOW_BYTES = 1 << 16;

export const makeStacks = (task: WasmTask, limit: number, settle: () => void): Stacks => ({
  task,
  settle,
  current: null,
  active: 0,
  limit,
  inside: 0,
  threads: [],
  free: [],
  entries: new Map(),
  blocked: new WebAssembly.Global({ value: 'i32', mutable: true }, 0),
  pointer: null,
  ended: false,
});

/** Takes over the stack pointer of an instance that has just been made. */
export function setPointer(stacks: Stacks, exported: unknown): void {
  if (!(exported instanceof WebAssembly.Global) || typeof exported.value !== 'number') return;
  const { value } = exported;
  try {
    exported.value = value;
    stacks.pointer = exported as WebAssembly.Global<'i32'>;
  } catch {
    // A constant.
  }
}

/** A thread that serves nobody; null when the system has none left. */
function takeThread(stacks: Stacks): Thread | null {
  const known = stacks.free.pop();
  if (known !== undefined) return known;
  const { task } = stacks;
  const id = createThread(taskAt(task.taskId & INDEX_MASK), agent.processor, false);
  if (id === 0) return null;
  const tcb = tcbOf(id);
  if (!giveWindow(tcb, false)) {
    freeThread(tcb, holder());
    return null;
  }
  const number = stacks.threads.length;
  const made = { number, id, tcb, sender: 0, call: null, outcome: null, finish: null, wake: null };
  const thread: Thread = { ...made, base: 0, pointer: 0 };
  stacks.threads.push(thread);
  if (stacks.pointer !== null) {
    thread.base = number === 0 ? stacks.pointer.value : (allocate(task.space, SHADOW_BYTES) + SHADOW_BYTES) & ~15;
  }
  return thread;
}

/** Calls a function of the task on a stack of its own, as soon as a thread is free. Arguments have been checked. */
export function callLater(
  task: WasmTask,
  signature: Signature,
  { timeout_ms, signal }: Options,
  args: readonly unknown[],
  isRemote: boolean,
): Promise<unknown> {
  const calling: Calling = {
    task: task.target.name,
    taskId: task.taskId,
    method: signature.name,
    timeout_ms,
    began_ms: now_ms(),
  };
  return new Promise((resolve, reject) => {
    // One that has faulted may be restarted: the call waits for that.
    if (task.ended !== null) throw gone(task, signature.name);
    if (signal?.aborted === true) throw abortedError(calling, signal);
    checkArguments(task.target.name, signature, args);
    if (!isRemote && !sameClan(agent.current, task.tcb)) throw failure(DENIED, calling);
    let timer: NodeJS.Timeout | undefined;
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    const call: Activation = {
      place: NOWHERE,
      signature,
      sender: isRemote ? registers[R_SENDER]! : idOf(agent.current),
      args,
      resolve: (value) => {
        end();
        resolve(value);
      },
      reject: (error) => {
        end();
        reject(error as Error);
      },
    };
    const late = (): void => {
      const code: Result = task.lane.delete(call) ? SEND_TIMEOUT : RECEIVE_TIMEOUT;
      call.reject(failure(code, calling));
    };
    const onAbort = (): void => {
      task.lane.delete(call);
      call.reject(abortedError(calling, signal!));
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    task.lane.add(call);
    startWaiting(task);
    // What it carries is copied when the call is made.
    if (call.place !== NOWHERE) call.args = args.map((value) => (value instanceof Uint8Array ? value.slice() : value));
    if (timeout_ms === 0 && call.place !== NOWHERE) late();
    else if (timeout_ms > 0) timer = setTimeout(late, timeout_ms);
  });
}

/** Gives free threads to the calls that wait, first come first served. */
export function startWaiting(task: WasmTask): void {
  for (let next = task.lane.first(); next !== undefined; next = task.lane.first()) {
    const { stacks } = task;
    if (isGone(task) || stacks === null || stacks.active >= stacks.limit) return;
    if (isInside(task)) {
      // A passive activation is the instance's one as well. It ends before the loop turns.
      setImmediate(() => startWaiting(task));
      return;
    }
    task.lane.delete(next);
    start(stacks, next);
  }
}

/** Whether a passive activation of a task that bears one at a time is on the stack. */
const isInside = ({ stacks }: WasmTask): boolean => stacks!.limit === 1 && stacks!.inside > 0;

function start(stacks: Stacks, call: Activation): void {
  const { task } = stacks;
  const { signature } = call;
  const outer = stacks.current;
  const pointer = stacks.pointer?.value;
  let thread: Thread | null = null;
  let ended: Promise<unknown>;
  stacks.active++;
  try {
    stacks.current = null;
    thread = takeThread(stacks);
    if (thread === null) {
      stacks.active--;
      call.reject(
        failure(LIMIT, {
          task: task.target.name,
          taskId: task.taskId,
          method: signature.name,
          timeout_ms: -1,
          began_ms: -1,
        }),
      );
      return;
    }
    thread.call = call;
    thread.sender = call.sender;
    if (stacks.pointer !== null) stacks.pointer.value = thread.base;
    const words = putArguments(task.space, signature, call.args);
    stacks.current = thread;
    ended = entryOf(stacks, signature.field)(...words);
  } catch (error) {
    fault(stacks, error);
    call.reject(gone(task, signature.name));
    return;
  } finally {
    stacks.current = outer;
    if (stacks.pointer !== null) stacks.pointer.value = pointer!;
  }
  const served = thread;
  ended.then(
    (value) => finish(stacks, served, call, value),
    (error: unknown) => {
      if (!stacks.ended) fault(stacks, error);
      call.reject(gone(task, signature.name));
    },
  );
}

function entryOf(stacks: Stacks, field: string): (...args: unknown[]) => Promise<unknown> {
  let entry = stacks.entries.get(field);
  if (entry === undefined) {
    entry = jspi.promising!(stacks.task.exports![field]!);
    stacks.entries.set(field, entry);
  }
  return entry;
}

function finish(stacks: Stacks, thread: Thread, call: Activation, value: unknown): void {
  // Its task has ended or been restarted meanwhile: its caller has been told.
  if (stacks.ended) return;
  const { task } = stacks;
  thread.call = null;
  stacks.free.push(thread);
  stacks.active--;
  try {
    call.resolve(resultOf(task, call.signature, value));
  } catch (error) {
    fault(stacks, error);
    call.reject(gone(task, call.signature.name));
  }
  startWaiting(task);
}

function resultOf({ space }: WasmTask, { result }: Signature, value: unknown): unknown {
  if (result === null) return value;
  const pair = value as number;
  checkPair(space, pair);
  const take = result === 's' ? takeString : takeBytes;
  return take(space, pairAddress(space, pair), pairLength(space, pair));
}

/** What left an activation as an exception is the end of its task, once no stack needs it any more. */
function fault({ task, settle }: Stacks, error: unknown): void {
  if (!isGone(task)) {
    task.faulted = true;
    task.fault = error;
  }
  stack.dying = true;
  setImmediate(settle);
}

/** A call of JavaScript is over: the frames of `thread` go on. */
export function backTo(stacks: Stacks, thread: Thread | null, pointer: number | undefined): void {
  stacks.current = thread;
  if (stacks.pointer !== null) stacks.pointer.value = pointer!;
}

/**
 * Has the present thread wait for a promise: the import gives, or throws, what `finish` makes of its outcome. Returns
 * what the stub takes for a result until then; `zero` is of the import's type.
 */
export function suspend(
  stacks: Stacks,
  promise: PromiseLike<unknown>,
  finishIt: (outcome: Outcome) => unknown,
  zero: unknown,
): unknown {
  const thread = stacks.current!;
  thread.finish = finishIt;
  promise.then(
    (value) => wakeUp(stacks, thread, { failed: false, value }),
    (error: unknown) => wakeUp(stacks, thread, { failed: true, value: error }),
  );
  stacks.blocked.value = 1;
  return zero;
}

/** The half of an import that blocks: V8 suspends the stack until the promise gives the thread's number. */
export const blockerOf = (stacks: Stacks): RawFunction =>
  new jspi.Suspending!(() => {
    stacks.blocked.value = 0;
    const thread = stacks.current!;
    stacks.current = null;
    if (stacks.pointer !== null) thread.pointer = stacks.pointer.value;
    return new Promise<number>((resolve) => {
      thread.wake = resolve;
      // Its answer may have come before V8 let go of the stack.
      if (thread.outcome !== null) resume(stacks, thread);
    });
  });

/** What the stub calls when its stack goes on. */
export const resumed =
  (stacks: Stacks): RawFunction =>
  (number: number) => {
    const { task } = stacks;
    const thread = stacks.threads[number]!;
    const { outcome, finish: finishIt } = thread;
    thread.outcome = null;
    thread.finish = null;
    backTo(stacks, thread, thread.pointer);
    if (stacks.ended || isGone(task)) throw gone(task, thread.call?.signature.name ?? 'call');
    try {
      return finishIt!(outcome!);
    } finally {
      backTo(stacks, thread, thread.pointer);
    }
  };

/** What a thread waits for is there; of a task that has ended nothing goes on. */
function wakeUp(stacks: Stacks, thread: Thread, outcome: Outcome): void {
  if (stacks.ended) return;
  thread.outcome = outcome;
  if (thread.wake !== null) resume(stacks, thread);
}

function resume(stacks: Stacks, thread: Thread): void {
  const wake = thread.wake!;
  thread.wake = null;
  inTurn(() => {
    if (!stacks.ended) wake(thread.number);
  });
}

/** Ends the threads of an instance: what they wait for is nobody's, and their callers are told. */
export function endStacks(task: WasmTask): void {
  const { stacks } = task;
  if (stacks === null) return;
  stacks.ended = true;
  for (const { tcb, call } of stacks.threads) {
    if (call === null) continue;
    endCallOf(tcb);
    call.reject(gone(task, call.signature.name));
  }
}

/** Tells the calls that wait for a task which will have no next instance. */
export function endLane(task: WasmTask): void {
  for (const call of task.lane.all()) {
    task.lane.delete(call);
    call.reject(gone(task, call.signature.name));
  }
}

export type { Outcome, Thread };
