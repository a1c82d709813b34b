/** What the lives of wasm tasks and of sandboxes have in common: both are hosted in this agent, by a passive thread. */
import { peek, poke } from '#atomics';
import { endBody } from '../../kernel/dispatch.ts';
import { createThread, freeTask, giveWindow } from '../../kernel/tcb.ts';
import { ANY_INDEX } from '../../layout/params.ts';
import {
  RESTART_ALWAYS,
  RESTART_ON_FAILURE,
  TASK_EXIT_CODE,
  TASK_RESTART,
  TASK_RESTARTS,
  TASK_SERVER,
  type TaskRecord,
} from '../../layout/task.ts';
import { homeWaiting, running, type Tcb, TCB_ID, TCB_STATE, tcbOf, type ThreadId } from '../../layout/tcb.ts';
import { performance } from '../../platform/timers.ts';
import { removeLocalExports } from '../../rpc/serve.ts';
import type { SpawnOptions, TaskExit } from '../../rpc/types.ts';
import { agent } from '../../user/agent.ts';
import { ringRestarts, setReason } from '../../user/incarnations.ts';
import type { Start } from '../host.ts';
import { stack } from './record.ts';

/** Callers elsewhere that meet a dead thread look for the next one where these say that there may be one. */
const RESTARTS = { never: 0, 'on-failure': RESTART_ON_FAILURE, always: RESTART_ALWAYS };
/** More restarts than these within the period are one too many: the task is given up. */
const RESTARTS_MAX = 5;
const RESTARTS_PERIOD_ms = 10_000;

/** States in kernel memory whether there may be another incarnation. */
export const sayRestart = (record: TaskRecord, { restart }: SpawnOptions): void =>
  poke(record + TASK_RESTART, RESTARTS[restart ?? 'never']);

/** Whether a task that was restarted at these times, in milliseconds, may be once more. Notes that it is. */
export function mayRestart(times: number[]): boolean {
  const now = performance.now();
  while (times.length > 0 && times[0]! < now - RESTARTS_PERIOD_ms) times.shift();
  times.push(now);
  return times.length <= RESTARTS_MAX;
}

/** Gives a task whose thread has ended another one, which calls to it go to from now on; 0 when there is no room. */
export function giveThread(record: TaskRecord): ThreadId | 0 {
  const id = createThread(record, agent.processor, true);
  if (id === 0 || !giveWindow(tcbOf(id), false)) return 0;
  poke(record + TASK_SERVER, id);
  return id;
}

/** The next incarnation is there. */
export function countRestart(record: TaskRecord): void {
  poke(record + TASK_RESTARTS, peek(record + TASK_RESTARTS) + 1);
  ringRestarts();
}

/** Ends a task for good; `tearDown` ends its thread and its instance. */
export function endRecord(record: TaskRecord, taskId: number, exit: TaskExit, tearDown: () => void): void {
  removeLocalExports(taskId);
  poke(record + TASK_EXIT_CODE, exit.code);
  poke(record + TASK_RESTART, 0);
  setReason(record, exit.reason);
  tearDown();
  freeTask(record);
  ringRestarts();
}

/** Gives back the records of a task that did not start. */
export function abandonRecords({ taskId, server, discard }: Start): void {
  removeLocalExports(taskId);
  endBody(tcbOf(server));
  discard();
}

/**
 * A call of another agent begins on a thread that runs already: the switch is to find it open, as for any other caller.
 * Returns what `leaveOpened` wants.
 */
export function enterOpened(id: ThreadId, tcb: Tcb): Tcb {
  const outer = agent.current;
  poke(tcb + TCB_STATE, homeWaiting(id, ANY_INDEX));
  agent.current = agent.caller;
  // The caller is answered before a fault is acted upon.
  stack.depth++;
  return outer;
}

export function leaveOpened(id: ThreadId, tcb: Tcb, outer: Tcb): void {
  stack.depth--;
  agent.current = outer;
  if (peek(tcb + TCB_ID) === id && peek(tcb + TCB_STATE) === homeWaiting(id, ANY_INDEX)) {
    poke(tcb + TCB_STATE, running(id));
  }
}
