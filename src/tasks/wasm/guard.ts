/**
 * The watchdog of the main thread (`limits.time`): a call of a wasm task that runs for too long is ended, and the task
 * with it.
 *
 * Nothing in JavaScript interrupts a loop but V8's termination of what runs, and that takes everything off the stack:
 * the caller's frames too, no catch and no finally runs, and Node aborts the process where the loop was called from a
 * timer. A boundary holds it: what `Runtime.evaluate` of an inspector session in this very thread has called is ended
 * alone, and the session says so. So a guarded call is made within one, and a worker with a session to the main thread
 * looks now and then how long it has taken. A boundary is much dearer than the call, so a task must ask for it.
 *
 * Only code of the task may be interrupted, never the kernel's or a granted function, which would be left in their
 * midst. `INSIDE` says which of the two runs. The watchdog first states whom it is about to end, and then looks; we
 * first state that we have left, and then look: whatever the order, one of the two sees the other. Who has left and
 * finds itself doomed stands still until it is ended or let go.
 *
 *   word  SERIAL  the guarded call that runs, the inmost; 0 for none     written here
 *         INSIDE  1 while it runs code of the task                       written here
 *         LIMIT   milliseconds that it may take                          written here
 *         DOOMED  the call that is about to be ended; 0 for none         written by the watchdog, cleared by both
 */
import type { Session } from 'node:inspector';
import { isMainThread } from 'node:worker_threads';
import { agent } from '../../user/agent.ts';
import { isOpen, type RawFunction, stack, wasmTasks, type WasmTask } from './record.ts';

const SERIAL = 0;
const INSIDE = 1;
const LIMIT = 2;
const DOOMED = 3;

const words = new Int32Array(new SharedArrayBuffer(16));
/** The watchdog looks so often, in milliseconds: an overrun is noticed that much late. */
const PERIOD_ms = 5;

/** The fault of a task that has taken too long. */
export class Overrun extends Error {
  constructor(limit_ms: number) {
    super(`a call took longer than limits.time of ${limit_ms} ms`);
  }
}

let session: Session | null = null;
let serial = 0;
/** The guarded call on this stack, the inmost; 0 for none. */
let current = 0;
let limit_ms = 0;

/** Name of the function that the boundary calls: no other global could be meant. */
const ENTRY = Symbol.for('l3kernel.guarded');
const EXPRESSION = `globalThis[Symbol.for('l3kernel.guarded')]()`;

/** Whether this agent can have a watchdog: sessions lead to the main thread only. */
export const canGuard = (): boolean => isMainThread;

function start(): Session {
  // Loaded when they are asked for: few programs are.
  const inspector = process.getBuiltinModule('node:inspector');
  const threads = process.getBuiltinModule('node:worker_threads');
  const made = new inspector.Session();
  made.connect();
  const watchdog = new threads.Worker(`(${watch.toString()})()`, {
    eval: true,
    workerData: { words, period_ms: PERIOD_ms },
    execArgv: [],
  });
  watchdog.unref();
  return made;
}

/** What the watchdog runs. It is sent as text, and so refers to nothing outside. */
function watch(): void {
  const { workerData } = process.getBuiltinModule('node:worker_threads');
  const { Session: MainSession } = process.getBuiltinModule('node:inspector');
  const { words: shared, period_ms } = workerData as { words: Int32Array; period_ms: number };
  const main = new MainSession();
  main.connectToMainThread();
  const began_ms = new Map<number, number>();
  setInterval(() => {
    const call = Atomics.load(shared, 0);
    if (call === 0) began_ms.clear();
    if (call === 0 || Atomics.load(shared, 3) !== 0) return;
    const now_ms = performance.now();
    if (!began_ms.has(call)) began_ms.set(call, now_ms);
    if (now_ms - began_ms.get(call)! < Atomics.load(shared, 2)) return;
    Atomics.store(shared, 3, call);
    // Ended if it is still that call and in code of the task; else it is let go until the next look.
    if (Atomics.load(shared, 1) === 1 && Atomics.load(shared, 0) === call) main.post('Runtime.terminateExecution');
    else Atomics.compareExchange(shared, 3, call, 0);
  }, period_ms);
}

/** Stands still while the present call is about to be ended. */
function awaitDoom(): void {
  while (Atomics.load(words, DOOMED) === current);
}

/** States that code of ours runs, and no task's. True: `enter` must follow. */
export function leave(): boolean {
  if (current === 0 || words[INSIDE] === 0) return false;
  Atomics.store(words, INSIDE, 0);
  awaitDoom();
  return true;
}

/** Code of the task goes on. */
export const enter = (): void => {
  Atomics.store(words, INSIDE, 1);
};

function set(call: number, time_ms: number, inside: number): void {
  Atomics.store(words, INSIDE, 0);
  Atomics.store(words, LIMIT, time_ms);
  Atomics.store(words, SERIAL, call);
  current = call;
  limit_ms = time_ms;
  Atomics.store(words, INSIDE, inside);
}

/** Runs code of a task within its limit. Throws what it throws, and an Overrun. */
export function guarded(task: WasmTask, time_ms: number, run: () => unknown): unknown {
  session ??= start();
  const outer = { call: current, time_ms: limit_ms, inside: Number(leave()) };
  const { depth } = stack;
  const self = agent.current;
  // Those that are in an activation already are not on the part of the stack that may be lost.
  const before = depth > 1 ? new Set([...wasmTasks.values()].filter((one) => !isOpen(one))) : null;
  let result: unknown;
  let thrown: { error: unknown } | null = null;
  let isOver = false;
  (globalThis as Record<symbol, unknown>)[ENTRY] = (): void => {
    set((serial = (serial + 1) & 0x3fffffff || 1), time_ms, 1);
    try {
      result = run();
    } catch (error) {
      thrown = { error };
    }
    leave();
    isOver = true;
  };
  session.post('Runtime.evaluate', { expression: EXPRESSION, silent: true });
  set(outer.call, outer.time_ms, outer.inside);
  if (!isOver) {
    Atomics.store(words, DOOMED, 0);
    stack.depth = depth;
    agent.current = self;
    const fault = new Overrun(time_ms);
    for (const one of wasmTasks.values()) {
      if (one === task || isOpen(one) || before?.has(one) === true) continue;
      one.faulted = true;
      one.fault = fault;
      stack.dying = true;
    }
    throw fault;
  }
  if (thrown !== null) throw (thrown as { error: unknown }).error;
  return result;
}

/** A function of a task within its limit. */
export const guardedFunction =
  (task: WasmTask, time_ms: number, f: RawFunction): RawFunction =>
  (...args: unknown[]) =>
    guarded(task, time_ms, () => f(...args));
