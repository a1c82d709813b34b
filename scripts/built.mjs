/**
 * The rules that the built files keep, checked at every build because no test of the sources can see them break:
 * no ablation flag is left, nothing but `node:` modules is imported from outside, no module is in two chunks (two
 * copies of the kernel would not see each other's threads), no top-level await (`require` must work), and the worker
 * bootstrap is a script.
 */

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

/** @param {string} code */
export const withoutComments = (code) => code.replaceAll(/\/\*[\s\S]*?\*\/|(^|\s)\/\/[^\n]*/g, '$1');

/**
 * @param {string} bootstrap the script that workers evaluate
 * @param {{ fileName: string, code: string, imports: string[], dynamicImports: string[], modules: Record<string, unknown> }[]} chunks
 * @returns {string[]} one sentence for each broken rule
 */
export function checkBundle(bootstrap, chunks) {
  /** @type {string[]} */
  const complaints = [];
  const names = new Set(chunks.map((chunk) => chunk.fileName));
  /** @type {Map<string, string>} */
  const home = new Map();
  for (const { fileName, code, imports, dynamicImports, modules } of chunks) {
    const bare = withoutComments(code);
    for (const flag of ablationFlags) {
      if (new RegExp(`\\b${flag}\\b`).test(bare)) complaints.push(`${fileName}: the ablation flag ${flag} is left`);
    }
    for (const name of [...imports, ...dynamicImports]) {
      if (!name.startsWith('node:') && !names.has(name)) complaints.push(`${fileName}: imports ${name}`);
    }
    for (const id of Object.keys(modules)) {
      if (home.has(id)) complaints.push(`${id} is in ${home.get(id)} and in ${fileName}`);
      home.set(id, fileName);
    }
    if (/^(?:(?:const|let|var) [^=]+= )?await\b/m.test(bare)) complaints.push(`${fileName}: top-level await`);
  }
  if (/\bimport\.meta\b/.test(withoutComments(bootstrap))) complaints.push('worker bootstrap: import.meta in a script');
  if (/^(?:import|export)\b/m.test(bootstrap)) complaints.push('worker bootstrap: module syntax in a script');
  return complaints;
}
