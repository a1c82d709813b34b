/**
 * The site: from a request's method, address and `Accept` to a status, headers and a body. It opens no socket, so that
 * a test can ask it anything.
 *
 * `/` is the list of packages, `/?q=…` a search, `/page/…` a document or a folder of them, `/system` the tasks at work,
 * `/rule` the page rule, each as HTML or, when the client prefers it, as JSON. Invariant: every request gets an answer;
 * an error of a part becomes a page that says what happened, never an unhandled rejection.
 */
import { readFileSync } from 'node:fs';
import { documents_max, document_bytes_max } from './find-documents.ts';
import { openFire } from './fire.ts';
import type { Fire } from './fire.ts';
import type { FireTable } from './fire-table.ts';
import type { Row } from './measure.ts';
import { BadQuery, readQuery } from './query.ts';
import { openPageRule, rule_text_max } from './rule.ts';
import { createRulePages, isRulePath } from './rule-pages.ts';
import { Busy, pages_max, Searcher } from './search.ts';
import type { Listed, StoredPage } from './tasks/store.ts';
import { createSystemPages, isSystemPath } from './system.ts';
import { documentPage, failurePage, folderPage, homePage, resultsPage } from './views.ts';
import { makeVisits } from './visitors.ts';
import { SlowPattern } from './walls/walls.ts';
import type { RulePage, Walls } from './walls/walls.ts';

export interface Request {
  method: string;
  /** The path and query as they came in the request line. */
  url: string;
  accept: string;
  /** What a browser says of the page that sent the request: `same-origin`, `cross-site`, …; undefined for others. */
  from?: string | undefined;
  /** The body's `Content-Type`. */
  type?: string | undefined;
  /** Reads the body; undefined for one that is longer than this. Undefined where requests have none. */
  read?: (bytes_max: number) => Promise<string | undefined>;
}

export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
  /** For an answer that goes on: gives it pieces until the function that it returned is called. */
  stream?: (send: (piece: string) => void) => () => void;
}

export interface SiteInformation {
  rows: readonly Row[];
  measured: string;
  /** What came of the breaks before the site was open, and of the same behind synckit. */
  fire?: FireTable;
}

export interface Site {
  answer(request: Request): Promise<Answer>;
  /** The parts under fire, where the walls hold. */
  fire: Fire | undefined;
  /** Ends what the site does by itself. */
  close(): void;
}

/** A view as data for JSON and as a page for readers. */
export interface View {
  status: number;
  data: object;
  html: () => string;
  headers?: Record<string, string>;
  /** Where a reader is sent instead, after something was done. */
  seeOther?: string;
}

const style = readFileSync(new URL('./style.css', import.meta.url), 'utf8');
const url_length_max = 4096;

const safety: Record<string, string> = {
  'content-security-policy':
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

export async function createSite(walls: Walls, information: SiteInformation): Promise<Site> {
  const documents = await walls.list();
  const searcher = new Searcher(walls, () => documents);
  const rule = walls.inside && openPageRule(walls.inside);
  const rulePages = createRulePages(walls, rule, specimen);

  async function view(request: Request): Promise<View> {
    if (request.url.length > url_length_max) return failure(414, 'This address is too long.');
    const [path = '/', query = ''] = splitOnce(request.url, '?');
    if (path === '/') return await root(new URLSearchParams(query));
    if (path === '/page' || path.startsWith('/page/')) return await page(path.slice('/page/'.length));
    return notFound();
  }

  async function root(parameters: URLSearchParams): Promise<View> {
    const text = parameters.get('q') ?? '';
    if (!text.trim()) return home();
    const number = parameters.get('p') ?? '1';
    const page = /^[1-9]\d{0,3}$/.test(number) ? Number(number) : NaN;
    if (!(page <= pages_max))
      return failure(400, `'${number.slice(0, 40)}' is not the number of a page of results.`, text);
    const started_ms = performance.now();
    const found = await searcher.search(readQuery(text), page);
    const took_ms = Math.round((performance.now() - started_ms) * 10) / 10;
    const data = { query: text, page, ...found, took_ms };
    return { status: 200, data, html: () => resultsPage(data) };
  }

  function home(): View {
    const counts = new Map<string, number>();
    for (const document of documents) counts.set(document.package, (counts.get(document.package) ?? 0) + 1);
    const packages = [...counts].map(([name, count]) => ({
      name,
      documents: count,
      path: firstFolder(name, documents),
    }));
    packages.sort((a, b) => (a.name < b.name ? -1 : 1));
    const data = {
      documents: documents.length,
      packages,
      walls: walls.name,
      measured: information.measured,
      rows: information.rows,
    };
    return { status: 200, data, html: () => homePage(data) };
  }

  async function page(encoded: string): Promise<View> {
    const path = decodePath(encoded);
    if (path === undefined) return notFound();
    const stored = await walls.page(path);
    if (stored) {
      const ruled = await rule?.apply(() => forRule(stored));
      const data = { ...stored, cut: stored.size > document_bytes_max, ...(ruled && { rule: ruled }) };
      return { status: 200, data, html: () => documentPage(data) };
    }
    const folder = path === '' ? '' : `${path}/`;
    const below = documents.filter((document) => document.path.startsWith(folder)).slice(0, documents_max);
    if (!below.length) return notFound();
    const data = { folder: path, documents: below.map(({ path: at, title }) => ({ path: at, title })) };
    return { status: 200, data, html: () => folderPage(data) };
  }

  async function forRule({ path, title, headings }: StoredPage): Promise<RulePage> {
    const text = (await walls.text(path)).slice(0, rule_text_max);
    return { path, title, text, headings: headings.map(({ level, text: heading }) => ({ level, text: heading })) };
  }

  /** The page that a rule is tried on: the first. */
  async function specimen(): Promise<RulePage> {
    const stored = documents[0] && (await walls.page(documents[0].path));
    return stored ? await forRule(stored) : { path: 'README.md', title: 'A page', text: 'A page', headings: [] };
  }

  const site: Site = {
    fire: undefined,
    close: () => systemPages.close(),
    async answer(request) {
      if (isSystemPath(request.url)) return await systemAnswer(request);
      const isOfRule = isRulePath(request.url);
      if (!isOfRule && request.method !== 'GET' && request.method !== 'HEAD') {
        return respond(request, failure(405, 'Only GET and HEAD are answered here.'), { allow: 'GET, HEAD' });
      }
      if (request.url === '/style.css') return plain('text/css; charset=utf-8', style, 'max-age=300');
      if (request.url === '/robots.txt')
        return plain('text/plain; charset=utf-8', 'User-agent: *\nDisallow: /\n', 'max-age=3600');
      try {
        return respond(request, isOfRule ? await rulePages.answer(request) : await view(request));
      } catch (error) {
        return respond(request, explain(error, request));
      }
    },
  };

  const visits = makeVisits(site, walls, documents);
  if (walls.inside) site.fire = openFire(walls.inside, visits, (work) => searcher.inTurn(work));
  const systemPages = createSystemPages(walls, site.fire, visits, () => site.answer(longSearch), information);

  async function systemAnswer(request: Request): Promise<Answer> {
    try {
      const reply = await systemPages.answer(request);
      return 'data' in reply ? respond(request, reply) : { ...reply, headers: { ...safety, ...reply.headers } };
    } catch (error) {
      return respond(request, explain(error, request));
    }
  }

  return site;
}

/** A visitor who has every line of every document looked at. */
const longSearch: Request = { method: 'GET', url: `/?q=${encodeURIComponent('/\\btimeouts?\\b/i')}`, accept: '' };

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** The path of a document as the store knows it, or undefined for what cannot be one. */
function decodePath(encoded: string): string | undefined {
  try {
    const path = decodeURIComponent(encoded).replace(/\/+$/, '');
    const suspicious =
      path.includes('\0') || path.includes('\\') || path.split('/').some((part) => part === '..' || part === '.');
    return suspicious ? undefined : path;
  } catch {
    return undefined;
  }
}

/** Where the documents of a package are: the folder that its first document is in, up to the package's name. */
function firstFolder(name: string, documents: readonly Listed[]): string {
  const path = documents.find((document) => document.package === name)?.path ?? '';
  const at = `/${path}`.lastIndexOf(`/${name}/`);
  return at < 0 ? '' : path.slice(0, at + name.length);
}

function explain(error: unknown, request: Request): View {
  const query = new URLSearchParams(splitOnce(request.url, '?')[1]).get('q') ?? '';
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof BadQuery) return failure(400, message, query);
  if (error instanceof Error && error.name === 'SyntaxError') return failure(400, message, query);
  if (error instanceof SlowPattern)
    return failure(422, `The pattern was stopped: ${message}. Nothing else was held up.`, query);
  if (error instanceof Busy) return failure(503, message, query);
  return failure(500, `A part of the site failed: ${message}`, query);
}

function notFound(): View {
  return failure(404, 'There is no such page.');
}

function failure(status: number, message: string, query = ''): View {
  return { status, data: { error: { status, message } }, html: () => failurePage(status, message, query) };
}

function plain(type: string, body: string, cache: string): Answer {
  return { status: 200, headers: { ...safety, 'content-type': type, 'cache-control': cache }, body };
}

function respond(request: Request, view: View, headers: Record<string, string> = {}): Answer {
  const asJson = prefersJson(request.accept);
  if (view.seeOther !== undefined && !asJson)
    return { status: 303, headers: { ...safety, location: view.seeOther }, body: '' };
  return {
    status: view.status,
    headers: {
      ...safety,
      ...view.headers,
      ...headers,
      'content-type': asJson ? 'application/json; charset=utf-8' : 'text/html; charset=utf-8',
      'cache-control': 'no-cache',
      vary: 'accept',
    },
    body: asJson ? `${JSON.stringify(view.data)}\n` : view.html(),
  };
}

/** Whether an `Accept` header asks for JSON rather than HTML; HTML when it does not care. */
export function prefersJson(accept: string): boolean {
  let json = 0;
  let html = 0;
  for (const part of accept.slice(0, 1000).toLowerCase().split(',')) {
    const [type = '', ...parameters] = part.split(';').map((piece) => piece.trim());
    const given = parameters.find((parameter) => parameter.startsWith('q='));
    const quality = given === undefined ? 1 : Number(given.slice(2)) || 0;
    if (type === 'application/json') json = Math.max(json, quality);
    if (type === 'text/html' || type === 'application/xhtml+xml') html = Math.max(html, quality);
  }
  return json > html;
}
