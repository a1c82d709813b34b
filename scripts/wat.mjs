/**
 * Makes X.wasm of every X.wat that is named, or of all that have one beside them. The built modules are kept, so that
 * nobody needs a compiler to run what uses them; a test compares the two.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import wabt from 'wabt';
import { filesBelow, onDevelopmentNode, root } from './toolchain.mjs';

/** The sources that have a built module. @returns {string[]} */
export const builtModules = () =>
  ['bench', 'examples', 'test']
    .flatMap((folder) => filesBelow(folder))
    .filter((path) => path.endsWith('.wat') && existsSync(join(root, path.replace(/\.wat$/, '.wasm'))));

/** @param {string} path relative to the root @returns {Promise<Uint8Array>} */
export async function assemble(path) {
  const { parseWat } = await wabt();
  const parsed = parseWat(path, readFileSync(join(root, path), 'utf8'), {});
  return parsed.toBinary({}).buffer;
}

if (import.meta.main) {
  await onDevelopmentNode(import.meta.url);
  const named = process.argv.slice(2);
  for (const path of named.length > 0 ? named : builtModules()) {
    writeFileSync(join(root, path.replace(/\.wat$/, '.wasm')), await assemble(path));
  }
}
