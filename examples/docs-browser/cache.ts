/**
 * What one start leaves for the next: the index and the measured table.
 *
 * They lie in a folder named after the folder that was read, under a key that changes with everything that decides
 * their content except the files themselves: this example's sources, the parser, the packages' and Node's versions. The
 * files are compared one by one, by size and time. Invariant: an index gets its place by a rename when it is complete.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Found } from './find-documents.ts';
import type { FireTable } from './fire-table.ts';
import type { Row } from './measure.ts';
import type { Listed } from './tasks/store.ts';
import type { ParserName } from './walls/walls.ts';

export interface Cache {
  key: string;
  indexFile: string;
  tableFile: string;
}

/** The cache for one folder; makes its directory. `place` overrides the usual one. */
export function openCache(folder: string, parser: ParserName, place: string | undefined): Cache {
  const name = createHash('sha256').update(folder).digest('hex').slice(0, 16);
  const directory = join(place ?? usualPlace(), name);
  mkdirSync(directory, { recursive: true });
  const key = `${parser}-${keyOfSources()}`;
  return { key, indexFile: join(directory, 'index.sqlite'), tableFile: join(directory, 'table.json') };
}

/** Beside the installed packages, where `npm ci` clears it away; a read-only installation gets a temporary folder. */
function usualPlace(): string {
  const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));
  const place = join(modules, '.cache', 'l3kernel-docs-browser');
  try {
    readdirSync(modules);
    mkdirSync(place, { recursive: true });
    const probe = join(place, `.probe-${process.pid}`);
    writeFileSync(probe, '');
    rmSync(probe);
    return place;
  } catch {
    return join(tmpdir(), 'l3kernel-docs-browser');
  }
}

function keyOfSources(): string {
  const hash = createHash('sha256').update(process.version);
  const here = fileURLToPath(new URL('.', import.meta.url));
  for (const folder of ['', 'tasks', 'walls']) {
    for (const file of readdirSync(join(here, folder)).sort()) {
      if (/\.[jt]s$/.test(file) && !/\.test\.[jt]s$/.test(file))
        hash.update(file).update(readFileSync(join(here, folder, file)));
    }
  }
  const require = createRequire(import.meta.url);
  for (const name of [
    'md4w',
    'markdown-it',
    'sanitize-html',
    'highlight.js',
    'stemmer',
    'comlink',
    'synckit',
    'l3kernel',
  ]) {
    hash.update(`${name} ${versionOf(require, name)}`);
  }
  return hash.digest('hex');
}

function versionOf(require: NodeJS.Require, name: string): string {
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      return (JSON.parse(readFileSync(join(folder, name, 'package.json'), 'utf8')) as { version: string }).version;
    } catch {
      // Not in this folder; the next one up may have it.
    }
  }
  return '';
}

export interface Changes {
  /** New files and those of another size or time. */
  changed: Found[];
  /** Paths of documents that are gone. */
  removed: string[];
}

/** What has happened to the files since the index was made. */
export function compare(documents: readonly Found[], listed: readonly Listed[]): Changes {
  const before = new Map(listed.map((document) => [document.path, document]));
  const changed = documents.filter((document) => {
    const old = before.get(document.path);
    before.delete(document.path);
    return !old || old.size !== document.size || old.mtime_ms !== document.mtime_ms;
  });
  return { changed, removed: [...before.keys()] };
}

/** A name for an index that is being made; `keepIndex` gives it its place. */
export function draftFile(cache: Cache): string {
  return `${cache.indexFile}.${process.pid}`;
}

export function keepIndex(cache: Cache): void {
  renameSync(draftFile(cache), cache.indexFile);
}

export function dropIndex(cache: Cache): void {
  rmSync(cache.indexFile, { force: true });
}

/** What was measured on one start: the table of costs, and the one of breaks where the walls hold. */
export interface Measured {
  measured: string;
  rows: Row[];
  fire: FireTable | null;
}

/** The tables of an earlier start, if they were measured by these very sources. */
export function readTable(cache: Cache): Measured | undefined {
  try {
    const table = JSON.parse(readFileSync(cache.tableFile, 'utf8')) as Measured & { key: string };
    return table.key === cache.key ? table : undefined;
  } catch {
    return undefined;
  }
}

export function writeTable(cache: Cache, measured: Measured): void {
  const draft = `${cache.tableFile}.${process.pid}`;
  writeFileSync(draft, JSON.stringify({ key: cache.key, ...measured }));
  renameSync(draft, cache.tableFile);
}
