/**
 * Answers queries through the walls: words by the full-text index, patterns line by line.
 *
 * Searches by pattern run one after the other: there is one part that matches, and its time is what has to be shared.
 * Invariant: each is bounded, by a limit per line inside the walls and by `pattern_time_max_ms` in all; a result that
 * was cut short says so.
 */
import type { Hit, Listed } from './tasks/store.ts';
import type { Walls } from './walls/walls.ts';
import type { Query } from './query.ts';

export const results_per_page = 10;
export const pages_max = 1000;
const pattern_time_max_ms = 4000;
const patterns_waiting_max = 24;
const lines_shown_max = 4;
const line_shown_characters = 240;

export interface LineFound {
  /** Counted from 1. */
  line: number;
  text: string;
  /** Where the match is in `text`. */
  start: number;
  end: number;
}

export interface Found {
  kind: 'words' | 'pattern';
  /** Documents that match. */
  total: number;
  /** Lines that match, for patterns. */
  lines?: number;
  /** False when the time was over before all documents were looked at. */
  complete: boolean;
  results: (Hit | { path: string; package: string; title: string; lines: LineFound[]; lines_total: number })[];
}

/** More of something is waiting than will be served; the message is for the visitor. */
export class Busy extends Error {
  override name = 'Busy';
}

export class Searcher {
  readonly #walls: Walls;
  readonly #documents: () => readonly Listed[];
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(walls: Walls, documents: () => readonly Listed[]) {
    this.#walls = walls;
    this.#documents = documents;
  }

  /** `page` counts from 1. Throws SyntaxError for a bad pattern, SlowPattern, Busy. */
  async search(query: Query, page: number): Promise<Found> {
    if (query.kind === 'pattern') {
      // What is no pattern need not wait for its turn to be told so.
      await this.#walls.check(query.source, query.flags);
      return await this.inTurn(() => this.#byPattern(query.source, query.flags, page));
    }
    const stems: string[][] = [];
    for (const phrase of query.phrases) stems.push(await this.#walls.stem(phrase));
    const found = await this.#walls.search(stems, (page - 1) * results_per_page, results_per_page);
    return { kind: 'words', complete: true, ...found };
  }

  /** Runs `work` when the matcher is free. Throws Busy. */
  async inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= patterns_waiting_max)
      throw new Busy('Too many searches by pattern are waiting. Try again in a moment.');
    this.#waiting++;
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    try {
      return await turn;
    } finally {
      this.#waiting--;
    }
  }

  async #byPattern(source: string, flags: string, page: number): Promise<Found> {
    const walls = this.#walls;
    await walls.compile(source, flags);
    const ends_ms = performance.now() + pattern_time_max_ms;
    const found: Found = { kind: 'pattern', total: 0, lines: 0, complete: true, results: [] };
    const first = (page - 1) * results_per_page;
    for (const document of this.#documents()) {
      if (performance.now() > ends_ms) {
        found.complete = false;
        break;
      }
      const lines = (await walls.source(document.path)).split(/\r\n?|\n/);
      const matches = await walls.find(lines);
      // Other visitors are served between two documents, also where the walls do not need the event loop.
      await new Promise((resolve) => setImmediate(resolve));
      if (!matches.length) continue;
      found.total++;
      found.lines = (found.lines ?? 0) + matches.length;
      if (found.total <= first || found.results.length >= results_per_page) continue;
      const shown = matches.slice(0, lines_shown_max).map((match) => excerpt(lines[match.line] ?? '', match));
      const { path, package: name, title } = document;
      found.results.push({ path, package: name, title, lines: shown, lines_total: matches.length });
    }
    return found;
  }
}

/** The stretch of a line round a match. */
function excerpt(line: string, match: { line: number; start: number; end: number }): LineFound {
  const from = Math.max(0, Math.min(match.start - 60, line.length - line_shown_characters));
  const text = line.slice(from, from + line_shown_characters);
  const end = Math.min(match.end - from, text.length);
  return { line: match.line + 1, text, start: match.start - from, end };
}
