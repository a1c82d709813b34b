/**
 * The part that turns a stranger's Markdown into safe HTML: markdown-it renders, sanitize-html cleans afterwards.
 *
 * While it works it asks the main side two things: how a code block looks when highlighted, and where a link goes.
 * Both are plain functions of `Answers`; behind an l3kernel wall they are upcalls, valid until `parse` returns. Walls
 * that cannot call back while the caller waits use `draft` and `fill` instead: the same code with marks in the places
 * of the answers, filled in later.
 *
 * Invariant: nothing leaves this module that did not go through the sanitiser after the last piece was rendered, and
 * the work is bounded: nesting by the two libraries' limits, size by the caller.
 */
import { randomBytes } from 'node:crypto';
import MarkdownIt from 'markdown-it';
import sanitizeHtml from 'sanitize-html';

export interface Heading {
  level: number;
  id: string;
  text: string;
}

/** One rendered file. `title` is its first heading of level 1, or empty. `html` is safe to send; `text` is what a reader sees, for the index. */
export interface Page {
  title: string;
  html: string;
  text: string;
  headings: Heading[];
}

export interface Answers {
  /** HTML of a code block; it is sanitised like everything else. */
  highlight(code: string, language: string): string;
  /** The address a link shall have, or null for text without a link. */
  link(href: string): string | null;
}

/** What `fill` needs to know, in order: the code blocks and the links of the draft. */
export interface Questions {
  codes: { code: string; language: string }[];
  links: string[];
}

/** Deeper elements are dropped; browsers stop at 512 and readers long before. */
const nesting_max = 100;
/** Every id that comes from a document gets this, so that none of them can meet an id of the site. */
const idPrefix = 'doc-';
const relationOfLinks = 'nofollow noopener noreferrer';

/** Renders one file. Throws what the libraries throw (a RangeError, when a document exhausts the stack). */
export function parse(markdown: string, answers: Answers): Page {
  return finish(clean(render(markdown, answers.highlight), answers.link));
}

let pending: { html: string; mark: string } | undefined;

/** Renders one file with marks instead of answers, keeps it, and returns what has to be answered. */
export function draft(markdown: string): Questions {
  // The mark is random, so that no document can contain one.
  const mark = `m${randomBytes(12).toString('hex')}`;
  const questions: Questions = { codes: [], links: [] };
  const rendered = render(markdown, (code, language) => `${mark}-${questions.codes.push({ code, language }) - 1}-`);
  const html = clean(rendered, (href) => `/${mark}-${questions.links.push(href) - 1}-`);
  pending = { html, mark };
  return questions;
}

/** Puts the answers into the last draft. Throws when there is none. */
export function fill(codes: string[], links: (string | null)[]): Page {
  if (!pending) throw new Error('there is no draft to fill');
  const { html, mark } = pending;
  const relation = ` rel="${relationOfLinks}"`;
  pending = undefined;
  const answered = html
    .replace(new RegExp(` href="/${mark}-(\\d+)-"${relation}`, 'g'), (_, index: string) => {
      const link = links[Number(index)];
      return link == null ? '' : ` href="${escapeText(link)}"${relation}`;
    })
    .replace(new RegExp(`${mark}-(\\d+)-`, 'g'), (_, index: string) => clean(codes[Number(index)] ?? '', () => null));
  return finish(answered);
}

function render(markdown: string, highlight: (code: string, language: string) => string): string {
  const renderer = new MarkdownIt({
    html: true,
    maxNesting: nesting_max,
    highlight: (code, language) => highlight(code, language),
  });
  return renderer.render(withoutFrontMatter(markdown));
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
        // The two stand first and together, as `fill` expects them.
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

const blocks = new Set(
  'p div h1 h2 h3 h4 h5 h6 li dt dd pre blockquote tr hr br table ul ol dl details summary figure figcaption caption'.split(
    ' ',
  ),
);

/**
 * One linear pass over sanitised HTML: headings get ids, and the text that a reader sees is collected. The sanitiser
 * escapes `<` and `>` in texts and attributes, so that a simple pattern finds exactly the tags.
 */
function finish(html: string): Page {
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
    if (blocks.has(name) && !onNewLine) {
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

function escapeText(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}
