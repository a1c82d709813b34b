/**
 * What `npm start` boots: a searchable site of the Markdown files of the installed packages, each part of it behind a
 * wall of its own, and a table of what the walls cost.
 *
 * Exit codes: 0 when all went well, 1 when something failed (a port in use, a wrong answer under `--check`), 2 when
 * the command line was not understood, 130 and 143 when Ctrl-C or SIGTERM came before the site was there. Invariant:
 * the words `listening on` are printed when requests are answered.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compare, draftFile, dropIndex, keepIndex, openCache, readTable, writeTable } from './cache.ts';
import type { Cache, Measured } from './cache.ts';
import { check, requests_total } from './check.ts';
import { findDocuments } from './find-documents.ts';
import type { Found } from './find-documents.ts';
import { breakAll, fireCells, fireColumns, fireNotes } from './fire-table.ts';
import type { FireTable } from './fire-table.ts';
import { synckitFates } from './fire-synckit.ts';
import type { Broken, Fire } from './fire.ts';
import { hashOf } from './index-corpus.ts';
import { capped, capSentence, indexDocuments } from './indexer.ts';
import { formatTable, measureAll, tableCells, tableColumns, tableNotes } from './measure.ts';
import { help, readOptions, UsageError } from './options.ts';
import type { Options } from './options.ts';
import { createSite } from './site.ts';
import type { Site, SiteInformation } from './site.ts';
import { openWalls, totalOf } from './walls/walls.ts';
import type { Walls } from './walls/walls.ts';
import { host, PortError, takePort } from './web.ts';
import type { Web } from './web.ts';

let quiet = false;

function say(text: string): void {
  if (!quiet) process.stdout.write(`${text}\n`);
}

/** The folder to read, which exists. Throws UsageError. */
function folderOf(options: Options): string {
  const installed = fileURLToPath(new URL('../../node_modules', import.meta.url));
  const folder = options.folder === undefined ? installed : resolve(options.folder);
  const kind = statSync(folder, { throwIfNoEntry: false });
  if (!kind)
    throw new UsageError(
      `there is no folder ${folder}${options.folder === undefined ? '; install the packages first' : ''}`,
    );
  if (!kind.isDirectory()) throw new UsageError(`${folder} is not a folder`);
  return folder;
}

async function documentsOf(folder: string): Promise<Found[]> {
  const found = await findDocuments(folder);
  const { documents, left_out } = capped(found.documents);
  const bytes = documents.reduce((sum, { size }) => sum + size, 0);
  say(`${documents.length} Markdown files, ${(bytes / 2 ** 20).toFixed(1)} MiB, in ${folder}`);
  if (left_out + found.left_out) say(`${left_out + found.left_out} more are left out: ${capSentence}`);
  return documents;
}

/** Indexes `changed` into the store that is open, telling how far it is. */
async function index(walls: Walls, changed: readonly Found[], documents: readonly Found[], key: string): Promise<void> {
  const known = new Set(documents.map(({ path }) => path));
  const started_ms = performance.now();
  const calls = totalOf(walls.calls);
  let told_ms = started_ms;
  const { words } = await indexDocuments(walls, changed, known, (progress) => {
    if (performance.now() - told_ms < 1000) return;
    told_ms = performance.now();
    say(`  ${progress.documents} of ${progress.documents_total} files, ${progress.words.toLocaleString('en')} words`);
  });
  await walls.finish(key);
  const seconds = (performance.now() - started_ms) / 1000;
  const made = totalOf(walls.calls) - calls;
  say(
    `indexed ${changed.length} files, ${words.toLocaleString('en')} words in ${seconds.toFixed(1)} s: ` +
      `${made.toLocaleString('en')} calls through walls (${walls.name})`,
  );
}

/** Opens the index of an earlier start and brings it up to date, or makes a new one. */
async function openIndex(walls: Walls, cache: Cache, documents: readonly Found[], fresh: boolean): Promise<void> {
  if (!fresh && (await reopen(walls, cache, documents))) return;
  const draft = draftFile(cache);
  const clear = (): void => {
    for (const file of [draft, `${draft}-journal`]) rmSync(file, { force: true });
  };
  clear();
  process.once('exit', clear);
  await walls.open(draft);
  await walls.begin();
  await index(walls, documents, documents, cache.key);
  // A file that is open cannot be renamed everywhere.
  await walls.open(':memory:');
  keepIndex(cache);
  await walls.open(cache.indexFile);
}

async function reopen(walls: Walls, cache: Cache, documents: readonly Found[]): Promise<boolean> {
  try {
    if (!statSync(cache.indexFile, { throwIfNoEntry: false })) return false;
    await walls.open(cache.indexFile);
    if ((await walls.completeKey()) !== cache.key) {
      await walls.open(':memory:');
      return false;
    }
    const { changed, removed } = compare(documents, await walls.list());
    if (changed.length + removed.length === 0) {
      say('the index of an earlier start is up to date (--fresh makes it again)');
      return true;
    }
    say(`the index of an earlier start needs ${changed.length} files read again and ${removed.length} removed`);
    await walls.begin();
    for (const path of removed) await walls.remove(path);
    await index(walls, changed, documents, cache.key);
    return true;
  } catch (error) {
    say(`the index of an earlier start cannot be used (${error instanceof Error ? error.message : String(error)})`);
    await walls.open(':memory:');
    dropIndex(cache);
    return false;
  }
}

/** The table, measured now or on an earlier start; without that of the breaks, for which the site has to be there. */
async function tableOf(
  cache: Cache,
  folder: string,
  { fresh, parser }: Options,
): Promise<Measured & { kept: boolean }> {
  const kept = fresh ? undefined : readTable(cache);
  if (kept) return { ...kept, kept: true };
  const rows = await measureAll(folder, parser, (title) => say(`measuring: ${title}`));
  const now = new Date().toISOString().slice(0, 16).replace('T', ' ');
  return { rows, measured: `${now} UTC`, fire: null, kept: false };
}

function sentenceOf({ measured, kept }: { measured: string; kept: boolean }): string {
  return kept ? `Measured on an earlier start, ${measured}; --fresh measures again.` : `Measured ${measured}.`;
}

function printTable({ rows }: Measured, sentence: string): void {
  say(`\nThe same indexing work, every word, code block and document a call of its own. ${sentence}\n`);
  say(formatTable(tableColumns, tableCells(rows)));
  for (const note of tableNotes(rows)) say(`  ${note}`);
  say('');
}

/** Breaks every part while the site goes on, unless that was done on an earlier start; prints what came of it. */
async function printFire(kept: FireTable | null, fire: Fire): Promise<FireTable> {
  if (!kept) say('breaking the parts one after the other, then the same behind synckit');
  const table = kept ?? { broken: await breakAll(fire), synckit: await synckitFates() };
  say('\nThe parts under fire: each was broken while the site answered other requests.\n');
  say(formatTable(fireColumns, fireCells(table)));
  for (const note of fireNotes(table)) say(`  ${note}`);
  say('');
  return table;
}

async function start(options: Options): Promise<number | undefined> {
  const folder = folderOf(options);
  const web = await takePort(options.port);
  const walls = await openWalls(options.walls, { parser: options.parser });
  let site: Site | undefined;
  let isListening = false;
  const end = endOnSignals(
    web,
    walls,
    () => site,
    () => isListening,
  );
  try {
    const documents = await documentsOf(folder);
    const cache = openCache(folder, options.parser, options.cache);
    await openIndex(walls, cache, documents, options.fresh);
    const table = await tableOf(cache, folder, options);
    const sentence = sentenceOf(table);
    printTable(table, sentence);
    const information: SiteInformation = { rows: table.rows, measured: sentence };
    site = await createSite(walls, information);
    const isComplete = table.kept && (table.fire || !site.fire);
    if (site.fire) information.fire = await printFire(table.fire, site.fire);
    const measured: Measured = { ...table, fire: information.fire ?? table.fire };
    if (!isComplete && !table.rows.some(({ error }) => error)) writeTable(cache, measured);
    web.serve(site);
    isListening = true;
    say(`listening on http://${host}:${web.port}`);
    return undefined;
  } catch (error) {
    await end();
    throw error;
  }
}

/**
 * Closes everything when asked to end: a site that listens has done what it was started for, one that does not has been
 * interrupted, and its exit code says so. Returns the same for errors.
 */
function endOnSignals(
  web: Web,
  walls: Walls,
  site: () => Site | undefined,
  isListening: () => boolean,
): () => Promise<void> {
  let ending: Promise<void> | undefined;
  const end = (): Promise<void> => {
    site()?.close();
    ending ??= web.close().then(() => walls.close());
    return ending;
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      const code = isListening() ? 0 : 128 + constants.signals[signal];
      void end().finally(() => process.exit(code));
    });
  }
  return end;
}

async function runCheck(options: Options): Promise<number> {
  const folder = folderOf(options);
  const started_ms = performance.now();
  const web = await takePort(0);
  const walls = await openWalls(options.walls, { parser: options.parser });
  const scratch = mkdtempSync(join(tmpdir(), 'l3kernel-docs-'));
  process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));
  let site: Site | undefined;
  const end = endOnSignals(
    web,
    walls,
    () => site,
    () => false,
  );
  try {
    const documents = await documentsOf(folder);
    await walls.open(join(scratch, 'index.sqlite'));
    await walls.begin();
    await index(walls, documents, documents, 'check');
    site = await createSite(walls, { rows: [], measured: '' });
    web.serve(site);
    say(`sending ${requests_total} requests to http://${host}:${web.port}`);
    const { rows, wrong, cut_short, stopped, broken } = await check(
      web.port,
      documents,
      options.parser,
      walls.inside !== undefined,
    );
    const report = {
      walls: walls.name,
      parser: options.parser,
      documents: documents.length,
      requests: rows,
      wrong,
      cut_short,
      stopped,
      broken,
      ipc: totalOf(walls.calls),
      bytes_copied: walls.bytesCopied() ?? null,
      content: hashOf(await walls.digests()),
      seconds: Math.round(performance.now() - started_ms) / 1000,
      ok: wrong.length === 0,
    };
    if (options.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    else printReport(report);
    return report.ok ? 0 : 1;
  } finally {
    await end();
  }
}

function printReport(report: {
  requests: { kind: string; requests: number; errors: number; p50_ms: number; p99_ms: number }[];
  wrong: string[];
  cut_short: number;
  stopped: number;
  broken: Broken[];
  ipc: number;
  bytes_copied: number | null;
  seconds: number;
}): void {
  const cells = report.requests.map(({ kind, requests, errors, p50_ms, p99_ms }) => [
    ...[kind, String(requests), String(errors), p50_ms.toFixed(1), p99_ms.toFixed(1)],
  ]);
  say(`\n${formatTable(['', 'requests', 'errors', 'p50 ms', 'p99 ms'], cells)}`);
  if (report.broken.length)
    say(formatTable(fireColumns.slice(0, -1), fireCells({ broken: report.broken, synckit: {} })));
  say(`  ipc: ${report.ipc.toLocaleString('en')} calls`);
  say(`  bytes copied: ${report.bytes_copied?.toLocaleString('en') ?? 'not counted by these walls'}\n`);
  if (report.stopped) say(`  ${report.stopped} patterns were stopped because a line took them too long`);
  if (report.cut_short) {
    say(`  ${report.cut_short} searches by pattern ran out of time; only what they had found by then was judged`);
  }
  for (const line of report.wrong) say(`wrong: ${line}`);
  say(
    report.wrong.length ? 'some answers were wrong' : `every answer was right, ${report.seconds.toFixed(1)} s in all`,
  );
}

async function run(): Promise<number | undefined> {
  try {
    const options = readOptions(process.argv.slice(2), process.env);
    quiet = options.json;
    if (options.help) {
      process.stdout.write(help);
      return 0;
    }
    return options.check ? await runCheck(options) : await start(options);
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`docs-browser: ${error.message}\n(--help lists the options)\n`);
      return 2;
    }
    if (error instanceof PortError) {
      process.stderr.write(`docs-browser: ${error.message}\n`);
      return 1;
    }
    process.stderr.write(`docs-browser: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return 1;
  }
}

const code = await run();
if (code !== undefined) process.exitCode = code;
