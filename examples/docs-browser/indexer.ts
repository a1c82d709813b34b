/**
 * Makes the index: reads each file, has it parsed, has every word stemmed, has it stored.
 *
 * The same few lines run behind any walls. Invariant: what is stored depends on the files alone, never on the walls,
 * the time or the order.
 */
import { documents_max, document_bytes_max, readDocument } from './find-documents.ts';
import type { Found } from './find-documents.ts';
import { resolveLink } from './links.ts';
import type { Page } from './tasks/parse.ts';
import { SampleOver } from './walls/walls.ts';
import type { Walls } from './walls/walls.ts';
import { wordsOf } from './words.ts';

/** Stops the corpus where indexing without walls would take about ten seconds. */
export const corpus_bytes_max = 12 * 1024 * 1024;
export const capSentence = `at most ${documents_max} files and ${corpus_bytes_max / 2 ** 20} MiB are indexed`;

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
  for (const document of documents) {
    try {
      words += await indexDocument(walls, document, known);
    } catch (error) {
      if (error instanceof SampleOver) break;
      throw error;
    }
    completed.push(document.path);
    if (performance.now() - turned_ms > 100) {
      // Signals and connections are served between two documents.
      await new Promise((resolve) => setImmediate(resolve));
      turned_ms = performance.now();
      onProgress({ documents: completed.length, documents_total: documents.length, words });
    }
  }
  return { documents: completed.length, words, completed };
}

/** Returns the number of words. A file that vanished meanwhile is left out. */
async function indexDocument(walls: Walls, document: Found, known: ReadonlySet<string>): Promise<number> {
  const source = await readDocument(document.file).catch(() => undefined);
  if (source === undefined) return 0;
  const page = await pageOf(walls, source, document, known);
  const title = page.title || nameOf(document);
  const nameWords = wordsOf(`${title} ${document.path}`);
  const textWords = wordsOf(page.text);
  const nameStems = await walls.stem(nameWords);
  const stems = await walls.stem(textWords);
  await walls.add({
    ...{ path: document.path, package: document.package, size: document.size, mtime_ms: document.mtime_ms },
    ...{ source, title, html: page.html, text: page.text, headings: page.headings },
    ...{ name_stems: nameStems.join(' '), stems: stems.join(' ') },
  });
  return nameWords.length + textWords.length;
}

/** What a document without a heading is called: a readme by its package, others by their file. */
export function nameOf(document: Found): string {
  const file = document.path.slice(document.path.lastIndexOf('/') + 1);
  return /^readme\b/i.test(file) ? document.package : file;
}

/** A document that its parser gives up on is shown as it is written. */
async function pageOf(walls: Walls, source: string, document: Found, known: ReadonlySet<string>): Promise<Page> {
  try {
    return await walls.parse(source, (href) => resolveLink(href, document.path, known));
  } catch {
    const escaped = source.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
    return { title: '', html: `<pre>${escaped}</pre>`, text: source, headings: [] };
  }
}
