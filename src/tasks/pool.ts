/**
 * A pool: several workers of one module behind one stub. A call goes to an instance whose state word says that it waits
 * for anybody, and that has no calls of this agent before it; the choice is a look at a word of each. When none is free
 * an `.async` call waits in the pool's own queue, first come first served, and has the first instance that becomes
 * free; in the queue of one of them it might stand behind a long call while the others idle. A `.sync` call cannot wait
 * so, for a thread waits for one partner: it stands in the queues of the instances in turn, a while in each, and
 * overtakes the calls of its own agent, whose loop it blocks.
 *
 * The instances are tasks like others: the supervisor starts each again as it was told, and a call that was in one when
 * it died has its error. What an instance had not taken goes to another one.
 *
 * The first free one in their order is taken, not the one that has been free the longest: it is warm, and those at the
 * end become idle and can be ended.
 */
import { peek } from '#atomics';
import { TASKS_MAX } from '../layout/params.ts';
import { TCB_SENT, tcbOf } from '../layout/tcb.ts';
import { isShuttingDown } from '../user/agent.ts';
import { type Pool, startWaiting, type Target } from '../rpc/call.ts';
import { shown } from '../rpc/shown.ts';
import { makeStubs } from '../rpc/stub.ts';
import { clearInterval, setInterval } from '../platform/timers.ts';
import type { Instances, SpawnOptions, TaskExit } from '../rpc/types.ts';
import type { HostedTask, Starting } from './host.ts';
import { callsOf, Choice, isOpen, LOOK_ms, poolCallers } from './pool-choice.ts';

/** Instances that are started at one time: each takes a call tcb until it says hello. */
const STARTS_MAX = 16;
const IDLE_ms = 10_000;

/** Starts the instance with this number. */
type Start = (pool: Pool, number: number) => Starting;

interface Instance {
  readonly hosted: HostedTask;
  /** Answers that it had given when it was last looked at. */
  sent: number;
}

function checked(instances: SpawnOptions['instances']): Required<Instances> {
  const given = typeof instances === 'number' ? { min: instances, max: instances } : instances;
  const { min, max, idle_ms = IDLE_ms } = given ?? { min: 0, max: 0 };
  if (!Number.isSafeInteger(min) || !Number.isSafeInteger(max) || min < 1 || max < min) {
    throw new RangeError('instances must be a whole number above 0, or { min, max } with 1 <= min <= max');
  }
  if (max > TASKS_MAX) throw new RangeError(`instances is ${max}; at most ${TASKS_MAX} are possible`);
  if (!(typeof idle_ms === 'number' && idle_ms > 0)) {
    throw new RangeError(`instances: idle_ms is ${shown(idle_ms)}; it must be milliseconds, above 0`);
  }
  return { min, max, idle_ms: idle_ms as number };
}

class WorkerPool extends Choice {
  /** In the order of `targets`. */
  private readonly instances: Instance[] = [];
  private readonly bounds: Required<Instances>;
  private readonly startOne: Start;
  /** Of its last instance, when that has ended. */
  private ended: Instance | null = null;
  private started = 0;
  private starting = 0;
  /** Those among the starting that were begun when calls found all busy. */
  private readonly growing = new Set<Starting>();
  private looking: NodeJS.Timeout | null = null;
  private shrinking: NodeJS.Timeout | null = null;
  private killed = false;
  /** One that was to be added did not start: no more are. */
  private isStunted = false;
  private readonly exit = Promise.withResolvers<TaskExit>();

  constructor(name: string, options: SpawnOptions, start: Start) {
    super(name);
    this.bounds = checked(options.instances);
    this.setConcurrency(options.concurrency);
    this.startOne = start;
  }

  last(): Target {
    return (this.instances[0] ?? this.ended!).hosted.target;
  }

  onShortage(): void {
    this.grow();
    if (this.looking !== null || this.target.queue.size === 0) return;
    this.looking = setInterval(() => {
      startWaiting();
      if (this.target.queue.size > 0) return;
      clearInterval(this.looking!);
      this.looking = null;
    }, LOOK_ms);
  }

  private grow(): void {
    const { bounds, instances, starting } = this;
    if (this.killed || this.isStunted || instances.length + starting >= bounds.max) return;
    if (starting > 0 && starting >= this.target.queue.size) return;
    this.starting++;
    const failed = (error: unknown): void => {
      this.isStunted = true;
      if (this.killed || isShuttingDown()) return;
      process.emitWarning(`the pool '${this.target.name}' stays as it is: ${String((error as Error).message)}`);
    };
    let begun: Starting;
    try {
      begun = this.startOne(this, ++this.started);
    } catch (error) {
      this.starting--;
      failed(error);
      return;
    }
    this.growing.add(begun);
    begun.hosted
      .then((hosted) => {
        if (this.killed) return hosted.kill();
        this.add(hosted);
        this.shrinkLater();
        startWaiting();
        return undefined;
      }, failed)
      .finally(() => {
        this.growing.delete(begun);
        this.starting--;
      });
  }

  private shrinkLater(): void {
    this.shrinking ??= setInterval(() => this.shrink(), this.bounds.idle_ms).unref();
  }

  /** Ends instances, the last first, that have had no call since the look before. */
  private shrink(): void {
    const { instances, bounds } = this;
    for (let i = instances.length - 1; i >= 0; i--) {
      const instance = instances[i]!;
      const { target } = instance.hosted;
      const sent = peek(tcbOf(target.id) + TCB_SENT);
      const isIdle = sent === instance.sent && callsOf(target) === 0 && isOpen(target.id);
      instance.sent = sent;
      if (!isIdle || instances.length <= bounds.min) continue;
      instances.splice(i, 1);
      this.targets.splice(i, 1);
      void instance.hosted.kill();
    }
    if (instances.length > bounds.min || this.shrinking === null) return;
    clearInterval(this.shrinking);
    this.shrinking = null;
  }

  private add(hosted: HostedTask): void {
    const instance: Instance = { hosted, sent: -1 };
    this.instances.push(instance);
    this.targets.push(hosted.target);
    hosted.whenEnded!((exit) => this.onEnd(instance, exit));
  }

  /** An instance has ended for good. */
  private onEnd(instance: Instance, exit: TaskExit): void {
    const at = this.instances.indexOf(instance);
    if (at < 0) return;
    this.instances.splice(at, 1);
    this.targets.splice(at, 1);
    if (this.instances.length > 0) return;
    this.ended = instance;
    this.stop();
    for (const call of this.target.queue.all()) call.endUntaken(instance.hosted.target.taskId);
    this.exit.resolve(exit);
  }

  private stop(): void {
    this.killed = true;
    if (this.shrinking !== null) clearInterval(this.shrinking);
    if (this.looking !== null) clearInterval(this.looking);
    this.shrinking = null;
    this.looking = null;
  }

  private async kill(): Promise<void> {
    this.killed = true;
    await Promise.all([...this.instances.map(({ hosted }) => hosted.kill()), this.abandon([...this.growing])]);
  }

  /** Starts the first instances; `wait` does so in place. When one does not start, those that did are ended. */
  start(): Starting {
    const numbers = Array.from({ length: this.bounds.min }, () => ++this.started);
    const all: Starting[] = [];
    let begun: Starting[] = [];
    const startSome = (): boolean => {
      begun = numbers.splice(0, STARTS_MAX).map((number) => this.startFirst(number));
      all.push(...begun);
      // They are awaited one after the other.
      for (const starting of begun) starting.hosted.catch(() => {});
      return begun.length > 0;
    };
    startSome();
    const later = async (): Promise<HostedTask> => {
      try {
        // The first that fails ends the wait for all: the others may hang.
        do for (const hosted of await Promise.all(begun.map((starting) => starting.hosted))) this.addOnce(hosted);
        while (startSome());
        return this.hosted;
      } catch (error) {
        await this.abandon(all);
        throw error;
      }
    };
    const wait = (): HostedTask => {
      try {
        do for (const starting of begun) this.addOnce(starting.wait());
        while (startSome());
        return this.hosted;
      } catch (error) {
        void this.abandon(all);
        throw error;
      }
    };
    const hosted = later();
    hosted.catch(() => {});
    return { hosted, wait, cancel: () => void this.abandon(all) };
  }

  /** One that cannot even be begun fails as those do that were. */
  private startFirst(number: number): Starting {
    try {
      return this.startOne(this, number);
    } catch (error) {
      const wait = (): never => {
        throw error;
      };
      return { hosted: Promise.reject(error as Error), wait };
    }
  }

  private async abandon(all: readonly Starting[]): Promise<void> {
    this.killed = true;
    // One that hangs in its module is ended before it is ready.
    for (const starting of all) starting.cancel?.();
    for (const { hosted } of all) {
      await hosted.then(
        (one) => one.kill(),
        () => {},
      );
    }
  }

  private addOnce(hosted: HostedTask): void {
    if (!this.instances.some((instance) => instance.hosted === hosted)) this.add(hosted);
  }

  private made: HostedTask | null = null;

  /** The pool as one task. */
  private get hosted(): HostedTask {
    this.made ??= this.asTask();
    return this.made;
  }

  private asTask(): HostedTask {
    const { hosted: first } = this.instances[0]!;
    const { exports, taskId } = first;
    const last = (): Target => this.last();
    const exited = (): Promise<TaskExit> => {
      // Who waits for the end keeps the process alive until it comes.
      for (const { hosted } of this.instances) void hosted.exited;
      return this.exit.promise;
    };
    return {
      kind: 'worker',
      taskId,
      exports,
      get target() {
        return last();
      },
      get exited() {
        return exited();
      },
      isAlive: () => this.instances.some(({ hosted }) => hosted.isAlive()),
      kill: () => this.kill(),
      stubs: (options) => makeStubs(this.target, exports, options, poolCallers),
    };
  }
}

/** Starts a pool. Throws for bounds that cannot be. */
export const startPool = (name: string, options: SpawnOptions, start: Start): Starting =>
  new WorkerPool(name, options, start).start();
