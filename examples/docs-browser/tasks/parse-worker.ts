/**
 * The parser with markdown-it, JavaScript like the rest of its part: `--parser=worker`. What a document can make it do
 * ends at the walls of the part's own process or worker.
 */
import { randomBytes } from 'node:crypto';
import MarkdownIt from 'markdown-it';
import { makeParser, nesting_max } from './parse.ts';
import type { Block, Rendered } from './parse.ts';

export function render(markdown: string): Rendered {
  const mark = `m${randomBytes(12).toString('hex')}-`;
  const blocks: Block[] = [];
  const renderer = new MarkdownIt({
    html: true,
    maxNesting: nesting_max,
    highlight: (code, language) => `${mark}${blocks.push({ code, language }) - 1}-`,
  });
  return { html: renderer.render(markdown), mark, blocks };
}

export const { setDocuments, parse, draft, fill } = makeParser(render);
