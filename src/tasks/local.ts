/**
 * Tasks in the agent that spawns them: nothing is protected, everything behaves as in the other kinds, and a call is
 * nearly free. A passive thread serves the task on its caller's stack. Values are copied as everywhere, so that a
 * program that works with local tasks works with workers.
 *
 * A `.sync` call of an asynchronous handler could never be answered, for the caller blocks the very loop that would
 * settle its promise: it is refused.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { peek, registers } from '#atomics';
import { callPassive, endBody, startPassive } from '../kernel/dispatch.ts';
import { freeThreads, repairTask } from '../kernel/fault.ts';
import { freeTask } from '../kernel/tcb.ts';
import { incoming, outgoing } from '../kernel/transfer.ts';
import {
  CALL,
  ERROR,
  NEVER,
  OK,
  R_SENDER,
  R_TAG,
  REPLY,
  TAG_KIND,
  TAG_METHOD_SHIFT,
  TAG_STRINGS,
} from '../layout/message.ts';
import { INDEX_MASK } from '../layout/params.ts';
import { TASK_ALIVE, TASK_STATE, taskAt } from '../layout/task.ts';
import { TCB_ID, TCB_TASK, tcbOf } from '../layout/tcb.ts';
import { store } from '../platform/atomics.ts';
import { agent } from '../user/agent.ts';
import { joinStacks } from '../rpc/errors-codec.ts';
import { type Calling, failure, putThrown, sendError, takeThrown } from '../rpc/failure.ts';
import { IpcError } from '../rpc/ipc-error.ts';
import { functionsPut, putArguments, putResult, takeResult } from '../rpc/payload.ts';
import { grantHost, removeLocalExports, serve, serveLocally, setLocalExports, tableOf } from '../rpc/serve.ts';
import { type Caller, makeStubs } from '../rpc/stub.ts';
import { makeTarget, type Options, type Target } from '../rpc/call.ts';
import type { TaskExit } from '../rpc/types.ts';
import type { HostedTask, Start, TaskHost } from './host.ts';

/** The promise that the handler of the call under way has given, when it is asynchronous. */
let given: PromiseLike<unknown> | null = null;

const callingOf = (target: Target, method: string): Calling => ({
  task: target.name,
  taskId: target.taskId,
  method,
  timeout_ms: NEVER,
});

/** Calls the passive thread of a local task; the answer's tag is in the registers afterwards. */
function callHere(target: Target, method: number, name: string, args: readonly unknown[]): Calling {
  const calling = callingOf(target, name);
  let tag: number;
  try {
    tag = CALL | (method << TAG_METHOD_SHIFT) | putArguments(args, target.taskId);
  } catch (error) {
    throw sendError(error, calling);
  }
  // The stream of the arguments is read where it was written: nothing else is encoded before it is decoded.
  if ((tag & TAG_STRINGS) !== 0) incoming[0] = outgoing[0]!;
  given = null;
  const self = agent.current;
  const code = callPassive(self, target.id, tag);
  if (code !== OK) throw failure(code, calling, self);
  return calling;
}

/** The answer in the registers. */
function takeAnswer(calling: Calling): unknown {
  const self = agent.current;
  const tag = registers[R_TAG]!;
  if ((tag & TAG_STRINGS) !== 0) incoming[0] = outgoing[0]!;
  if ((tag & TAG_KIND) !== ERROR) return takeResult(self, tag);
  const here: { stack?: string } = {};
  Error.captureStackTrace(here, takeAnswer);
  throw joinStacks(takeThrown(self, tag), `${calling.task}.${calling.method}`, here.stack ?? '');
}

const callSync: Caller = (target, method, name, options, args) => {
  checkSignal(target, name, options);
  const calling = callHere(target, method, name, args);
  if (given === null) return takeAnswer(calling);
  given = null;
  throw new IpcError(
    'ERR_IPC_DEADLOCK',
    `${target.name}.${name}(): the handler gave a promise, which a .sync caller in the same thread keeps from settling; use .async`,
    { task: target.name, method: name },
  );
};

const callAsync: Caller = async (target, method, name, options, args) => {
  checkSignal(target, name, options);
  const calling = callHere(target, method, name, args);
  if (given === null) return takeAnswer(calling);
  const promise = given;
  given = null;
  let tag: number;
  try {
    tag = REPLY | putResult(await promise, agent.taskId);
  } catch (error) {
    tag = putThrown(error, agent.taskId);
  }
  registers[R_TAG] = tag;
  return takeAnswer(calling);
};

function checkSignal(target: Target, name: string, { signal }: Options): void {
  if (signal === undefined || !signal.aborted) return;
  throw new IpcError('ERR_IPC_ABORTED', `${target.name}.${name}(): aborted by its signal`, { cause: signal.reason });
}

export const localCallers = { sync: callSync, async: callAsync };

function finishStart({ taskId, server, name, options }: Start, exports: Record<string, unknown>): HostedTask {
  const table = tableOf(exports);
  const task = taskAt(taskId & INDEX_MASK);
  const tcb = tcbOf(server);
  setLocalExports(taskId, table);
  if (options.host !== undefined) grantHost(taskId, options.host as Record<string, unknown>);
  startPassive(tcb, () => {
    const isOurs = peek(tcbOf(registers[R_SENDER]!) + TCB_TASK) === agent.taskId;
    if (!isOurs) return serve(tcb, null, false);
    const callbacks = functionsPut;
    const outcome = serveLocally(tcb, callbacks);
    if (typeof outcome === 'number') return outcome;
    given = outcome;
    return REPLY;
  });
  store(task + TASK_STATE, TASK_ALIVE);
  const target = makeTarget(server, taskId, name);
  let alive = true;
  let exit: (exit: TaskExit) => void;
  const exited = new Promise<TaskExit>((resolve) => {
    exit = resolve;
  });
  return {
    kind: 'local',
    taskId,
    target,
    names: table.names,
    exited,
    isAlive: () => alive,
    kill: () => {
      if (alive) {
        alive = false;
        endLocal(taskId);
        exit({ code: 1, reason: 'killed' });
      }
      return Promise.resolve();
    },
    stubs: (names, stubOptions) => makeStubs(target, names, stubOptions, localCallers),
  };
}

function endLocal(taskId: number): void {
  const task = taskAt(taskId & INDEX_MASK);
  const holder = peek(agent.caller + TCB_ID) & INDEX_MASK;
  removeLocalExports(taskId);
  repairTask(task, holder);
  freeThreads(task, holder);
  freeTask(task);
}

const failed = (start: Start, error: unknown): IpcError => {
  endLocal(start.taskId);
  endBody(tcbOf(start.server));
  return new IpcError(
    'ERR_IPC_SPAWN_FAILED',
    `task '${start.name}' did not start: ${String((error as Error).message)}`,
    {
      phase: 'spawn',
      task: start.name,
      cause: error,
    },
  );
};

async function start(begun: Start): Promise<HostedTask> {
  let exports: Record<string, unknown>;
  try {
    exports = (await import(begun.url.href)) as Record<string, unknown>;
  } catch (error) {
    throw failed(begun, error);
  }
  return finishStart(begun, exports);
}

function startSync(begun: Start): HostedTask {
  let exports: Record<string, unknown>;
  try {
    const path = fileURLToPath(begun.url);
    exports = createRequire(path)(path) as Record<string, unknown>;
  } catch (error) {
    throw failed(begun, error);
  }
  return finishStart(begun, exports);
}

export const localHost: TaskHost = { start, startSync };
