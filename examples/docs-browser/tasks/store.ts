/**
 * The part that keeps the site: one SQLite file with a full-text index, through node:sqlite.
 *
 * `document` holds one row per Markdown file; `word` is an FTS5 index over the stems in it. What comes back are plain
 * records. Invariant: a row and its index entries are written in one transaction, and `meta.complete` is set by
 * `finish` only, so that an index which was not finished is never taken for one.
 */
import { createHash } from 'node:crypto';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { wordPattern } from '../words.ts';
import type { Heading } from './parse.ts';

/** One file as the indexer hands it over. `stems` and `name_stems` are blank-separated, see words.ts. */
export interface Document {
  path: string;
  package: string;
  size: number;
  mtime_ms: number;
  source: string;
  title: string;
  html: string;
  text: string;
  headings: Heading[];
  name_stems: string;
  stems: string;
}

export interface StoredPage {
  path: string;
  package: string;
  size: number;
  title: string;
  html: string;
  headings: Heading[];
}

export interface Listed {
  path: string;
  package: string;
  title: string;
  size: number;
  mtime_ms: number;
}

export interface Hit {
  path: string;
  package: string;
  title: string;
  snippet: string;
  /** Where the words found are in the snippet: start and end by turns, in UTF-16 units. */
  marks: number[];
}

const schema = `
  PRAGMA synchronous = OFF;
  PRAGMA busy_timeout = 2000;
  CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value TEXT);
  CREATE TABLE IF NOT EXISTS document(
    id INTEGER PRIMARY KEY, path TEXT UNIQUE, package TEXT, size INTEGER, mtime_ms REAL, digest TEXT,
    source TEXT, title TEXT, html TEXT, text TEXT, headings TEXT, name_stems TEXT, stems TEXT);
  CREATE VIRTUAL TABLE IF NOT EXISTS word USING fts5(
    name_stems, stems, content = 'document', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 0');
`;

let database: DatabaseSync | undefined;
const statements = new Map<string, StatementSync>();

function sql(text: string): StatementSync {
  let statement = statements.get(text);
  if (!statement) {
    if (!database) throw new Error('the store is not open');
    statement = database.prepare(text);
    statements.set(text, statement);
  }
  return statement;
}

type Row = Record<string, unknown>;
const asText = (value: unknown): string => (typeof value === 'string' ? value : '');
const asNumber = (value: unknown): number => Number(value);

/** Opens or makes the file, ':memory:' for none; an open one is closed first. Throws SQLite's error. */
export function open(file: string): void {
  close();
  database = new DatabaseSync(file);
  database.exec(schema);
}

export function close(): void {
  statements.clear();
  database?.close();
  database = undefined;
}

/** Begins the one transaction of an indexing run; `finish` ends it. */
export function begin(): void {
  sql('BEGIN').run();
}

/** Adds a document or replaces the one of the same path. */
export function add(document: Document): void {
  remove(document.path);
  const { path, title, html, text, name_stems, stems } = document;
  const digest = createHash('sha256')
    .update(JSON.stringify([path, title, html, text, name_stems, stems]))
    .digest('hex');
  const { lastInsertRowid } = sql(
    `INSERT INTO document(path, package, size, mtime_ms, digest, source, title, html, text, headings, name_stems, stems)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(
    ...[path, document.package, document.size, document.mtime_ms, digest, document.source, title, html, text],
    ...[JSON.stringify(document.headings), name_stems, stems],
  );
  sql('INSERT INTO word(rowid, name_stems, stems) VALUES (?, ?, ?)').run(lastInsertRowid, name_stems, stems);
}

/** Removes a document; nothing happens when there is none. */
export function remove(path: string): void {
  const row = sql('SELECT id, name_stems, stems FROM document WHERE path = ?').get(path) as Row | undefined;
  if (!row) return;
  const id = asNumber(row.id);
  // An index with external content has to be told what it is to forget.
  sql(`INSERT INTO word(word, rowid, name_stems, stems) VALUES ('delete', ?, ?, ?)`).run(
    ...[id, asText(row.name_stems), asText(row.stems)],
  );
  sql('DELETE FROM document WHERE id = ?').run(id);
}

/** Ends the run and marks the index complete under a key that says what it was made of and by. */
export function finish(key: string): void {
  sql(`INSERT OR REPLACE INTO meta(name, value) VALUES ('complete', ?)`).run(key);
  sql('COMMIT').run();
}

/** The key given to `finish`, or '' for an index that never was finished. */
export function completeKey(): string {
  const row = sql(`SELECT value FROM meta WHERE name = 'complete'`).get() as Row | undefined;
  return asText(row?.value);
}

/** All documents in the order of their paths. */
export function list(): Listed[] {
  const rows = sql('SELECT path, package, title, size, mtime_ms FROM document ORDER BY path').all() as Row[];
  return rows.map((row) => ({
    path: asText(row.path),
    package: asText(row.package),
    title: asText(row.title),
    size: asNumber(row.size),
    mtime_ms: asNumber(row.mtime_ms),
  }));
}

/** SHA-256 of each document's content by path: two indexes are the same when these are. */
export function digests(): Record<string, string> {
  const rows = sql('SELECT path, digest FROM document ORDER BY path').all() as Row[];
  return Object.fromEntries(rows.map((row) => [asText(row.path), asText(row.digest)]));
}

/** One page, or null. */
export function page(path: string): StoredPage | null {
  const row = sql('SELECT path, package, size, title, html, headings FROM document WHERE path = ?').get(path) as
    | Row
    | undefined;
  if (!row) return null;
  return {
    path: asText(row.path),
    package: asText(row.package),
    size: asNumber(row.size),
    title: asText(row.title),
    html: asText(row.html),
    headings: JSON.parse(asText(row.headings)) as Heading[],
  };
}

/** The Markdown of one file as it was read, or '' when there is none. */
export function source(path: string): string {
  return asText((sql('SELECT source FROM document WHERE path = ?').get(path) as Row | undefined)?.source);
}

/** What a reader of the page sees, as text; '' when there is none. */
export function text(path: string): string {
  return asText((sql('SELECT text FROM document WHERE path = ?').get(path) as Row | undefined)?.text);
}

/**
 * Documents that hold all the phrases, best first. A phrase is a list of stems; most have one. Returns `total` of all
 * and the results from `offset` on.
 */
export function search(phrases: string[][], offset: number, limit: number): { total: number; results: Hit[] } {
  const query = phrases.map((stems) => `"${stems.join(' ').replaceAll('"', '')}"`).join(' AND ');
  const total = asNumber((sql('SELECT count(*) AS total FROM word WHERE word MATCH ?').get(query) as Row).total);
  const rows = sql(
    `SELECT document.path, document.package, document.title, document.text, document.stems
     FROM word JOIN document ON document.id = word.rowid
     WHERE word MATCH ? ORDER BY bm25(word, 8.0, 1.0), document.path LIMIT ? OFFSET ?`,
  ).all(query, limit, offset) as Row[];
  const wanted = new Set(phrases.flat());
  const results = rows.map((row) => ({
    path: asText(row.path),
    package: asText(row.package),
    title: asText(row.title),
    ...snippetOf(asText(row.text), asText(row.stems), wanted),
  }));
  return { total, results };
}

const snippet_words = 36;
const snippet_words_before = 6;
const hits_looked_at = 200;

/** The stretch of the text that shows the most of the words wanted. */
function snippetOf(text: string, stems: string, wanted: Set<string>): { snippet: string; marks: number[] } {
  const terms = stems.split(' ');
  const hits: number[] = [];
  for (let index = 0; index < terms.length && hits.length < hits_looked_at; index++) {
    if (wanted.has(terms[index] ?? '')) hits.push(index);
  }
  let best = 0;
  let most = 0;
  for (const [position, first] of hits.entries()) {
    const seen = new Set<string | undefined>();
    let last = position;
    while (last < hits.length && (hits[last] ?? 0) < first + snippet_words - snippet_words_before)
      seen.add(terms[hits[last++] ?? 0]);
    // Different words count more than one word many times.
    const worth = seen.size * 100 + (last - position);
    if (worth > most) [most, best] = [worth, first];
  }
  return cut(text, Math.max(0, best - snippet_words_before), new Set(hits));
}

/** The words of `text` from the one numbered `first` on, with the places of those numbered in `hits`. */
function cut(text: string, first: number, hits: Set<number>): { snippet: string; marks: number[] } {
  const pattern = new RegExp(wordPattern.source, wordPattern.flags);
  const places: [start: number, end: number][] = [];
  let from = 0;
  let to = 0;
  let index = 0;
  for (let word = pattern.exec(text); word && index < first + snippet_words; word = pattern.exec(text), index++) {
    if (index < first) continue;
    if (index === first) from = word.index;
    to = word.index + word[0].length;
    if (hits.has(index)) places.push([word.index, to]);
  }
  const snippet_length_max = 600;
  const end = Math.min(to, from + snippet_length_max);
  const before = from > 0 ? '… ' : '';
  const snippet = `${before}${text.slice(from, end)}${end < text.length ? ' …' : ''}`;
  const shown = places.filter(([, last]) => last <= end);
  const marks = shown.flatMap(([start, last]) => [start - from + before.length, last - from + before.length]);
  return { snippet, marks };
}
