/**
 * A pool as an agent has it that did not spawn it and found it by its name. Its instances are those that the table of
 * names has; they come and go by the spawner's will, so the table is looked at again when none of those known is free.
 * Whether the pool grows is not this agent's to say.
 */
import { peek } from '#atomics';
import { TASK_ID, TASK_SERVER } from '../layout/task.ts';
import type { ThreadId } from '../layout/tcb.ts';
import { agent } from '../user/agent.ts';
import { originOf } from '../user/incarnations.ts';
import { makeTarget, startWaiting, type Target } from '../rpc/call.ts';
import { clearInterval, performance, setInterval } from '../platform/timers.ts';
import { names } from './names.ts';
import { Choice, LOOK_ms } from './pool-choice.ts';

export class FoundPool extends Choice {
  private readonly id: number;
  private known: Target;
  private looked_ms = Number.NEGATIVE_INFINITY;
  private looking: NodeJS.Timeout | null = null;

  /** `known` is an instance of the pool with this id. */
  constructor(name: string, id: number, known: number) {
    super(name);
    this.id = id;
    this.known = makeTarget(0 as ThreadId, known, name, this);
    this.look();
  }

  /** Calls that an instance is given at a time, once that is known. */
  admit(concurrency: number | undefined): void {
    this.setConcurrency(concurrency === Number.POSITIVE_INFINITY ? undefined : concurrency);
  }

  /** Takes the instances that there are now. False: that was done just before. */
  private look(): boolean {
    const time_ms = performance.now();
    if (time_ms < this.looked_ms + LOOK_ms) return false;
    this.looked_ms = time_ms;
    const known = new Map(this.targets.map((target) => [target.origin, target]));
    const found = names.instancesOf(this.id).map((task): Target => {
      const id = peek(task + TASK_ID);
      return known.get(originOf(id)) ?? makeTarget(peek(task + TASK_SERVER) as ThreadId, id, this.target.name, this);
    });
    // One that calls its own pool would wait for itself.
    const others = found.filter(({ origin }) => origin !== originOf(agent.taskId));
    const all = others.length > 0 ? others : found;
    this.targets.splice(0, Infinity, ...all.filter(({ origin }, i) => all.findIndex((b) => b.origin === origin) === i));
    this.known = this.targets[0] ?? this.known;
    return true;
  }

  override pick(): Target | null {
    const free = super.pick();
    return free === null && this.look() ? super.pick() : free;
  }

  last(): Target {
    return this.targets[0] ?? this.known;
  }

  onShortage(): void {
    if (this.looking !== null || this.target.queue.size === 0) return;
    this.looking = setInterval(() => {
      startWaiting();
      if (this.isOver()) for (const call of this.target.queue.all()) call.endUntaken(this.known.taskId);
      if (this.target.queue.size > 0) return;
      clearInterval(this.looking!);
      this.looking = null;
    }, LOOK_ms);
  }

  /** Whether an instance lives, or comes again. */
  isAlive(): boolean {
    this.look();
    return names.instancesOf(this.id).length > 0;
  }
}
