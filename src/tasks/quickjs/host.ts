/**
 * Sandboxes: JavaScript that nobody vouches for, in QuickJS compiled to wasm, in the agent that spawns it. Tasks of the
 * kind `wasm`, behind the interface of every kind. The engine is found and compiled when the first is spawned.
 */
import { METHOD_DESCRIBE, METHOD_FIRST } from '../../rpc/serve.ts';
import { NEVER, PEER_GONE } from '../../layout/message.ts';
import { failure } from '../../rpc/failure.ts';
import { IpcError } from '../../rpc/ipc-error.ts';
import { shown } from '../../rpc/shown.ts';
import { type Caller, type Callers, makeStubsFrom } from '../../rpc/stub.ts';
import type { HostedTask, Start, TaskHost } from '../host.ts';
import type { ThreadId } from '../../layout/tcb.ts';
import { plainOptions } from '../../rpc/call.ts';
import { callAsync, callEither, callSync, stubsFor } from './call.ts';
import { abandonRecords } from '../wasm/lives.ts';
import { begin, end, endScripts, scriptOf, scriptWith } from './life.ts';
import { boundsOf } from './limits.ts';
import { type AnyFunction, isGone, type Script, timeoutOf } from './script.ts';

const OTHERS = ['args', 'env', 'resourceLimits', 'execArgv', 'concurrency', 'imports', 'wasi'] as const;

function startSync(start: Start): HostedTask {
  try {
    checkOptions(start);
  } catch (error) {
    abandonRecords(start);
    throw error;
  }
  try {
    return hostedTask(begin(start));
  } catch (error) {
    abandonRecords(start);
    throw failed(start, error);
  }
}

function failed({ name }: Start, error: unknown): IpcError {
  if (error instanceof IpcError && error.code === 'ERR_IPC_SPAWN_FAILED') return error;
  const why = error instanceof Error ? `${error.name}: ${error.message}${placeOf(error)}` : String(error);
  return new IpcError('ERR_IPC_SPAWN_FAILED', `task '${name}' did not start: ${why}`, {
    phase: 'spawn',
    task: name,
    cause: error,
  });
}

/** The first place of the script's that a stack names. */
function placeOf({ stack }: Error): string {
  const place = /^ +at (?:.*\()?([^()\n]+:\d+:\d+)\)?$/m.exec(stack ?? '')?.[1];
  return place === undefined || /^(?:node:|file:|\/)/.test(place) ? '' : ` (${place})`;
}

function checkOptions({ options }: Start): void {
  for (const name of OTHERS) {
    if (options[name] !== undefined) throw new TypeError(`a sandbox has no option '${name}'`);
  }
  const { modules, console, thread } = options;
  if (thread === 'jspi') throw new TypeError("a sandbox has no thread: 'jspi'; it may be 'passive' or 'worker'");
  if (modules !== undefined && typeof modules !== 'function' && (typeof modules !== 'object' || modules === null)) {
    throw new TypeError('modules must be an object of texts by name, or a function that gives them');
  }
  for (const [name, text] of typeof modules === 'object' ? Object.entries(modules) : []) {
    if (typeof text !== 'string') throw new TypeError(`modules: '${name}' is ${shown(text)}; it must be a text`);
  }
  if (console !== undefined && console !== 'inherit' && console !== 'ignore' && typeof console !== 'function') {
    throw new TypeError(`console is ${String(console)}; it must be 'inherit', 'ignore' or a function`);
  }
  boundsOf(options);
}

function hostedTask(script: Script): HostedTask {
  const { taskId, target, names, exited } = script;
  return {
    kind: 'wasm',
    taskId,
    target,
    exports: { names, streams: [] },
    exited,
    isAlive: () => script.ended === null,
    kill: () => {
      end(script, { code: 1, reason: 'killed' });
      return Promise.resolve();
    },
    stubs: (options) => makeStubsFrom(target, names, (name) => stubsFor(script, name, options)),
  };
}

/** Whether a task is a sandbox of this agent. */
export const isScript = (taskId: number): boolean => scriptOf(taskId) !== undefined;

/** Whether the sandbox with this thread has ended, or is about to. */
export function isGoing(id: ThreadId): boolean {
  const script = scriptWith(id);
  return script === undefined || isGone(script);
}

/** The exports of the sandbox with this thread, for its agent's own task to export again: see wasm/apart-main.ts. */
export function functionsOf(id: ThreadId): Record<string, AnyFunction> {
  const script = scriptWith(id)!;
  const options = plainOptions(timeoutOf(script.start));
  return Object.fromEntries(
    script.names.map((name) => [name, (...args: unknown[]) => callEither(script, name, options, args)]),
  );
}

/** The callers of a task that was found by its name. */
const found =
  (call: typeof callSync): Caller =>
  (target, method, name, options, args) => {
    const script = scriptOf(target.taskId);
    if (script === undefined) {
      const { taskId } = target;
      throw failure(PEER_GONE, { task: target.name, taskId, method: name, timeout_ms: NEVER, began_ms: NEVER });
    }
    if (method === METHOD_DESCRIBE) return { names: [...script.names], streams: [] };
    return call(script, script.names[method - METHOD_FIRST]!, options, args);
  };

export const scriptCallers: Callers = { sync: found(callSync), async: found(callAsync) };

export const scriptHost: TaskHost = {
  start(begun) {
    const hosted = startSync(begun);
    return { hosted: Promise.resolve(hosted), wait: () => hosted };
  },
  startSync,
};

export { endScripts };
