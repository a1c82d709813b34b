/**
 * The same ends in the packages that the drop-ins stand in for, and in the drop-ins: each in a process of its own,
 * which is ended when a call is not over in time. What is found of a call, and of the one after it, is a short text.
 * The programs import the packages by the names of the originals: which ones these are depends on the project.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Original, ORIGINALS } from '../../bench/compat/originals.ts';
import { installPackages } from '../../bench/harness/project.ts';
import { makeProject } from '../compat/project.ts';

/** From the beginning of a call. */
const WATCHDOG_ms = 2000;
const TRIES = 4;
/** Node's exit code when nothing is left that could settle what is awaited. */
const UNSETTLED = 13;

const VICTIM = `
export const add = async (a, b) => a + b;
export const exit = async () => process.exit(3);
export const hoard = async () => { for (const kept = []; ; ) kept.push(new Array(1e5).fill(Math.random())); };
export const reject = async () => { Promise.reject(new RangeError('rejected unseen')); await new Promise(() => {}); };
export const throwLater = async () => { setTimeout(() => { throw new RangeError('thrown from a timer'); }, 1); await new Promise(() => {}); };
export const overflow = async () => { const f = () => f() + 1; return f(); };
export const giveFunction = async () => () => 1;
export const linger = async () => new Promise((resolve) => setTimeout(resolve, 60_000));
export const spin = async () => { for (;;); };
`;

/** Modules that do not become a worker; null: there is no file. */
const BAD: Readonly<Record<string, string | null>> = {
  missing: null,
  syntax: 'export const = 1;\n',
  import: "import './nowhere.mjs';\n",
  throws: "throw new RangeError('thrown at the top');\n",
};

/** A worker that can be called is called before. Afterwards the loop turns: what was not heard of is heard then. */
const MAIN = `
import { writeSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
const [how, module, limit] = process.argv.slice(2);
const say = (what) => writeSync(1, JSON.stringify(what) + '\\n');
const shown = (value) => (value === undefined ? 'undefined' : JSON.stringify(value));
export const timeout = limit === '0' ? undefined : Number(limit);
export async function run(start) {
  let call;
  for (const [i, method] of (module.endsWith('-worker.mjs') ? ['add', how, 'add'] : [how, how]).entries()) {
    say('calling');
    try {
      call ??= start(new URL(module, import.meta.url));
      const value = call(method, i > 0 ? timeout : undefined);
      say({ value: shown(typeof value?.then === 'function' ? await value : value) });
    } catch (error) {
      say({ code: typeof error?.code === 'string' ? error.code : '', name: error?.name ?? '', message: String(error?.message ?? error) });
    }
  }
  await setTimeout(100);
  say('over');
  process.exit(0);
}
`;

const POOL = (name: string): string => `
import Pool from '${name}';
import { run } from './main.mjs';
await run((url) => {
  const pool = new Pool({ filename: url.href, minThreads: 1, maxThreads: 1 });
  return (how, timeout) => pool.run(how, timeout === undefined ? {} : { signal: AbortSignal.timeout(timeout) });
});
`;
const POOL_WORKER = `
import * as victim from './victim.mjs';
export default (how) => victim[how](1, 2);
`;

const FILES: Readonly<Record<string, string>> = {
  'main.mjs': MAIN,
  'victim.mjs': VICTIM,
  'synckit.mjs': `
import { createSyncFn } from 'synckit';
import { run, timeout } from './main.mjs';
await run((url) => createSyncFn(url, timeout === undefined ? {} : { timeout }));
`,
  'synckit-worker.mjs': `
import { runAsWorker } from 'synckit';
import * as victim from './victim.mjs';
runAsWorker(async (how) => victim[how](1, 2));
`,
  'make-synchronized.mjs': `
import makeSynchronized from 'make-synchronized';
import { run } from './main.mjs';
await run((url) => { const module = makeSynchronized(url); return (how) => module[how](1, 2); });
`,
  'make-synchronized-worker.mjs': VICTIM,
  'sync-message-port.mjs': `
import { Worker } from 'node:worker_threads';
import { SyncMessagePort } from 'sync-message-port';
import { run } from './main.mjs';
await run((url) => {
  const channel = SyncMessagePort.createChannel();
  const port = new SyncMessagePort(channel.port1);
  new Worker(url, { workerData: channel.port2, transferList: [channel.port2] }).on('error', () => {});
  return (how, timeout) => { port.postMessage(how); return port.receiveMessage(timeout === undefined ? {} : { timeout }); };
});
`,
  'sync-message-port-worker.mjs': `
import { workerData } from 'node:worker_threads';
import { SyncMessagePort } from 'sync-message-port';
import * as victim from './victim.mjs';
const port = new SyncMessagePort(workerData);
port.on('message', async (how) => port.postMessage(await victim[how](1, 2)));
`,
  'sync-child-process.mjs': `
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SyncChildProcess } from 'sync-child-process';
import { run, timeout } from './main.mjs';
await run((url) => {
  const path = fileURLToPath(url);
  const options = timeout === undefined ? {} : { timeout };
  const child = existsSync(path)
    ? new SyncChildProcess(process.execPath, ['--max-old-space-size=40', path], options)
    : new SyncChildProcess(path, options);
  return (how) => {
    child.stdin.write(how + '\\n');
    for (;;) {
      const { done, value } = child.next();
      if (done) return value;
      if (value.type === 'stdout') return JSON.parse(value.data);
    }
  };
});
`,
  'sync-child-process-worker.mjs': `
import { createInterface } from 'node:readline';
import * as victim from './victim.mjs';
createInterface({ input: process.stdin }).on('line', async (how) => console.log(JSON.stringify(await victim[how](1, 2))));
`,
  'tinypool.mjs': POOL('tinypool'),
  'tinypool-worker.mjs': POOL_WORKER,
  'piscina.mjs': POOL('piscina'),
  'piscina-worker.mjs': POOL_WORKER,
};

export interface Installed {
  readonly folder: string;
  remove(): void;
}

const programs = (): Record<string, string> => {
  const bad = Object.entries(BAD).flatMap(([name, text]) => (text === null ? [] : [[`${name}.mjs`, text]]));
  return { ...FILES, ...(Object.fromEntries(bad) as Record<string, string>) };
};

/** A project with these originals, as npm installs them; `remove` takes it away. */
export function installRivals(names: readonly Original[]): Installed {
  const folder = mkdtempSync(join(tmpdir(), 'l3-rivals-'));
  installPackages(folder, Object.fromEntries(names.map((name) => [name, ORIGINALS[name]])));
  for (const [name, text] of Object.entries(programs())) writeFileSync(join(folder, name), text);
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** The same project with the drop-ins. */
export const installOurs = (): Installed => makeProject(programs());

type Said =
  | 'calling'
  | 'over'
  | { readonly value: string }
  | { readonly code: string; readonly name: string; message: string };

/** A message with files by their names alone: the folders are temporary. */
export const withoutFolders = (text: string): string =>
  text.replaceAll(/(?<=[ '"]|^)[^ '"]*[\\/](?=[^\\/ ]+\.[cm]?[jt]s)/g, '');

function described(said: Exclude<Said, string>): string {
  if ('value' in said) return `**returns** \`${said.value}\``;
  const message = withoutFolders(said.message.split('\n')[0]!);
  return `throws ${said.code || said.name}: ${message}`;
}

/** What is done to a package: `method` of the worker is called, or it is started from the module `bad`. */
export interface Ill {
  readonly method: string;
  readonly bad: string | null;
  /** Of each call, where the package has such a thing. */
  readonly timeout_ms?: number;
}

/** What became of the call, and of the one after it; null where there was none. */
export interface Met {
  readonly first: string;
  readonly next: string | null;
  /** The program came to its end. */
  readonly survives: boolean;
}

/** What was said, and how the process ended, as the calls that were made. Null: the worker could not be warmed. */
function metOf(said: readonly Said[], isWarm: boolean, end: string): Met | null {
  const calls: string[] = [];
  for (const one of said) {
    if (one === 'calling') calls.push(end);
    else if (one !== 'over') calls[calls.length - 1] = described(one);
  }
  if (isWarm && calls[0] !== '**returns** `3`') return null;
  const [first = end, next = null] = isWarm ? calls.slice(1) : calls;
  return { first, next, survives: said.at(-1) === 'over' };
}

/** Runs one case in the project of `folder`; again, where the timeout was too short for the start on a busy machine. */
export async function meet(folder: string, name: Original, ill: Ill, watchdog_ms = WATCHDOG_ms): Promise<Met> {
  for (let tries = 0; tries < TRIES; tries++) {
    const met = await meetOnce(folder, name, ill, watchdog_ms);
    if (met !== null) return met;
  }
  throw new Error(`${name}: its worker does not work`);
}

async function meetOnce(folder: string, name: Original, ill: Ill, watchdog_ms: number): Promise<Met | null> {
  const module = ill.bad === null ? `./${name}-worker.mjs` : `./${ill.bad}.mjs`;
  const heap = name === 'sync-child-process' ? [] : ['--max-old-space-size=40'];
  const args = [...heap, join(folder, `${name}.mjs`), ill.method, module, String(ill.timeout_ms ?? 0)];
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] });
  let timer: NodeJS.Timeout | undefined;
  let late = false;
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    clearTimeout(timer);
    timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, watchdog_ms);
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  clearTimeout(timer);
  const said = text
    .split('\n')
    .filter((line) => line.startsWith('{') || line.startsWith('"'))
    .map((line) => JSON.parse(line) as Said);
  const end = late
    ? '**hangs**'
    : code === UNSETTLED
      ? '**never settles**'
      : `the process ends, ${signal ?? `exit code ${code}`}`;
  return metOf(said, ill.bad === null, end);
}
