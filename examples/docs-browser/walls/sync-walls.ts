/**
 * Walls whose calls return at once: the modules themselves, l3kernel's `.sync` stubs, synckit's functions. All three
 * have the type of the modules, so that the work is written once.
 *
 * Invariant: the loops hold nothing but the calls and their counting.
 */
import type { Page } from '../tasks/parse.ts';
import { noCalls, SampleOver } from './walls.ts';
import type { Match, Parts, WallName, WallOptions, Walls } from './walls.ts';

export interface SyncWallOptions extends WallOptions {
  /** Whether a function may be passed through the wall and called back; else `draft` and `fill` do the same. */
  callbacks: boolean;
  close?: () => void | Promise<void>;
}

export function syncWalls(name: WallName, parts: Parts, options: SyncWallOptions): Walls {
  const calls = noCalls();

  const parseByUpcalls = (markdown: string, link: (href: string) => string | null): Page => {
    calls.parse++;
    return parts.parse.parse(markdown, {
      highlight(code, language) {
        calls.parse++;
        calls.highlight++;
        return parts.highlight.highlight(code, language);
      },
      link(href) {
        calls.parse++;
        return link(href);
      },
    });
  };
  const parseByDraft = (markdown: string, link: (href: string) => string | null): Page => {
    calls.parse += 2;
    const questions = parts.parse.draft(markdown);
    const codes = questions.codes.map(({ code, language }) => {
      calls.highlight++;
      return parts.highlight.highlight(code, language);
    });
    return parts.parse.fill(codes, questions.links.map(link));
  };

  return {
    name,
    calls,
    parse: options.callbacks ? parseByUpcalls : parseByDraft,
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
