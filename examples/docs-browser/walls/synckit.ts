/**
 * Each part in a worker, called by synckit: the caller blocks until the message with the result is there. synckit
 * has one function per worker file, so the method's name travels as the first argument.
 */
import { createSyncFn } from 'synckit';
import { syncWalls } from './sync-walls.ts';
import { parser_default } from './walls.ts';
import type { SplitParts, WallOptions, Walls } from './walls.ts';

type AnyMethod = (method: string, ...args: unknown[]) => unknown;

function stub<Part extends object>(name: string, methods: (keyof Part & string)[]): Part {
  const file = new URL(`./synckit/${name}.ts`, import.meta.url);
  const call = createSyncFn<AnyMethod>(file);
  return Object.fromEntries(methods.map((method) => [method, (...args: unknown[]) => call(method, ...args)])) as Part;
}

export function openSynckit(options: WallOptions = {}): Walls {
  const parts: SplitParts = {
    parse: stub(`parse-${options.parser ?? parser_default}`, ['setDocuments', 'draft', 'fill']),
    highlight: stub('highlight', ['highlight']),
    stem: stub('stem', ['stemmer']),
    match: stub('match', ['check', 'compile', 'find']),
    store: stub('store', [
      ...(['open', 'close', 'begin', 'add', 'remove', 'finish', 'completeKey', 'list'] as const),
      ...(['digests', 'page', 'source', 'text', 'search'] as const),
    ]),
  };
  return syncWalls('synckit', parts, options);
}
