/**
 * `l3kernel/make-synchronized`: the surface of make-synchronized 0.8 on the kernel. docs/migrating/make-synchronized.md
 * says what differs.
 */
import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { isServer } from './server-mark.ts';
import { type Synchronizer, synchronizerOf } from './synchronizer.ts';
import { informationOf } from './value.ts';

export type Module = string | { href: string } | { url: string } | { filename: string };
export type AnyFunction = (...args: any[]) => any;
export type SynchronizedFunction<F extends AnyFunction> = (...args: Parameters<F>) => Awaited<ReturnType<F>>;
export type SynchronizedObject<T> = {
  [K in keyof T]: T[K] extends (...args: any[]) => Promise<any> ? SynchronizedFunction<T[K]> : Awaited<T[K]>;
};
export type SynchronizedModule<T> = T extends { default: AnyFunction }
  ? SynchronizedFunction<T['default']> & SynchronizedObject<T>
  : SynchronizedObject<T>;

const RUNNER = new URL('./runner.ts', import.meta.url);

function urlOf(module: Module): string {
  const { href, url, filename } = module as Partial<Record<'href' | 'url' | 'filename', unknown>>;
  if (typeof href === 'string') return href;
  if (typeof url === 'string') return url;
  if (typeof filename === 'string') return pathToFileURL(filename).href;
  if (typeof module !== 'string' || module.startsWith('.')) {
    throw new TypeError(`'module' should be an 'URL', 'import.meta' or an absolute path, got '${inspect(module)}'.`);
  }
  return isAbsolute(module) ? pathToFileURL(module).href : module;
}

const ofModule = (module: Module): Synchronizer => synchronizerOf({ url: urlOf(module) }, RUNNER);

/** Of a function or its text, which runs in the worker without anything around it. */
export function makeInlineFunctionSynchronized<F extends AnyFunction = AnyFunction>(
  implementation: F | string,
): SynchronizedFunction<F> {
  const synchronizer = synchronizerOf({ code: String(implementation) }, RUNNER);
  synchronizer.learn(['default'], { type: 'function' });
  return synchronizer.get(['default']) as SynchronizedFunction<F>;
}

/** For an export of the calling module, which must have the name of `specifier`. */
export function makeSynchronizedFunction<F extends AnyFunction>(
  module: Module,
  implementation: F,
  specifier: string | readonly string[] = 'default',
): SynchronizedFunction<F> {
  if (isServer()) return implementation as SynchronizedFunction<F>;
  const path = typeof specifier === 'string' ? [specifier] : specifier;
  const synchronizer = ofModule(module);
  synchronizer.learn(path, informationOf(implementation));
  return synchronizer.get(path) as SynchronizedFunction<F>;
}

/** For exports of the calling module, which must have the names of the object's properties. */
export function makeSynchronizedFunctions<T extends object>(module: Module, implementation: T): SynchronizedObject<T> {
  if (isServer()) return implementation as SynchronizedObject<T>;
  const synchronizer = ofModule(module);
  return new Proxy(implementation, {
    get: (target, name) =>
      typeof target[name as keyof T] === 'function' ? synchronizer.get([name as string]) : target[name as keyof T],
  }) as SynchronizedObject<T>;
}

export const makeDefaultExportSynchronized = <T extends { default: AnyFunction }>(
  module: Module,
): SynchronizedFunction<T['default']> => ofModule(module).get(['default']) as SynchronizedFunction<T['default']>;

export const makeModuleSynchronized = <T = Record<string, any>>(module: Module): SynchronizedObject<T> =>
  ofModule(module).namespace() as SynchronizedObject<T>;

export function makeSynchronized<F extends AnyFunction>(implementation: F): SynchronizedFunction<F>;
export function makeSynchronized<T = Record<string, any>>(module: Module): SynchronizedModule<T>;
export function makeSynchronized<T extends object>(
  module: Module,
  implementation: T,
): T extends AnyFunction ? SynchronizedFunction<T> : SynchronizedObject<T>;
export function makeSynchronized(module: Module | AnyFunction, implementation?: object): unknown {
  if (typeof module === 'function') return makeInlineFunctionSynchronized(module);
  if (typeof implementation === 'function') return makeSynchronizedFunction(module, implementation as AnyFunction);
  if (implementation !== undefined) return makeSynchronizedFunctions(module, implementation);
  const synchronizer = ofModule(module);
  const hasFunction = synchronizer.describe(['default']).type === 'function';
  return hasFunction ? synchronizer.defaultExport() : synchronizer.namespace();
}

export default makeSynchronized;
