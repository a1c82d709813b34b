/**
 * What synckit does where a part breaks, beside the table of fire.ts. Each case runs in a process of its own, which
 * is killed when the call has not ended two seconds after it began: that is the watchdog that synckit does not have.
 *
 * As a program (`node fire-synckit.ts KIND`) it is that process: it says `calling`, calls, and says what came of it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { createSyncFn } from 'synckit';
import { breakKinds } from './walls/walls.ts';
import type { BreakKind } from './walls/walls.ts';

const watchdog_ms = 2000;
const start_max_ms = 20_000;
/** Synckit's workers have the process's own limit; without one the heap would fill for minutes. */
const heap_max_MiB = 256;

/** In words, by the kind of break. */
export type SynckitFates = Partial<Record<BreakKind, string>>;

/** Runs all cases at once; most of their time is spent waiting. */
export async function synckitFates(): Promise<SynckitFates> {
  const fates = await Promise.all(breakKinds.map(async (kind) => [kind, await fateOf(kind)] as const));
  return Object.fromEntries(fates);
}

function fateOf(kind: BreakKind): Promise<string> {
  return new Promise((resolve) => {
    const flags = [...process.execArgv.filter((flag) => !flag.startsWith('--test')), '--no-warnings'];
    if (kind === 'heap') flags.push(`--max-old-space-size=${heap_max_MiB}`);
    const child = spawn(process.execPath, [...flags, fileURLToPath(import.meta.url), kind], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let output = '';
    let timer = setTimeout(() => end('did not start'), start_max_ms);
    const end = (fate: string): void => {
      clearTimeout(timer);
      process.off('exit', kill);
      kill();
      resolve(fate);
    };
    const kill = (): void => void child.kill('SIGKILL');
    process.once('exit', kill);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      const said = /^(?:returned|threw) .*\n/m.exec(output)?.[0].trim();
      if (said !== undefined) return end(said);
      if (!output.startsWith('calling\n')) return;
      clearTimeout(timer);
      timer = setTimeout(() => end('hung'), watchdog_ms);
    });
    child.on('error', (error) => end(`did not start: ${error.message}`));
    child.on('exit', (code, signal) => end(`took the process along (${signal ?? `exit code ${code}`})`));
  });
}

/** The call itself; the worker has answered once before, so that its start is not in it. */
async function callBroken(kind: BreakKind): Promise<void> {
  const made = once(process, 'worker') as Promise<[Worker]>;
  const call = createSyncFn<(failure: string) => unknown>(new URL('./walls/synckit/broken.ts', import.meta.url));
  call('nothing');
  const [worker] = await made;
  process.stdout.write('calling\n');
  // Nobody in this thread can kill the worker while the thread is blocked, so it is done just before.
  if (kind === 'kill') void worker.terminate();
  try {
    const result = call(kind === 'kill' ? 'loop' : kind);
    process.stdout.write(`returned ${String(result)}\n`);
  } catch (error) {
    process.stdout.write(`threw ${String(error).split('\n', 1)[0]}\n`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const kind = breakKinds.find((known) => known === process.argv[2]);
  if (!kind) process.exit(2);
  await callBroken(kind);
}
