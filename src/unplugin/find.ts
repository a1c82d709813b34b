/**
 * The task modules that a source text names: the first argument of `spawn`, `spawnSync` or `task`, if it is `new
 * URL('./…', import.meta.url)`. It works on TypeScript as on JavaScript, by the text: whatever else looks the same is a
 * module that is bundled and not used.
 */
import { fileURLToPath, pathToFileURL } from 'node:url';
import { findModule } from '../tasks/module.ts';

/** A task's url in a source text, and the file that it means. */
export interface Found {
  /** Where the expression `new URL(…)` stands. */
  readonly start: number;
  readonly end: number;
  readonly file: string;
}

const URL_OF = /\bnew\s+URL\(\s*(['"`])(\.{1,2}\/[^'"`$]+)\1\s*,\s*import\.meta\.url\s*,?\s*\)/g;
/** What stands before it: the call, with its type arguments and comments. */
const CALL = /\b(?:spawn|spawnSync|task)\s*(?:<[^;{}]*>)?\s*\(\s*(?:\/\*[^*]*\*\/\s*)*$/;
const CALL_LENGTH_MAX = 400;

/** The task modules of the text of `file`. One that is not there is left to the program to complain of. */
export function findTasks(code: string, file: string): Found[] {
  const found: Found[] = [];
  for (const match of code.matchAll(URL_OF)) {
    const { index } = match;
    if (!CALL.test(code.slice(Math.max(0, index - CALL_LENGTH_MAX), index))) continue;
    const url = new URL(match[2]!, pathToFileURL(file));
    try {
      found.push({ start: index, end: index + match[0].length, file: fileURLToPath(findModule(url)) });
    } catch {
      // Made later, perhaps.
    }
  }
  return found;
}

/** The text with each of the urls replaced. Lines stay lines, so that a source map by lines stays right. */
export function replaceTasks(code: string, found: readonly Found[], replace: (task: Found) => string): string {
  let text = '';
  let at = 0;
  for (const task of found) {
    text += code.slice(at, task.start) + replace(task);
    at = task.end;
  }
  return text + code.slice(at);
}

export const isScript = (id: string): boolean => /\.[cm]?[jt]sx?$/.test(id);
export const isWasm = (file: string): boolean => file.endsWith('.wasm');
