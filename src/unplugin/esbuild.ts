/**
 * esbuild has no way to add an entry while it builds. So the modules of tasks are noted on the way and built when the
 * build has ended, by the same options, each into a file of its own in the folder of the output; and so on, until no
 * new one is found.
 */
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { findTasks, isWasm, replaceTasks } from './find.ts';

interface Options {
  readonly absWorkingDir?: string;
  readonly format?: 'esm' | 'cjs' | 'iife';
  readonly outdir?: string;
  readonly outfile?: string;
  readonly outExtension?: Readonly<Record<string, string>>;
  readonly plugins?: readonly unknown[];
}

interface Loaded {
  readonly contents: string;
  readonly loader: string;
}

/** As much of a build as is used here. */
interface Build {
  readonly initialOptions: Options;
  readonly esbuild: { build(options: Record<string, unknown>): Promise<unknown> };
  onLoad(options: { filter: RegExp }, load: (file: { readonly path: string }) => Loaded | undefined): void;
  onEnd(end: (result: { readonly errors: readonly unknown[] }) => Promise<void>): void;
}

const outputFolder = ({ absWorkingDir, outdir, outfile }: Options): string =>
  resolve(absWorkingDir ?? process.cwd(), outdir ?? dirname(outfile ?? 'index.js'));

/** How a CommonJS file says where it is. */
const PLACE = { esm: 'import.meta.url', cjs: "require('node:url').pathToFileURL(__filename)" };

/** Output files of tasks by their modules; one is never overwritten by another's. */
class Outputs {
  private readonly byModule = new Map<string, string>();

  get size(): number {
    return this.byModule.size;
  }

  list(): [module: string, output: string][] {
    return [...this.byModule];
  }

  nameFor(module: string, extension: string): string {
    const known = this.byModule.get(module);
    if (known !== undefined) return known;
    const name = basename(module).replace(/\.[^.]*$/, '');
    const taken = new Set(this.byModule.values());
    let output = `${name}.task${extension}`;
    for (let i = 2; taken.has(output); i++) output = `${name}-${i}.task${extension}`;
    this.byModule.set(module, output);
    return output;
  }
}

function rewrite(path: string, options: Options, outputs: Outputs): Loaded | undefined {
  const code = readFileSync(path, 'utf8');
  const found = findTasks(code, path);
  if (found.length === 0) return undefined;
  const place = options.format === 'esm' ? PLACE.esm : PLACE.cjs;
  const extension = options.outExtension?.['.js'] ?? (options.outfile === undefined ? '.js' : extname(options.outfile));
  const contents = replaceTasks(code, found, ({ file }) => {
    const output = outputs.nameFor(file, isWasm(file) ? '.wasm' : extension);
    return `new URL(${JSON.stringify(`./${output}`)}, ${place})`;
  });
  return { contents, loader: extname(path).replace(/^\.[cm]?/, '') };
}

/** The build of one task: the same options, another entry, and only what notes further tasks of our plugin. */
async function buildTask(build: Build, module: string, output: string, outputs: Outputs): Promise<void> {
  const { outdir: _, outfile: __, ...rest } = build.initialOptions;
  const target = join(outputFolder(build.initialOptions), output);
  mkdirSync(dirname(target), { recursive: true });
  if (isWasm(module)) {
    copyFileSync(module, target);
    return;
  }
  const others = (rest.plugins ?? []).filter((plugin) => (plugin as { name?: string }).name !== NAME);
  const plugin = { name: NAME, setup: (inner: Build) => note(inner, build.initialOptions, outputs) };
  const own = { entryPoints: [module], outfile: target, splitting: false, plugins: [...others, plugin] };
  await build.esbuild.build({ ...rest, ...own });
}

const NAME = 'l3kernel';

function note(build: Build, options: Options, outputs: Outputs): void {
  build.onLoad({ filter: /\.[cm]?[jt]sx?$/ }, ({ path }) => rewrite(path, options, outputs));
}

export const esbuild = (): { readonly name: string; setup(build: Build): void } => ({
  name: NAME,
  setup(build) {
    const outputs = new Outputs();
    note(build, build.initialOptions, outputs);
    build.onEnd(async ({ errors }) => {
      if (errors.length > 0) return;
      for (let built = 0; built < outputs.size; built++) {
        const [module, output] = outputs.list()[built]!;
        await buildTask(build, module, output, outputs);
      }
    });
  },
});
