/**
 * One activation of a sandbox: the direct switch to its thread, as to a wasm task's (wasm/switch.ts), and the engine's
 * run under its limits. How it ends is decided here: what is thrown as `Ended` is an orderly end of the call. Anything
 * else that comes through the engine's frames (a trap, the agent's own stack overflow, a `HardStop`) leaves the guest's
 * memory as it was in the middle, and is the end of the task.
 */
import { peek, poke } from '#atomics';
import { sameClan } from '../../kernel/clan.ts';
import { checkThread } from '../../kernel/ipc-slow.ts';
import { countSent } from '../../kernel/transfer.ts';
import { DEADLOCK, DENIED, LIMIT, NEVER, OK } from '../../layout/message.ts';
import { ANY_INDEX, UPCALL_DEPTH_MAX } from '../../layout/params.ts';
import { homeWaiting, running, TCB_ID, TCB_SENDER, TCB_STATE } from '../../layout/tcb.ts';
import { performance } from '../../platform/timers.ts';
import { agent } from '../../user/agent.ts';
import { failure } from '../../rpc/failure.ts';
import { IpcError } from '../../rpc/ipc-error.ts';
import { stack } from '../wasm/record.ts';
import { gone, isGone, type Script } from './script.ts';
import { freeBox, HardStop, type Vm } from './vm.ts';

/** An orderly end of a call, by this error. */
export class Ended {
  readonly error: unknown;
  constructor(error: unknown) {
    this.error = error;
  }
}

/** Whether faults wait to be acted upon, and what acts upon them. */
export const faults: { waiting: boolean; settle: () => void } = { waiting: false, settle: () => {} };

/** What is done in an activation. Throws Ended. */
export type Run<A, R> = (script: Script, vm: Vm, method: string, argument: A) => R;

/** Runs `run` as the task. Throws what the caller is to get. */
export function activate<A, R>(script: Script, method: string, timeout_ms: number, run: Run<A, R>, argument: A): R {
  if (faults.waiting) faults.settle();
  const { id, tcb } = script;
  const self = agent.current;
  const opened = homeWaiting(id, ANY_INDEX);
  const { depth } = stack;
  const isOpen = peek(tcb + TCB_ID) === id && peek(tcb + TCB_STATE) === opened;
  if (!isOpen || !sameClan(self, tcb) || depth >= UPCALL_DEPTH_MAX) throw refusal(script, method);
  const me = peek(self + TCB_ID);
  const runs = peek(self + TCB_STATE);
  const waits = homeWaiting(me, id);
  const vm = script.vm!;
  begin(script, vm, timeout_ms);
  stack.depth = depth + 1;
  script.active++;
  poke(self + TCB_STATE, waits);
  poke(tcb + TCB_STATE, running(id));
  poke(tcb + TCB_SENDER, me);
  countSent(self);
  let result: R | undefined;
  let end: unknown = null;
  try {
    result = run(script, vm, method, argument);
  } catch (error) {
    end = error;
  }
  // The stack may be nearly used up: plain stores first, so that these happen in every case.
  vm.deadline = Number.POSITIVE_INFINITY;
  stack.depth = depth;
  script.active--;
  const isOurs = peek(tcb + TCB_STATE) === running(id) && peek(tcb + TCB_ID) === id;
  if (isOurs) poke(tcb + TCB_STATE, opened);
  if (peek(self + TCB_STATE) === waits) poke(self + TCB_STATE, runs);
  if (end === null && !vm.late && isOurs && script.overrun === null && !script.faulted) return result as R;
  throw outcome(script, vm, method, timeout_ms, end);
}

function begin(script: Script, vm: Vm, timeout_ms: number): void {
  vm.begin(timeout_ms === NEVER ? Number.POSITIVE_INFINITY : performance.now() + timeout_ms);
  script.overrun = null;
  script.hostCalls = script.bounds.hostCalls;
  script.output = script.bounds.output_bytes;
}

/** The error of an activation that did not end in a result. */
function outcome(script: Script, vm: Vm, method: string, timeout_ms: number, end: unknown): unknown {
  const isFault = end !== null && !(end instanceof Ended);
  if (script.ended !== null) return gone(script, method);
  const over = script.overrun ?? (vm.late ? late(script, method, timeout_ms) : null);
  if (isFault) fault(script, end);
  else if (over?.code === 'ERR_IPC_TIMEOUT' && script.start.options.onTimeout === 'kill') {
    script.replace = true;
    fault(script, over);
  }
  const error = over ?? (end instanceof Ended ? end.error : gone(script, method));
  if (script.faulted) faults.settle();
  return error;
}

const late = ({ target: { name } }: Script, method: string, timeout_ms: number): IpcError =>
  new IpcError('ERR_IPC_TIMEOUT', `${name}.${method}(): no answer within ${timeout_ms} ms`, {
    phase: 'receive',
    task: name,
    method,
    elapsed_ms: timeout_ms,
  });

/** Notes that the task ends, by this. It is acted upon when the stack is free. */
export function fault(script: Script, why: unknown): void {
  if (isGone(script)) return;
  script.faulted = true;
  script.fault = why instanceof HardStop && script.overrun !== null ? script.overrun : why;
  faults.waiting = true;
}

/** Says why a switch did not begin, by the checks of any ipc. */
function refusal(script: Script, method: string): IpcError {
  if (isGone(script)) return gone(script, method);
  const known = checkThread(script.id);
  const { target, taskId } = script;
  const calling = { task: target.name, taskId, method, timeout_ms: NEVER, began_ms: NEVER };
  if (known !== OK) return failure(known, calling);
  if (!sameClan(agent.current, script.tcb)) return failure(DENIED, calling);
  const isOpen = peek(script.tcb + TCB_STATE) === homeWaiting(script.id, ANY_INDEX);
  return failure(isOpen ? LIMIT : DEADLOCK, calling);
}

/** Ends the present activation at the next place where the engine looks, and says by what limit. */
export function overrun(script: Script, vm: Vm, what: string): IpcError {
  const { name } = script.target;
  script.overrun ??= new IpcError('ERR_IPC_LIMIT', `task '${name}' went over its limit: ${what}`, { task: name });
  vm.late = true;
  vm.deadline = performance.now();
  return script.overrun;
}

/** Runs the promise jobs. What does not end is still in the queue afterwards, and so it is the end of the task. */
export function runJobs(script: Script, vm: Vm): void {
  const { raw } = vm;
  let count = 0;
  while (raw.qjs_is_job_pending() !== 0) {
    if (++count > script.bounds.jobs) {
      const error = overrun(script, vm, `more than ${script.bounds.jobs} promise jobs (limits.jobs)`);
      fault(script, error);
      throw new Ended(error);
    }
    if (raw.qjs_execute_pending_job() >= 0) continue;
    const thrown = raw.qjs_get_exception();
    const isMemory = raw.qjs_is_uncatchable_error(thrown) !== 0;
    freeBox(vm, thrown);
    if (vm.late) {
      fault(script, script.overrun ?? new IpcError('ERR_IPC_TIMEOUT', 'its promise jobs did not end in time'));
      throw new Ended(script.overrun);
    }
    if (isMemory) throw new Ended(outOfMemory(script, vm));
  }
}

export const outOfMemory = (script: Script, vm: Vm): IpcError => {
  const { name } = script.target;
  const mb = script.bounds.memory_bytes / (1024 * 1024);
  vm.raw.qjs_run_gc();
  return new IpcError('ERR_IPC_LIMIT', `task '${name}' went over its limit: ${mb} MiB of memory (memory.mb)`, {
    task: name,
  });
};
