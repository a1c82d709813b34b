/**
 * The module of a make-synchronized worker: imports the user's module, or makes one of an inline function, and answers
 * what the host asks of it.
 */
import { resolve } from 'node:path';
import { constants, Script } from 'node:vm';
import type { Chunk } from '../output.ts';
import { Served } from '../served.ts';
import type { Slate } from '../slate.ts';
import { markServer } from './server-mark.ts';
import { type Information, informationOf, type Path } from './value.ts';

export type Source = { readonly url: string } | { readonly code: string };
export type Action = 'apply' | 'get' | 'ownKeys' | 'describe';

export interface Start {
  readonly slate: Slate;
  readonly source: Source;
}

let served: Served | null = null;
let loading: Promise<unknown> = Promise.resolve();
let module: { readonly exports: unknown } | null = null;

/** Loads the module. What it throws is thrown by the calls. */
export function open({ slate, source }: Start): void {
  if (served !== null) return;
  const now = (served = new Served(
    slate,
    () => new Error('Worker exited with code 0: its module waits for a promise that nothing can settle any more'),
  ));
  markServer();
  loading = load(source);
  loading.then(
    (exports) => {
      module = { exports };
      now.begin();
    },
    () => {},
  );
}

async function load(source: Source): Promise<unknown> {
  if ('url' in source) return import(source.url);
  const options = {
    filename: resolve('[inline function]'),
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  };
  hideWarning();
  return new Script(`'use strict'; ({ default: ${source.code}\n})`, options).runInThisContext() as unknown;
}

/** Only with this loader is `import()` in the text as in a file; that it is an experiment is nothing to the user. */
function hideWarning(): void {
  const emitWarning = process.emitWarning.bind(process) as (...args: unknown[]) => void;
  process.emitWarning = (warning: Error | string, ...rest: unknown[]): void => {
    if (!String(warning).includes('USE_MAIN_CONTEXT_DEFAULT_LOADER')) emitWarning(warning, ...rest);
  };
}

export function call(action: Action, path: Path, args: readonly unknown[]): unknown {
  return served!.run(() => {
    const loaded = module;
    if (loaded !== null) return noteExitCode(answer(loaded.exports, action, path, args));
    return loading.then((exports) => answer(exports, action, path, args)).finally(noteExitCode);
  });
}

function answer(exports: unknown, action: Action, path: Path, args: readonly unknown[]): unknown {
  let receiver: unknown;
  let value = exports;
  for (const name of path) {
    receiver = value;
    value = Reflect.get(value as object, name, value) as unknown;
  }
  switch (action) {
    case 'get':
      return value;
    case 'apply':
      return Reflect.apply(value as () => unknown, receiver, args);
    case 'ownKeys':
      return Reflect.ownKeys(value as object).filter((key) => typeof key !== 'symbol');
    case 'describe':
      return informationOf(value) satisfies Information;
  }
}

/** A worker whose code has set an exit code is done with: it answers once more, and is replaced. */
function noteExitCode<T>(result?: T): T | undefined {
  const { exitCode } = process;
  if (typeof exitCode === 'number' && exitCode !== 0) served!.sayExit(exitCode);
  return result;
}

export const takeOutput = (): Chunk[] => served!.output.take();
