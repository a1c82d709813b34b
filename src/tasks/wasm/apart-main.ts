/** What a worker does whose module is a wasm module: see apart.ts. */
import type { AnyFunction } from '../../rpc/types.ts';
import { here } from '../here.ts';
import { bootSync } from '../system.ts';
import { isWasm, statedIn } from './apart.ts';
import { setImmediate } from '../../platform/timers.ts';

/** The exports of a task's module. */
export async function importModule(href: string): Promise<Record<string, unknown>> {
  const url = new URL(href);
  if (!isWasm(url)) return (await import(href)) as Record<string, unknown>;
  // Not on this stack: the agent is still being put together by who loads us.
  await Promise.resolve();
  return spawnHere(url);
}

function spawnHere(url: URL): Record<string, unknown> {
  const { memory, wasi, granted } = statedIn(url);
  const imports: Record<string, Record<string, AnyFunction>> = {};
  for (const name of granted) {
    const at = name.indexOf('.');
    const functions = (imports[name.slice(0, at)] ??= {});
    functions[name.slice(at + 1)] = (...args) => here.host.sync[name](...args);
  }
  const bare = new URL(url);
  bare.hash = '';
  const task = bootSync().spawnSync(bare, { kind: 'wasm', memory, wasi, imports });
  // Its end is the worker's, as an error that nobody catches would be; the call that it ended by is answered first.
  void task.exited.then(({ reason }) => {
    setImmediate(() => {
      throw new Error(reason);
    });
  });
  return { ...task.sync };
}
