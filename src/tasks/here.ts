/**
 * `here`: the task that this code runs in, and the functions that its spawner granted it.
 */
import { peek } from '#atomics';
import { NEVER } from '../layout/message.ts';
import { INDEX_MASK } from '../layout/params.ts';
import { TASK_CHIEF, TASK_SERVER, taskAt } from '../layout/task.ts';
import type { ThreadId } from '../layout/tcb.ts';
import { agent, idOf, isAttached } from '../user/agent.ts';
import { callAsync, callSync, makeTarget } from '../rpc/call.ts';
import { IpcError } from '../rpc/ipc-error.ts';
import { currentSender, currentSignal, METHOD_HOST } from '../rpc/serve.ts';
import { makeStubs } from '../rpc/stub.ts';
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
  const options = { timeout_ms: defaultTimeout_ms, signal: undefined };
  return makeStubs(target, hostNames, options, { sync: callSync, async: callAsync }, METHOD_HOST);
}

export const here: Here = {
  get id() {
    attached();
    return idOf(agent.server);
  },
  get chief() {
    attached();
    const chief = chiefTask();
    return chief === 0 ? undefined : (peek(taskAt(chief & INDEX_MASK) + TASK_SERVER) as ThreadId);
  },
  get sender() {
    return currentSender();
  },
  get signal() {
    return currentSignal();
  },
  get host() {
    hostStubs ??= makeHost();
    return hostStubs;
  },
  get self() {
    return here;
  },
};
