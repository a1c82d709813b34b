/**
 * The same ends in other packages for synchronous calls: each in a process of its own, which is ended when a call is
 * not over in time. What is found is a short text.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const RIVALS = { synckit: '0.12.3', 'make-synchronized': '0.8.0', 'sync-message-port': '1.2.0' } as const;
export type Rival = keyof typeof RIVALS;

/** From the beginning of the call. */
const WATCHDOG_ms = 2000;

const VICTIM = `
export const add = async (a, b) => a + b;
export const exit = async () => process.exit(3);
export const hoard = async () => { for (const kept = []; ; ) kept.push(Array.from({ length: 10_000 }, Math.random)); };
export const reject = async () => { Promise.reject(new RangeError('rejected unseen')); await new Promise(() => {}); };
export const throwLater = async () => { setTimeout(() => { throw new RangeError('thrown from a timer'); }, 1); await new Promise(() => {}); };
export const overflow = async () => { const f = () => f() + 1; return f(); };
export const spin = async () => { for (;;); };
`;

/** Modules that do not become a worker; null: there is no file. */
const BAD: Readonly<Record<string, string | null>> = {
  missing: null,
  syntax: 'export const = 1;\n',
  import: "import './nowhere.mjs';\n",
  throws: "throw new RangeError('thrown at the top');\n",
};

const MAIN = `
import { writeSync } from 'node:fs';
const [how, module] = process.argv.slice(2);
const say = (what) => writeSync(1, JSON.stringify(what) + '\\n');
export function run(start) {
  say('calling');
  try {
    const call = start(new URL(module, import.meta.url));
    const value = call(how);
    say({ value: value === undefined ? 'undefined' : JSON.stringify(value) });
  } catch (error) {
    say({ code: error?.code ?? '', name: error?.name ?? '', message: String(error?.message ?? error) });
  }
  process.exit(0);
}
`;

const FILES: Readonly<Record<string, string>> = {
  'main.mjs': MAIN,
  'victim.mjs': VICTIM,
  'synckit.mjs': `
import { createSyncFn } from 'synckit';
import { run } from './main.mjs';
run((url) => createSyncFn(url));
`,
  'synckit-worker.mjs': `
import { runAsWorker } from 'synckit';
import * as victim from './victim.mjs';
runAsWorker(async (how) => victim[how](1, 2));
`,
  'make-synchronized.mjs': `
import makeSynchronized from 'make-synchronized';
import { run } from './main.mjs';
run((url) => { const module = makeSynchronized(url); return (how) => module[how](1, 2); });
`,
  'make-synchronized-worker.mjs': VICTIM,
  'sync-message-port.mjs': `
import { Worker } from 'node:worker_threads';
import { SyncMessagePort } from 'sync-message-port';
import { run } from './main.mjs';
run((url) => {
  const channel = SyncMessagePort.createChannel();
  const port = new SyncMessagePort(channel.port1);
  new Worker(url, { workerData: channel.port2, transferList: [channel.port2] }).on('error', () => {});
  return (how) => { port.postMessage(how); return port.receiveMessage(); };
});
`,
  'sync-message-port-worker.mjs': `
import { workerData } from 'node:worker_threads';
import { SyncMessagePort } from 'sync-message-port';
import * as victim from './victim.mjs';
const port = new SyncMessagePort(workerData);
port.on('message', async (how) => port.postMessage(await victim[how](1, 2)));
`,
};

/** A project with the packages, as npm installs them; `remove` takes it away. */
export function installRivals(): { readonly folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'l3-rivals-'));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies: RIVALS }));
  const args = ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  execFileSync('npm', args, { cwd: folder, timeout: 120_000, shell: process.platform === 'win32' });
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, name), text);
  for (const [name, text] of Object.entries(BAD)) {
    if (text !== null) writeFileSync(join(folder, `${name}.mjs`), text);
  }
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

type Said = 'calling' | { readonly value: string } | { readonly code: string; readonly name: string; message: string };

/** A message with files by their names alone: the folders are temporary. */
export const withoutFolders = (text: string): string =>
  text.replaceAll(/(?<=[ '"]|^)[^ '"]*[\\/](?=[^\\/ ]+\.[cm]?[jt]s)/g, '');

function described(said: Said | undefined, late: boolean, code: number | null): string {
  if (said === undefined || said === 'calling') return late ? '**hangs**' : `the process ends, exit code ${code}`;
  if ('value' in said) return `**returns** \`${said.value}\``;
  const message = withoutFolders(said.message.split('\n')[0]!);
  return `throws ${said.code || said.name}: ${message}`;
}

/** What happens when `method` of the rival's worker is called; with `bad`, when it is started from that module. */
export async function meet(folder: string, rival: Rival, method: string, bad: string | null): Promise<string> {
  const module = bad === null ? `./${rival}-worker.mjs` : `./${bad}.mjs`;
  const args = ['--max-old-space-size=40', join(folder, `${rival}.mjs`), method, module];
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] });
  let timer: NodeJS.Timeout | undefined;
  let late = false;
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    timer ??= setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, WATCHDOG_ms);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  const said = text
    .split('\n')
    .filter((line) => line.startsWith('{') || line.startsWith('"'))
    .map((line) => JSON.parse(line) as Said);
  return described(said.at(-1), late, code);
}
