/**
 * Calls of a sandbox: by the stubs of its own agent, by other agents through the inbox, and what goes on in it when a
 * promise of the host has settled.
 */
import { peek } from '#atomics';
import { NEVER } from '../../layout/message.ts';
import { ANY_INDEX } from '../../layout/params.ts';
import { homeWaiting, TCB_ID, TCB_STATE } from '../../layout/tcb.ts';
import { type Options, plainOptions } from '../../rpc/call.ts';
import { clearTimeout, performance, setImmediate, setTimeout } from '../../platform/timers.ts';
import { abortedError } from '../../rpc/failure.ts';
import { IpcError } from '../../rpc/ipc-error.ts';
import { enterOpened, leaveOpened } from '../wasm/lives.ts';
import { inTurn } from '../wasm/turns.ts';
import { activate, fault, faults } from './activate.ts';
import { callExport, collect, type Collection, revoke, type Settlement, settle, Waiting } from './guest.ts';
import { type AnyFunction, gone, isGone, type Pending, type Script, timeoutOf } from './script.ts';
import { freeBox, type Vm } from './vm.ts';

/** The two stubs of an export. */
export function stubsFor(script: Script, name: string, options: Options): { sync: AnyFunction; async: AnyFunction } {
  const { bytes } = options;
  if (bytes === null) {
    return {
      sync: (...args) => callSync(script, name, options, args),
      async: (...args) => callAsync(script, name, options, args),
    };
  }
  // Byte arrays are copied anyway: only where a result goes makes a difference.
  const named = { task: script.target.name, method: name };
  return {
    sync: (...args) => bytes.place(callSync(script, name, options, args), named),
    async: async (...args) => bytes.place(await callAsync(script, name, options, args), named),
  };
}

export function callSync(script: Script, name: string, options: Options, args: readonly unknown[]): unknown {
  if (options.signal?.aborted === true) throw abortedError({ task: script.target.name, method: name }, options.signal);
  const result = activate(script, name, options.timeout_ms, callExport, args);
  if (script.pending.size > 0) finish(script);
  if (!(result instanceof Waiting)) return result;
  forget(script, result);
  const task = script.target.name;
  const text = `${task}.${name}(): the promise it gave waits for the host, which a .sync caller keeps from settling anything; use .async`;
  throw new IpcError('ERR_IPC_DEADLOCK', text, { task, method: name });
}

export async function callAsync(
  script: Script,
  name: string,
  options: Options,
  args: readonly unknown[],
): Promise<unknown> {
  if (options.signal?.aborted === true) throw abortedError({ task: script.target.name, method: name }, options.signal);
  return await callEither(script, name, options, args);
}

/** Gives the result, or a promise of it when it is not there yet. */
export function callEither(script: Script, name: string, options: Options, args: readonly unknown[]): unknown {
  const began_ms = options.timeout_ms === NEVER ? 0 : performance.now();
  const result = activate(script, name, options.timeout_ms, callExport, args);
  const value = result instanceof Waiting ? wait(script, name, options, began_ms, result) : result;
  if (script.pending.size > 0) finish(script);
  return value;
}

function forget({ vm, lent }: Script, waiting: Waiting): void {
  if (vm !== null) freeBox(vm, waiting.promise);
  for (const id of waiting.lent) lent.delete(id);
}

/** Waits for a promise of the guest's, within the timeout and the signal of the call. */
function wait(
  script: Script,
  method: string,
  { timeout_ms, signal }: Options,
  began_ms: number,
  waiting: Waiting,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | null = null;
    const over = (): void => {
      if (timer !== null) clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    const pending: Pending = {
      method,
      promise: waiting.promise,
      lent: waiting.lent,
      resolve(value) {
        over();
        resolve(value);
      },
      reject(error) {
        over();
        reject(error as Error);
      },
    };
    const giveUp = (error: IpcError): void => {
      if (!script.pending.delete(pending)) return;
      forget(script, waiting);
      pending.reject(error);
    };
    const onAbort = (): void => giveUp(abortedError({ task: script.target.name, method }, signal!));
    signal?.addEventListener('abort', onAbort, { once: true });
    script.pending.add(pending);
    if (timeout_ms === NEVER) return;
    const left_ms = Math.max(0, began_ms + timeout_ms - performance.now());
    timer = setTimeout(() => giveUp(late(script, method, timeout_ms)), left_ms);
  });
}

function late(script: Script, method: string, timeout_ms: number): IpcError {
  const task = script.target.name;
  const text = `${task}.${method}(): no answer within ${timeout_ms} ms`;
  const error = new IpcError('ERR_IPC_TIMEOUT', text, { phase: 'receive', task, method, elapsed_ms: timeout_ms });
  if (script.start.options.onTimeout === 'kill') {
    script.replace = true;
    fault(script, error);
    setImmediate(faults.settle);
  }
  return error;
}

/** Ends the pending calls whose promises have settled by what ran last. */
function finish(script: Script): void {
  const found: Collection = { ends: [], current: null };
  try {
    activate(script, 'pending', timeoutOf(script.start), collect, found);
  } catch (error) {
    // It has ended, and its pending calls with it; or it is busy, and looks again when it is not; or the result of one
    // of them took too long to read.
    if (found.current !== null) endBy(script, found.current, error);
  }
  for (const end of found.ends) end();
}

/** Settles a promise that the guest has got of the host, when the host's own has settled. */
export function later(script: Script, vm: Vm, promise: PromiseLike<unknown>, resolve: number, reject: number): void {
  const goOnWith = (value: unknown, isRejected: boolean): void =>
    inTurn(() => goOn(script, vm, { resolve, reject, value, isRejected }));
  promise.then(
    (value) => goOnWith(value, false),
    (value: unknown) => goOnWith(value, true),
  );
}

function goOn(script: Script, vm: Vm, settlement: Settlement): void {
  if (script.vm !== vm || isGone(script)) return;
  const { id, tcb } = script;
  if (peek(tcb + TCB_ID) === id && peek(tcb + TCB_STATE) !== homeWaiting(id, ANY_INDEX)) {
    setImmediate(goOn, script, vm, settlement);
    return;
  }
  try {
    activate(script, 'promise', timeoutOf(script.start), settle, settlement);
  } catch (error) {
    // Nobody called. What ends the task is told to those who wait for it; another limit ends what went over it.
    if (!isGone(script) && script.vm === vm) for (const pending of [...script.pending]) endBy(script, pending, error);
    return;
  }
  if (script.pending.size > 0) finish(script);
}

function endBy(script: Script, pending: Pending, error: unknown): void {
  if (!script.pending.delete(pending)) return;
  revoke(script, pending.lent);
  pending.reject(error);
}

/** A function for callers in other agents: the switch finds the thread open, as for any other caller. */
export function fromElsewhere(script: Script, name: string): AnyFunction {
  return (...args: unknown[]) => {
    const { id, tcb } = script;
    const outer = enterOpened(id, tcb);
    try {
      if (isGone(script)) throw gone(script, name);
      const options = plainOptions(timeoutOf(script.start));
      const began_ms = performance.now();
      const result = activate(script, name, options.timeout_ms, callExport, args);
      return result instanceof Waiting ? wait(script, name, options, began_ms, result) : result;
    } finally {
      leaveOpened(id, tcb, outer);
      if (faults.waiting || script.pending.size > 0) setImmediate(lookAround, script);
    }
  };
}

function lookAround(script: Script): void {
  faults.settle();
  if (!isGone(script) && script.pending.size > 0) finish(script);
}
