/**
 * `npm run format [-- PATH…]`: formats the code of the repository in place, or only what is named, and wraps comments
 * that are too long.
 */
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail, filesBelow, onDevelopmentNode, root, runNode } from './toolchain.mjs';

await onDevelopmentNode(import.meta.url);
// The parser is there only after the installation.
const { readSource } = await import('./source.mjs');
const { wrapComments } = await import('./wrap.mjs');

const named = process.argv.slice(2).map((path) => path.replace(/^\.\//, '').replace(/\/$/, ''));
const paths = named.length > 0 ? named : ['src', 'test', 'examples', 'bench', 'scripts'];
for (const path of paths) {
  const found = statSync(join(root, path), { throwIfNoEntry: false });
  if (!found) fail(`there is no ${path}`);
  for (const file of found?.isDirectory() ? filesBelow(path) : [path]) {
    if (!/\.(?:ts|mjs|js)$/.test(file)) continue;
    const source = readSource(file);
    const wrapped = wrapComments(source);
    if (wrapped !== source.text) writeFileSync(join(root, file), wrapped);
  }
}
process.exitCode = await runNode([join(root, 'node_modules/oxfmt/bin/oxfmt'), ...(named.length > 0 ? named : ['.'])]);
