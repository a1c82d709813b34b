/**
 * The caller's side of streams: the iterator that a stub of a generator function gives, and what frees the other end of
 * it. One rendezvous a step (`with({ batch })`: for several values): the generator computes what was asked for, and the
 * consumer holds it up by not asking.
 *
 * A stream is with the incarnation that opened it: its target is pinned, and a step that finds that incarnation gone is
 * PEER_GONE, never a step of another one. Whatever ends the consumer's loop frees the generator: `return()` when it
 * stops in between, a message of our own when a step failed, and when nobody holds the stream any more.
 */
import { peek } from '#atomics';
import { STREAMS_OPEN_MAX } from '../layout/params.ts';
import { TASK_ID, TASK_SERVER } from '../layout/task.ts';
import type { ThreadId } from '../layout/tcb.ts';
import { isAttached, isShuttingDown } from '../user/agent.ts';
import { endOfIncarnation, recordOf } from '../user/incarnations.ts';
import { makeTarget, type Options, plainOptions, type Target } from './call.ts';
import { errorToPlain } from './errors-codec.ts';
import { NEXT, RETURN, taskOfIterator, THROW } from './generators.ts';
import { IpcError } from './ipc-error.ts';
import { Last } from './payload.ts';
import { METHOD_STEP } from './serve.ts';
import type { Callers } from './stub.ts';
import { NOBODY } from './successor.ts';

/** An origin that no task has: a target of it has no successor. */
const NO_ORIGIN = -1;
/** How long the message that frees a generator may take: its task may be hung. */
const RELEASE_ms = 5000;

/** Streams of this agent whose generators have not ended, as far as is known. */
let openCount = 0;

export const openStreams = (): number => openCount;

/** Targets of streams, by the task of their generators: those of one task share its place among the calls in flight. */
const pinned = new Map<number, Target>();

function pin(id: number, name: string): Target {
  const taskId = taskOfIterator(id);
  const known = pinned.get(taskId);
  if (known !== undefined) return known;
  for (const [other] of pinned) if (peek(recordOf(other) + TASK_ID) !== other) pinned.delete(other);
  const record = recordOf(taskId);
  const server = peek(record + TASK_ID) === taskId ? (peek(record + TASK_SERVER) as ThreadId) : NOBODY;
  const target: Target = { ...makeTarget(server, taskId, name), origin: NO_ORIGIN };
  pinned.set(taskId, target);
  return target;
}

/** What is known of the generator. Not the stream itself, which may be collected while this is used. */
class Link {
  readonly callers: Callers;
  readonly options: Options;
  readonly name: string;
  readonly task: string;
  target: Target | null = null;
  /** Number of the iterator; 0 until the generator function has been called. */
  id = 0;
  /** The generator has not begun, has ended, or was told to. */
  over = true;
  /** Values of a batch that nobody has taken yet, and what the generator returned behind them. */
  values: unknown[] = [];
  at = 0;
  last: unknown = undefined;

  constructor(callers: Callers, task: string, name: string, options: Options) {
    this.callers = callers;
    // What a step brings is the stream's.
    this.options = options.bytes === null ? options : { ...options, bytes: null };
    this.name = name;
    this.task = task;
  }

  /** Counts the stream. Throws when there are too many. */
  admit(): void {
    const { task, name } = this;
    if (openCount >= STREAMS_OPEN_MAX) {
      const text = `${task}.${name}(): this thread has ${STREAMS_OPEN_MAX} streams open; end some of them by return(), or by a loop over them`;
      throw new IpcError('ERR_IPC_LIMIT', text, { task, method: name, phase: 'send' });
    }
    this.over = false;
    openCount++;
  }

  opened(id: unknown): void {
    this.id = id as number;
    this.target = pin(this.id, this.task);
  }

  /** Arguments of a step. Throws when the incarnation of the generator is gone. */
  argumentsFor(operation: number, value: unknown): unknown[] {
    const { taskId } = this.target!;
    if (isShuttingDown() || !isAttached()) return this.argumentsOf(operation, value);
    const end = endOfIncarnation(taskId);
    if (end !== null || peek(recordOf(taskId) + TASK_ID) !== taskId) {
      const why = end === null ? '' : ` (${end.reason})`;
      const text = `${this.task}.${this.name}(): the task of this stream has ended${why}`;
      throw new IpcError('ERR_IPC_PEER_GONE', text, { task: this.task, method: this.name });
    }
    return this.argumentsOf(operation, value);
  }

  private argumentsOf(operation: number, value: unknown): unknown[] {
    const { batch } = this.options;
    if (operation === THROW) return [this.id, operation, batch, errorToPlain(value)];
    return value === undefined ? [this.id, operation, batch] : [this.id, operation, batch, value];
  }

  /** The next value that has come already. */
  take(): IteratorResult<unknown> | null {
    if (this.at < this.values.length) return { value: this.values[this.at++], done: false };
    if (!this.over) return null;
    const value = this.last;
    this.last = undefined;
    return { value, done: true };
  }

  /** What a step gave. */
  outcome(operation: number, given: unknown): IteratorResult<unknown> {
    const isLast = given instanceof Last;
    if (isLast) this.end();
    const value = isLast ? given.value : given;
    if (operation !== NEXT || this.options.batch === 1) return { value, done: isLast };
    this.values = value as unknown[];
    this.at = 0;
    if (isLast) this.last = this.values.pop();
    return this.take()!;
  }

  /** Forgets what has come of a batch. */
  drop(): void {
    this.values = [];
    this.at = 0;
    this.last = undefined;
  }

  end(): void {
    if (this.over) return;
    this.over = true;
    openCount--;
  }

  /** A step failed, or nobody wants one any more: the generator is told, and nobody waits for what it says. */
  release(): void {
    if (this.over) return;
    this.end();
    if (this.id === 0) return;
    const { callers, target, name } = this;
    try {
      const args = this.argumentsFor(RETURN, undefined);
      (callers.async(target!, METHOD_STEP, name, plainOptions(RELEASE_ms), args) as Promise<unknown>).catch(() => {});
    } catch {
      // Its task has ended, or its system.
    }
  }
}

const collected = new FinalizationRegistry<Link>((link) => link.release());

/** What `.sync` of a generator function gives. */
class SyncStream extends Iterator<unknown, unknown, unknown> {
  private readonly link: Link;

  constructor(link: Link) {
    super();
    this.link = link;
    collected.register(this, link);
  }

  private step(operation: number, value: unknown): IteratorResult<unknown> {
    const { link } = this;
    try {
      const args = link.argumentsFor(operation, value);
      return link.outcome(operation, link.callers.sync(link.target!, METHOD_STEP, link.name, link.options, args));
    } catch (error) {
      link.release();
      throw error;
    }
  }

  override next(value?: unknown): IteratorResult<unknown> {
    return this.link.take() ?? this.step(NEXT, value);
  }

  override return(value?: unknown): IteratorResult<unknown> {
    this.link.drop();
    return this.link.over ? { value, done: true } : this.step(RETURN, value);
  }

  override throw(error?: unknown): IteratorResult<unknown> {
    this.link.drop();
    if (this.link.over) throw error;
    return this.step(THROW, error);
  }

  override [Symbol.dispose](): void {
    this.return();
  }
}

/** What `.async` of a generator function gives: steps are made one after the other, however they are asked for. */
class AsyncStream implements AsyncGenerator<unknown, unknown, unknown> {
  private readonly link: Link;
  /** The call of the generator function. */
  private opening: Promise<void> | null;
  /** A step is under way. */
  private busy = false;
  /** Those that wait for their turn. */
  private readonly waiting: (() => void)[] = [];

  constructor(link: Link, opening: Promise<void>) {
    this.link = link;
    this.opening = opening;
    // Who never asks for a value need not hear that there is none.
    opening.catch(() => {});
    collected.register(this, link);
  }

  private async step(operation: number, value: unknown): Promise<IteratorResult<unknown>> {
    const { link } = this;
    try {
      if (this.opening !== null) await this.opening;
      this.opening = null;
      if (link.over) return { value: operation === RETURN ? value : undefined, done: true };
      const args = link.argumentsFor(operation, value);
      const given = await link.callers.async(link.target!, METHOD_STEP, link.name, link.options, args);
      return link.outcome(operation, given);
    } catch (error) {
      this.opening = null;
      link.release();
      throw error;
    }
  }

  private async inTurn(operation: number, value: unknown): Promise<IteratorResult<unknown>> {
    if (this.busy) await new Promise<void>((resolve) => this.waiting.push(resolve));
    this.busy = true;
    try {
      // Awaited, so that the stack of an error goes on with the consumer's.
      return await this.take(operation, value);
    } finally {
      // Who waits has the turn at once: nobody comes in between.
      const next = this.waiting.shift();
      if (next === undefined) this.busy = false;
      else next();
    }
  }

  private take(operation: number, value: unknown): Promise<IteratorResult<unknown>> | IteratorResult<unknown> {
    const { link } = this;
    if (operation !== NEXT) link.drop();
    // What is wrong with the call of the generator function is said by the first step.
    if (this.opening === null) {
      const ready = operation === NEXT ? link.take() : null;
      if (ready !== null) return ready;
      if (link.over && operation === THROW) throw value;
      if (link.over) return { value, done: true };
    }
    return this.step(operation, value);
  }

  next(...[value]: [] | [unknown]): Promise<IteratorResult<unknown>> {
    return this.inTurn(NEXT, value);
  }

  async return(value?: unknown): Promise<IteratorResult<unknown>> {
    return this.inTurn(RETURN, await value);
  }

  throw(error?: unknown): Promise<IteratorResult<unknown>> {
    return this.inTurn(THROW, error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}

type Open = (
  callers: Callers,
  target: Target,
  method: number,
  name: string,
  options: Options,
  args: readonly unknown[],
) => object;

/** The stub of a generator function, `.sync`. */
export const openSync: Open = (callers, target, method, name, options, args) => {
  const link = new Link(callers.ofStreams ?? callers, target.name, name, options);
  link.admit();
  try {
    link.opened(callers.sync(target, method, name, link.options, args));
  } catch (error) {
    link.end();
    throw error;
  }
  return new SyncStream(link);
};

/** The stub of a generator function, `.async`: what is wrong with the call is said by the first step. */
export const openAsync: Open = (callers, target, method, name, options, args) => {
  const link = new Link(callers.ofStreams ?? callers, target.name, name, options);
  const call = async (): Promise<void> => {
    link.admit();
    try {
      link.opened(await callers.async(target, method, name, link.options, args));
    } catch (error) {
      link.end();
      throw error;
    }
    // Whoever held the stream has let go of it meanwhile.
    if (!link.over) return;
    link.admit();
    link.release();
  };
  return new AsyncStream(link, call());
};
