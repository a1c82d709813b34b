/**
 * A new thread or process inherits the cores that its maker may run on at that moment. `beforeSpawn` has something done
 * before this agent makes one. It replaces functions of `node:child_process` and `node:worker_threads`, and so must be
 * called before code that keeps references to them is loaded.
 */
import { syncBuiltinESMExports } from 'node:module';
import threads from 'node:worker_threads';

type AnyFunction = (...args: unknown[]) => unknown;

/** All asynchronous ways lead through the method; the synchronous ones share nothing that is public. */
const SYNCHRONOUS = ['spawnSync', 'execSync', 'execFileSync'] as const;

function guard(holder: object, name: string, action: () => void): void {
  const functions = holder as Record<string, AnyFunction>;
  const original = functions[name]!;
  functions[name] = new Proxy(original, {
    apply(target, self, args: unknown[]) {
      action();
      return Reflect.apply(target, self, args);
    },
    construct(target, args: unknown[], made) {
      action();
      return Reflect.construct(target, args, made) as object;
    },
  });
}

export function beforeSpawn(action: () => void): void {
  // Not imported: few agents call this, and every worker would load it.
  const childProcess = process.getBuiltinModule('node:child_process');
  guard(childProcess.ChildProcess.prototype, 'spawn', action);
  for (const name of SYNCHRONOUS) guard(childProcess, name, action);
  guard(threads, 'Worker', action);
  syncBuiltinESMExports();
}
