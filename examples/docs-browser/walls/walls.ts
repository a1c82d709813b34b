/**
 * The five parts of the site, and the four ways to put a wall round each.
 *
 * `Walls` is all that the rest of the program knows: the same work, whether the parts are called in this thread
 * (`direct`), as tasks of l3kernel (`l3kernel`), by messages through Comlink (`comlink`) or by synckit (`synckit`).
 * The methods that take a list make one protected call per element; that is the grain that is measured. A result is a
 * promise where the walls need one; the callers await once per document, never once per word.
 *
 * The parser has one of two engines, whatever the walls (`ParserName`). Invariant: every way gives the same results
 * with the same engine, so that the digests of two indexes can be compared.
 */
import type { Block, Page } from '../tasks/parse.ts';
import type { Edge } from './account.ts';
import type { Document, Listed, StoredPage, Hit } from '../tasks/store.ts';

export const wallNames = ['direct', 'l3kernel', 'comlink', 'synckit'] as const;
export type WallName = (typeof wallNames)[number];
/** Which engine reads Markdown: md4w in a memory of its own, or markdown-it in the part's own worker. */
export const parserNames = ['wasm', 'worker'] as const;
export type ParserName = (typeof parserNames)[number];
export const parser_default: ParserName = 'wasm';
export type MaybePromise<T> = T | Promise<T>;

/** Protected calls by the part that is called, whoever calls it. */
export interface Calls {
  parse: number;
  highlight: number;
  stem: number;
  match: number;
  store: number;
}

/** A line that a pattern matches: its index, and where. */
export interface Match {
  line: number;
  start: number;
  end: number;
}

export interface Walls {
  readonly name: WallName;
  readonly calls: Calls;
  /** Tells the parser which documents links may lead to, by their paths. */
  setDocuments(paths: readonly string[]): MaybePromise<void>;
  /** Renders the file `path`: one call per file, and one per code block from the parser to the highlighter. */
  parse(path: string, markdown: string): MaybePromise<Page>;
  /** The stem of each word: one call per word. */
  stem(words: readonly string[]): MaybePromise<string[]>;
  /** Throws the engine's SyntaxError for what is no pattern. */
  check(source: string, flags: string): MaybePromise<void>;
  /** Sets the pattern that `find` looks for. Throws as `check` does. */
  compile(source: string, flags: string): MaybePromise<void>;
  /** The lines that match: one call per line. Throws SlowPattern where the walls allow a time limit. */
  find(lines: readonly string[]): MaybePromise<Match[]>;

  open(file: string): MaybePromise<void>;
  begin(): MaybePromise<void>;
  add(document: Document): MaybePromise<void>;
  remove(path: string): MaybePromise<void>;
  finish(key: string): MaybePromise<void>;
  completeKey(): MaybePromise<string>;
  list(): MaybePromise<Listed[]>;
  digests(): MaybePromise<Record<string, string>>;
  page(path: string): MaybePromise<StoredPage | null>;
  source(path: string): MaybePromise<string>;
  /** What a reader of the page sees, as text. */
  text(path: string): MaybePromise<string>;
  search(phrases: string[][], offset: number, limit: number): MaybePromise<{ total: number; results: Hit[] }>;

  /** To look at the parts and to break them; only where the walls hold. */
  readonly inside?: Inside;
  /** Bytes that were copied through the walls to parts that are alive, where the walls count them. */
  bytesCopied(): number | undefined;
  /** Ends the parts. */
  close(): MaybePromise<void>;
}

/** One task as it stands. */
export interface TaskLine {
  id: number;
  name: string;
  kind: string;
  state: string;
  /** The name of the task that it waits for. */
  partner: string | undefined;
  /** Messages and bytes that its thread has sent, and how often it slept, since its last start. */
  sent: number;
  bytes: number;
  parks: number;
  restarts: number;
}

/** A page as a rule sees it. */
export interface RulePage {
  path: string;
  title: string;
  text: string;
  headings: { level: number; text: string }[];
}

/** A page rule that runs. */
export interface RuleTask {
  /** Asks it about a page: resolves with anything that can be cloned, rejects with anything, within a bounded time. */
  run(page: RulePage): Promise<unknown>;
  close(): Promise<void>;
}

export const breakKinds = ['regex', 'exit', 'heap', 'throw', 'ring', 'kill', 'loop'] as const;
export type BreakKind = (typeof breakKinds)[number];

/** What a break gives the caller: the error it met, and when. */
export interface BreakOutcome {
  /** The error's code, or its name when it has none; 'none' when the call returned. */
  code: string;
  message: string;
  /** From what broke the part to the error. */
  error_ms: number;
  /** From the error until every part that was touched has answered again. */
  mended_ms: number;
}

/** Walls that can be looked into, and that hold when a part breaks. */
export interface Inside {
  tasks(): TaskLine[];
  edges(): Edge[];
  /** Renders without blocking the caller: `Walls.parse` for visitors. */
  render(path: string, markdown: string): Promise<Page>;
  /** Breaks a part and mends it; the error of the call that met it is the outcome. */
  breakPart(kind: BreakKind): Promise<BreakOutcome>;
  /** Starts a page rule, the text of a module that nobody vouches for. Rejects with what keeps it from starting. */
  openRule(text: string, isTrial: boolean): Promise<RuleTask>;
}

/** A line took the pattern longer than the time limit; the part that ran it has been replaced. */
export class SlowPattern extends Error {
  override name = 'SlowPattern';
}

/** The time for a sample is over. */
export class SampleOver extends Error {
  override name = 'SampleOver';
}

/** The parts as modules: what `import` gives, and what the stubs of a wall look like. */
export interface Parts {
  /** The walls decide how the parser reaches its highlighter. */
  parse: {
    setDocuments(paths: readonly string[]): void;
    parse(path: string, markdown: string): Page;
  };
  highlight: typeof import('../tasks/highlight.ts');
  stem: typeof import('stemmer');
  match: typeof import('../tasks/match.ts');
  store: typeof import('../tasks/store.ts');
}

/** The same behind walls through which no part can reach another: the caller carries the blocks. */
export interface SplitParts extends Omit<Parts, 'parse'> {
  parse: {
    setDocuments(paths: readonly string[]): void;
    draft(path: string, markdown: string): Block[];
    fill(coloured: readonly string[]): Page;
  };
}

/** Where each part's module is. The stemmer is the package itself, not a line of it is ours. */
export function partModules(parser: ParserName): Record<keyof Parts, URL> {
  return {
    parse: new URL(`../tasks/parse-${parser}.ts`, import.meta.url),
    highlight: new URL('../tasks/highlight.ts', import.meta.url),
    stem: new URL(import.meta.resolve('stemmer')),
    match: new URL('../tasks/match.ts', import.meta.url),
    store: new URL('../tasks/store.ts', import.meta.url),
  };
}

export function noCalls(): Calls {
  return { parse: 0, highlight: 0, stem: 0, match: 0, store: 0 };
}

export function totalOf(calls: Calls): number {
  return calls.parse + calls.highlight + calls.stem + calls.match + calls.store;
}

export interface WallOptions {
  /** Default: `parser_default`. */
  parser?: ParserName;
  /** For samples: `stem` throws SampleOver when `performance.now()` is past the deadline, which the caller may move. */
  sample?: { deadline_ms: number };
}

/** Starts the parts behind walls of one kind. Each kind is loaded only when it is asked for. */
export async function openWalls(name: WallName, options: WallOptions = {}): Promise<Walls> {
  switch (name) {
    case 'direct':
      return await (await import('./direct.ts')).openDirect(options);
    case 'l3kernel':
      return await (await import('./l3kernel.ts')).openL3kernel(options);
    case 'comlink':
      return (await import('./comlink.ts')).openComlink(options);
    case 'synckit':
      return (await import('./synckit.ts')).openSynckit(options);
  }
}
