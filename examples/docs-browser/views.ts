/**
 * The pages as HTML. Invariant: everything that is not markup of this file goes through `escape`, except the HTML of
 * documents, which the parser sanitised.
 */
import { document_bytes_max } from './find-documents.ts';
import { pageAddress } from './links.ts';
import { tableCells, tableColumns, tableNotes } from './measure.ts';
import type { Row } from './measure.ts';
import { query_length_max } from './query.ts';
import { results_per_page } from './search.ts';
import type { Found, LineFound } from './search.ts';
import type { Ruled } from './rule.ts';
import type { Hit, StoredPage } from './tasks/store.ts';
import { ruledLines } from './views-rule.ts';

/** The text as HTML, in content and in quoted attributes. */
export function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

interface Frame {
  title: string;
  query?: string;
  /** Class of the main column. */
  kind: string;
  body: string;
}

/** A whole page round `body`. */
export function frame({ title, query = '', kind, body }: Frame): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escape(title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/style.css">
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header class="top">
<div class="bar">
<a class="brand" href="/" title="All packages">docs<span>browser</span></a>
<nav class="links" aria-label="More"><a href="/rule">Page rule</a></nav>
<form class="search" action="/" method="get" role="search">
<label class="hidden" for="q">Search</label>
<input id="q" name="q" type="search" value="${escape(query)}" maxlength="${query_length_max}" placeholder="Search the documents" autocomplete="off" autocapitalize="off" spellcheck="false">
<button type="submit">Search</button>
<p class="hints"><span><code>two words</code> both</span> <span><code>"a phrase"</code> in a row</span> <span><code>/expr(ess)?ion/i</code> per line</span></p>
</form>
</div>
</header>
<main id="content" class="${kind}">
${body}
</main>
<footer><p>Every part of this site runs behind a wall of its own: <em>parse</em>, <em>highlight</em>, <em>stem</em>, <em>match</em>, <em>store</em>. <a href="/#costs">What that costs</a>. <a href="/system">The system at work</a>.</p></footer>
</body>
</html>
`;
}

interface Home {
  documents: number;
  packages: { name: string; documents: number; path: string }[];
  walls: string;
  measured: string;
  rows: readonly Row[];
}

export function homePage(home: Home): string {
  const names = home.packages.map(({ name, documents, path }) => {
    const count = documents > 1 ? ` <span class="count">${documents}</span>` : '';
    return `<li><a href="${escape(pageAddress(path))}">${escape(name)}</a>${count}</li>`;
  });
  const body = `<h1>${plural(home.documents, 'document')} of ${plural(home.packages.length, 'package')}</h1>
<p class="lead">Search them above, or open a package. What their authors wrote was parsed, highlighted, stemmed and stored by parts that cannot take the site down.</p>
<ul class="packages">
${names.join('\n')}
</ul>
${costs(home)}`;
  return frame({ title: 'docs browser', kind: 'home', body });
}

function costs(home: Home): string {
  if (!home.rows.length) return '';
  const heads = tableColumns.map((title) => `<th scope="col">${escape(title)}</th>`).join('');
  const rows = tableCells(home.rows).map((cells, index) => {
    const own = index === 1 ? ' class="own"' : '';
    return `<tr${own}>${cells.map((cell, at) => (at ? `<td>${escape(cell)}</td>` : `<th scope="row">${escape(cell)}</th>`)).join('')}</tr>`;
  });
  const notes = tableNotes(home.rows).map((note) => `<li>${escape(note)}</li>`);
  return `<section class="costs" id="costs">
<h2>What the walls cost</h2>
<p>The same indexing work, every word, code block and document a call of its own. ${escape(home.measured)}</p>
<div class="scroll"><table>
<thead><tr>${heads}</tr></thead>
<tbody>${rows.join('\n')}</tbody>
</table></div>
<ul class="notes">${notes.join('')}</ul>
</section>`;
}

export function resultsPage(found: Found & { query: string; page: number; took_ms: number }): string {
  const items = found.results.map((result) => {
    const shown = 'lines' in result ? linesOf(result.lines, result.lines_total) : snippetOf(result);
    return `<li>
<h2><a href="${escape(pageAddress(result.path))}">${escape(result.title)}</a></h2>
<p class="where"><b>${escape(result.package)}</b> ${escape(fileOf(result.path, result.package))}</p>
${shown}
</li>`;
  });
  const count = found.total
    ? `${plural(found.total, 'document')}${found.lines === undefined ? '' : `, ${plural(found.lines, 'line')}`}`
    : 'Nothing found';
  const note = found.complete
    ? ''
    : '<p class="notice">The time for this search was over before all documents were read.</p>';
  const body = `<p class="summary"><strong>${count}</strong> for <q>${escape(found.query)}</q> <span>${found.took_ms} ms</span></p>
${note}${items.length ? `<ol class="results">${items.join('\n')}</ol>` : nothing(found)}
${pager(found)}`;
  return frame({ title: `${found.query} – docs browser`, query: found.query, kind: 'found', body });
}

function nothing(found: { total: number; kind: string }): string {
  if (found.total) return '<p>There is no such page of results.</p>';
  if (found.kind === 'pattern')
    return '<p>No line matches. Capitals count; add <code>i</code> after the last slash to ignore them.</p>';
  return '<p>No document holds all of these words. Try fewer of them, or other ones.</p>';
}

function snippetOf({ snippet, marks }: Hit): string {
  let html = '';
  let at = 0;
  for (let index = 0; index + 1 < marks.length; index += 2) {
    const [start = 0, end = 0] = marks.slice(index, index + 2);
    html += `${escape(snippet.slice(at, start))}<mark>${escape(snippet.slice(start, end))}</mark>`;
    at = end;
  }
  return `<p class="snippet">${html}${escape(snippet.slice(at))}</p>`;
}

function linesOf(lines: LineFound[], total: number): string {
  const rows = lines.map(({ line, text, start, end }) => {
    const marked = `${escape(text.slice(0, start))}<mark>${escape(text.slice(start, end))}</mark>${escape(text.slice(end))}`;
    return `<li><span class="number">${line}</span><code>${marked}</code></li>`;
  });
  const more = total > lines.length ? `<li class="more">and ${plural(total - lines.length, 'more line')}</li>` : '';
  return `<ul class="lines">${rows.join('\n')}${more}</ul>`;
}

function pager({ query, page, total }: { query: string; page: number; total: number }): string {
  const pages = Math.ceil(total / results_per_page);
  if (pages <= 1) return '';
  const link = (to: number, text: string, relation: string): string =>
    to < 1 || to > pages
      ? '<span></span>'
      : `<a rel="${relation}" href="/?q=${escape(encodeURIComponent(query))}&amp;p=${to}">${text}</a>`;
  return `<nav class="pager" aria-label="Pages of results">${link(page - 1, '← Previous', 'prev')}<span>${page} of ${pages}</span>${link(page + 1, 'Next →', 'next')}</nav>`;
}

/** A path without the package's part. */
function fileOf(path: string, name: string): string {
  const at = `/${path}`.lastIndexOf(`/${name}/`);
  return at < 0 ? path : path.slice(at + name.length + 1);
}

function crumbs(path: string, name: string): string {
  const file = fileOf(path, name);
  const folder = path === file ? '' : path.slice(0, path.length - file.length - 1);
  const first = folder
    ? `<a href="${escape(pageAddress(folder))}">${escape(name)}</a>`
    : `<a href="/">${escape(name)}</a>`;
  return `<nav class="crumbs" aria-label="Breadcrumb">${first}<span aria-hidden="true">›</span><span>${escape(file)}</span></nav>`;
}

export function documentPage(page: StoredPage & { cut: boolean; rule?: Ruled }): string {
  const entries = page.headings.filter(({ level }) => level === 2 || level === 3).slice(0, 120);
  const items = entries.map(
    ({ level, id, text }) =>
      `<li class="level${level}"><a href="#${escape(encodeURIComponent(unescapeId(id)))}">${escape(text)}</a></li>`,
  );
  const contents =
    items.length > 2
      ? `<details class="contents"><summary>On this page</summary><ul>${items.join('\n')}</ul></details>`
      : '';
  const aside = items.length > 2 ? `<aside><p>On this page</p><ul>${items.join('\n')}</ul></aside>` : '';
  const cut = page.cut
    ? `<p class="notice">Only the first ${document_bytes_max / 2 ** 20} MiB of this file are shown.</p>`
    : '';
  const shown = `${contents}${cut}
<div class="columns">
<article>
${page.html}
</article>
${aside}
</div>`;
  const hidden = `<details class="away"><summary>Hidden by the page rule. Show it</summary>\n${shown}\n</details>`;
  const body = `${crumbs(page.path, page.package)}
${ruledLines(page.rule)}${page.rule?.hide ? hidden : shown}`;
  return frame({ title: `${page.title} – ${page.package}`, kind: 'document', body });
}

/** Ids are stored as they stand in the HTML. */
function unescapeId(id: string): string {
  return id.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');
}

export function folderPage({
  folder,
  documents,
}: {
  folder: string;
  documents: { path: string; title: string }[];
}): string {
  const items = documents.map(({ path, title }) => {
    const file = folder ? path.slice(folder.length + 1) : path;
    return `<li><a href="${escape(pageAddress(path))}">${escape(title)}</a><span>${escape(file)}</span></li>`;
  });
  const body = `<nav class="crumbs" aria-label="Breadcrumb"><a href="/">all packages</a><span aria-hidden="true">›</span><span>${escape(folder || 'everything')}</span></nav>
<h1>${escape(folder || 'All documents')}</h1>
<ul class="files">
${items.join('\n')}
</ul>`;
  return frame({ title: `${folder || 'All documents'} – docs browser`, kind: 'folder', body });
}

export function failurePage(status: number, message: string, query: string): string {
  const titles: Record<number, string> = {
    400: 'That query cannot be answered',
    403: 'Not allowed',
    404: 'Not found',
    405: 'Not allowed',
    409: 'Not with these walls',
    413: 'Too long',
    414: 'Too long',
    422: 'The pattern took too long',
    503: 'Busy',
  };
  const title = titles[status] ?? 'Something failed';
  const body = `<h1>${title}</h1>
<p class="message">${escape(message)}</p>
<p><a href="/">All packages</a></p>`;
  return frame({ title: `${title} – docs browser`, query, kind: 'failure', body });
}

function plural(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}
