/**
 * The sizes of the messages of a whole program: how many messages with so many bytes went from agent to agent while
 * examples/docs-browser indexed a corpus. A copy of the built library counts them where each message is put into a
 * line, in words at the end of kernel memory that nothing else uses; the sources have no such counter.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { R_STRING, R_WORD, TAG_STRING_SHIFT, TAG_STRINGS, TAG_WORDS } from '../../src/layout/message.ts';
import { MEMORY_BYTES, MESSAGE_WORDS_IN_LINE } from '../../src/layout/params.ts';
import { installLibrary } from '../harness/project.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const DEADLINE_MS = 90_000;

/** Upper bounds of the classes, in bytes; what is longer than the last is in a class of its own. */
export const SIZES: readonly number[] = [
  ...[0, 8, 16, 32, MESSAGE_WORDS_IN_LINE * 8, 64, 128, 256, 512],
  ...[1024, 2048, 4096, 16_384, 65_536, 1_048_576],
];

const COUNTERS_BYTES = 256;
const MEMORY = "globalThis[Symbol.for('l3kernel.memory')].buffer";
const COUNTERS = `new Int32Array(${MEMORY}, ${MEMORY_BYTES - COUNTERS_BYTES}, ${SIZES.length + 1})`;

/** The function that puts a message into a line, up to its first use of the registers, as it is in the built files. */
const PUT_MESSAGE = new RegExp(
  String.raw`(function putMessage\(\w+,\s*\w+,\s*(\w+),\s*\w+\)\s*\{)(?=[\s\S]{0,400}?([\w$]+)\[${R_WORD} ?\+)`,
);

/** The text of a built file with the counter in it; as it is when the function is not there. */
export function counting(text: string): string {
  const code = (tag: string, registers: string): string =>
    `{ let size = (${tag} & ${TAG_WORDS}) * 8, bin = 0;` +
    ` for (let s = (${tag} & ${TAG_STRINGS}) >> ${TAG_STRING_SHIFT}; s > 0; s--) size += ${registers}[${R_STRING - 1} + s];` +
    ` for (const most of ${JSON.stringify(SIZES)}) if (size > most) bin++; Atomics.add(${COUNTERS}, bin, 1); }`;
  return text.replace(
    PUT_MESSAGE,
    (_, head: string, tag: string, registers: string) => `${head} ${code(tag, registers)}`,
  );
}

function makeProject(folder: string): void {
  const modules = join(folder, 'node_modules');
  mkdirSync(modules);
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (name !== 'l3kernel' && !name.startsWith('.'))
      symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  installLibrary(folder);
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n');
  cpSync(join(root, 'examples/docs-browser'), join(folder, 'docs-browser'), { recursive: true });
  const dist = join(modules, 'l3kernel/dist');
  const counted = ['chunks', 'workers'].flatMap((name) => {
    const files = readdirSync(join(dist, name)).map((file) => join(dist, name, file));
    return files.filter((file) => {
      const before = readFileSync(file, 'utf8');
      const after = counting(before);
      if (after !== before) writeFileSync(file, after);
      return after !== before;
    });
  });
  // The agent of the program, and the scripts of tasks and of the supervisor.
  if (counted.length < 3) throw new Error(`only ${counted.length} built files put messages: the counter has no place`);
  writeFileSync(
    join(folder, 'tell.mjs'),
    `import { isMainThread } from 'node:worker_threads';
import { writeFileSync } from 'node:fs';
if (isMainThread) process.on('exit', () => writeFileSync(${JSON.stringify(join(folder, 'sizes.json'))}, JSON.stringify([...${COUNTERS}])));
`,
  );
}

export interface Sizes {
  /** Messages by class of SIZES, and one class more. */
  readonly counts: readonly number[];
  readonly documents: number;
  readonly calls: number;
}

/** Counts while the Markdown files below `corpus`, a folder of the repository, are indexed. */
export function countSizes(corpus: string): Sizes {
  const folder = mkdtempSync(join(tmpdir(), 'l3-bench-sizes-'));
  try {
    makeProject(folder);
    const program = join(folder, 'docs-browser/index-corpus.ts');
    const args = ['--import', join(folder, 'tell.mjs'), program, join(root, corpus), 'l3kernel'];
    const options = { encoding: 'utf8', timeout: DEADLINE_MS, maxBuffer: 1 << 26, killSignal: 'SIGKILL' } as const;
    const text = execFileSync(process.execPath, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    const { documents, calls } = JSON.parse(text) as { documents: number; calls: number };
    const counts = JSON.parse(readFileSync(join(folder, 'sizes.json'), 'utf8')) as number[];
    return { counts, documents, calls };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
