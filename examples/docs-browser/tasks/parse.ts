/**
 * The part that turns a stranger's Markdown into safe HTML, but for the engine that reads Markdown: that is given to
 * `makeParser`, and there are two (parse-wasm.ts, parse-worker.ts). Whatever the engine answers, sanitize-html cleans
 * it afterwards.
 *
 * The parser resolves links itself, by the list of documents it was given once, and leaves code blocks to a
 * highlighter: first the whole file is rendered with marks in their places, then they are coloured one after the other,
 * then everything is cleaned. So the calls of the highlighter come in a row, and meet a part that is still awake. Walls
 * through which one part cannot reach another carry the blocks between the two halves, `draft` and `fill`.
 *
 * Invariant: nothing leaves this module that did not go through the sanitiser after the last piece was rendered, and
 * the work is bounded: nesting by the sanitiser's limit, size by the caller and by the engine's own file.
 */
import sanitizeHtml from 'sanitize-html';
import { resolveLink } from '../links.ts';

export interface Heading {
  level: number;
  id: string;
  text: string;
}

/**
 * One rendered file. `title` is its first heading of level 1, or empty. `html` is safe to send; `text` is what a reader
 * sees, for the index.
 */
export interface Page {
  title: string;
  html: string;
  text: string;
  headings: Heading[];
  /** How many code blocks were given to the highlighter. */
  blocks: number;
}

/** What the highlighter is asked, see highlight.ts. */
export interface Block {
  code: string;
  language: string;
}

/** HTML of a code block; it is sanitised like everything else. */
export type Highlight = (code: string, language: string) => string;

/** A file as an engine renders it: HTML, not sanitised yet, with a mark for each code block. */
export interface Rendered {
  html: string;
  /** In place of a block stands this text, the block's index, and a hyphen. Random: no document can contain it. */
  mark: string;
  blocks: Block[];
}

/** An engine: renders Markdown. Throws when it does not get to the end. */
export type Render = (markdown: string) => Rendered;

export interface Parser {
  /** Tells which documents links may lead to, by their paths; the list given before is forgotten. */
  setDocuments(paths: readonly string[]): void;
  /**
   * Renders the file `path`. Throws what the engine and the sanitiser throw (a RangeError, when a document exhausts the
   * stack) and what `highlight` throws.
   */
  parse(path: string, markdown: string, highlight: Highlight): Page;
  /** Renders the file `path` but for its code blocks, keeps it, and returns the blocks in order. */
  draft(path: string, markdown: string): Block[];
  /** Completes the last draft with the HTML of its blocks. Throws when there is none. */
  fill(coloured: readonly string[]): Page;
}

/** Deeper elements are dropped; browsers stop at 512 and readers long before. */
export const nesting_max = 100;
/** Every id that comes from a document gets this, so that none of them can meet an id of the site. */
const idPrefix = 'doc-';
const relationOfLinks = 'nofollow noopener noreferrer';

export function makeParser(render: Render): Parser {
  let known: ReadonlySet<string> = new Set();
  let pending: { path: string; html: string; mark: string } | undefined;

  function complete(path: string, html: string, mark: string, coloured: readonly string[]): Page {
    const whole = html.replace(new RegExp(`${mark}(\\d+)-`, 'g'), (_, index: string) => coloured[Number(index)] ?? '');
    const sanitised = clean(whole, (href) => resolveLink(href, path, known));
    return { ...finish(sanitised), blocks: coloured.length };
  }

  return {
    setDocuments(paths) {
      known = new Set(paths);
    },
    parse(path, markdown, highlight) {
      const { html, mark, blocks } = render(withoutFrontMatter(markdown));
      return complete(
        path,
        html,
        mark,
        blocks.map(({ code, language }) => highlight(code, language)),
      );
    },
    draft(path, markdown) {
      const { html, mark, blocks } = render(withoutFrontMatter(markdown));
      pending = { path, html, mark };
      return blocks;
    },
    fill(coloured) {
      if (!pending) throw new Error('there is no draft to fill');
      const { path, html, mark } = pending;
      pending = undefined;
      return complete(path, html, mark, coloured);
    },
  };
}

function withoutFrontMatter(markdown: string): string {
  return markdown.replace(/^---\r?\n[^]{0,4000}?\n---\r?\n/, '');
}

function clean(html: string, link: (href: string) => string | null): string {
  return sanitizeHtml(html, {
    allowedTags: [
      ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'p', 'hr', 'br', 'blockquote', 'pre', 'div', 'span', 'a'],
      ...['ul', 'ol', 'li', 'dl', 'dt', 'dd', 'table', 'caption', 'thead', 'tbody', 'tfoot', 'tr', 'th', 'td'],
      ...[
        'b',
        'strong',
        'i',
        'em',
        'u',
        's',
        'del',
        'ins',
        'mark',
        'small',
        'sub',
        'sup',
        'code',
        'kbd',
        'samp',
        'var',
      ],
      ...['abbr', 'cite', 'q', 'dfn', 'details', 'summary', 'figure', 'figcaption'],
    ],
    allowedAttributes: {
      '*': ['id'],
      a: ['href', 'rel'],
      abbr: ['title'],
      code: ['class'],
      details: ['open'],
      ol: ['start'],
      span: ['class'],
      td: ['class', 'colspan', 'rowspan'],
      th: ['class', 'colspan', 'rowspan'],
    },
    allowedClasses: {
      code: ['language-*'],
      span: ['hljs-*', '*_', 'image'],
      td: ['right', 'center'],
      th: ['right', 'center'],
    },
    allowedSchemes: ['http', 'https', 'mailto'],
    allowProtocolRelative: false,
    nestingLimit: nesting_max,
    nonTextTags: ['script', 'style', 'textarea', 'option', 'noscript', 'title', 'iframe', 'object', 'svg', 'math'],
    transformTags: {
      // Applied last, after the tag's own.
      '*': (tagName, attributes) => ({ tagName, attribs: withId(attributes) }),
      a: (tagName, attributes) => {
        const { href, name, rel: _rel, ...others } = attributes;
        const answer = href === undefined ? null : link(href);
        const attribs: Record<string, string> = answer == null ? {} : { href: answer, rel: relationOfLinks };
        Object.assign(attribs, others);
        if (name && !others.id) attribs.id = name;
        return { tagName, attribs };
      },
      td: align,
      th: align,
      // No picture is loaded from anywhere: a page must not tell strangers who reads it.
      img: (_, attributes) => ({ tagName: 'span', attribs: { class: 'image' }, text: attributes.alt ?? '' }),
    },
  });
}

function withId(attributes: Record<string, string>): Record<string, string> {
  return attributes.id === undefined ? attributes : { ...attributes, id: idPrefix + attributes.id };
}

/** A style attribute would be refused by the site's content security policy; a class says the same. */
function align(
  tagName: string,
  attributes: Record<string, string>,
): { tagName: string; attribs: Record<string, string> } {
  const { class: _class, style = '', align: side = '', ...attribs } = attributes;
  const where = /^text-align:\s*(right|center)$/.exec(style.trim())?.[1] ?? side.toLowerCase();
  if (where === 'right' || where === 'center') attribs.class = where;
  return { tagName, attribs };
}

const blockNames = new Set(
  'p div h1 h2 h3 h4 h5 h6 li dt dd pre blockquote tr hr br table ul ol dl details summary figure figcaption caption'.split(
    ' ',
  ),
);

/**
 * One linear pass over sanitised HTML: headings get ids, and the text that a reader sees is collected. The sanitiser
 * escapes `<` and `>` in texts and attributes, so that a simple pattern finds exactly the tags.
 */
function finish(html: string): Omit<Page, 'blocks'> {
  const output: string[] = [];
  const texts: string[] = [];
  const headings: Heading[] = [];
  const taken = new Map<string, number>();
  let onNewLine = true;
  let open: { level: number; at: number; from: number } | undefined;
  for (const [piece, slash, name] of html.matchAll(/<(\/?)([a-z0-9]+)[^>]*>|[^<]+|</g)) {
    output.push(piece);
    if (name === undefined) {
      texts.push(unescapeText(piece));
      onNewLine = piece.endsWith('\n');
      continue;
    }
    if (blockNames.has(name) && !onNewLine) {
      texts.push('\n');
      onNewLine = true;
    } else if (name === 'td' || name === 'th') texts.push(' ');
    const level = /^h[1-6]$/.test(name) ? Number(name[1]) : 0;
    if (level && !slash) open = { level, at: output.length - 1, from: texts.length };
    if (level && slash && open) {
      const text = texts.slice(open.from).join('').replace(/\s+/g, ' ').trim();
      const id = freeId(text, taken);
      // A heading that has an id keeps it, and gets the usual one as well.
      if (/ id="/.test(output[open.at] ?? '')) output[open.at] += `<span id="${id}"></span>`;
      else output[open.at] = `<h${open.level} id="${id}">`;
      if (text) headings.push({ level: open.level, id, text: text.slice(0, 200) });
      open = undefined;
    }
  }
  const title = headings.find((heading) => heading.level === 1)?.text ?? '';
  return {
    title,
    html: output.join(''),
    text: texts
      .join('')
      .replace(/\n{2,}/g, '\n')
      .trim(),
    headings,
  };
}

/** The id that the big Markdown hosts give a heading, so that a document's own table of contents works. */
function freeId(title: string, taken: Map<string, number>): string {
  const slug =
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M}_\- ]/gu, '')
      .replace(/ /g, '-')
      .slice(0, 120) || 'section';
  const count = taken.get(slug) ?? 0;
  taken.set(slug, count + 1);
  return escapeText(idPrefix + (count ? `${slug}-${count}` : slug));
}

const entities: Record<string, string> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'" };

function unescapeText(text: string): string {
  return text.includes('&') ? text.replace(/&(?:amp|lt|gt|quot|#39);/g, (entity) => entities[entity] ?? entity) : text;
}

export function escapeText(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}
