/**
 * Indexes a folder once, behind walls of one kind, and tells what it took: the measurement of the table that the site
 * prints, and of the benchmark row `docs.index`.
 *
 * As a program (`node index-corpus.ts [--parser=NAME] FOLDER KIND [SAMPLE_SECONDS]`) it prints one JSON document, in a
 * process of its own, so that no measurement runs on what another left behind; with `direct` that process never loads
 * l3kernel.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findDocuments } from './find-documents.ts';
import type { Found } from './find-documents.ts';
import { capped, indexDocuments } from './indexer.ts';
import { openWalls, parser_default, parserNames, totalOf, wallNames } from './walls/walls.ts';
import type { Calls, ParserName, WallName } from './walls/walls.ts';

export interface CorpusResult {
  walls: WallName;
  documents: number;
  words: number;
  /** Time of the indexing itself: reading, parsing, stemming, storing; starting the parts is not in it. */
  seconds: number;
  /** Protected calls made, in all and by part. */
  calls: number;
  calls_by_part: Calls;
  /** Whether only a sample was indexed, because its time was over. */
  sample: boolean;
  /** One hash over all content, the same for every kind of walls; of the documents that a sample completed. */
  hash: string;
  /** SHA-256 of each document's content by path. */
  digests: Record<string, string>;
}

export interface CorpusOptions {
  /** Stop after this time and report what was done; documents are then taken in a fixed scattered order. */
  sample_seconds?: number;
  parser?: ParserName | undefined;
}

/** Indexes every Markdown file below `folder` into a store that is removed afterwards. */
export async function indexCorpus(folder: string, name: WallName, options: CorpusOptions = {}): Promise<CorpusResult> {
  const { documents } = capped((await findDocuments(folder)).documents);
  const known = new Set(documents.map((document) => document.path));
  const scratch = await mkdtemp(join(tmpdir(), 'l3kernel-docs-'));
  const sample = options.sample_seconds === undefined ? undefined : { deadline_ms: Infinity };
  const walls = await openWalls(name, {
    ...(options.parser && { parser: options.parser }),
    ...(sample && { sample }),
  });
  try {
    // The first calls wait for the workers to load; that is start-up, not calls.
    await walls.open(join(scratch, 'index.sqlite'));
    await walls.parse('warm/up.md', '`a`\n```js\nb\n```\n');
    await walls.stem(['warm', 'up']);
    const before = { ...walls.calls };
    const started_ms = performance.now();
    if (sample) sample.deadline_ms = started_ms + 1000 * (options.sample_seconds ?? 0);
    await walls.begin();
    const order = sample ? scattered(documents) : documents;
    const done = await indexDocuments(walls, order, known);
    const seconds = (performance.now() - started_ms) / 1000;
    const calls_by_part = difference(walls.calls, before);
    await walls.finish('measured');
    const digests = await walls.digests();
    return {
      walls: name,
      documents: done.documents,
      words: done.words,
      seconds,
      calls: totalOf(calls_by_part),
      calls_by_part,
      sample: done.documents < documents.length,
      hash: hashOf(digests),
      digests,
    };
  } finally {
    await walls.close();
    await rm(scratch, { recursive: true, force: true });
  }
}

export function hashOf(digests: Record<string, string>): string {
  const hash = createHash('sha256');
  for (const path of Object.keys(digests).sort()) hash.update(`${path}\0${digests[path]}\0`);
  return hash.digest('hex');
}

/** An order that has nothing to do with names, so that the first n are a fair sample, and the same ones every time. */
function scattered(documents: Found[]): Found[] {
  const keyed = documents.map((document) => ({
    document,
    key: createHash('sha256').update(document.path).digest('hex'),
  }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ document }) => document);
}

function difference(after: Calls, before: Calls): Calls {
  return {
    parse: after.parse - before.parse,
    highlight: after.highlight - before.highlight,
    stem: after.stem - before.stem,
    match: after.match - before.match,
    store: after.store - before.store,
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { parser: { type: 'string' } } });
  const [folder = '', kind = 'direct', sample] = positionals;
  const name = wallNames.find((known) => known === kind);
  const parser = parserNames.find((known) => known === (values.parser ?? parser_default));
  if (!folder || !name || !parser) {
    const usage = 'node index-corpus.ts [--parser=wasm|worker] FOLDER direct|l3kernel|comlink|synckit [SAMPLE_SECONDS]';
    process.stderr.write(`usage: ${usage}\n`);
    process.exit(2);
  }
  const result = await indexCorpus(resolve(folder), name, {
    parser,
    ...(sample !== undefined && { sample_seconds: Number(sample) }),
  });
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
