/**
 * Which file a worker path means, whether it is an ES module, and what options of Node its TypeScript runner needs. The
 * rules are synckit's: outside node_modules a `.js` path means its TypeScript source when that is there.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { TsRunner } from './constants.ts';

export interface WorkerFile {
  readonly path: string;
  /** It is loaded by `require`, so that CommonJS hooks see it. */
  readonly isCommonJs: boolean;
  readonly execArgv: readonly string[];
}

const SOURCES: Record<string, readonly string[]> = { '.cjs': ['.cts', '.cjs'], '.mjs': ['.mts', '.mjs'] };
const NODE_OPTIONS = process.env['NODE_OPTIONS'] ?? '';
const NO_STRIP_TYPES = '--no-experimental-strip-types';
const TYPES = new Set(['--experimental-strip-types', '--experimental-transform-types']);
const REQUIRE = new Set(['-r', '--require']);
const LOADER = new Set(['--loader', '--experimental-loader']);

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true;

/** The source that a path means. */
function sourceOf(path: string): string {
  const extension = extname(path);
  if (/[/\\]node_modules[/\\]/.test(path) || !/^(?:\.[cm]?js)?$/.test(extension)) return path;
  const stem = extension === '' ? path : path.slice(0, -extension.length);
  for (const other of SOURCES[extension] ?? ['.ts', '.js']) if (isFile(stem + other)) return stem + other;
  return path;
}

/** Whether the nearest package.json says that `.js` and `.ts` files are ES modules. */
function isModulePackage(path: string): boolean {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest)) {
      return (JSON.parse(readFileSync(manifest, 'utf8')) as { type?: string }).type === 'module';
    }
    if (folder === dirname(folder)) return false;
  }
}

function isAvailable(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}

const stripsTypes = (execArgv: readonly string[]): boolean => {
  const last = execArgv.filter((flag) => flag === NO_STRIP_TYPES || TYPES.has(flag)).at(-1);
  if (last !== undefined) return last !== NO_STRIP_TYPES;
  return process.features.typescript !== false && !NODE_OPTIONS.split(' ').includes(NO_STRIP_TYPES);
};

/** Options put before the user's, unless he has one of the kind himself. */
function runnerOptions(runner: TsRunner | undefined, isModule: boolean, execArgv: readonly string[]): string[] {
  const unless = (kind: ReadonlySet<string>, ...options: string[]): string[] =>
    execArgv.some((option) => kind.has(option)) ? [] : options;
  const imports = new Set(['--import']);
  switch (runner) {
    case undefined:
    case TsRunner.Bun:
      return [];
    case TsRunner.Node:
      if (!stripsTypes(execArgv)) throw new Error('type stripping is disabled explicitly');
      return [];
    case TsRunner.TsNode:
      return isModule ? unless(LOADER, '--loader', 'ts-node/esm') : unless(REQUIRE, '-r', 'ts-node/register');
    case TsRunner.EsbuildRegister:
      return isModule
        ? unless(LOADER, '--loader', 'esbuild-register/loader')
        : unless(REQUIRE, '-r', 'esbuild-register');
    case TsRunner.EsbuildRunner:
      return unless(REQUIRE, '-r', 'esbuild-runner/register');
    case TsRunner.OXC:
      return unless(imports, '--import', '@oxc-node/core/register');
    case TsRunner.SWC:
      return isModule
        ? unless(imports, '--import', '@swc-node/register/esm-register')
        : unless(REQUIRE, '-r', '@swc-node/register');
    case TsRunner.TSX:
      return unless(imports, '--import', 'tsx');
    default:
      throw new Error(`Unknown ts runner: ${String(runner)}`);
  }
}

function defaultRunner(execArgv: readonly string[]): TsRunner | undefined {
  if (process.versions['bun'] !== undefined) return TsRunner.Bun;
  if (stripsTypes(execArgv)) return TsRunner.Node;
  return isAvailable('ts-node') ? TsRunner.TsNode : undefined;
}

/** Runners whose hooks do not know these extensions. */
const KNOWN_LIMITS = new Set<TsRunner>([TsRunner.EsbuildRegister, TsRunner.EsbuildRunner]);

/** Yarn's resolver, for a worker that would not inherit it. */
function plugAndPlay(execArgv: readonly string[]): string[] {
  if (process.versions['pnp'] === undefined) return [];
  const api = createRequire(import.meta.url).resolve('pnpapi');
  return NODE_OPTIONS.includes(api) || execArgv.includes(api) ? [] : ['-r', api];
}

/** Finds the file. Throws an Error for a TypeScript file that nothing here can run. */
export function findWorkerFile(
  workerPath: string,
  wantedArgv: readonly string[],
  wanted: TsRunner | undefined,
): WorkerFile {
  const path = sourceOf(workerPath);
  const extension = extname(path);
  const given = wantedArgv.filter((option) => option !== '');
  const execArgv = [...plugAndPlay(given), ...given];
  const isModule = /^\.m[jt]s$/.test(extension) || (!/^\.c[jt]s$/.test(extension) && isModulePackage(path));
  if (!/^\.[cm]?ts$/.test(extension)) return { path, isCommonJs: !isModule, execArgv };
  const runner = wanted ?? defaultRunner(execArgv);
  if (extension !== '.ts') {
    if (runner === undefined) throw new Error('No ts runner specified, ts worker path is not supported');
    if (KNOWN_LIMITS.has(runner)) throw new Error(`${runner} is not supported for ${extension} files yet`);
  }
  return { path, isCommonJs: !isModule, execArgv: [...runnerOptions(runner, isModule, execArgv), ...execArgv] };
}
