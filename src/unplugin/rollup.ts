/** rollup, rolldown and vite: the module of a task is a chunk that is emitted, and its url is that of the chunk. */
import { readFileSync } from 'node:fs';
import { basename, posix } from 'node:path';
import { findTasks, isScript, isWasm, replaceTasks } from './find.ts';

/** As much of a plugin's context as is used here. */
interface Context {
  emitFile(file: Record<string, unknown>): string;
}

/** Where a file that was emitted is referred to from. */
interface Reference {
  readonly referenceId: string;
  readonly chunkId: string;
  readonly fileName: string;
  readonly format: string;
}

export interface RollupPlugin {
  readonly name: string;
  transform(this: Context, code: string, id: string): { code: string; map: null } | null;
  resolveFileUrl(reference: Reference): string | null;
}

const nameOf = (file: string): string => basename(file).replace(/\.[^.]*$/, '');

/** The text of an expression for the url of an emitted file, as the running program knows it. */
function urlOf({ chunkId, fileName, format }: Reference): string {
  const path = posix.relative(posix.dirname(chunkId), fileName);
  const relative = JSON.stringify(path.startsWith('.') ? path : `./${path}`);
  const place = format.startsWith('es') || format === 'module' ? 'import.meta.url' : PLACE_CJS;
  return `new URL(${relative}, ${place}).href`;
}

const PLACE_CJS = "require('node:url').pathToFileURL(__filename)";

export function rollup(): RollupPlugin {
  const emitted = new Set<string>();

  function transform(this: Context, code: string, id: string): { code: string; map: null } | null {
    const file = id.replace(/[?#].*$/, '');
    if (!isScript(file) || id.startsWith('\0')) return null;
    const found = findTasks(code, file);
    if (found.length === 0) return null;
    const text = replaceTasks(code, found, (task) => {
      const name = nameOf(task.file);
      const reference = this.emitFile(
        isWasm(task.file)
          ? { type: 'asset', name: `${name}.wasm`, source: readFileSync(task.file) }
          : { type: 'chunk', id: task.file, name, preserveSignature: 'strict' },
      );
      emitted.add(reference);
      return `new URL(import.meta.ROLLUP_FILE_URL_${reference})`;
    });
    return { code: text, map: null };
  }

  return {
    name: 'l3kernel',
    transform,
    // vite would make it a url of the web site.
    resolveFileUrl: (reference) => (emitted.has(reference.referenceId) ? urlOf(reference) : null),
  };
}

/** The development server serves modules from where they are: there the urls are right as they stand. */
export const vite = (): RollupPlugin & { readonly enforce: 'pre'; readonly apply: 'build' } => ({
  ...rollup(),
  enforce: 'pre',
  apply: 'build',
});
