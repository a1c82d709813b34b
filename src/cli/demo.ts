/**
 * `l3 demo`: the system at work, in some seconds and without a file of the user's. Each step is a call that one would
 * make, what came of it, and how long it took here. The tasks' modules are texts.
 *
 * The times are those of this machine at this moment, with `postMessage` measured beside ours, by turns; they are no
 * benchmark: `l3 bench` is.
 */
import { once } from 'node:events';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { performance } from 'node:perf_hooks';
import { styleText } from 'node:util';
import { Worker } from 'node:worker_threads';
import { boot, type System, type Task } from '../index.ts';
import { endWithReader } from './inspected.ts';

const USAGE = `Usage: l3 demo

  Shows the system at work in some seconds: calls of a worker beside postMessage, tasks that die and
  hang, a callback, WebAssembly. It needs no file and leaves none.
`;

const PARSER = `
export const add = (a, b) => a + b;
export const exit = (code) => process.exit(code);
export const hang = () => { for (;;); };
export const pick = (rows, wanted) => rows.filter((row) => wanted(row));
`;

const ECHO = `
const { parentPort } = require('node:worker_threads');
parentPort.on('message', ([a, b]) => parentPort.postMessage(a + b));
`;

/**
 * (module
 *   (func (export "add") (param f64 f64) (result f64) local.get 0 local.get 1 f64.add)
 *   (func (export "spin") (loop br 0)))
 */
const WASM = 'AGFzbQEAAAABCgJgAnx8AXxgAAADAwIAAQcOAgNhZGQAAARzcGluAAEKEQIHACAAIAGgCwcAA0AMAAsL';

interface Parser {
  add(a: number, b: number): number;
  exit(code: number): never;
  hang(): never;
  pick<T>(rows: T[], wanted: (row: T) => boolean): T[];
}

interface Stranger {
  add(a: number, b: number): number;
  spin(): void;
}

const PARSER_URL = new URL(`data:text/javascript,${encodeURIComponent(PARSER)}`);
const WASM_URL = new URL(`data:application/wasm;base64,${WASM}`);

const ROUNDS = 9;
const BLOCK_ms = 40;
const TIMEOUT_ms = 100;
/** Of the calls as they are written. */
const WIDTH = 42;

const say = (line = ''): void => void process.stdout.write(`${line}\n`);
const head = (line: string): void => say(`\n${styleText('bold', line)}`);
const shown = (what: string, came: string): void => say(`  ${what.padEnd(WIDTH)} ${came}`);
const ms = (time_ms: number): string => `after ${time_ms < 10 ? time_ms.toFixed(1) : time_ms.toFixed(0)} ms`;
const us = (time_ms: number): string => `${(time_ms * 1000).toFixed(time_ms < 0.01 ? 1 : 0)} µs`;
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** What a call throws, and when. Throws itself when it does not. */
async function failure(run: () => unknown): Promise<string> {
  const began_ms = performance.now();
  try {
    await run();
  } catch (error) {
    const { code = '', message } = error as { code?: string; message: string };
    return `${code}, ${ms(performance.now() - began_ms)}\n  ${' '.repeat(WIDTH)} ${message}`;
  }
  throw new Error('the call was to fail');
}

/** Milliseconds of a call in one block of calls. */
async function timed(once: () => unknown): Promise<number> {
  const began_ms = performance.now();
  let calls = 0;
  let time_ms = 0;
  for (; time_ms < BLOCK_ms; time_ms = performance.now() - began_ms) {
    for (let i = 0; i < 8; i++) await once();
    calls += 8;
  }
  return time_ms / calls;
}

/** The same without a turn of the event loop between. */
function timedSync(once: () => unknown): number {
  const began_ms = performance.now();
  let calls = 0;
  let time_ms = 0;
  for (; time_ms < BLOCK_ms; time_ms = performance.now() - began_ms) {
    for (let i = 0; i < 8; i++) once();
    calls += 8;
  }
  return time_ms / calls;
}

async function showPrice(task: Task<Parser>): Promise<void> {
  head('A call to a worker, beside a message there and one back');
  const worker = new Worker(ECHO, { eval: true, execArgv: [] });
  await once(worker, 'online');
  const post = async (): Promise<unknown> => {
    worker.postMessage([1, 2]);
    return once(worker, 'message');
  };
  const ways = [
    ['task.sync.add(1, 2)', () => timedSync(() => task.sync.add(1, 2))],
    ['await task.async.add(1, 2)', () => timed(() => task.async.add(1, 2))],
    ['postMessage, await the message', () => timed(post)],
  ] as const;
  const times = ways.map((): number[] => []);
  // The first is not counted.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [i, [, run]] of ways.entries()) {
      const time_ms = await run();
      if (round > 0) times[i]!.push(time_ms);
    }
  }
  for (const [i, [name]] of ways.entries()) {
    const all = times[i]!;
    shown(name, `${us(median(all))}, at best ${us(Math.min(...all))}`);
  }
  await worker.terminate();
  if (availableParallelism() === 1) say('  On one core nobody can spin: each call is two wakeups.');
  else if (loadavg()[0]! > availableParallelism()) {
    say('  More threads are busy here than there are cores: calls without a core for each side are two wakeups.');
  }
}

async function showEnds(system: System): Promise<void> {
  head('A task that dies in a call, and one that never answers');
  const mortal = await system.spawn<Parser>(PARSER_URL, { name: 'mortal', restart: 'on-failure' });
  shown('task.sync.exit(3)', await failure(() => mortal.sync.exit(3)));
  shown('task.sync.add(1, 2)', `${mortal.sync.add(1, 2)}: it was started again`);
  const hanging = await system.spawn<Parser>(PARSER_URL, { name: 'hanging', onTimeout: 'kill' });
  const quick = hanging.with({ timeout: TIMEOUT_ms });
  shown(`task.with({ timeout: ${TIMEOUT_ms} }).sync.hang()`, await failure(() => quick.sync.hang()));
  shown('task.sync.add(1, 2)', `${hanging.sync.add(1, 2)}: another one has its place`);
}

function showCallback(task: Task<Parser>): void {
  head('A function as an argument: it runs here, while this thread is blocked in the call');
  let asked = 0;
  const odd = task.sync.pick([1, 2, 3, 4, 5], (row) => {
    asked++;
    return row % 2 === 1;
  });
  shown('task.sync.pick(rows, isOdd)', `[${odd.join(', ')}], asked ${asked} times`);
}

async function showStranger(system: System): Promise<void> {
  head("A stranger's WebAssembly: its own memory, and time that is limited");
  const options = { kind: 'wasm', name: 'stranger', limits: { time: TIMEOUT_ms } } as const;
  const stranger = await system.spawn<Stranger>(WASM_URL, options);
  shown('task.sync.add(1, 2)', String(stranger.sync.add(1, 2)));
  shown(`task.sync.spin(), limits.time ${TIMEOUT_ms}`, await failure(() => stranger.sync.spin()));
}

/** Runs the command; the result is the exit code: 1 when something went otherwise than it should. */
export async function demo(words: readonly string[]): Promise<number> {
  if (words.length > 0) {
    process.stderr.write(USAGE);
    return 2;
  }
  endWithReader();
  const cores = availableParallelism();
  say(
    `Node ${process.versions.node}, ${cpus()[0]?.model.trim() ?? process.arch}, ${cores} core${cores === 1 ? '' : 's'}`,
  );
  const system = await boot({ log: false });
  try {
    const task = await system.spawn<Parser>(PARSER_URL, { name: 'parser' });
    await showPrice(task);
    await showEnds(system);
    showCallback(task);
    await showStranger(system);
    say('\nIn the repository: CAVEATS.md says what the walls do not keep out, docs/benchmarks.md has careful figures.');
    return 0;
  } catch (error) {
    process.stderr.write(`l3 demo: ${(error as Error).stack ?? String(error)}\n`);
    return 1;
  } finally {
    await system.shutdown();
  }
}
