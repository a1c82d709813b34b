/**
 * A whole program with walls and without: the docs-browser example indexes the Markdown files of this repository's
 * dependencies, once behind tasks and once by calling the same modules directly, each in a process of its own. Both
 * have the same Markdown engine, once as a sandboxed task and once as a plain instance. What is
 * compared is the time of the indexing as the program itself took it; the content hashes must be equal.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { sourceUrl } from '../../harness/files.ts';
import type { Context } from '../../harness/job.ts';

interface Indexed {
  readonly seconds: number;
  readonly documents: number;
  readonly hash: string;
}

/** The document holds a digest for each file. */
const OUTPUT_BYTES_MAX = 1 << 26;

/** A run for a look takes a small corpus: the whole one is ten seconds. */
const CORPUS = '../node_modules';
const CORPUS_SMALL = '../docs';

function index(walls: 'direct' | 'l3kernel', folder: string): Indexed {
  const program = fileURLToPath(sourceUrl('../examples/docs-browser/index-corpus.ts'));
  const corpus = fileURLToPath(sourceUrl(folder));
  const text = execFileSync(process.execPath, [program, corpus, walls], {
    encoding: 'utf8',
    maxBuffer: OUTPUT_BYTES_MAX,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return JSON.parse(text) as Indexed;
}

export function run(context: Context): Promise<void> {
  const folder = context.plan.processes > 1 ? CORPUS : CORPUS_SMALL;
  // The order alternates from one repetition to the next, as the harness does within a process.
  const first = context.repetition % 2 === 0 ? 'l3kernel' : 'direct';
  const one = index(first, folder);
  const other = index(first === 'direct' ? 'l3kernel' : 'direct', folder);
  if (one.hash !== other.hash) throw new Error('the two kinds of walls made different indexes');
  const [walled, direct] = first === 'l3kernel' ? [one, other] : [other, one];
  context.record('docs.index', { ns: walled.seconds * 1e9, floor_ns: direct.seconds * 1e9 });
  return Promise.resolve();
}
