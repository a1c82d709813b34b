/**
 * Walls whose calls return at once: the modules themselves, l3kernel's `.sync` stubs, synckit's functions. All three
 * have the type of the modules, so that the work is written once.
 *
 * Invariant: the loops hold nothing but the calls and their counting.
 */
import type { Page } from '../tasks/parse.ts';
import { noCalls, SampleOver } from './walls.ts';
import type { Match, Parts, SplitParts, WallName, WallOptions, Walls } from './walls.ts';

export interface SyncWallOptions extends WallOptions {
  close?: () => void | Promise<void>;
}

export function syncWalls(name: WallName, parts: Parts | SplitParts, options: SyncWallOptions = {}): Walls {
  const calls = noCalls();

  return {
    name,
    calls,
    setDocuments(paths) {
      calls.parse++;
      parts.parse.setDocuments(paths);
    },
    parse(path, markdown) {
      calls.parse++;
      const parser = parts.parse;
      const page = 'parse' in parser ? parser.parse(path, markdown) : parseInHalves(parser, path, markdown);
      calls.highlight += page.blocks;
      return page;
    },
    stem: options.sample ? stemUntilDeadline : stemAll,
    check(source, flags) {
      calls.match++;
      parts.match.check(source, flags);
    },
    compile(source, flags) {
      calls.match++;
      parts.match.compile(source, flags);
    },
    find(lines) {
      const found: Match[] = [];
      calls.match += lines.length;
      for (let line = 0; line < lines.length; line++) {
        const place = parts.match.find(lines[line] ?? '');
        if (place) found.push({ line, start: place[0], end: place[1] });
      }
      return found;
    },
    open: counted('open'),
    begin: counted('begin'),
    add: counted('add'),
    remove: counted('remove'),
    finish: counted('finish'),
    completeKey: counted('completeKey'),
    list: counted('list'),
    digests: counted('digests'),
    page: counted('page'),
    source: counted('source'),
    text: counted('text'),
    search: counted('search'),
    bytesCopied: () => undefined,
    async close() {
      try {
        parts.store.close();
      } finally {
        await options.close?.();
      }
    },
  };

  function parseInHalves(parser: SplitParts['parse'], path: string, markdown: string): Page {
    calls.parse++;
    const blocks = parser.draft(path, markdown);
    return parser.fill(blocks.map(({ code, language }) => parts.highlight.highlight(code, language)));
  }

  function stemAll(words: readonly string[]): string[] {
    const stems = new Array<string>(words.length);
    for (let index = 0; index < words.length; index++) stems[index] = parts.stem.stemmer(words[index] ?? '');
    calls.stem += words.length;
    return stems;
  }

  function stemUntilDeadline(words: readonly string[]): string[] {
    const stems: string[] = [];
    for (const word of words) {
      if (performance.now() > (options.sample?.deadline_ms ?? Infinity)) throw new SampleOver();
      calls.stem++;
      stems.push(parts.stem.stemmer(word));
    }
    return stems;
  }

  /** A function of the store. The part is looked up at each call, for it may have been replaced. */
  function counted<Name extends keyof Parts['store']>(name: Name): Parts['store'][Name] {
    const method = (...args: unknown[]): unknown => {
      calls.store++;
      return (parts.store[name] as (...args: unknown[]) => unknown)(...args);
    };
    return method as Parts['store'][Name];
  }
}
