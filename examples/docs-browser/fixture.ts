/** What the tests of this example share: a small folder of Markdown, and a way to run the program. */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { parser_default, parserNames } from './walls/walls.ts';
import type { ParserName } from './walls/walls.ts';

/** The parser that is tested: the default, unless the environment says otherwise (parsers.test.ts does). */
export const parser: ParserName = parserNames.find((name) => name === process.env.DOCS_PARSER) ?? parser_default;

const files: Record<string, string | Uint8Array> = {
  'alpha/README.md': [
    '# Alpha',
    '',
    'Alpha parses **running** servers. See [the guide](docs/guide.md#first-steps) and [beta](../beta/README.md).',
    '',
    '```js',
    "import { alpha } from 'alpha'; // <script>",
    '```',
    '',
    '| left | right |',
    '| ---- | ----: |',
    '| a    | 1     |',
  ].join('\n'),
  'alpha/docs/guide.md':
    '# Guide\n\n## First steps\n\nServers run. A server ran.\n\n## Second\n\n## Third\n\n[up](../../../outside.md)\n',
  'beta/README.md':
    '<h1 align="center">Beta</h1>\n\nTimeouts: a *connection timeout* ends the call.\n\n<img src="https://example.com/x.png" alt="a badge">\n',
  'beta/CHANGELOG.md': '## 1.0.0\n\n- unicode: naïve café, Straße, 日本語\n- connection lost\n',
  'hostile/README.md':
    '# Hostile <script>alert(1)</script>\n\n<img src=x onerror=alert(1)>\n[x](javascript:alert(1))\n',
  'hostile/bytes.md': new Uint8Array([0x23, 0x20, 0xff, 0xfe, 0x00, 0x80, 0x41, 0x0a, 0xc3, 0x28, 0x00]),
  'hostile/long.md': `# Long\n\n${'x'.repeat(200_000)} ${'ab '.repeat(1000)}\n`,
  'hostile/deep.md': `${'> '.repeat(10_000)}deep\n\n${'- '.repeat(10_000)}deeper\n`,
  'notes.txt': 'not Markdown',
};

export interface Fixture {
  folder: string;
  cache: string;
  remove(): void;
}

/** Makes the folder, with a symbolic link in a loop, one out of it, and one to a file that is there anyway. */
export function makeFixture(): Fixture {
  const base = mkdtempSync(join(tmpdir(), 'l3kernel-docs-test-'));
  const folder = join(base, 'corpus');
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  writeFileSync(join(base, 'outside.md'), '# Outside\n');
  for (const [target, path] of [
    ['..', 'alpha/loop'],
    ['../..', 'alpha/out'],
    ['README.md', 'alpha/copy.md'],
  ] as const) {
    try {
      symlinkSync(target, join(folder, path));
    } catch {
      // Not every system lets everyone make links; the folder is good without them.
    }
  }
  return { folder, cache: join(base, 'cache'), remove: () => rmSync(base, { recursive: true, force: true }) };
}

export const fixtureDocuments = Object.keys(files).filter((path) => path.endsWith('.md')).length;

export interface Running {
  process: ChildProcessByStdio<null, Readable, Readable>;
  /** Resolves with everything printed so far when `text` is in it; rejects when the process ends before. */
  prints(text: string): Promise<string>;
  ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
}

/** Runs main.ts with these arguments. */
export function run(args: string[], environment: Record<string, string> = {}): Running {
  const program = fileURLToPath(new URL('./main.ts', import.meta.url));
  const child = spawn(
    process.execPath,
    [...process.execArgv.filter((flag) => !flag.startsWith('--test')), program, `--parser=${parser}`, ...args],
    {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let stdout = '';
  let stderr = '';
  const waiting = new Set<() => void>();
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    for (const look of waiting) look();
  });
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
  return {
    process: child,
    ended,
    prints: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (stdout.includes(text)) resolve(stdout);
        };
        waiting.add(look);
        look();
        void ended.then(() => reject(new Error(`ended without printing '${text}': ${stdout}${stderr}`)));
      }),
  };
}
