/**
 * A project of its own, in which the drop-ins stand where the originals would: the built package and the thin packages
 * in its node_modules, under the names of the originals. With `original` it has the originals that are installed here,
 * so that one script can be run beside both.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const ORIGINALS = ['synckit', '@pkgr', '@dual-bundle', 'tinypool'];

export interface Result {
  readonly stdout: string;
  readonly stderr: string;
  /** Null when the process had to be killed: it hung. */
  readonly status: number | null;
}

export interface Project {
  readonly folder: string;
  run(file: string, args?: readonly string[], options?: RunOptions): Result;
  remove(): void;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly execArgv?: readonly string[];
  readonly timeout_ms?: number;
}

let isBuilt = false;

/** Builds when the sources have changed since the last time, as the gate does. */
export function build(): void {
  if (isBuilt) return;
  const code = `import { buildIfChanged } from './scripts/build-stamp.mjs'; process.exitCode = await buildIfChanged();`;
  execFileSync(process.execPath, ['--input-type=module', '--eval', code], { cwd: root, timeout: 100_000 });
  isBuilt = true;
}

/** Puts the package and its drop-ins into a node_modules folder. */
export function installDropIns(modules: string): void {
  const library = join(modules, 'l3kernel');
  rmSync(library, { recursive: true, force: true });
  mkdirSync(library, { recursive: true });
  cpSync(join(root, 'dist'), join(library, 'dist'), { recursive: true });
  cpSync(join(root, 'package.json'), join(library, 'package.json'));
  for (const name of readdirSync(join(root, 'packages'))) {
    rmSync(join(modules, name), { recursive: true, force: true });
    cpSync(join(root, 'packages', name), join(modules, name), { recursive: true });
  }
}

export function makeProject(files: Readonly<Record<string, string>>, original = false): Project {
  const folder = mkdtempSync(join(tmpdir(), 'l3-compat-'));
  const modules = join(folder, 'node_modules');
  mkdirSync(modules);
  if (original) {
    for (const name of ORIGINALS) {
      const from = join(root, 'node_modules', name);
      if (existsSync(from)) cpSync(from, join(modules, name), { recursive: true });
    }
  } else {
    build();
    installDropIns(modules);
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return {
    folder,
    run(file, args = [], { env = {}, execArgv = [], timeout_ms = 20_000 } = {}) {
      const { stdout, stderr, status } = spawnSync(process.execPath, [...execArgv, join(folder, file), ...args], {
        cwd: folder,
        encoding: 'utf8',
        env: { ...process.env, ...env },
        timeout: timeout_ms,
        killSignal: 'SIGKILL',
      });
      return { stdout, stderr, status };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
