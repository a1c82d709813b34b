/**
 * Makes the index: has each file parsed, every word stemmed, each document stored.
 *
 * The same few lines run behind any walls. A part that has slept takes a while to wake, and one that was just called
 * answers at once; so a few documents go through one part together, call after call, before the next part gets them.
 * Invariant: what is stored depends on the files alone, never on the walls,
 * the time or the order.
 */
import { documents_max, document_bytes_max, readDocument } from './find-documents.ts';
import type { Found } from './find-documents.ts';
import type { Page } from './tasks/parse.ts';
import type { Document } from './tasks/store.ts';
import { SampleOver } from './walls/walls.ts';
import type { Walls } from './walls/walls.ts';
import { wordsOf } from './words.ts';

/** Stops the corpus where indexing without walls would take about ten seconds. */
export const corpus_bytes_max = 12 * 1024 * 1024;
export const capSentence = `at most ${documents_max} files and ${corpus_bytes_max / 2 ** 20} MiB are indexed`;

/** The documents that are in memory at a time: this many, and no more bytes than this unless one alone has them. */
const chunk_documents = 16;
const chunk_bytes = 1024 * 1024;

export interface Progress {
  documents: number;
  documents_total: number;
  words: number;
}

/** The documents that fit the cap, in order, and how many do not. */
export function capped(documents: Found[]): { documents: Found[]; left_out: number } {
  let bytes = 0;
  const kept = documents.filter((document) => {
    bytes += Math.min(document.size, document_bytes_max);
    return bytes <= corpus_bytes_max;
  });
  return { documents: kept, left_out: documents.length - kept.length };
}

/**
 * Indexes `documents` into the open store of `walls`, within the caller's `begin` and `finish`. `known` are the paths
 * that links may lead to. Returns how many were completed, less than all only when a sample's time was over.
 */
export async function indexDocuments(
  walls: Walls,
  documents: readonly Found[],
  known: ReadonlySet<string>,
  onProgress: (progress: Progress) => void = () => {},
): Promise<{ documents: number; words: number; completed: string[] }> {
  const completed: string[] = [];
  let words = 0;
  let turned_ms = performance.now();
  await walls.setDocuments([...known]);
  for (const chunk of chunksOf(documents)) {
    const parsed: Parsed[] = [];
    const sources = await Promise.all(chunk.map(read));
    for (const [index, found] of chunk.entries()) {
      const source = sources[index];
      // A file that vanished meanwhile is left out.
      if (source === undefined) completed.push(found.path);
      else parsed.push(await parse(walls, found, source));
      await turn();
    }
    const stemmed: Stemmed[] = [];
    for (const document of parsed) {
      const done = await stem(walls, document);
      if (!done) break;
      stemmed.push(done);
      await turn();
    }
    for (const { document, words: count } of stemmed) {
      await walls.add(document);
      completed.push(document.path);
      words += count;
      await turn();
    }
    if (stemmed.length < parsed.length) break;
  }
  return { documents: completed.length, words, completed };

  /** Between two documents, signals and connections are served. */
  async function turn(): Promise<void> {
    if (performance.now() - turned_ms <= 100) return;
    await new Promise((resolve) => setImmediate(resolve));
    turned_ms = performance.now();
    onProgress({ documents: completed.length, documents_total: documents.length, words });
  }
}

function* chunksOf(documents: readonly Found[]): Generator<Found[]> {
  let chunk: Found[] = [];
  let bytes = 0;
  for (const document of documents) {
    const size = Math.min(document.size, document_bytes_max);
    if (chunk.length === chunk_documents || (chunk.length > 0 && bytes + size > chunk_bytes)) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(document);
    bytes += size;
  }
  if (chunk.length > 0) yield chunk;
}

interface Parsed {
  found: Found;
  source: string;
  page: Page;
}

interface Stemmed {
  document: Document;
  words: number;
}

function read(found: Found): Promise<string | undefined> {
  return readDocument(found.file).catch(() => undefined);
}

/** A document that its parser gives up on is shown as it is written. */
async function parse(walls: Walls, found: Found, source: string): Promise<Parsed> {
  try {
    return { found, source, page: await walls.parse(found.path, source) };
  } catch {
    const escaped = source.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
    return { found, source, page: { title: '', html: `<pre>${escaped}</pre>`, text: source, headings: [], blocks: 0 } };
  }
}

/** Undefined when a sample's time was over before the last word. */
async function stem(walls: Walls, { found, source, page }: Parsed): Promise<Stemmed | undefined> {
  const title = page.title || nameOf(found);
  const nameWords = wordsOf(`${title} ${found.path}`);
  const textWords = wordsOf(page.text);
  try {
    const nameStems = await walls.stem(nameWords);
    const stems = await walls.stem(textWords);
    const document = {
      ...{ path: found.path, package: found.package, size: found.size, mtime_ms: found.mtime_ms },
      ...{ source, title, html: page.html, text: page.text, headings: page.headings },
      ...{ name_stems: nameStems.join(' '), stems: stems.join(' ') },
    };
    return { document, words: nameWords.length + textWords.length };
  } catch (error) {
    if (error instanceof SampleOver) return undefined;
    throw error;
  }
}

/** What a document without a heading is called: a readme by its package, others by their file. */
export function nameOf(document: Found): string {
  const file = document.path.slice(document.path.lastIndexOf('/') + 1);
  return /^readme\b/i.test(file) ? document.package : file;
}
