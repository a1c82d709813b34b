/**
 * The module of a pool's thread: finds the function that a task names, and calls it.
 */
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import threads from 'node:worker_threads';
import { library } from '../kernel.ts';
import { isThenable, settle } from '../settle.ts';
import { type Slate, SlateWriter } from '../slate.ts';
import { type Symbols, symbolsOf, unpack } from './movable.ts';
import { setThreadState } from './state.ts';

export interface Start {
  readonly slate: Slate;
  readonly family: 'Tinypool' | 'Piscina';
  readonly workerId: number;
  readonly workerData: unknown;
  readonly filename: string | null;
  readonly name: string;
}

type Handler = (task: unknown) => unknown;

const handlers = new Map<string, Handler>();
let symbols: Symbols;

export function open({ slate, family, workerId, workerData, filename, name }: Start): void {
  symbols = symbolsOf(family);
  const last = new SlateWriter(slate);
  process.prependListener('exit', (code) => last.sayExit(code));
  process.on('uncaughtExceptionMonitor', (error) => {
    if (process.listenerCount('uncaughtException') === 0) last.sayError(error);
  });
  setThreadState({ workerId, workerData });
  if (family === 'Tinypool') {
    const state = { isWorkerThread: true, isTinypoolWorker: true, workerData, workerId };
    (process as unknown as { __tinypool_state__: object }).__tinypool_state__ = state;
  }
  (threads as { workerData: unknown }).workerData = family === 'Tinypool' ? [{ workerId }, workerData] : workerData;
  syncBuiltinESMExports();
  // What the module throws is thrown by the tasks that need it.
  if (filename !== null) find(filename, name).catch(() => {});
}

async function find(filename: string, name: string): Promise<Handler> {
  const handler = (await byRequire(filename, name)) ?? (await byImport(filename, name));
  if (handler === undefined) throw new Error(`No handler function "${name}" exported from "${filename}"`);
  handlers.set(`${filename}/${name}`, handler);
  return handler;
}

const named = async (module: unknown, name: string): Promise<Handler | undefined> => {
  const isItself = typeof module === 'function' && name === 'default';
  const handler: unknown = isItself ? module : await (module as Record<string, unknown>)[name];
  return typeof handler === 'function' ? (handler as Handler) : undefined;
};

/** A CommonJS module is its own function, or has it. */
async function byRequire(filename: string, name: string): Promise<Handler | undefined> {
  if (!filename.endsWith('.cjs') && !filename.endsWith('.cts')) return undefined;
  return named(createRequire(filename)(filename), name);
}

async function byImport(filename: string, name: string): Promise<Handler | undefined> {
  const module = (await import(isAbsolute(filename) ? pathToFileURL(filename).href : filename)) as {
    default?: unknown;
  };
  const exports = module.default;
  // What Node could not name of a CommonJS module is in its default export.
  const own = await named(module, name);
  return own ?? (exports === undefined || exports === null ? undefined : named(exports, name));
}

export function call(filename: string, name: string, task: unknown): unknown {
  const handler = handlers.get(`${filename}/${name}`);
  const result = handler === undefined ? find(filename, name).then((found) => found(task)) : settle(handler(task));
  return isThenable(result) ? Promise.resolve(result).then(finish) : finish(result);
}

/** What is marked is transferred; what was printed is on its way before the result is. */
function finish(result: unknown): unknown {
  const { value, transfers } = unpack(symbols, result);
  for (const item of transfers) if (item instanceof ArrayBuffer) library().move(item);
  const unwritten = [process.stdout, process.stderr].filter((stream) => stream.writableLength > 0);
  if (unwritten.length === 0) return value;
  return Promise.all(unwritten.map((stream) => new Promise((resolve) => stream.write('', resolve)))).then(() => value);
}

export const heapUsed = (): number => process.memoryUsage().heapUsed;
