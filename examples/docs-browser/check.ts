/**
 * `--check`: sends the running site mixed requests over its socket and compares every answer with one found another
 * way: documents rendered, words stemmed and patterns run here, in this thread, without any walls.
 *
 * Invariant: the requests are the same each time for the same files, so that a failure can be had again.
 */
import { request } from 'node:http';
import type { Found } from './find-documents.ts';
import { readDocument } from './find-documents.ts';
import { fault } from './fire-table.ts';
import type { Broken } from './fire.ts';
import { nameOf } from './indexer.ts';
import { pageAddress } from './links.ts';
import { highlight } from './tasks/highlight.ts';
import type { Page, Parser } from './tasks/parse.ts';
import { stemmer } from 'stemmer';
import { host } from './web.ts';
import { breakKinds, partModules } from './walls/walls.ts';
import type { BreakKind, ParserName } from './walls/walls.ts';
import { wordsOf } from './words.ts';

export const requests_total = 500;
const at_once = 8;
/** A net under everything that is to end by itself; wide, for the machine may have other work. */
const answer_time_max_ms = 120_000;
/** How often a search is sent again that was stopped though its pattern is a quick one. */
const patience = 5;

export interface CheckResult {
  rows: { kind: string; requests: number; errors: number; p50_ms: number; p99_ms: number }[];
  /** The first few wrong answers, in words. */
  wrong: string[];
  /** Searches by pattern that ran out of time: of these only what they had found by then could be judged. */
  cut_short: number;
  /** Patterns that were stopped because a line took them too long. */
  stopped: number;
  /** What came of the parts that were broken meanwhile. */
  broken: Broken[];
}

interface Reply {
  status: number;
  type: string;
  body: string;
}

interface Probe {
  kind: string;
  method?: string;
  path: string;
  json?: boolean;
  /** Sent as JSON. */
  body?: string;
  /** Says what is wrong with the answer, or nothing. */
  judge(reply: Reply): string | undefined;
}

/** A document as it ought to be. */
interface Expected {
  document: Found;
  source: string;
  page: Page;
  stems: Set<string>;
}

/** `holds`: whether to break parts, and send patterns that no engine ends in time; only where the walls stand that. */
export async function check(
  port: number,
  documents: readonly Found[],
  parser: ParserName,
  holds: boolean,
): Promise<CheckResult> {
  const expected = await expectations(documents, parser);
  const broken: Broken[] = [];
  const probes = mixedProbes(expected, holds);
  if (holds) {
    const breaks = breakKinds.map((kind) => breaking(kind, broken));
    const posts = ruleProbes();
    amid(probes, [
      ...breaks.flatMap((probe, index) => [probe, ...posts.slice(index, index + 1)]),
      ...posts.slice(breaks.length),
    ]);
  }
  const times = new Map<string, number[]>();
  const errors = new Map<string, number>();
  const wrong: string[] = [];
  let cut_short = 0;
  let stopped = 0;
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let probe = probes[next++]; probe; probe = probes[next++]) {
      const started_ms = performance.now();
      const fault = await answerTo(port, probe).then(
        (reply) => {
          if (reply.status === 422 && probe.kind !== 'rule') stopped++;
          if (probe.kind === 'pattern' && reply.body.includes('"complete":false')) cut_short++;
          return commonFault(reply, probe) ?? probe.judge(reply);
        },
        (error: unknown) => String(error),
      );
      times.set(probe.kind, [...(times.get(probe.kind) ?? []), performance.now() - started_ms]);
      if (fault === undefined) continue;
      errors.set(probe.kind, (errors.get(probe.kind) ?? 0) + 1);
      if (wrong.length < 20) wrong.push(`${probe.method ?? 'GET'} ${probe.path.slice(0, 120)}: ${fault.slice(0, 200)}`);
    }
  };
  await Promise.all(Array.from({ length: at_once }, worker));
  const rows = [...times].map(([kind, taken]) => rowOf(kind, taken, errors.get(kind) ?? 0));
  const all = [...times.values()].flat();
  rows.push(
    rowOf(
      'all',
      all,
      [...errors.values()].reduce((sum, count) => sum + count, 0),
    ),
  );
  return { rows, wrong, cut_short, stopped, broken };
}

function rowOf(kind: string, times: number[], errors: number): CheckResult['rows'][number] {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { kind, requests: times.length, errors, p50_ms: at(0.5), p99_ms: at(0.99) };
}

async function expectations(documents: readonly Found[], parser: ParserName): Promise<Expected[]> {
  const { parse, setDocuments } = (await import(partModules(parser).parse.href)) as Parser;
  setDocuments(documents.map(({ path }) => path));
  const expected: Expected[] = [];
  for (const document of documents) {
    const source = await readDocument(document.file);
    let page: Page;
    try {
      page = parse(document.path, source, highlight);
    } catch {
      // The site shows such a file as it is written; what it looks like is not compared.
      continue;
    }
    const title = page.title || nameOf(document);
    const stems = new Set([...wordsOf(page.text), ...wordsOf(`${title} ${document.path}`)].map(stemmer));
    expected.push({ document, source, page: { ...page, title }, stems });
    if (expected.length % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return expected;
}

function mixedProbes(expected: Expected[], slowPatterns: boolean): Probe[] {
  const makers = [page, pageJson, words, wordsJson, page, pattern, patternBad, outside, words, unusual];
  const probes: Probe[] = slowPatterns ? [slowPattern(0), slowPattern(1)] : [];
  for (let index = 0; probes.length < requests_total; index++) {
    const make = makers[index % makers.length];
    // Patterns read every line of every document; one in three of their turns is enough to mix them in.
    const heavy = make === pattern && index % 3 !== 0;
    if (make) probes.push((heavy ? words : make)(expected, index));
  }
  return probes;
}

/** Puts `others` in the place of some probes, evenly spread and away from both ends. */
function amid(probes: Probe[], others: readonly Probe[]): void {
  const step = Math.floor(probes.length / (others.length + 1));
  for (const [index, other] of others.entries()) probes[(index + 1) * step] = other;
}

/** Breaks a part; the outcome is kept in `broken`. */
function breaking(kind: BreakKind, broken: Broken[]): Probe {
  return {
    kind: 'break',
    method: 'POST',
    path: `/system/break/${kind}`,
    json: true,
    judge: ({ status, body }) => {
      if (status !== 200) return `status ${status}: ${body}`;
      const outcome = JSON.parse(body) as Broken;
      broken.push(outcome);
      return fault(outcome);
    },
  };
}

/** Rules by a visitor and what has to become of them; the last one removes what is left. */
const rules: [text: string, status: number, holds: string][] = [
  ['export default (page) => page.title', 200, '"state":"on"'],
  ['export default () => { for (;;); }', 422, '"code":"ERR_IPC_TIMEOUT"'],
  ['export default () => { let s = "x"; for (;;) s += s; }', 422, '"code":"ERR_IPC_LIMIT"'],
  ['export default (page) => {\n  return (;\n}', 422, '"line":2'],
  ['export default ({ path }) => ({ note: path, hide: path.length % 2 > 0 })', 200, '"state":"on"'],
  ['export default () => 5', 422, '"code":"ERR_RULE_RESULT"'],
  ['', 200, '"rule":null'],
];

function ruleProbes(): Probe[] {
  return rules.map(([rule, wanted, holds]) => ({
    ...{ kind: 'rule', method: 'POST', path: '/rule', json: true, body: JSON.stringify({ rule }) },
    judge: ({ status, body }) => (status === wanted && body.includes(holds) ? undefined : `status ${status}: ${body}`),
  }));
}

function pick(expected: Expected[], index: number): Expected | undefined {
  return expected[(index * 7919) % Math.max(1, expected.length)];
}

function page(expected: Expected[], index: number): Probe {
  const chosen = pick(expected, index);
  if (!chosen) return home();
  return {
    kind: 'page',
    path: pageAddress(chosen.document.path),
    judge: ({ status, body }) => {
      if (status !== 200) return `status ${status}`;
      return body.includes(chosen.page.html) ? undefined : 'the document is not in the page as it ought to be';
    },
  };
}

function pageJson(expected: Expected[], index: number): Probe {
  const chosen = pick(expected, index);
  if (!chosen) return home();
  const want = {
    path: chosen.document.path,
    title: chosen.page.title,
    html: chosen.page.html,
    headings: chosen.page.headings,
  };
  return {
    kind: 'page (JSON)',
    path: pageAddress(chosen.document.path),
    json: true,
    judge: ({ body }) => {
      const { path, title, html, headings } = JSON.parse(body) as typeof want;
      return JSON.stringify({ path, title, html, headings }) === JSON.stringify(want) ? undefined : 'another document';
    },
  };
}

/** One or two plain words of some document, and the number of documents that hold them. */
function chosenWords(expected: Expected[], index: number): { query: string; total: number } | undefined {
  const chosen = pick(expected, index + 3);
  const candidates = wordsOf(chosen?.page.text ?? '').filter((word) => /^[A-Za-z]{4,12}$/.test(word));
  const first = candidates[(index * 31) % Math.max(1, candidates.length)];
  const second = candidates[(index * 17) % Math.max(1, candidates.length)];
  if (!first || !second) return undefined;
  const wanted = [first, ...(index % 2 ? [second] : [])];
  const total = expected.filter(({ stems }) => wanted.every((word) => stems.has(stemmer(word)))).length;
  return { query: wanted.join(' '), total };
}

function words(expected: Expected[], index: number): Probe {
  const chosen = chosenWords(expected, index);
  if (!chosen) return home();
  const title = `${chosen.total.toLocaleString('en')} document${chosen.total === 1 ? '' : 's'}`;
  return {
    kind: 'words',
    path: `/?q=${encodeURIComponent(chosen.query)}`,
    judge: ({ status, body }) =>
      status === 200 && body.includes(`<strong>${title}</strong>`) ? undefined : `status ${status}, or not ${title}`,
  };
}

function wordsJson(expected: Expected[], index: number): Probe {
  const chosen = chosenWords(expected, index);
  if (!chosen) return home();
  return {
    kind: 'words (JSON)',
    path: `/?q=${encodeURIComponent(chosen.query)}`,
    json: true,
    judge: ({ body }) => {
      const { total, results } = JSON.parse(body) as { total: number; results: { snippet: string }[] };
      if (total !== chosen.total) return `${total} documents instead of ${chosen.total}`;
      return results.length === Math.min(10, total) ? undefined : `${results.length} results`;
    },
  };
}

const patterns = [
  'node:[a-z]+',
  '^#+ install',
  'MIT|Apache',
  'https?://[^/ ]+/',
  '\\bTODO\\b',
  '[0-9]+\\.[0-9]+\\.[0-9]+',
];

function pattern(expected: Expected[], index: number): Probe {
  const source = patterns[index % patterns.length] ?? '';
  const compiled = new RegExp(source, 'i');
  let lines = 0;
  let total = 0;
  for (const document of expected) {
    const matching = document.source.split(/\r\n?|\n/).filter((line) => compiled.test(line.slice(0, 10_000))).length;
    lines += matching;
    if (matching) total++;
  }
  return {
    kind: 'pattern',
    path: `/?q=${encodeURIComponent(`/${source}/i`)}`,
    json: true,
    judge: ({ status, body }) => {
      const found = JSON.parse(body) as { total?: number; lines?: number; complete?: boolean };
      if (status !== 200) return `status ${status}`;
      if (!found.complete && found.total !== undefined && found.lines !== undefined) {
        return found.total <= total && found.lines <= lines ? undefined : 'more than there is';
      }
      return found.total === total && found.lines === lines
        ? undefined
        : `${found.total}/${found.lines} instead of ${total}/${lines}`;
    },
  };
}

function patternBad(): Probe {
  let message = '';
  const source = '(unclosed';
  try {
    new RegExp(source);
  } catch (error) {
    message = error instanceof Error ? error.message : '';
  }
  return {
    kind: 'bad query',
    path: `/?q=${encodeURIComponent(`/${source}/`)}`,
    json: true,
    judge: ({ status, body }) =>
      status === 400 && body.includes(JSON.stringify(message)) ? undefined : `status ${status}: ${body}`,
  };
}

/** Where the engine would need longer than anyone waits. */
function slowPattern(index: number): Probe {
  return {
    kind: 'slow pattern',
    path: `/?q=${encodeURIComponent(index ? '/^(([a-z])+.)+[A-Z]([a-z])+$/' : '/(.*)*(.*)*(.*)*(.*)*(.*)*\\u0001$/')}`,
    json: true,
    judge: ({ status, body }) => {
      if (status === 422) return undefined;
      return status === 200 && (JSON.parse(body) as { kind?: string }).kind === 'pattern'
        ? undefined
        : `status ${status}`;
    },
  };
}

const outsidePaths = [
  '/page/../../etc/passwd',
  '/page/%2e%2e/%2e%2e/etc/passwd',
  '/page/no/such.md',
  '/page/%ff',
  '/page/a%00b',
  '/nowhere',
];

function outside(_: Expected[], index: number): Probe {
  return {
    kind: 'outside',
    path: outsidePaths[Math.floor(index / 10) % outsidePaths.length] ?? '/nowhere',
    judge: ({ status }) => (status === 404 ? undefined : `status ${status}`),
  };
}

function home(): Probe {
  return { kind: 'home', path: '/', judge: ({ status }) => (status === 200 ? undefined : `status ${status}`) };
}

function unusual(_: Expected[], index: number): Probe {
  const status = (wanted: number) => (reply: Reply) => (reply.status === wanted ? undefined : `status ${reply.status}`);
  const kinds: Probe[] = [
    { kind: 'unusual', path: `/?q=${'x'.repeat(1000)}`, judge: status(400) },
    { kind: 'unusual', path: '/?q=%21%21', judge: status(400) },
    { kind: 'unusual', path: '/?q=a&p=-1', judge: status(400) },
    { kind: 'unusual', method: 'POST', path: '/', judge: status(405) },
    { kind: 'unusual', method: 'HEAD', path: '/', judge: ({ body }) => (body === '' ? undefined : 'a body') },
    {
      kind: 'unusual',
      path: '/',
      json: true,
      judge: ({ body }) => ('packages' in (JSON.parse(body) as object) ? undefined : body),
    },
  ];
  return kinds[Math.floor(index / 10) % kinds.length] ?? home();
}

/** What holds for every answer. */
function commonFault({ status, type, body }: Reply, probe: Probe): string | undefined {
  if (status >= 500) return `status ${status}: ${body.slice(0, 200)}`;
  if (type !== (probe.json ? 'application/json; charset=utf-8' : 'text/html; charset=utf-8')) return `type ${type}`;
  return undefined;
}

/** On a crowded machine any line may be kept waiting for longer than it may take: such a search is sent again. */
async function answerTo(port: number, probe: Probe): Promise<Reply> {
  let reply = await fetchOne(port, probe);
  for (let times = 0; times < patience && probe.kind === 'pattern' && reply.status === 422; times++) {
    reply = await fetchOne(port, probe);
  }
  return reply;
}

function fetchOne(port: number, { path, method = 'GET', json = false, body = '' }: Probe): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const accept = json ? 'application/json' : 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8';
    const headers = {
      accept,
      ...(body && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
    };
    const sent = request({ host, port, path, method, headers, timeout: answer_time_max_ms }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const type = response.headers['content-type'] ?? '';
        resolve({ status: response.statusCode ?? 0, type, body: Buffer.concat(chunks).toString('utf8') });
      });
    });
    sent.on('timeout', () => sent.destroy(new Error(`no answer within ${answer_time_max_ms / 1000} s`)));
    sent.on('error', reject);
    sent.end(body);
  });
}
