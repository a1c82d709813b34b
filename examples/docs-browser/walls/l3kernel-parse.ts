/**
 * What the parser adds as a task of l3kernel, whichever engine it has: it finds the task `highlight` by its name and
 * calls it without asking its chief.
 *
 * Invariant: a highlighter that ended for good is found again by its name at the next call, and one that does not come
 * back is given up after a time, so that the parser never waits for ever.
 */
import { here, IpcError, lookup } from 'l3kernel';
import type { Here } from 'l3kernel';
import { makeParser } from '../tasks/parse.ts';
import type { Page, Render } from '../tasks/parse.ts';
import type { ParserHost } from './l3kernel-tasks.ts';

type Highlighter = typeof import('../tasks/highlight.ts');

/** A page, and what the parser waited for others meanwhile. */
export interface TimedPage extends Page {
  highlight_ms: number;
  /** The task that rendered it, where that is another. */
  engine?: { name: string; ms: number };
}

export interface TaskParser {
  /** Tells which documents links may lead to. A parser that was started again asks its chief for them. */
  setDocuments(paths: readonly string[]): void;
  /** Renders the file `path`. Throws what the parser throws, and IpcError when the highlighter cannot be reached. */
  parse(path: string, markdown: string): TimedPage;
}

export function makeTaskParser(render: Render): TaskParser {
  const parser = makeParser(render);
  let isTold = false;

  function setDocuments(paths: readonly string[]): void {
    parser.setDocuments(paths);
    isTold = true;
  }

  return {
    setDocuments,
    parse(path, markdown) {
      if (!isTold) setDocuments((here as Here<ParserHost>).host.sync.documents());
      let highlight_ms = 0;
      const page = parser.parse(path, markdown, (code, language) => {
        const started_ms = performance.now();
        const html = highlight(code, language);
        highlight_ms += performance.now() - started_ms;
        return html;
      });
      return { ...page, highlight_ms };
    },
  };
}

let highlighter: Highlighter | undefined;

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
  return lookup<Highlighter>('highlight').sync;
}
