/**
 * What the agent knows of a wasm task that lives in it. The record stays while the task is restarted: its thread, its
 * instance and its memory are then new ones.
 */
import { peek } from '#atomics';
import { ANY_INDEX } from '../../layout/params.ts';
import type { TaskId } from '../../layout/task.ts';
import { homeWaiting, type Tcb, TCB_ID, TCB_STATE, type ThreadId } from '../../layout/tcb.ts';
import { performance } from '../../platform/timers.ts';
import type { Target } from '../../rpc/call.ts';
import { IpcError } from '../../rpc/ipc-error.ts';
import type { Signature } from './signature.ts';
import type { Space } from './space.ts';
import type { Lane, Stacks } from './stacks.ts';
import type { Files } from './wasi-files.ts';

export type RawFunction = (...args: any[]) => any;

/** A function that callers hold, and what it does at present: made at its first call, and anew after a restart. */
export interface Slot {
  readonly call: RawFunction;
  /** Lets the next call look again. */
  reset(): void;
}

export interface WasmTask {
  readonly taskId: TaskId;
  readonly target: Target;
  readonly signatures: readonly Signature[];
  /** Its server thread, the one activation that it has. */
  id: ThreadId;
  tcb: Tcb;
  space: Space;
  /** The exports of the instance; null when there is none any more. */
  exports: Record<string, RawFunction> | null;
  faulted: boolean;
  /** What left an activation: the task ends by it as soon as the stack is free. */
  fault: unknown;
  /** Why it ended for good; null while it lives. */
  ended: string | null;
  /** What others hold of it. */
  readonly slots: Set<Slot>;
  /** What it holds of others: taken out of theirs when it ends. */
  readonly links: { readonly to: WasmTask; readonly slot: Slot }[];
  /** Thread of another agent that the present activation serves; 0 when the switch has written who it is. */
  remoteSender: number;
  /** Threads with stacks of their own; null when its thread is passive. */
  stacks: Stacks | null;
  /** Calls that wait for one of those. */
  readonly lane: Lane;
  /** The files that it was granted. */
  readonly files: Files | null;
  readonly bounds: TaskBounds;
  /** Calls that it may still make in the second which began then. */
  callsLeft: number;
  countedFrom_ms: number;
}

/** Whether the task's thread can be called: it is in no activation. */
export const isOpen = ({ tcb, id }: WasmTask): boolean =>
  peek(tcb + TCB_ID) === id && peek(tcb + TCB_STATE) === homeWaiting(id, ANY_INDEX);

/** No limit to the calls of a task. */
export const UNLIMITED = Number.POSITIVE_INFINITY;

/** What a task may use up, from its options. */
export interface TaskBounds {
  /** Activations on the stack under which it may call on. */
  readonly depth: number;
  /** Calls that it may make in a second. */
  readonly messages: number;
  /** Milliseconds of one call of it; 0 for no limit. */
  readonly time_ms: number;
}

/** Throws unless the task may make one more call now. Calls are counted in periods of a second. */
export function spend(task: WasmTask): void {
  if (--task.callsLeft >= 0) return;
  const { messages } = task.bounds;
  const time_ms = performance.now();
  if (time_ms - task.countedFrom_ms < 1000) {
    const text = `${task.target.name} makes more than ${messages} calls in a second`;
    throw new IpcError('ERR_IPC_LIMIT', text, { task: task.target.name });
  }
  task.countedFrom_ms = time_ms;
  task.callsLeft = messages - 1;
}

/** Throws unless a task with as many activations on the stack as there are may call on. */
export function checkDepth({ bounds, target }: WasmTask): void {
  if (stack.depth <= bounds.depth) return;
  throw new IpcError('ERR_IPC_LIMIT', `${target.name} calls with ${stack.depth} activations on the stack`, {
    task: target.name,
  });
}

export const isGone = (task: WasmTask): boolean => task.faulted || task.ended !== null;

/** Thrown by a task through its own frames to end itself. */
export class Exit {
  readonly code: number;
  constructor(code: number) {
    this.code = code;
  }
}

/** The activations on this stack. */
export const stack: { depth: number; dying: boolean } = { depth: 0, dying: false };

/** The wasm tasks of this agent, by their present thread. */
export const wasmTasks = new Map<number, WasmTask>();

/** What a fault says of itself: a trap's text. */
export function faultText(fault: unknown): string {
  if (fault instanceof Exit) return `exit code ${fault.code}`;
  if (fault instanceof RangeError && fault.message === 'Maximum call stack size exceeded') return 'stack overflow';
  return fault instanceof Error ? fault.message : `it threw ${String(fault)}`;
}

/** The error of a call to a task that has ended, or is about to. */
export function gone(task: WasmTask, method: string): IpcError {
  const { name } = task.target;
  const why = task.faulted ? faultText(task.fault) : (task.ended ?? 'killed');
  return new IpcError('ERR_IPC_PEER_GONE', `${name}.${method}(): the task has ended: ${why}`, {
    task: name,
    method,
    cause: task.faulted ? task.fault : undefined,
  });
}
