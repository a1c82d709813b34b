/**
 * The life of a wasm task in this agent: from its instance to its end, and to the next instance when it is to be
 * restarted.
 *
 * A fault is noted where it happens and acted upon when no activation is left on the stack, because the stack may be
 * used up at the moment of the fault, and a repair that is interrupted half-way would be worse than any fault.
 */
import { store } from '#atomics';
import { endBody, startPassive } from '../../kernel/dispatch.ts';
import { freeThreads, repairTask } from '../../kernel/fault.ts';
import { INDEX_MASK } from '../../layout/params.ts';
import { TASK_ALIVE, TASK_STATE, taskAt, type TaskRecord } from '../../layout/task.ts';
import { tcbOf, type ThreadId } from '../../layout/tcb.ts';
import { registers } from '../../platform/atomics.ts';
import { NEVER, R_SENDER } from '../../layout/message.ts';
import { makeTarget, plainOptions } from '../../rpc/call.ts';
import { serve, setLocalExports } from '../../rpc/serve.ts';
import type { TaskExit } from '../../rpc/types.ts';
import { holder } from '../../user/agent.ts';
import type { Start } from '../host.ts';
import { type Compiled, taskBoundsOf } from './compile.ts';
import { dropCopiers } from './copier.ts';
import { guarded, guardedFunction } from './guard.ts';
import { byName, importsFor, throughStubs } from './imports.ts';
import { isGone, Exit, faultText, type RawFunction, type Slot, stack, wasmTasks, type WasmTask } from './record.ts';
import {
  abandonRecords,
  countRestart,
  endRecord,
  enterOpened,
  giveThread,
  leaveOpened,
  mayRestart,
  sayRestart,
} from './lives.ts';
import { needRoom } from './room.ts';
import { isCallable, type Signature, signatureOf } from './signature.ts';
import { makeSpace } from './space.ts';
import type { Files } from './wasi-files.ts';
import { callLater, endLane, endStacks, makeLane, makeStacks, setPointer, startWaiting } from './stacks.ts';
import { makeSlot, makeSwitch } from './switch.ts';
import { setImmediate } from '../../platform/timers.ts';

/** A task as its host knows it. */
export interface Hosted {
  readonly task: WasmTask;
  readonly start: Start;
  readonly compiled: Compiled;
  readonly exited: Promise<TaskExit>;
  readonly exit: (exit: TaskExit) => void;
  /** What callers hold, in the order of the signatures. */
  readonly stubs: readonly Slot[];
  /** Times at which it was restarted, in milliseconds of this process. */
  readonly restarts: number[];
}

const hosted = new Map<WasmTask, Hosted>();

const recordOf = ({ taskId }: WasmTask): TaskRecord => taskAt(taskId & INDEX_MASK);

/** The functions of a module that can be called, the first of each name. */
function signaturesOf({ shape }: Compiled): Signature[] {
  const found = new Map<string, Signature>();
  for (const { name, type } of shape.exports) {
    if (!isCallable(type) || OWN_EXPORTS.has(name)) continue;
    const signature = signatureOf(name, type);
    if (!found.has(signature.name)) found.set(signature.name, signature);
  }
  return [...found.values()];
}

const ALLOC = 'l3_alloc';
const INITIALIZE = '_initialize';
const STACK_POINTER = '__stack_pointer';
/** Called by the kernel, and by nobody else. */
const OWN_EXPORTS: ReadonlySet<string> = new Set([ALLOC, INITIALIZE]);

/** Makes the task of a start. Throws what keeps it from running. */
export function begin(start: Start, compiled: Compiled, files: Files | null): Hosted {
  const { promise, resolve } = Promise.withResolvers<TaskExit>();
  const signatures = signaturesOf(compiled);
  const task: WasmTask = {
    taskId: start.taskId,
    target: makeTarget(start.server, start.taskId, start.name),
    signatures,
    id: start.server,
    tcb: tcbOf(start.server),
    space: makeSpace(),
    exports: null,
    faulted: false,
    fault: undefined,
    ended: null,
    slots: new Set(),
    links: [],
    remoteSender: 0,
    stacks: null,
    lane: makeLane(),
    files,
    bounds: taskBoundsOf(start.options),
    callsLeft: 0,
    countedFrom_ms: Number.NEGATIVE_INFINITY,
  };
  const stubs = signatures.map((signature) => {
    const arity = (signature.params ?? signature.type.params).length;
    const slot = makeSlot(arity, () => makeSwitch({ from: null, to: task, signature }, settle));
    task.slots.add(slot);
    return slot;
  });
  const made = { task, start, compiled, exited: promise, exit: resolve, stubs, restarts: [] };
  setLocalExports(start.taskId, {
    names: signatures.map(({ name }) => name),
    functions: stubs.map((slot, i) =>
      start.options.thread === 'jspi' ? laterFromElsewhere(task, signatures[i]!) : fromElsewhere(task, slot),
    ),
    streams: [],
  });
  instantiate(made);
  sayRestart(recordOf(task), start.options);
  hosted.set(task, made);
  return made;
}

/** Makes the instance, and opens the task's thread. Throws what the module threw, and why it may not be. */
function instantiate({ task, start, compiled }: Hosted): void {
  const { module, shape, bounds, stubs } = compiled;
  if (stubs !== null) task.stacks = makeStacks(task, start.options.concurrency ?? 1, settle);
  const found = importsFor(task, shape, start.options, bounds, settle);
  const imported = found[shape.imports.findIndex(({ kind }) => kind === 'memory')];
  if (imported instanceof WebAssembly.Memory) task.space.memory = imported;
  const imports = stubs === null ? byName(shape, found) : throughStubs(task.stacks!, stubs, found);
  // The module's start function may call what it imports.
  wasmTasks.set(task.id, task);
  const { time_ms } = task.bounds;
  const within = <T>(run: () => T): T => (time_ms === 0 ? run() : (guarded(task, time_ms, run) as T));
  const { exports } = within(() => new WebAssembly.Instance(module, imports as WebAssembly.Imports));
  if (shape.memory !== null) task.space.memory = exports[shape.memory] as WebAssembly.Memory;
  const alloc = shape.exports.find(({ name }) => name === ALLOC);
  const isAlloc = alloc !== undefined && String(alloc.type.params) === 'i32' && String(alloc.type.results) === 'i32';
  const allocator = exports[ALLOC] as (length: number) => number;
  task.space.alloc = !isAlloc ? null : time_ms === 0 ? allocator : guardedFunction(task, time_ms, allocator);
  task.exports = exports as Record<string, RawFunction>;
  within(() => (exports[INITIALIZE] as RawFunction | undefined)?.());
  if (task.stacks !== null) setPointer(task.stacks, exports[STACK_POINTER]);
  settle();
  startPassive(task.tcb, () => serveElsewhere(task));
  store(recordOf(task) + TASK_STATE, TASK_ALIVE);
}

/** Serves a call of another agent, which came through the inbox. Its thread runs already. */
function serveElsewhere(task: WasmTask): number {
  task.remoteSender = registers[R_SENDER]!;
  const tag = serve(task.tcb, null, false);
  task.remoteSender = 0;
  return tag;
}

/** A function for callers in other agents: the switch finds the thread open, as for any other caller. */
function fromElsewhere(task: WasmTask, slot: Slot): RawFunction {
  return (...args: unknown[]) => {
    const { id, tcb } = task;
    const outer = enterOpened(id, tcb);
    try {
      return slot.call(...args);
    } finally {
      leaveOpened(id, tcb, outer);
      if (task.faulted) silence(task);
      if (stack.dying) setImmediate(settle);
    }
  };
}

/** The same on a stack of its own: the answer comes later. */
const laterFromElsewhere =
  (task: WasmTask, signature: Signature): RawFunction =>
  (...args: unknown[]) =>
    callLater(task, signature, NO_OPTIONS, args, true);

/** Whoever calls from elsewhere keeps its own time. */
const NO_OPTIONS = plainOptions(NEVER);

/** Acts upon the faults that were noted, if the stack has room for it; else it is tried again. */
function settle(): void {
  if (stack.depth > 0 || !stack.dying) return;
  try {
    needRoom();
  } catch {
    setImmediate(settle);
    return;
  }
  stack.dying = false;
  for (const one of hosted.values()) if (one.task.faulted) endByFault(one);
}

function endByFault(one: Hosted): void {
  const { task, start } = one;
  const { fault } = task;
  const code = fault instanceof Exit ? fault.code : 1;
  const { restart } = start.options;
  const again = restart === 'always' || (restart === 'on-failure' && code !== 0);
  if (again && mayRestart(one.restarts) && restarted(one)) return;
  end(one, { code, reason: faultText(task.fault) });
}

/** Lets nobody in any more. */
function silence(task: WasmTask): void {
  task.exports = null;
  for (const slot of task.slots) slot.reset();
}

/** Ends the thread and its instance: whoever waits for it is answered. */
function tearDown({ task }: Hosted): void {
  const record = recordOf(task);
  wasmTasks.delete(task.id);
  endBody(task.tcb);
  endStacks(task);
  repairTask(record, holder());
  freeThreads(record, holder());
  silence(task);
  for (const { to, slot } of task.links) to.slots.delete(slot);
  task.links.length = 0;
  dropCopiers(task.space);
  task.space = makeSpace();
}

/** A new thread and a new instance under the old name. False: there could be none. */
function restarted(one: Hosted): boolean {
  const { task } = one;
  tearDown(one);
  const record = recordOf(task);
  const id = giveThread(record);
  if (id === 0) return false;
  task.id = id;
  task.tcb = tcbOf(id);
  task.target.id = id;
  task.faulted = false;
  task.fault = undefined;
  try {
    instantiate(one);
  } catch (error) {
    task.faulted = true;
    task.fault = error;
    return false;
  }
  countRestart(record);
  startWaiting(task);
  return true;
}

/** Ends the task for good. */
export function end(one: Hosted, exit: TaskExit): void {
  const { task } = one;
  if (task.ended !== null) return;
  hosted.delete(task);
  task.ended = exit.reason;
  endRecord(recordOf(task), task.taskId, exit, () => {
    tearDown(one);
    endLane(task);
  });
  void task.files?.server.kill();
  one.exit(exit);
}

/** Ends every wasm task of this agent. */
export function endWasmTasks(): void {
  for (const one of hosted.values()) end(one, { code: 1, reason: 'killed' });
}

/** The hosted task whose server thread this is. */
export function hostedBy(id: ThreadId): Hosted | undefined {
  const task = wasmTasks.get(id);
  return task === undefined ? undefined : hosted.get(task);
}

/** Whether the task with this thread has ended, or is about to. */
export function isGoing(id: ThreadId): boolean {
  const task = wasmTasks.get(id);
  return task === undefined || isGone(task);
}

/** Gives back the records of a task that did not start. */
export function abandon(start: Start): void {
  wasmTasks.delete(start.server);
  abandonRecords(start);
}
