/**
 * The life of a sandboxed task: from its text to its end, and to the next instance when it is replaced. As with wasm
 * tasks, a fault is noted where it happens and acted upon when no activation is left on the stack.
 */
import { store } from '#atomics';
import { endBody, startPassive } from '../../kernel/dispatch.ts';
import { freeThreads, repairTask } from '../../kernel/fault.ts';
import { NEVER } from '../../layout/message.ts';
import { INDEX_MASK } from '../../layout/params.ts';
import { TASK_ALIVE, TASK_STATE, taskAt, type TaskRecord } from '../../layout/task.ts';
import { tcbOf, type ThreadId } from '../../layout/tcb.ts';
import { setImmediate } from '../../platform/timers.ts';
import { makeTarget } from '../../rpc/call.ts';
import { IpcError } from '../../rpc/ipc-error.ts';
import { serve, setLocalExports } from '../../rpc/serve.ts';
import type { TaskExit } from '../../rpc/types.ts';
import { holder } from '../../user/agent.ts';
import type { Start } from '../host.ts';
import { stack } from '../wasm/record.ts';
import { countRestart, endRecord, giveThread, mayRestart, sayRestart } from '../wasm/lives.ts';
import { needRoom } from '../wasm/room.ts';
import { activate, faults } from './activate.ts';
import { fromElsewhere, later } from './call.ts';
import { closeVm, openVm } from './engine.ts';
import { evaluate } from './evaluate.ts';
import { guestOf, LENT_FIRST } from './guest.ts';
import { boundsOf } from './limits.ts';
import { type AnyFunction, gone, reasonOf, type Script, timeoutOf } from './script.ts';
import { Loader, readSource } from './source.ts';

const scripts = new Map<number, Script>();

/** A module has at least so long to run: more is done at its start than in a call, and it is not to fail by chance. */
const EVALUATION_MIN_ms = 1000;

const recordOf = ({ taskId }: Pick<Script, 'taskId'>): TaskRecord => taskAt(taskId & INDEX_MASK);

/** Makes the task of a start. Throws what keeps it from running. */
export function begin(start: Start): Script {
  const { promise, resolve } = Promise.withResolvers<TaskExit>();
  const bounds = boundsOf(start.options);
  const hostEntries = Object.entries(start.options.host ?? {}).filter(([, fn]) => typeof fn === 'function');
  const names: string[] = [];
  const script: Script = {
    taskId: start.taskId,
    target: makeTarget(start.server, start.taskId, start.name),
    start,
    bounds,
    source: readSource(start.url),
    names,
    exited: promise,
    exit: resolve,
    host: hostEntries.map(([, fn]) => fn as AnyFunction),
    hostNames: hostEntries.map(([name]) => name),
    id: start.server,
    tcb: tcbOf(start.server),
    vm: null,
    functions: new Map(),
    lent: new Map(),
    nextLent: LENT_FIRST,
    pending: new Set(),
    active: 0,
    hostCalls: 0,
    output: 0,
    overrun: null,
    faulted: false,
    fault: undefined,
    replace: false,
    ended: null,
    restarts: [],
  };
  instantiate(script);
  names.push(...script.functions.keys());
  const functions = names.map((name) => fromElsewhere(script, name));
  setLocalExports(start.taskId, { names, functions, streams: [] });
  sayRestart(recordOf(script), start.options);
  scripts.set(script.taskId, script);
  return script;
}

/** Makes the instance, runs the module in it, and opens the task's thread. Throws what the module threw. */
function instantiate(script: Script): void {
  const { start, bounds } = script;
  const vm = openVm(start.url);
  script.vm = vm;
  vm.raw.qjs_set_memory_limit(bounds.memory_bytes);
  vm.raw.qjs_set_max_stack_size(bounds.stack_bytes);
  vm.guest = guestOf(script, vm, new Loader(start.options.modules), later);
  startPassive(script.tcb, () => serve(script.tcb, null, false));
  try {
    const timeout_ms = timeoutOf(start);
    const limit_ms = timeout_ms === NEVER ? NEVER : Math.max(timeout_ms, EVALUATION_MIN_ms);
    activate(script, 'module', limit_ms, evaluate, script.hostNames);
  } catch (error) {
    script.vm = null;
    if (script.active === 0) closeVm(vm);
    throw error;
  }
  store(recordOf(script) + TASK_STATE, TASK_ALIVE);
}

/** Acts upon the faults that were noted, if the stack has room for it; else it is tried again. */
faults.settle = (): void => {
  if (stack.depth > 0 || !faults.waiting) return;
  try {
    needRoom();
  } catch {
    setImmediate(faults.settle);
    return;
  }
  faults.waiting = false;
  for (const script of scripts.values()) if (script.faulted) endByFault(script);
};

function endByFault(script: Script): void {
  const { fault, start } = script;
  const { restart } = start.options;
  const again = script.replace || ((restart === 'always' || restart === 'on-failure') && mayRestart(script.restarts));
  if (again && replaced(script)) return;
  end(script, { code: 1, reason: reasonOf(script.fault ?? fault) });
}

/** Ends the thread and its instance: whoever waits for it is answered. */
function tearDown(script: Script): void {
  const record = recordOf(script);
  const { vm } = script;
  const waiting = [...script.pending];
  script.pending.clear();
  endBody(script.tcb);
  repairTask(record, holder());
  freeThreads(record, holder());
  script.vm = null;
  script.functions = new Map();
  script.lent.clear();
  if (vm !== null && script.active === 0) closeVm(vm);
  for (const { method, reject } of waiting)
    reject(script.fault instanceof IpcError ? script.fault : gone(script, method));
}

/** A new thread and a new instance under the old name. False: there could be none. */
function replaced(script: Script): boolean {
  tearDown(script);
  const record = recordOf(script);
  const id = giveThread(record);
  if (id === 0) return false;
  script.id = id;
  script.tcb = tcbOf(id);
  script.target.id = id;
  script.faulted = false;
  script.fault = undefined;
  script.replace = false;
  script.overrun = null;
  try {
    instantiate(script);
  } catch (error) {
    script.faulted = true;
    script.fault = error;
    return false;
  }
  countRestart(record);
  return true;
}

/** Ends the task for good. */
export function end(script: Script, exit: TaskExit): void {
  if (script.ended !== null) return;
  scripts.delete(script.taskId);
  script.ended = exit.reason;
  endRecord(recordOf(script), script.taskId, exit, () => tearDown(script));
  script.exit(exit);
}

/** Ends every sandbox of this agent. */
export function endScripts(): void {
  for (const script of scripts.values()) end(script, { code: 1, reason: 'killed' });
}

export const scriptOf = (taskId: number): Script | undefined => scripts.get(taskId);
export const scriptWith = (id: ThreadId): Script | undefined =>
  [...scripts.values()].find((script) => script.id === id);
