/** What the agent knows of a sandboxed task that lives in it. The record stays while the task is restarted. */
import type { TaskId } from '../../layout/task.ts';
import type { Tcb, ThreadId } from '../../layout/tcb.ts';
import { plainOptions, type Target } from '../../rpc/call.ts';
import { IpcError } from '../../rpc/ipc-error.ts';
import type { TaskExit } from '../../rpc/types.ts';
import { completeOptions } from '../../rpc/stub.ts';
import { defaultTimeout_ms } from '../here.ts';
import type { Start } from '../host.ts';
import { faultText } from '../wasm/record.ts';
import type { Bounds } from './limits.ts';
import type { Source } from './source.ts';
import { HardStop, type Vm } from './vm.ts';

export type AnyFunction = (...args: any[]) => any;

export interface Script {
  readonly taskId: TaskId;
  readonly target: Target;
  readonly start: Start;
  readonly bounds: Bounds;
  readonly source: Source;
  readonly names: readonly string[];
  readonly exited: Promise<TaskExit>;
  readonly exit: (exit: TaskExit) => void;
  /** Functions of the chief, in the order of their numbers. */
  readonly host: readonly AnyFunction[];
  readonly hostNames: readonly string[];
  /** Its server thread, the one activation that it has. */
  id: ThreadId;
  tcb: Tcb;
  /** Null when there is none any more. */
  vm: Vm | null;
  /** Boxes of its exports, by name. */
  functions: Map<string, number>;
  /** Functions lent for a call, by number. */
  readonly lent: Map<number, Function>;
  nextLent: number;
  /** Calls whose answer is a promise that has not settled. */
  readonly pending: Set<Pending>;
  /** Activations of it on this stack: one, or none. */
  active: number;
  /** What is left of its bounds in the present activation. */
  hostCalls: number;
  output: number;
  /** The limit that the present activation has gone over. */
  overrun: IpcError | null;
  faulted: boolean;
  /** Why it ends as soon as the stack is free. */
  fault: unknown;
  /** Whether it is replaced whatever its restart policy says. */
  replace: boolean;
  /** Why it ended for good; null while it lives. */
  ended: string | null;
  /** Times at which it was restarted, in milliseconds of this process. */
  readonly restarts: number[];
}

/** A call that waits for a promise of the guest's. */
export interface Pending {
  readonly method: string;
  /** Box of the promise. */
  readonly promise: number;
  /** Numbers of the functions that were lent for it. */
  readonly lent: readonly number[];
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

export const isGone = (script: Script): boolean => script.faulted || script.ended !== null;

export function reasonOf(fault: unknown): string {
  if (fault instanceof HardStop) return 'it was stopped in the midst of the engine';
  return faultText(fault);
}

/** The error of a call to a task that has ended, or is about to. */
export function gone(script: Script, method: string): IpcError {
  const { name } = script.target;
  const why = script.faulted ? reasonOf(script.fault) : (script.ended ?? 'killed');
  return new IpcError('ERR_IPC_PEER_GONE', `${name}.${method}(): the task has ended: ${why}`, {
    task: name,
    method,
    cause: script.faulted ? script.fault : undefined,
  });
}

/** Milliseconds that a call of the task may take unless it says otherwise. */
export const timeoutOf = ({ options }: Start): number =>
  completeOptions({ timeout: options.timeout }, plainOptions(defaultTimeout_ms)).timeout_ms;
