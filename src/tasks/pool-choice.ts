/**
 * Which instance of a pool has a call: the same for the agent that spawned the pool and for one that has found it by
 * its name. It is a look at a word of each.
 */
import { load, peek } from '#atomics';
import { ANY_INDEX } from '../layout/params.ts';
import { TASK_ALIVE, TASK_ID, TASK_STATE } from '../layout/task.ts';
import { PARKED, TCB_STATE, tcbOf, type ThreadId, waiting } from '../layout/tcb.ts';
import { recordOf } from '../user/incarnations.ts';
import {
  callPool,
  callPoolSync,
  callPoolSyncBytes,
  IN_FLIGHT_PER_TARGET,
  makeTarget,
  type Pool,
  type Target,
} from '../rpc/call.ts';
import { type Callers, remoteCallers } from '../rpc/stub.ts';
import { FOUND, retarget } from '../rpc/successor.ts';

/** How often calls that wait look for an instance that others kept busy, or that was being restarted. */
export const LOOK_ms = 10;

export const poolCallers: Callers = {
  sync: callPoolSync,
  async: callPool,
  syncBytes: callPoolSyncBytes,
  asyncBytes: callPool,
  ofStreams: remoteCallers,
};

/** Whether a thread waits for a message of anybody. */
export const isOpen = (id: ThreadId): boolean => (load(tcbOf(id) + TCB_STATE) & ~PARKED) === waiting(id, ANY_INDEX);

/** Whether the incarnation that a target stands for takes calls. */
function isUp({ taskId }: Target): boolean {
  const record = recordOf(taskId);
  return load(record + TASK_STATE) === TASK_ALIVE && peek(record + TASK_ID) === taskId;
}

/** The same, once its present incarnation has been looked for. */
const isReachable = (target: Target): boolean => isUp(target) || (retarget(target) === FOUND && isUp(target));

/** Calls of this agent that an instance has, or that wait for it alone. */
export const callsOf = ({ inFlight, queue, returned }: Target): number => inFlight + queue.size + returned.size;

/** One that may be hung comes last. */
const burdenOf = (target: Target): number => (target.isSuspect ? Number.MAX_SAFE_INTEGER : callsOf(target));

export abstract class Choice implements Pool {
  readonly target: Target;
  /** Of the instances, in their order. */
  protected readonly targets: Target[] = [];
  /** Calls of this agent that an instance is given at a time. */
  protected concurrency = 1;

  constructor(name: string) {
    this.target = makeTarget(0 as ThreadId, 0, name, this);
  }

  abstract last(): Target;
  abstract onShortage(): void;

  isOver(): boolean {
    return this.targets.length === 0;
  }

  /** A task is not given more: the others would have none of the agent's call tcbs. */
  protected setConcurrency(concurrency: number | undefined): void {
    this.concurrency = Math.min(concurrency ?? 1, IN_FLIGHT_PER_TARGET);
  }

  pick(): Target | null {
    const { targets, concurrency } = this;
    let second: Target | null = null;
    for (let i = 0; i < targets.length; i++) {
      const target = targets[i]!;
      const calls = callsOf(target);
      if (calls >= concurrency) continue;
      if (isOpen(target.id)) {
        target.isSuspect = false;
        return target;
      }
      // It has answered us and is about to open again.
      if (second === null && !target.isSuspect && isReachable(target)) second = target;
    }
    return second;
  }

  any(): Target | null {
    let best: Target | null = null;
    for (const target of this.targets) {
      if ((best === null || burdenOf(target) < burdenOf(best)) && isReachable(target)) best = target;
    }
    return best;
  }

  inTurn(turn: number): Target | null {
    const { targets } = this;
    // Its answers to this agent may lie here, unread as long as the agent is blocked.
    const open = targets.find(({ id }) => isOpen(id));
    if (open !== undefined) return open;
    const reachable = targets.filter(isReachable).sort((a, b) => burdenOf(a) - burdenOf(b));
    return reachable[turn % reachable.length] ?? null;
  }
}
