/**
 * What the agent knows of a wasm task that lives in it. The record stays while the task is restarted: its thread, its
 * instance and its memory are then new ones.
 */
import type { TaskId } from '../../layout/task.ts';
import type { Tcb, ThreadId } from '../../layout/tcb.ts';
import type { Target } from '../../rpc/call.ts';
import { IpcError } from '../../rpc/ipc-error.ts';
import type { Signature } from './signature.ts';
import type { Space } from './space.ts';

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
