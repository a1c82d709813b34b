/**
 * The callee's side of streams. An exported generator function, called by another task, gives the number of its
 * iterator, which stays here; the caller moves it by steps, one call each: method METHOD_STEP with the number, an
 * operation, and how many values it takes at most. A step gives a value, several of them as an array when several may
 * come, or a `Last` with what the generator returned. Nothing is computed that nobody has asked for, so there is no
 * buffer, and nothing to bound.
 *
 * An iterator ends with its generator, by RETURN of a caller that wants no more, or when the task that opened it has
 * ended. The last is looked for, for nobody would tell: by a timer, and by a server that waits in place waking up.
 */
import { types } from 'node:util';
import { load, peek } from '#atomics';
import { NEVER } from '../layout/message.ts';
import { TURN_ms } from '../layout/params.ts';
import { TASK_DEAD, TASK_FREE, TASK_ID, TASK_STATE } from '../layout/task.ts';
import { TCB_PROCESSOR, TCB_TASK, tcbOf } from '../layout/tcb.ts';
import { clearInterval, performance, setImmediate, setInterval } from '../platform/timers.ts';
import { agent } from '../user/agent.ts';
import { recordOf } from '../user/incarnations.ts';
import { plainToError } from './errors-codec.ts';
import { IpcError } from './ipc-error.ts';
import { Last } from './payload.ts';
import { type AnyFunction, apply, currentSender, type ExportTable, isThenable, tableOf } from './serve.ts';

/** What a step does with the iterator. */
export const NEXT = 0;
export const RETURN = 1;
export const THROW = 2;

/**
 * A number of an iterator holds the id of its task above these bits: one of another incarnation is never taken for it.
 */
const COUNT_BITS = 22;
/** How often the tasks that opened iterators are looked at. */
const LOOK_ms = 250;

type AnyIterator = Iterator<unknown> | AsyncIterator<unknown>;
type Outcome = IteratorResult<unknown>;

interface Open {
  readonly iterator: AnyIterator;
  /** The task that exports it, and the one that opened it; and the processor of that. */
  readonly task: number;
  readonly owner: number;
  readonly processor: number;
  /** What an asynchronous generator was asked for, and had not when a batch had to go. */
  pending: Promise<Outcome> | null;
  /** What it threw behind values that had to go first. */
  thrown: { readonly error: unknown } | null;
}

const open = new Map<number, Open>();
let count = 0;
let looking: NodeJS.Timeout | null = null;

/** The task that a number of an iterator is of. */
export const taskOfIterator = (id: number): number => Math.floor(id / 2 ** COUNT_BITS);

/** How long a server with nothing to do may sleep. */
export const parkLimit_ms = (): number => (open.size === 0 ? NEVER : LOOK_ms);

/** The functions of a module, as other tasks call them. */
export function exportsOf(module: Record<string, unknown>): ExportTable {
  const { names, functions } = tableOf(module);
  const streams = names.filter((_, i) => types.isGeneratorFunction(functions[i]));
  return { names, streams, functions: functions.map((fn) => (types.isGeneratorFunction(fn) ? opening(fn) : fn)) };
}

const opening =
  (fn: unknown): AnyFunction =>
  (...args) =>
    keep(apply(fn as AnyFunction, args) as AnyIterator);

/** Keeps an iterator for the sender of the call being served. Returns its number. */
function keep(iterator: AnyIterator): number {
  const sender = tcbOf(currentSender());
  const task = peek(agent.current + TCB_TASK);
  let id: number;
  do {
    count = (count + 1) % 2 ** COUNT_BITS;
    id = task * 2 ** COUNT_BITS + count;
  } while (open.has(id));
  const owner = peek(sender + TCB_TASK);
  open.set(id, { iterator, task, owner, processor: peek(sender + TCB_PROCESSOR), pending: null, thrown: null });
  looking ??= setInterval(look, LOOK_ms).unref();
  return id;
}

function forget(id: number): void {
  open.delete(id);
  if (open.size > 0 || looking === null) return;
  clearInterval(looking);
  looking = null;
}

/** Ends the iterators of tasks that are no more. */
function look(): void {
  for (const [id, { owner, iterator }] of open) {
    const record = recordOf(owner);
    const state = load(record + TASK_STATE);
    if (peek(record + TASK_ID) === owner && state !== TASK_DEAD && state !== TASK_FREE) continue;
    forget(id);
    abandon(iterator);
  }
}

/** Lets a generator run its `finally` blocks. What they throw is nobody's any more. */
function abandon(iterator: AnyIterator): void {
  try {
    const ended = iterator.return?.();
    if (isThenable(ended)) Promise.resolve(ended).catch(() => {});
  } catch {
    // Its caller has ended.
  }
}

/** Forgets the iterators of a task of this agent that has ended. Its code runs no more. */
export function dropIterators(task: number): void {
  for (const [id, stream] of open) if (stream.task === task) forget(id);
}

/** Iterators that are open here. */
export const openIterators = (): number => open.size;

/** One step of iterator `id`: its next value, up to `batch` of them as an array, or a `Last`. */
export function step(id: number, operation: number, batch: number, value?: unknown): unknown {
  const stream = open.get(id);
  if (stream === undefined) return stepBehindEnd(operation, batch, value);
  if (stream.processor !== peek(tcbOf(currentSender()) + TCB_PROCESSOR)) {
    throw new IpcError('ERR_IPC_DENIED', 'an iterator is moved by the thread that opened it only');
  }
  if (stream.thrown !== null) {
    forget(id);
    if (operation === NEXT) throw stream.thrown.error;
    return stepBehindEnd(operation, batch, value);
  }
  if (operation === NEXT && batch > 1) {
    return isAsync(stream.iterator) ? nextOnesLater(id, stream, batch) : nextOnes(id, stream, batch);
  }
  try {
    const outcome = advance(stream, operation, value);
    return isThenable(outcome) ? outcomeLater(id, outcome as Promise<Outcome>) : result(id, outcome);
  } catch (error) {
    forget(id);
    throw error;
  }
}

/** What any iterator says when it has ended. */
function stepBehindEnd(operation: number, batch: number, value: unknown): Last {
  if (operation === THROW) throw plainToError(value);
  if (operation === RETURN) return new Last(value);
  return new Last(batch > 1 ? [undefined] : undefined);
}

const isAsync = (iterator: AnyIterator): boolean => Symbol.asyncIterator in iterator;

function advance(stream: Open, operation: number, value: unknown): Outcome | Promise<Outcome> {
  const { iterator, pending } = stream;
  if (operation === RETURN) return iterator.return!(value);
  if (operation === THROW) return iterator.throw!(plainToError(value));
  if (pending === null) return iterator.next(value);
  stream.pending = null;
  return pending;
}

function result(id: number, outcome: Outcome): unknown {
  if (outcome.done !== true) return outcome.value;
  forget(id);
  return new Last(outcome.value);
}

async function outcomeLater(id: number, outcome: Promise<Outcome>): Promise<unknown> {
  try {
    return result(id, await outcome);
  } catch (error) {
    forget(id);
    throw error;
  }
}

/** Up to `batch` values: fewer when they take long, so that the first of them need not wait for the last. */
function nextOnes(id: number, stream: Open, batch: number): unknown {
  const values: unknown[] = [];
  const end_ms = performance.now() + TURN_ms;
  let isLast = false;
  try {
    do {
      const { done, value } = (stream.iterator as Iterator<unknown>).next();
      values.push(value);
      isLast = done === true;
    } while (!isLast && values.length < batch && performance.now() < end_ms);
  } catch (error) {
    if (values.length === 0) {
      forget(id);
      throw error;
    }
    stream.thrown = { error };
  }
  if (isLast) forget(id);
  const make = (all: unknown[]): unknown => (isLast ? new Last(all) : all);
  // A generator may yield promises: what arrives is what they give, as with a result.
  return values.some(isThenable) ? Promise.all(values).then(make) : make(values);
}

const TURN_OVER = Symbol('turn over');

/** The same of an asynchronous generator: the first value, and those that are there before the loop turns. */
async function nextOnesLater(id: number, stream: Open, batch: number): Promise<unknown> {
  const values: unknown[] = [];
  let turn: Promise<typeof TURN_OVER> | null = null;
  try {
    while (values.length < batch) {
      const asked = (stream.pending ??= (stream.iterator as AsyncIterator<unknown>).next());
      const outcome: Outcome | typeof TURN_OVER = turn === null ? await asked : await Promise.race([asked, turn]);
      if (outcome === TURN_OVER) {
        // It is awaited by the next step, if there is one.
        asked.catch(() => {});
        break;
      }
      stream.pending = null;
      values.push(outcome.value);
      if (outcome.done === true) {
        forget(id);
        return new Last(values);
      }
      turn ??= new Promise((resolve) => setImmediate(resolve, TURN_OVER));
    }
  } catch (error) {
    stream.pending = null;
    if (values.length === 0) {
      forget(id);
      throw error;
    }
    stream.thrown = { error };
  }
  return values;
}
