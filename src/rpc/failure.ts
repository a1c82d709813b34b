/**
 * From result codes and thrown values to errors, and back into messages.
 */
import { registers } from '#atomics';
import { now_ms } from '#wait';
import {
  ABORTED,
  CUT,
  DEADLOCK,
  DENIED,
  DROPPED,
  ERROR,
  LIMIT,
  MISSED,
  NEVER,
  NO_SUCH_THREAD,
  NOT_TAKEN,
  ORPHANED,
  PEER_GONE,
  R_SEQUENCE,
  RECEIVE_TIMEOUT,
  type Result,
  SEND_TIMEOUT,
} from '../layout/message.ts';
import type { Tcb } from '../layout/tcb.ts';
import { isShuttingDown } from '../user/agent.ts';
import { type End, endOf, endOfIncarnation } from '../user/incarnations.ts';
import { takeRing } from '../user/rings.ts';
import { CodecError } from './codec.ts';
import { errorToPlain, plainToError } from './errors-codec.ts';
import { IpcError, type IpcErrorDetails } from './ipc-error.ts';
import { putResult, takeResult } from './payload.ts';
import type { IpcErrorCode } from './types.ts';

/** What a call was, for the message of its error. */
export interface Calling {
  readonly task: string;
  readonly taskId: number;
  readonly method: string;
  readonly timeout_ms: number;
  /** When it began, in milliseconds since boot; NEVER when nobody looked at the clock. */
  readonly began_ms: number;
  /** Tag of its message, where one was sent: an upcall that comes before the answer takes its place in the ipc line. */
  readonly tag?: number;
}

/** The error for a result code. */
export function failure(code: Result, calling: Calling, cause?: unknown): IpcError {
  const { task, method, began_ms } = calling;
  const elapsed_ms = began_ms === NEVER ? undefined : Math.max(0, now_ms() - began_ms);
  const make = (name: IpcErrorCode, text: string, details: IpcErrorDetails = {}): IpcError =>
    new IpcError(name, `${task}.${method}(): ${text}`, { task, method, elapsed_ms, cause, ...details });
  if (isShuttingDown()) return make('ERR_IPC_SHUTDOWN', 'the system is shutting down');
  switch (code) {
    case SEND_TIMEOUT:
      return make('ERR_IPC_TIMEOUT', `the task did not take the call within ${calling.timeout_ms} ms`, {
        phase: 'send',
      });
    case RECEIVE_TIMEOUT:
      return make('ERR_IPC_TIMEOUT', `no answer within ${calling.timeout_ms} ms`, { phase: 'receive' });
    case ABORTED:
      return make('ERR_IPC_ABORTED', 'the call was cancelled');
    case PEER_GONE:
      return make('ERR_IPC_PEER_GONE', `the task has ended${endText(endOfIncarnation(calling.taskId))}`);
    case NOT_TAKEN:
      return make('ERR_IPC_PEER_GONE', `the task has ended${endText(endOf(calling.taskId))}`);
    case ORPHANED:
      return make('ERR_IPC_PEER_GONE', 'the supervisor of the system has ended, and every task with it');
    case NO_SUCH_THREAD:
      return make('ERR_IPC_NO_SUCH_THREAD', 'there is no such task');
    case DENIED:
      return make('ERR_IPC_DENIED', 'the task is in another clan, and its chief takes no messages for it');
    case DEADLOCK:
      return make('ERR_IPC_DEADLOCK', deadlockText(calling));
    case LIMIT:
      return make('ERR_IPC_LIMIT', 'the system has no thread left for the call');
    case CUT:
      return make('ERR_IPC_OVERFLOW', 'the message was longer than the receiver takes');
    case MISSED:
      return make(
        'ERR_IPC_DEADLOCK',
        'it was answered while a callback of it ran that the task had given up; the answer is lost',
      );
    case DROPPED:
      return make('ERR_IPC_REVOKED', 'nobody waits for this any more');
    default:
      return make('ERR_IPC_PEER_GONE', `the call ended with result ${code}`);
  }
}

/** The error of a call whose signal was aborted. */
export const abortedError = ({ task, method }: Pick<Calling, 'task' | 'method'>, signal: AbortSignal): IpcError =>
  new IpcError('ERR_IPC_ABORTED', `${task}.${method}(): aborted by its signal`, { task, method, cause: signal.reason });

/** Names the ring that the call was in. It is found by the sequence of the call, which came with the result. */
function deadlockText({ task, method }: Calling): string {
  const rest = takeRing(registers[R_SEQUENCE]!);
  if (rest === null) return 'the call could only wait for itself';
  return `everybody waits for the next: ${task}.${method}()${rest}`;
}

const endText = (end: End | null): string => (end === null ? '' : ` (${end.reason})`);

/** Puts a thrown value into the registers, for task `task`. Returns the tag of the answer. */
export function putThrown(thrown: unknown, task: number): number {
  try {
    return ERROR | putResult(errorToPlain(thrown), task);
  } catch (error) {
    // Not even the record of it can be sent: what is known of it as text can.
    const text = `an error that cannot be sent (${error instanceof Error ? error.message : 'unknown'})`;
    return ERROR | putResult(errorToPlain(new Error(text)), task);
  }
}

/** The value thrown by the callee, its stack continued by that of the caller. */
export function takeThrown(self: Tcb, tag: number): unknown {
  return plainToError(takeResult(self, tag));
}

/** An error of the codec as the caller sees it. */
export function sendError(error: unknown, calling: Calling): unknown {
  if (!(error instanceof CodecError)) return error;
  const code = error.code === 'ERR_IPC_PROTOCOL' ? 'ERR_IPC_NOT_CLONEABLE' : error.code;
  const { task, method } = calling;
  return new IpcError(code, `${task}.${method}(): ${error.message}`, { phase: 'send', task, method });
}
