/**
 * Stubs: null-prototype objects of plain functions, made once from a task's export list. No proxy stands in a call.
 */
import { NEVER } from '../layout/message.ts';
import { BATCH_MAX } from '../layout/params.ts';
import { ByteOptions } from './bytes.ts';
import { callAsync, callSync, callSyncBytes, type Options, type Target } from './call.ts';
import { contextCapturer, METHOD_CONTEXT } from './context.ts';
import { noSuchMethod } from './ipc-error.ts';
import { type Exports, METHOD_FIRST } from './serve.ts';
import { shown } from './shown.ts';
import { openAsync, openSync } from './streams.ts';
import type { CallOptions, Stubs } from './types.ts';

/** Names under which JavaScript looks for thenables and prototypes: no stub has them. */
export const REFUSED: ReadonlySet<string> = new Set(['then', 'constructor', 'prototype', '__proto__']);

type Capture = ReturnType<typeof contextCapturer>;

export type Caller = (
  target: Target,
  method: number,
  name: string,
  options: Options,
  args: readonly unknown[],
) => unknown;

/** Checks and completes call options. Throws a TypeError or RangeError that names the bad one. */
export function completeOptions(options: CallOptions, inherited: Options): Options {
  const { timeout, signal, batch, borrow = false, into } = options;
  if (timeout !== undefined && !(typeof timeout === 'number' && timeout >= 0)) {
    throw new RangeError(`timeout is ${shown(timeout)}; it must be a number of milliseconds, 0 or more`);
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(`signal is ${shown(signal)}; it must be an AbortSignal`);
  }
  if (batch !== undefined && !(Number.isSafeInteger(batch) && batch > 0 && batch <= BATCH_MAX)) {
    throw new RangeError(`batch is ${shown(batch)}; it must be a whole number from 1 to ${BATCH_MAX}`);
  }
  if (typeof borrow !== 'boolean') throw new TypeError(`borrow is ${shown(borrow)}; it must be true or false`);
  if (into !== undefined && !(into instanceof Uint8Array)) {
    throw new TypeError(`into is ${shown(into)}; it must be a Uint8Array`);
  }
  return {
    timeout_ms: timeout === undefined ? inherited.timeout_ms : limitOf(timeout),
    signal: signal ?? inherited.signal,
    batch: batch ?? inherited.batch,
    bytes: borrow || into !== undefined ? new ByteOptions(borrow, into ?? null) : null,
  };
}

/**
 * Timeouts beyond 24 days, and Infinity, are none. Parts of a millisecond are rounded up: 0 has a meaning of its own.
 */
const limitOf = (timeout: number): number => (timeout > 0x7fffffff ? NEVER : Math.ceil(timeout));

/** The stub object of one kind for these exports. A name that is not there is refused with the names that are. */
function makeStub(
  target: Target,
  { names, streams }: Exports,
  options: Options,
  callers: Callers,
  mode: 'sync' | 'async',
  first: number,
  capture: Capture,
): object {
  const stub = Object.create(null) as Record<string, unknown>;
  const caller = callerFor(callers, mode, options);
  names.forEach((name, i) => {
    if (REFUSED.has(name)) return;
    const method = first + i;
    if (streams.includes(name)) {
      const open = mode === 'sync' ? openSync : openAsync;
      stub[name] = (...args: unknown[]) => open(callers, target, method, name, options, args);
      return;
    }
    stub[name] =
      capture === null
        ? (...args: unknown[]) => caller(target, method, name, options, args)
        : (...args: unknown[]) => {
            const context = capture();
            return context === undefined
              ? caller(target, method, name, options, args)
              : caller(target, method | METHOD_CONTEXT, name, options, [...args, context]);
          };
  });
  Object.freeze(stub);
  return guard(stub, target, names);
}

function callerFor(callers: Callers, mode: 'sync' | 'async', { bytes }: Options): Caller {
  const plain = callers[mode];
  if (bytes === null) return plain;
  const quick = mode === 'sync' ? callers.syncBytes : callers.asyncBytes;
  if (quick !== undefined) return quick;
  if (mode === 'sync') {
    return (...call) => bytes.place(plain(...call), { task: call[0].name, method: call[2] });
  }
  return async (...call) => bytes.place(await plain(...call), { task: call[0].name, method: call[2] });
}

/** Both stub objects, of functions that a kind of task makes itself. */
export function makeStubsFrom(
  target: Target,
  names: readonly string[],
  functionsOf: (name: string) => { sync: unknown; async: unknown },
): Stubs {
  const sync = Object.create(null) as Record<string, unknown>;
  const async = Object.create(null) as Record<string, unknown>;
  for (const name of names) {
    if (REFUSED.has(name)) continue;
    const made = functionsOf(name);
    sync[name] = made.sync;
    async[name] = made.async;
  }
  return { sync: guard(Object.freeze(sync), target, names), async: guard(Object.freeze(async), target, names) };
}

/**
 * A typo should name the exports, and costs nothing where there is none: the guard is the prototype, so it is asked
 * only for names that the stub does not have.
 */
function guard(stub: object, target: Target, names: readonly string[]): object {
  const refuse = new Proxy(Object.create(null) as object, {
    get(_, name) {
      if (typeof name === 'symbol' || REFUSED.has(name) || name === 'toJSON') return undefined;
      throw noSuchMethod(target.name, name, names);
    },
    has: () => false,
    getPrototypeOf: () => null,
  });
  return Object.freeze(Object.assign(Object.create(refuse) as object, stub));
}

/** How a kind of task is called: blocking, and in the event loop. */
export interface Callers {
  readonly sync: Caller;
  readonly async: Caller;
  /** How calls are made that have byte options; without it as the others, and the result is copied. */
  readonly syncBytes?: Caller;
  readonly asyncBytes?: Caller;
  /** How iterators are moved that calls have given, when it is another way: those of a pool are with an instance. */
  readonly ofStreams?: Callers;
}

export const remoteCallers: Callers = {
  sync: callSync,
  async: callAsync,
  syncBytes: callSyncBytes,
  asyncBytes: callAsync,
};

/**
 * Both stub objects of a task under the same options. `first` is the method number of the first name; `capture` gives
 * the context of a call, null for calls that stay in theirs.
 */
export function makeStubs(
  target: Target,
  exported: Exports,
  options: Options,
  callers: Callers = remoteCallers,
  first: number = METHOD_FIRST,
  capture: Capture = contextCapturer(),
): Stubs {
  return {
    sync: makeStub(target, exported, options, callers, 'sync', first, capture),
    async: makeStub(target, exported, options, callers, 'async', first, capture),
  };
}
