/**
 * `here`: the task that this code runs in, and the functions that its spawner granted it.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { peek } from '#atomics';
import { NEVER } from '../layout/message.ts';
import { INDEX_MASK } from '../layout/params.ts';
import { TASK_CHIEF, TASK_SERVER, taskAt } from '../layout/task.ts';
import { TCB_TASK, type ThreadId } from '../layout/tcb.ts';
import { agent, isAttached } from '../user/agent.ts';
import { makeTarget, plainOptions } from '../rpc/call.ts';
import { IpcError } from '../rpc/ipc-error.ts';
import {
  type AnyFunction,
  callAcross,
  callAcrossLater,
  currentSender,
  currentSignal,
  METHOD_HOST,
  tableOf,
} from '../rpc/serve.ts';
import { makeStubs, remoteCallers } from '../rpc/stub.ts';
import type { Here, Stubs } from '../rpc/types.ts';

let hostNames: readonly string[] = [];
let hostStubs: Stubs | null = null;
/** Timeout of calls made by this agent, unless they say otherwise. */
export let defaultTimeout_ms: number = NEVER;

export const setDefaultTimeout = (timeout_ms: number): void => {
  defaultTimeout_ms = timeout_ms;
};

export const setHost = (names: readonly string[]): void => {
  hostNames = names;
};

const chiefTask = (): number => peek(agent.task + TASK_CHIEF);

function attached(): void {
  if (!isAttached()) throw new IpcError('ERR_IPC_NO_SUCH_THREAD', 'this thread belongs to no system; boot() one first');
}

function makeHost(): Stubs {
  attached();
  const chief = chiefTask();
  const server = chief === 0 ? 0 : peek(taskAt(chief & INDEX_MASK) + TASK_SERVER);
  const target = makeTarget(server as ThreadId, chief, 'host');
  const exported = { names: hostNames, streams: [] };
  return makeStubs(target, exported, plainOptions(defaultTimeout_ms), remoteCallers, METHOD_HOST);
}

/** Host functions of local tasks, by task index. */
const localHosts = new Map<number, Stubs>();
/** In which local task code runs after an `await`; made for the first one that was granted functions. */
let localTask: AsyncLocalStorage<number> | null = null;

/** States the functions that a local task may call; null takes them away. */
export function setLocalHost(task: number, host: Record<string, AnyFunction> | null): void {
  if (host === null) {
    localHosts.delete(task & INDEX_MASK);
    return;
  }
  const names = tableOf(host).names;
  const functions = names.map((name) => callAcross(host[name]!, agent.caller));
  const target = makeTarget(0 as ThreadId, task, 'host');
  const invoke = (method: number, args: readonly unknown[]): unknown => functions[method]!(...args);
  localHosts.set(
    task & INDEX_MASK,
    makeStubs(
      target,
      { names, streams: [] },
      plainOptions(NEVER),
      {
        sync: (_target, method, _name, _options, args) => invoke(method, args),
        async: (_target, method, _name, _options, args) => callAcrossLater(host[names[method]!]!, args),
      },
      0,
      null,
    ),
  );
}

/** Runs code of a local task that was granted functions: `here.host` finds them after an `await` too. */
export function asTask<T>(task: number, run: () => T): T {
  localTask ??= new AsyncLocalStorage();
  return localTask.run(task, run);
}

/** The task whose code runs: a local one in its handlers, else the agent's own. */
function runningTask(): number {
  const current = peek(agent.current + TCB_TASK);
  return current === agent.taskId ? (localTask?.getStore() ?? current) : current;
}

export const here: Here = {
  get id() {
    attached();
    return peek(taskAt(runningTask() & INDEX_MASK) + TASK_SERVER) as ThreadId;
  },
  get chief() {
    attached();
    const chief = peek(taskAt(runningTask() & INDEX_MASK) + TASK_CHIEF);
    return chief === 0 ? undefined : (peek(taskAt(chief & INDEX_MASK) + TASK_SERVER) as ThreadId);
  },
  get sender() {
    return currentSender();
  },
  get signal() {
    return currentSignal();
  },
  get host() {
    const granted = localHosts.size === 0 ? undefined : localHosts.get(runningTask() & INDEX_MASK);
    return granted ?? (hostStubs ??= makeHost());
  },
  get self() {
    return here;
  },
};
