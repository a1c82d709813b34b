/**
 * The shipped text of src/kernel as one flat JavaScript module, with the programs of the scenarios in it: rolldown
 * strips the types, folds the constants as it does for dist/, and leaves the imports of the seam (#atomics, #wait,
 * ./seam.ts) standing, so that this folder can stand there. Nothing is copied: what is explored is what was read from
 * the disk, unless a test hands over another text for a file.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

const root = join(import.meta.dirname, '../..');
const kernelFiles = [
  'clan',
  'dispatch',
  'fault',
  'ipc',
  'ipc-slow',
  'park',
  'queue',
  'ready',
  'tcb',
  'transfer',
  'verify',
  'wakeup',
  'window',
];
const ENTRY = 'virtual:entry';
const seams = ['#atomics', '#wait'];

/** Texts instead of those on the disk, by path from the root: `{ 'src/kernel/park.ts': '…' }`. */
export type Texts = Readonly<Record<string, string>>;

/** The text on the disk of a file of this repository, to make a mutant of. */
export const shippedText = (path: string): string => readFileSync(join(root, path), 'utf8');

/** One module that exports everything of kernel/ and of the programs. */
export async function bundleKernel(texts: Texts = {}): Promise<string> {
  const entry = [
    ...kernelFiles.map((name) => `export * from ${JSON.stringify(join(root, `src/kernel/${name}.ts`))};`),
    `export * from ${JSON.stringify(join(import.meta.dirname, 'programs.ts'))};`,
  ].join('\n');
  const left = new Set(Object.keys(texts));
  const bundle = await rolldown({
    input: ENTRY,
    cwd: root,
    optimization: { inlineConst: { mode: 'all', pass: 2 } },
    plugins: [
      {
        name: 'model',
        resolveId(id: string) {
          if (id === ENTRY) return id;
          if (seams.includes(id)) return { id, external: true };
          return id === './seam.ts' ? { id: '#model', external: true } : null;
        },
        load(id: string) {
          if (id === ENTRY) return entry;
          const path = id.slice(root.length + 1);
          left.delete(path);
          return texts[path] ?? null;
        },
      },
    ],
  });
  const { output } = await bundle.generate({ format: 'esm' });
  await bundle.close();
  if (left.size > 0) throw new Error(`the kernel does not import ${[...left].join(', ')}`);
  return output[0].code;
}
