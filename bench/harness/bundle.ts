/**
 * The bundle that the measuring processes run. The published package is bundled with its constants folded in, and that
 * makes a call a third quicker than the same sources run one by one: V8 reads an imported constant through a cell. The
 * low-level rows reach below the public surface and cannot use the published files; so they are bundled here from the
 * sources in the same way. The public rows import the built package itself.
 *
 * Without a bundler (it wants a newer Node than the library does) or without a current build the sources are measured,
 * and the report says so.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { applyEdits } from './edits.ts';
import type { Edit } from './edits.ts';
import { BUILT_VARIABLE, LIBRARY_VARIABLE, SOURCES_VARIABLE, sourceUrl } from './files.ts';

export interface Subject {
  /** What the measuring processes are given in their environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** The module to start for a job. */
  readonly childPath: string;
  readonly bundled: boolean;
  /** Whether the public rows measure the built package or the sources. */
  readonly library: 'dist' | 'sources';
  remove(): void;
}

const PREFIX = 'l3kernel-bench-';

interface BuildStamp {
  isBuilt(): boolean;
}

/** Whether dist/ is of the present sources; the build tells it by content. */
async function isBuilt(): Promise<boolean> {
  const url = sourceUrl('../scripts/build-stamp.mjs');
  if (!existsSync(fileURLToPath(url))) return false;
  try {
    return ((await import(url.href)) as BuildStamp).isBuilt();
  } catch {
    return false;
  }
}

/** Entries by the name they have below bench/, without extension: what files.ts will be asked for. */
function entries(): Record<string, string> {
  const bench = fileURLToPath(sourceUrl('.'));
  const workers = readdirSync(join(bench, 'workers')).filter((name) => name.endsWith('.ts'));
  const paths = ['harness/child.ts', ...workers.map((name) => `workers/${name}`)];
  return Object.fromEntries(paths.map((path) => [path.slice(0, -'.ts'.length), join(bench, path)]));
}

async function bundle(outDir: string, library: string, edits: readonly Edit[]): Promise<void> {
  const { rolldown } = await import('rolldown');
  const root = fileURLToPath(sourceUrl('..'));
  const libraryPath = join(root, 'src/index.ts');
  const build = await rolldown({
    cwd: root,
    input: entries(),
    platform: 'node',
    tsconfig: false,
    external: [/^node:/, 'synckit', 'comlink', 'rolldown', 'quickjs-emscripten-core', /^@jitl\//],
    optimization: { inlineConst: { mode: 'all', pass: 2 } },
    plugins: [
      {
        name: 'the library stays what it is',
        async resolveId(source, importer) {
          if (!source.endsWith('/src/index.ts') || importer === undefined) return null;
          const found = await this.resolve(source, importer, { skipSelf: true });
          return found?.id === libraryPath ? { id: library, external: true } : null;
        },
      },
      {
        name: 'edits',
        load(id) {
          const file = relative(join(root, 'src'), id).replaceAll(sep, '/');
          if (!edits.some((edit) => edit.file === file)) return null;
          return { code: applyEdits(file, readFileSync(id, 'utf8'), edits), moduleType: 'ts' };
        },
      },
    ],
  });
  await build.write({ dir: outDir, format: 'esm', entryFileNames: '[name].mjs', chunkFileNames: 'chunks/[name].mjs' });
  await build.close();
}

/** An interrupted run leaves its bundle behind; the next run after this time takes it away. */
const LEFTOVER_MS = 3_600_000;

function removeLeftovers(cache: string): void {
  for (const name of readdirSync(cache)) {
    const path = join(cache, name);
    const old = name.startsWith(PREFIX) && Date.now() - statSync(path).mtimeMs > LEFTOVER_MS;
    if (old) rmSync(path, { recursive: true, force: true });
  }
}

/** Makes the bundle, with these edits of the kernel's text, or says that the sources run. */
export async function prepareSubject(edits: readonly Edit[] = []): Promise<Subject> {
  const built = await isBuilt();
  const libraryHref = sourceUrl(built ? '../dist/index.js' : '../src/index.ts').href;
  const environment = { [SOURCES_VARIABLE]: sourceUrl('.').href, [LIBRARY_VARIABLE]: libraryHref };
  const library = built ? 'dist' : 'sources';
  // Below node_modules, so that the rivals are found from there, and out of the way of whoever lists the sources.
  const cache = fileURLToPath(sourceUrl('../node_modules/.cache'));
  let outDir: string | undefined;
  const remove = (): void => {
    if (outDir !== undefined) rmSync(outDir, { recursive: true, force: true });
  };
  try {
    mkdirSync(cache, { recursive: true });
    removeLeftovers(cache);
    outDir = mkdtempSync(join(cache, PREFIX));
    await bundle(outDir, libraryHref, edits);
    const childPath = join(outDir, 'harness/child.mjs');
    return { environment: { ...environment, [BUILT_VARIABLE]: outDir }, childPath, bundled: true, library, remove };
  } catch (error) {
    remove();
    if (!isMissing(error)) throw error;
    const childPath = fileURLToPath(sourceUrl('harness/child.ts'));
    return { environment, childPath, bundled: false, library, remove: () => undefined };
  }
}

/** Whether the bundler is not there, or does not run on this Node; anything else is an error in what it was given. */
function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ERR_MODULE_NOT_FOUND' || code === 'ERR_DLOPEN_FAILED' || error instanceof SyntaxError;
}
