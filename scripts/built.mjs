/**
 * The rules that the built files keep, checked at every build because no test of the sources can see them break:
 * no ablation flag is left, nothing but `node:` modules is imported from outside, no module is in two chunks (two
 * copies of the kernel would not see each other's threads), and the worker bootstrap depends on no place.
 */
import { bareCode, parseSource } from './source.mjs';

/** The constants by which benchmark builds leave out one technique each; a shipped bundle has them folded away. */
const ablationFlags = [
  'BUFFERED',
  'COMBINED_CALL',
  'SHORT_IN_TCB',
  'ONE_COPY_WINDOW',
  'DIRECT_SWITCH',
  'ID_BY_MASK',
  'GENERATION',
  'FRESH_VIEWS',
  'CLAN_COMPARE',
];

/** @param {string} fileName @param {string} code @returns {string[]} */
function flagsIn(fileName, code) {
  const bare = bareCode(parseSource(fileName, code));
  return ablationFlags
    .filter((flag) => new RegExp(`\\b${flag}\\b`).test(bare))
    .map((flag) => `${fileName}: the ablation flag ${flag} is left`);
}

/**
 * @typedef {{
 *   fileName: string,
 *   code: string,
 *   imports: string[],
 *   dynamicImports: string[],
 *   modules: Record<string, unknown>,
 * }} Chunk
 * @param {string} bootstrap the script that workers evaluate
 * @param {Chunk[]} chunks
 * @returns {string[]} one sentence for each broken rule
 */
export function checkBundle(bootstrap, chunks) {
  const complaints = flagsIn('bootstrap.cjs', bootstrap);
  const names = new Set(chunks.map((chunk) => chunk.fileName));
  /** @type {Map<string, string>} */
  const home = new Map();
  for (const { fileName, code, imports, dynamicImports, modules } of chunks) {
    complaints.push(...flagsIn(fileName, code));
    for (const name of [...imports, ...dynamicImports]) {
      if (!name.startsWith('node:') && !names.has(name)) complaints.push(`${fileName}: imports ${name}`);
    }
    for (const id of Object.keys(modules)) {
      if (home.has(id)) complaints.push(`${id} is in ${home.get(id)} and in ${fileName}`);
      home.set(id, fileName);
    }
  }
  // The bundler turns `import.meta.url` of a script into its file name, which an evaluated text does not have.
  const bare = bareCode(parseSource('bootstrap.cjs', bootstrap));
  const place = /\bimport\.meta\b|\b__filename\b|\b__dirname\b/.exec(bare);
  if (place) complaints.push(`worker bootstrap: ${place[0]}: an evaluated text has no place of its own`);
  return complaints;
}
