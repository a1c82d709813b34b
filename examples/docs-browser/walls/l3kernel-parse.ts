/**
 * The parser as a task of l3kernel: it finds the task `highlight` by its name and calls it without asking its chief.
 *
 * Invariant: a highlighter that was replaced is found again at the next call, and one that does not come back is given
 * up after a time, so that the parser never waits for ever.
 */
import { IpcError, lookup } from 'l3kernel';
import { parse as parseWith } from '../tasks/parse.ts';
import type { Page } from '../tasks/parse.ts';

export { setDocuments } from '../tasks/parse.ts';
export { breakDown, callRing } from './break-down.ts';

type Highlighter = typeof import('../tasks/highlight.ts');

/** Well below what a whole document may take, so that the blame falls on the right part. */
const block_time_max_ms = 5000;

let highlighter: Highlighter | undefined;

/** A page, and what the parser waited for the highlighter meanwhile. */
export interface TimedPage extends Page {
  highlight_ms: number;
}

/** Renders the file `path`. Throws what the parser throws, and IpcError when the highlighter cannot be reached. */
export function parse(path: string, markdown: string): TimedPage {
  let highlight_ms = 0;
  const page = parseWith(path, markdown, (code, language) => {
    const started_ms = performance.now();
    const html = highlight(code, language);
    highlight_ms += performance.now() - started_ms;
    return html;
  });
  return { ...page, highlight_ms };
}

function highlight(code: string, language: string): string {
  highlighter ??= findHighlighter();
  try {
    return highlighter.highlight(code, language);
  } catch (error) {
    if (!(error instanceof IpcError)) throw error;
    // The stub belongs to one task; its successor has the name only.
    highlighter = undefined;
    if (error.code !== 'ERR_IPC_PEER_GONE') throw error;
    highlighter = findHighlighter();
    return highlighter.highlight(code, language);
  }
}

function findHighlighter(): Highlighter {
  return lookup<Highlighter>('highlight').with({ timeout: block_time_max_ms }).sync;
}
