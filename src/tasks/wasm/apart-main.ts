/** What a worker does whose module is a wasm module or a sandbox: see apart.ts. */
import { poke } from '#atomics';
import { loadSandboxes } from '#sandbox';
import type { AnyFunction, ConsoleLevel, SpawnOptions, Task } from '../../rpc/types.ts';
import { serveNoMore } from '../../rpc/server.ts';
import { TASK_ENTERED_ONCE } from '../../layout/task.ts';
import type { ThreadId } from '../../layout/tcb.ts';
import { agent } from '../../user/agent.ts';
import { nameOf } from '../../user/names.ts';
import { here } from '../here.ts';
import { bootSync, LABEL } from '../system.ts';
import { isWasm, LOAD, PRINT, type Sandbox, sandboxIn, statedIn } from './apart.ts';
import { setImmediate } from '../../platform/timers.ts';
import { filesServerAt } from './files-server.ts';
import { isGoing } from './life.ts';

/** The exports of a task's module. */
export async function importModule(href: string): Promise<Record<string, unknown>> {
  const url = new URL(href);
  const files = filesServerAt(url);
  if (files !== null) return files;
  const sandbox = sandboxIn(url);
  if (sandbox === null && !isWasm(url)) return (await import(href)) as Record<string, unknown>;
  // Not on this stack: the agent is still being put together by who loads us.
  await Promise.resolve();
  return sandbox === null ? spawnHere(url) : spawnSandbox(url, sandbox);
}

function spawnHere(url: URL): Record<string, unknown> {
  const { memory, limits, wasi, granted } = statedIn(url);
  poke(agent.task + TASK_ENTERED_ONCE, 1);
  const imports: Record<string, Record<string, AnyFunction>> = {};
  for (const name of granted) {
    const at = name.indexOf('.');
    const functions = (imports[name.slice(0, at)] ??= {});
    functions[name.slice(at + 1)] = (...args) => here.host.sync[name](...args);
  }
  const task = bootSync().spawnSync(bare(url), labelled({ kind: 'wasm', memory, limits, wasi, imports }));
  endWith(task);
  return lastOf(task.id as ThreadId, { ...task.sync }, isGoing);
}

/** Functions of the host that are asynchronous give the guest a promise; the worker's loop lives meanwhile. */
function spawnSandbox(url: URL, { host, modules, console: to, ...rest }: Sandbox): Record<string, unknown> {
  const functions: Record<string, AnyFunction> = {};
  for (const [name, isAsync] of host) {
    functions[name] = (...args) => (isAsync ? here.host.async : here.host.sync)[name](...args);
  }
  const options: SpawnOptions = {
    ...rest,
    engine: 'quickjs',
    host: functions,
    modules: modules === 'asked' ? (...asked) => here.host.sync[LOAD](...asked) as string : modules,
    console: to === 'asked' ? (level: ConsoleLevel, text) => void here.host.sync[PRINT](level, text) : to,
  };
  const task = bootSync().spawnSync(bare(url), labelled(options));
  endWith(task);
  const { functionsOf, isGoing: isScriptGoing } = loadSandboxes();
  return lastOf(task.id as ThreadId, functionsOf(task.id), isScriptGoing);
}

/** Errors and lists are to say the name that the spawner gave. */
const labelled = (options: SpawnOptions): SpawnOptions => Object.assign(options, { [LABEL]: nameOf(agent.task) });

/** The functions of a task, of which a call by which it ends is the worker's last: the next are the next worker's. */
function lastOf(
  id: ThreadId,
  functions: Record<string, AnyFunction>,
  isGone: (id: ThreadId) => boolean,
): Record<string, AnyFunction> {
  const last =
    (fn: AnyFunction): AnyFunction =>
    (...args: unknown[]) => {
      try {
        return fn(...args);
      } finally {
        if (isGone(id)) serveNoMore();
      }
    };
  return Object.fromEntries(Object.entries(functions).map(([name, fn]) => [name, last(fn)]));
}

function bare(url: URL): URL {
  const plain = new URL(url);
  plain.hash = '';
  return plain;
}

function endWith(task: Task): void {
  // Its end is the worker's, as an error that nobody catches would be; the call that it ended by is answered first.
  void task.exited.then(({ reason }) => {
    serveNoMore();
    setImmediate(() => {
      throw new Error(reason);
    });
  });
}
