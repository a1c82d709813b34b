/**
 * What happens in an activation: the guest's function is called, its promise jobs run, its result is read; and the
 * other way round, functions of the host are called by the guest.
 */
import { agent } from '../../user/agent.ts';
import { IpcError } from '../../rpc/ipc-error.ts';
import { isThenable } from '../../rpc/serve.ts';
import { joinStacks } from '../../rpc/errors-codec.ts';
import type { ConsoleLevel } from '../../rpc/types.ts';
import { needRoom } from '../wasm/room.ts';
import { activate, Ended, outOfMemory, overrun, runJobs } from './activate.ts';
import { placesOf, SLOTS } from './engine.ts';
import { print } from './print.ts';
import { isGone, type Pending, type Script } from './script.ts';
import type { Loader } from './source.ts';
import { callWith, type Lend, put } from './put.ts';
import { type Room, take, takeThrown } from './take.ts';
import { Refusal } from './tape.ts';
import {
  freeBox,
  type Guest,
  GuestThrew,
  isException,
  newString,
  readString,
  TAG_OBJECT,
  tagOf,
  type Vm,
  writePlain,
  writeText,
} from './vm.ts';

/** Numbers of functions of the host: the console's, then those in `host`, then those that are lent for a call. */
export const PRINT = 0;
export const HOST_FIRST = 1;
export const LENT_FIRST = 10_000;

const PROMISE_PENDING = 0;
const PROMISE_REJECTED = 2;

/** Given instead of a result that is not there yet. */
export class Waiting {
  readonly promise: number;
  readonly lent: readonly number[];
  constructor(promise: number, lent: readonly number[]) {
    this.promise = promise;
    this.lent = lent;
  }
}

/** Calls an export. Gives its result, or Waiting. */
export function callExport(script: Script, vm: Vm, method: string, args: readonly unknown[]): unknown {
  const fn = script.functions.get(method);
  if (fn === undefined) {
    const text = `task '${script.target.name}' was started again, and exports no '${method}' any more`;
    throw new Ended(new IpcError('ERR_IPC_NO_SUCH_METHOD', text, { task: script.target.name, method }));
  }
  const firstLent = script.nextLent;
  let box: number;
  try {
    box = call(script, vm, fn, args);
  } catch (error) {
    throw orderly(script, vm, method, error);
  }
  return resultOf(script, vm, method, box, firstLent);
}

function call(script: Script, vm: Vm, fn: number, args: readonly unknown[]): number {
  const { slots, argv, undefined: nothing } = placesOf();
  const { length } = args;
  if (length > SLOTS) return callWith(vm, fn, args, (lent) => lend(script, lent));
  let strings = 0;
  vm.look();
  for (let i = 0; i < length; i++) {
    const slot = slots + 8 * i;
    if (writePlain(vm, slot, args[i])) {
      vm.words[(argv >> 2) + i] = slot;
    } else if (typeof args[i] === 'string') strings++;
    else return callWith(vm, fn, args, (lent) => lend(script, lent));
  }
  if (strings === 0) return vm.raw.qjs_call(fn, nothing, length, argv);
  return callWithStrings(vm, fn, args);
}

/** The plain ones are in their slots. */
function callWithStrings(vm: Vm, fn: number, args: readonly unknown[]): number {
  const { argv, undefined: nothing } = placesOf();
  const boxes: number[] = [];
  try {
    for (let i = 0; i < args.length; i++) {
      const arg = args[i];
      if (typeof arg !== 'string') continue;
      const box = newString(vm, arg);
      boxes.push(box);
      if (isException(vm, box)) throw new GuestThrew();
      vm.words[(argv >> 2) + i] = box;
    }
    return vm.raw.qjs_call(fn, nothing, args.length, argv);
  } finally {
    for (const box of boxes) if (box !== 0) freeBox(vm, box);
  }
}

/** What one value, or the arguments of one call, may have. */
const roomOf = ({ bounds }: Script): Room => ({ parts: bounds.parts, text_bytes: bounds.memory_bytes });

function lend(script: Script, fn: Function): number {
  script.lent.set(script.nextLent, fn);
  return script.nextLent++;
}

/** The numbers of what was lent since then. */
function lentSince(script: Script, first: number): number[] {
  return Array.from({ length: script.nextLent - first }, (_, i) => first + i);
}

export function revoke(script: Script, lent: readonly number[]): void {
  for (const id of lent) script.lent.delete(id);
}

/** What a call gives whose result is in `box`, which is freed. */
function resultOf(script: Script, vm: Vm, method: string, box: number, firstLent: number): unknown {
  if (isException(vm, box)) {
    if (box !== 0) freeBox(vm, box);
    if (script.nextLent !== firstLent) revoke(script, lentSince(script, firstLent));
    throw thrown(script, vm, method);
  }
  const tag = tagOf(vm, box);
  if (tag === TAG_OBJECT && vm.raw.qjs_is_promise(box) !== 0) {
    runJobs(script, vm);
    if (vm.raw.qjs_promise_state(box) === PROMISE_PENDING) return new Waiting(box, lentSince(script, firstLent));
    if (script.nextLent !== firstLent) revoke(script, lentSince(script, firstLent));
    return settled(script, vm, method, box);
  }
  if (script.nextLent !== firstLent) revoke(script, lentSince(script, firstLent));
  let value: unknown;
  try {
    value = take(vm, box, roomOf(script), 'result');
  } catch (error) {
    throw orderly(script, vm, method, error);
  } finally {
    freeBox(vm, box);
  }
  if (vm.raw.qjs_is_job_pending() !== 0) runJobs(script, vm);
  return value;
}

/** What a promise was fulfilled with, in a box. The promise's own is freed. Throws what it was rejected with. */
export function resultBox(script: Script, vm: Vm, method: string, promise: number): number {
  const { raw } = vm;
  const isRejected = raw.qjs_promise_state(promise) === PROMISE_REJECTED;
  if (isRejected) raw.qjs_promise_mark_as_handled(promise);
  const result = raw.qjs_promise_result(promise);
  freeBox(vm, promise);
  if (!isRejected) return result;
  const end = thrownIn(script, vm, method, result);
  freeBox(vm, result);
  throw end;
}

/** The value of a promise that has settled; its box is freed. Throws what it was rejected with. */
export function settled(script: Script, vm: Vm, method: string, promise: number): unknown {
  const result = resultBox(script, vm, method, promise);
  try {
    return take(vm, result, roomOf(script), 'result');
  } catch (error) {
    throw orderly(script, vm, method, error);
  } finally {
    freeBox(vm, result);
  }
}

export const isSettled = (vm: Vm, promise: number): boolean => vm.raw.qjs_promise_state(promise) !== PROMISE_PENDING;

/** What was thrown on the way, as an orderly end; what is a fault stays one. */
function orderly(script: Script, vm: Vm, method: string, error: unknown): unknown {
  if (error instanceof GuestThrew) return thrown(script, vm, method);
  if (!(error instanceof Refusal)) return error;
  const task = script.target.name;
  return new Ended(new IpcError(error.code, `${task}.${method}(): ${error.message}`, { task, method }));
}

/** The engine's pending exception. */
export function thrown(script: Script, vm: Vm, method: string): unknown {
  const box = vm.raw.qjs_get_exception();
  const end = thrownIn(script, vm, method, box);
  freeBox(vm, box);
  return end;
}

const STACK_OVERFLOW = 'Maximum call stack size exceeded';

function thrownIn(script: Script, vm: Vm, method: string, box: number): unknown {
  // An interruption: the caller gets what it was interrupted by.
  if (vm.late) return new Ended(null);
  if (vm.raw.qjs_is_uncatchable_error(box) !== 0) return new Ended(outOfMemory(script, vm));
  const task = script.target.name;
  let error: unknown;
  try {
    error = takeThrown(vm, box, roomOf(script));
  } catch (second) {
    if (!(second instanceof GuestThrew || second instanceof Refusal)) return second;
    freeBox(vm, vm.raw.qjs_get_exception());
    error = new Error('the task threw what cannot be read');
  }
  if (error instanceof RangeError && error.message === STACK_OVERFLOW) {
    const text = `${task}.${method}(): it went over its limit: ${script.bounds.stack_bytes / 1024} KiB of stack (limits.stackKb)`;
    return new Ended(new IpcError('ERR_IPC_LIMIT', text, { task, method, cause: error }));
  }
  const here: { stack?: string } = {};
  Error.captureStackTrace(here, activate);
  return new Ended(joinStacks(error, `${task}.${method}`, here.stack ?? ''));
}

// ---- Functions of the host, called by the guest

/** What the engine asks of the host for this task. `later` settles a promise of the guest's. */
export function guestOf(script: Script, vm: Vm, loader: Loader, later: Later): Guest {
  return {
    call: (id, count, argv) => callHost(script, vm, id, count, argv, later),
    normalize: (referrer, specifier) =>
      orThrow(vm, () => {
        // Names that it asks for are kept here, and to ask is to call the host.
        if (--script.hostCalls < 0) throw tooManyCalls(script, vm);
        return writeText(vm, loader.resolve(specifier, referrer))[0];
      }),
    load: (name, length) =>
      orThrow(vm, () => {
        const [address, size] = writeText(vm, loader.load(name));
        vm.words[length >> 2] = size;
        return address;
      }),
  };
}

export type Later = (script: Script, vm: Vm, promise: PromiseLike<unknown>, resolve: number, reject: number) => void;

/** What a function of ours gives; what it throws is thrown in the guest. */
function orThrow(vm: Vm, run: () => number): number {
  needRoom();
  const outer = agent.current;
  agent.current = agent.caller;
  try {
    return run();
  } catch (error) {
    return throwIn(vm, error);
  } finally {
    agent.current = outer;
  }
}

function callHost(script: Script, vm: Vm, id: number, count: number, argv: number, later: Later): number {
  needRoom();
  if (isGone(script)) return throwIn(vm, overrun(script, vm, 'the task has ended'));
  vm.look();
  const boxes: number[] = [];
  for (let i = 0; i < count; i++) boxes.push(vm.words[(argv >> 2) + i]!);
  if (id === PRINT) return printed(script, vm, boxes);
  if (--script.hostCalls < 0) return throwIn(vm, tooManyCalls(script, vm));
  const fn = id >= LENT_FIRST ? script.lent.get(id) : script.host[id - HOST_FIRST];
  if (fn === undefined) {
    const text = 'a function argument is valid until its call returns; it has returned';
    return throwIn(vm, new IpcError('ERR_IPC_REVOKED', text));
  }
  const args: unknown[] = [];
  const room = roomOf(script);
  try {
    for (let i = 0; i < count; i++) args.push(take(vm, boxes[i]!, room, `args[${i}]`));
  } catch (error) {
    return passOn(vm, error);
  }
  const result = callOut(fn as (...values: unknown[]) => unknown, args);
  if (isGone(script)) return throwIn(vm, overrun(script, vm, 'the task has ended'));
  if (result instanceof Thrown) return throwIn(vm, result.value);
  try {
    if (isThenable(result)) return promiseFor(script, vm, result, later);
    return put(vm, result, (lent) => lend(script, lent), 'result');
  } catch (error) {
    return passOn(vm, error);
  }
}

const tooManyCalls = (script: Script, vm: Vm): IpcError =>
  overrun(script, vm, `more than ${script.bounds.hostCalls} calls of the host (limits.hostCalls)`);

class Thrown {
  readonly value: unknown;
  constructor(value: unknown) {
    this.value = value;
  }
}

/** Calls a function of the chief's, on the chief's thread. */
function callOut(fn: (...values: unknown[]) => unknown, args: unknown[]): unknown {
  const outer = agent.current;
  agent.current = agent.caller;
  try {
    return fn(...args);
  } catch (error) {
    return new Thrown(error);
  } finally {
    agent.current = outer;
  }
}

/** What failed on the way between the two sides becomes the guest's exception; a fault goes on through its frames. */
function passOn(vm: Vm, error: unknown): number {
  if (error instanceof GuestThrew) return 0;
  if (!(error instanceof Refusal)) throw error;
  return throwIn(vm, new IpcError(error.code, error.message));
}

/** Throws a value in the guest; what it cannot be given is described. */
export function throwIn(vm: Vm, value: unknown): number {
  try {
    const box = put(vm, sendable(value), () => 0, 'thrown');
    freeBox(vm, vm.raw.qjs_throw(box));
    freeBox(vm, box);
  } catch (error) {
    if (error instanceof Refusal) return throwIn(vm, new Error('the host threw what cannot be sent'));
    if (!(error instanceof GuestThrew)) throw error;
  }
  return 0;
}

const sendable = (value: unknown): unknown =>
  value instanceof Error || value === null || !['object', 'function', 'symbol'].includes(typeof value)
    ? value
    : new Error('the host threw a value that is no error');

function promiseFor(script: Script, vm: Vm, promise: PromiseLike<unknown>, later: Later): number {
  const { out } = placesOf();
  const box = vm.raw.qjs_new_promise(out, out + 4);
  vm.look();
  const resolve = vm.words[out >> 2]!;
  const reject = vm.words[(out >> 2) + 1]!;
  if (isException(vm, box)) throw new GuestThrew();
  later(script, vm, promise, resolve, reject);
  return box;
}

function printed(script: Script, vm: Vm, boxes: readonly number[]): number {
  try {
    return printLine(script, vm, boxes);
  } catch (error) {
    return passOn(vm, error);
  }
}

function printLine(script: Script, vm: Vm, [level, line]: readonly number[]): number {
  const { out, undefined: nothing } = placesOf();
  const text = readString(vm, line!, out, script.output);
  if (text === null) {
    const what = `more than ${script.bounds.output_bytes} bytes of output (limits.outputBytes)`;
    return throwIn(vm, overrun(script, vm, what));
  }
  script.output -= Buffer.byteLength(text) + 1;
  const kind = readString(vm, level!, out) as ConsoleLevel;
  const result = callOut(() => print(script.start.options.console, kind, text), []);
  if (result instanceof Thrown) return throwIn(vm, result.value);
  return vm.raw.qjs_dup_value(nothing);
}

/** Settles a promise that the guest has of the host, and runs what waited for it. */
export function settle(script: Script, vm: Vm, method: string, settlement: Settlement): void {
  const { argv, undefined: nothing } = placesOf();
  const { resolve, reject } = settlement;
  let fn = settlement.isRejected ? reject : resolve;
  let box: number;
  try {
    try {
      box = put(vm, settlement.isRejected ? sendable(settlement.value) : settlement.value, noFunctions, 'result');
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      fn = reject;
      box = put(vm, new IpcError(error.code, error.message), noFunctions, 'result');
    }
  } catch (error) {
    throw orderly(script, vm, method, error);
  }
  vm.look();
  vm.words[argv >> 2] = box;
  freeBox(vm, vm.raw.qjs_call(fn, nothing, 1, argv));
  for (const used of [box, resolve, reject]) freeBox(vm, used);
  runJobs(script, vm);
}

/** What comes later belongs to no call, after which a function could be revoked. */
const noFunctions: Lend = () => {
  throw new Refusal(
    'ERR_IPC_NOT_CLONEABLE',
    'a function in the result of an asynchronous host function cannot be sent',
  );
};

/** How a promise of the host has settled, and the guest's functions that say so. */
export interface Settlement {
  readonly resolve: number;
  readonly reject: number;
  readonly value: unknown;
  readonly isRejected: boolean;
}

/** What `collect` has found: the ends of calls, and the call that it looks at. */
export interface Collection {
  readonly ends: (() => void)[];
  current: Pending | null;
}

/** The pending calls whose promises have settled: what each ends in. */
export function collect(script: Script, vm: Vm, _: string, found: Collection): void {
  for (const pending of script.pending) {
    if (!isSettled(vm, pending.promise)) continue;
    found.current = pending;
    const end = endOf(script, vm, pending);
    found.current = null;
    script.pending.delete(pending);
    revoke(script, pending.lent);
    found.ends.push(end);
  }
}

function endOf(script: Script, vm: Vm, pending: Pending): () => void {
  try {
    const value = settled(script, vm, pending.method, pending.promise);
    return () => pending.resolve(value);
  } catch (error) {
    if (!(error instanceof Ended) || vm.late) throw error;
    return () => pending.reject(error.error);
  }
}
