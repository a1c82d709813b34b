/**
 * Finding the module of a task: the file that the url names, or its sibling under the other extension, so that one line
 * of source works before and after compilation.
 */
import { existsSync, statSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { IpcError } from '../rpc/ipc-error.ts';
import { shown } from '../rpc/shown.ts';

const SIBLINGS: Record<string, readonly string[]> = {
  ts: ['js', 'mjs'],
  mts: ['mjs', 'js'],
  cts: ['cjs', 'js'],
  js: ['ts', 'mts'],
  mjs: ['mts', 'ts'],
  cjs: ['cts', 'ts'],
};

const RELATIVE =
  "a path is taken from the current directory; new URL('./task.ts', import.meta.url) is beside the caller";

const pathsOf = (urls: readonly URL[]): string => urls.map((url) => fileURLToPath(url)).join(', ');

/** The url of a task's module. Throws ERR_IPC_SPAWN_FAILED with the list of what was tried. */
export function findModule(url: URL | string): URL {
  const wanted = toUrl(url);
  if (wanted.protocol !== 'file:') return wanted;
  const extension = /\.([cm]?[jt]s)$/.exec(wanted.pathname)?.[1];
  const candidates = [wanted];
  for (const other of extension === undefined ? [] : (SIBLINGS[extension] ?? [])) {
    const sibling = new URL(wanted);
    sibling.pathname = wanted.pathname.replace(/\.[cm]?[jt]s$/, `.${other}`);
    candidates.push(sibling);
  }
  const found = candidates.find((candidate) => existsSync(fileURLToPath(candidate)));
  if (found !== undefined && !statSync(found).isDirectory()) return found;
  const why = found === undefined ? `tried ${pathsOf(candidates)}` : `${pathsOf([found])} is a directory`;
  const hint = typeof url === 'string' && !url.startsWith('file:') ? `; ${RELATIVE}` : '';
  throw new IpcError('ERR_IPC_SPAWN_FAILED', `no module for the task; ${why}${hint}`, { phase: 'spawn' });
}

function toUrl(url: URL | string): URL {
  if (url instanceof URL) return url;
  if (typeof url !== 'string') throw new TypeError(`the task's module must be a URL or a string, not ${shown(url)}`);
  return URL.canParse(url) && !/^[A-Za-z]:[\\/]/.test(url) ? new URL(url) : pathToFileURL(url);
}

/** A task's name when none is given: the file's, without extension. */
export function nameFrom(url: URL): string {
  const file = url.protocol === 'file:' ? decodeURIComponent(url.pathname) : 'task';
  return file.replace(/^.*\//, '').replace(/\.[^.]*$/, '') || 'task';
}
