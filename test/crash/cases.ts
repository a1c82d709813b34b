/**
 * Deaths and callers as data: how a task comes to its end while a call depends on it, and who has made that call. The
 * tests run each case once, the table of docs/faults.md several times.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { SpawnOptions, System, Task } from '../../src/index.ts';
import { takeSnapshot } from '../../src/inspect/snapshot.ts';
import type { ThreadView } from '../../src/inspect/snapshot.ts';
import { type Ending, endingOf, endingOfLater } from './ending.ts';
import { lastSign_ms, monotonic_ms, stamp } from './fixtures/stamp.ts';

/** `.sync` or `.async`, of the main thread or of another worker. */
export const CALLERS = ['main .sync', 'main .async', 'worker .sync', 'worker .async'] as const;
export type Caller = (typeof CALLERS)[number];

interface Common {
  readonly title: string;
  /** What the caller gets: `code` of the error, else its name. */
  readonly code: string;
  readonly message?: RegExp;
}

/** The victim is at the end of its days in a handler. */
export interface Death extends Common {
  readonly method: string;
  /** Who ends it. */
  readonly by: 'itself' | 'kill';
  readonly options?: SpawnOptions;
  /** The callback that kills works on for a time. */
  readonly work_ms?: number;
  /** It goes on living. */
  readonly survives?: true;
  readonly callers?: readonly Caller[];
}

/** The module does not become a task. */
export interface Stillbirth extends Common {
  /** Text of the module; null: there is no file. */
  readonly text: string | null;
  /** The module's own error; there is none without a module. */
  readonly cause: RegExp;
}

const GONE = 'ERR_IPC_PEER_GONE';
const OF_WORKERS: readonly Caller[] = ['worker .sync', 'worker .async'];

export const DEATHS: readonly Death[] = [
  { title: '`process.exit(3)` in a handler', method: 'exit', by: 'itself', code: GONE, message: /exit code 3/ },
  {
    title: 'heap exhaustion',
    method: 'hoard',
    by: 'itself',
    code: GONE,
    message: /out of memory/,
    options: { resourceLimits: { maxOldGenerationSizeMb: 30 } },
  },
  { title: 'unhandled rejection', method: 'reject', by: 'itself', code: GONE, message: /rejected unseen/ },
  {
    title: 'uncaught error of a timer',
    method: 'throwLater',
    by: 'itself',
    code: GONE,
    message: /thrown from a timer/,
  },
  { title: '`kill()` while an async handler waits', method: 'leave', by: 'kill', code: GONE, message: /killed/ },
  { title: '`kill()` while it is parked', method: 'park', by: 'kill', code: GONE, message: /killed/ },
  { title: '`kill()` while it spins', method: 'spin', by: 'kill', code: GONE, message: /killed/ },
  { title: '`kill()` while it sends 64 MiB', method: 'giveLong', by: 'kill', code: GONE, message: /killed/ },
  {
    title: '`kill()` while it receives 64 MiB',
    method: 'takeLong',
    by: 'kill',
    code: GONE,
    message: /killed/,
    callers: OF_WORKERS,
  },
  {
    title: "`kill()` in its caller's callback",
    method: 'callBack',
    by: 'kill',
    code: GONE,
    message: /killed/,
    work_ms: 30,
  },
  { title: 'stack overflow in a handler', method: 'overflow', by: 'itself', code: 'RangeError', survives: true },
];

export const STILLBIRTHS: readonly Stillbirth[] = [
  {
    title: 'the module is missing',
    text: null,
    code: 'ERR_IPC_SPAWN_FAILED',
    message: /no module for the task; tried .*module\.mjs/,
    cause: /^$/,
  },
  {
    title: 'a module that it imports is missing',
    text: "import './nowhere.mjs';\n",
    code: 'ERR_IPC_SPAWN_FAILED',
    cause: /Cannot find module .*nowhere/,
  },
  {
    title: 'the module has a syntax error',
    text: 'export const = 1;\n',
    code: 'ERR_IPC_SPAWN_FAILED',
    cause: /Syntax/,
  },
  {
    title: 'the module throws at its top level',
    text: "throw new RangeError('thrown at the top');\n",
    code: 'ERR_IPC_SPAWN_FAILED',
    cause: /RangeError: thrown at the top/,
  },
];

export interface Measured {
  readonly ending: Ending;
  /** From the last sign of life, or from the spawn of what never lived, to the error at the caller. */
  readonly ms: number;
}

const fixture = (name: string): URL => new URL(`./fixtures/${name}`, import.meta.url);
const isOfMain = (caller: Caller): boolean => caller.startsWith('main');
const isSync = (caller: Caller): boolean => caller.endsWith('.sync');
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function check({ code, message = /./ }: Common, ending: Ending): void {
  assert.equal(ending.code, code, JSON.stringify(ending));
  assert.match(ending.message, message);
}

/** Waits until a task has been sent the beginning of something. */
async function untilTouched({ id }: Task): Promise<void> {
  const isOpen = (thread: ThreadView | undefined): boolean => thread?.state === 'receiving';
  while (isOpen(takeSnapshot().threads.find((thread) => thread.id === id))) await turn();
}

function work(time_ms: number): void {
  const end_ms = performance.now() + time_ms;
  while (performance.now() < end_ms);
}

/** Runs a death once. Throws when the caller does not get what the case says, or the system does not go on. */
export async function die(system: System, death: Death, caller: Caller): Promise<Measured> {
  const { by, method, options, work_ms = 0 } = death;
  const victim = await system.spawn(fixture('victim.ts'), { name: 'victim', ...options });
  const kills: Promise<void>[] = [];
  const kill = (): void => {
    stamp();
    kills.push(victim.kill());
    if (work_ms === 0) return;
    work(work_ms);
    stamp();
  };
  const ready = by === 'kill' ? kill : () => {};
  const ending = isOfMain(caller)
    ? await callFromMain(victim, method, ready, isSync(caller))
    : await callFromWorker(system, victim, method, kill, isSync(caller));
  const ms = ending.at_ms - lastSign_ms();
  await Promise.all(kills);
  check(death, ending);
  if (death.survives === true) {
    assert.equal(victim.sync['add']!(1, 2), 3);
    await victim.kill();
  } else {
    await victim.exited;
    assert.equal(victim.alive, false);
  }
  return { ending, ms };
}

async function callFromMain(victim: Task, method: string, ready: () => void, sync: boolean): Promise<Ending> {
  if (sync) return endingOf(() => victim.sync[method]!(ready));
  return endingOfLater(() => victim.async[method]!(ready));
}

async function callFromWorker(
  system: System,
  victim: Task,
  method: string,
  kill: () => void,
  sync: boolean,
): Promise<Ending> {
  let isSending = false;
  const ready = method === 'takeLong' ? () => void (isSending = true) : kill;
  const caller = await system.spawn(fixture('caller.ts'), { name: 'caller', host: { ready } });
  const calling = caller.async[sync ? 'callSync' : 'callAsync']!('victim', method) as Promise<Ending>;
  if (method === 'takeLong') {
    while (!isSending) await turn();
    await untilTouched(victim);
    kill();
  }
  const ending = await calling;
  assert.equal(caller.sync['add']!(1, 2), 3, 'the caller goes on');
  await caller.kill();
  return ending;
}

/** Runs a start that fails once. */
export async function beStillborn(system: System, birth: Stillbirth, caller: Caller): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), 'l3-crash-'));
  const path = join(folder, 'module.mjs');
  if (birth.text !== null) writeFileSync(path, birth.text);
  const url = pathToFileURL(path);
  try {
    let began_ms = monotonic_ms();
    let ending: Ending;
    if (caller === 'main .sync') ending = endingOf(() => system.spawnSync(url));
    else if (caller === 'main .async') ending = await endingOfLater(() => system.spawn(url));
    else {
      const task = await system.spawn(fixture('caller.ts'));
      began_ms = monotonic_ms();
      ending = (await task.async[isSync(caller) ? 'spawnSync' : 'spawnAsync']!(url.href)) as Ending;
      assert.equal(task.sync['add']!(1, 2), 3, 'the caller goes on');
      await task.kill();
    }
    check(birth, ending);
    assert.match(ending.cause, birth.cause);
    return { ending, ms: ending.at_ms - began_ms };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A caller dies while its callee works: from the kill to the answer that the callee gives the next one. */
export async function dieCalling(system: System, caller: 'worker .sync' | 'worker .async'): Promise<Measured> {
  const callee = await system.spawn(fixture('victim.ts'), { name: 'victim' });
  const task = await system.spawn(fixture('caller.ts'));
  const calling = task.async[isSync(caller) ? 'workFor' : 'workForAsync']!('victim', 60) as Promise<number>;
  const ended = endingOfLater(() => calling);
  await untilTouched(callee);
  const began_ms = monotonic_ms();
  const killed = task.kill();
  assert.equal((await ended).code, GONE);
  const own = await endingOfLater(async () => assert.equal(await callee.async['add']!(1, 2), 3));
  assert.equal(own.code, null, own.message);
  await killed;
  for (let i = 0; i < 20; i++) assert.equal(callee.sync['add']!(i, 1), i + 1);
  await callee.kill();
  return { ending: own, ms: own.at_ms - began_ms };
}
