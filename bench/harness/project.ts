/** Projects in temporary folders, with packages that npm fetches, and programs that print samples. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plan } from './job.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const PROCESS_ms = 60_000;

/** Writes a project's manifest and installs these packages. */
export function installPackages(folder: string, dependencies: Readonly<Record<string, string>>): void {
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }));
  const args = ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  execFileSync('npm', args, { cwd: folder, timeout: 120_000, shell: process.platform === 'win32' });
}

/** Puts the built library into a project, as `l3kernel`. */
export function installLibrary(folder: string): void {
  if (!existsSync(join(root, 'dist/index.js'))) throw new Error('there is no build; run npm run build first');
  const own = join(folder, 'node_modules/l3kernel');
  mkdirSync(own, { recursive: true });
  cpSync(join(root, 'dist'), join(own, 'dist'), { recursive: true });
  cpSync(join(root, 'package.json'), join(own, 'package.json'));
}

/** What a program of the project prints, given these arguments, the blocks of the plan and their milliseconds. */
export function runProgram(folder: string, program: string, args: readonly string[], plan: Plan): string {
  const all = [join(folder, `${program}.mjs`), ...args, String(plan.placements), String(plan.block_ms)];
  const { status, stdout, stderr } = spawnSync(process.execPath, all, {
    cwd: folder,
    encoding: 'utf8',
    timeout: PROCESS_ms,
    killSignal: 'SIGKILL',
  });
  if (status !== 0) throw new Error(status === null ? 'it hung' : stderr.trim().split('\n').slice(-3).join(' '));
  return stdout;
}
