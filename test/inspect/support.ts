/** Systems in processes of their own, and the command `l3` beside them, in a temporary directory that only they use. */
import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { listAddresses } from '../../src/servers/inspect/address.ts';

/** From here on this process, and those it starts, find and make sockets nowhere else. */
export const place: string = mkdtempSync(join(tmpdir(), 'l3-in-'));
process.env.TMPDIR = place;

const pathOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const children = new Set<ChildProcess>();

function start(args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.add(child);
  return child;
}

after(async () => {
  for (const child of children) await end(child);
  rmSync(place, { recursive: true, force: true });
});

/** Kills a process of ours and waits for its end. */
export async function end(child: ChildProcess): Promise<void> {
  children.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** A running system, once it can be looked into. It is called after its main script, so each has one of its own. */
export async function startSystem(name: string, how: 'calls' | 'blocked' | 'restarted'): Promise<ChildProcess> {
  const script = join(place, `${name}.mjs`);
  writeFileSync(script, `import ${JSON.stringify(new URL('./fixtures/system.ts', import.meta.url).href)};\n`);
  const child = start([script, how]);
  await once(child.stdout!, 'data');
  await eventually(
    async () => listAddresses(),
    (addresses) => addresses.some(({ pid }) => pid === child.pid),
  );
  return child;
}

export interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

const runL3 = (args: readonly string[]): ChildProcessWithoutNullStreams =>
  spawn(process.execPath, [pathOf('../../src/cli/main.ts'), ...args], { timeout: 20_000 });

/** Runs `l3` to its end, at most 20 s. */
export async function l3(...args: string[]): Promise<Outcome> {
  const child = runL3(args);
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err };
}

/** Runs `l3` and closes its output once something has come. */
export async function l3Head(...args: string[]): Promise<Omit<Outcome, 'out'>> {
  const child = runL3(args);
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  child.stdout.once('data', () => child.stdout.destroy());
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, err };
}

/** Tries until it succeeds: what it looks at is on its way in another process. */
export async function eventually<T>(look: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  for (let tries = 60; ; tries--) {
    const value = await look();
    if (tries === 0 || holds(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
