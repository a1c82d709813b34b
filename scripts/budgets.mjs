/**
 * The size budgets of the kernel: a kernel that grows is no longer one that a reader can hold in mind. Lines are all
 * lines of a file, comments included; a function counts from its first line to its closing brace.
 */
import { nodes, readSource, report } from './source.mjs';
import { filesBelow } from './toolchain.mjs';

const kernelLines = 2500;
const fileLines = 500;
const functionLines = 70;
/** Tighter limits for single functions, by file. @type {Record<string, Record<string, number>>} */
const tighter = { 'src/kernel/ipc.ts': { call: 60 } };

/** @param {import('./source.mjs').Source} source */
const linesOf = (source) => source.text.split('\n').length - 1;

const functionTypes = ['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'];

/** The functions of a file with their lines; a name for each. @param {import('./source.mjs').Source} source */
function functionsOf(source) {
  const found = [];
  for (const node of nodes(source.program)) {
    if (!functionTypes.includes(node.type) || !node.body) continue;
    const first = source.lineAt(node.start);
    const name = String(node.id?.name ?? `the function in line ${first}`);
    found.push({ name, lines: source.lineAt(node.end) - first + 1 });
  }
  return found;
}

/** @param {import('./source.mjs').Source[]} sources all of the kernel's @returns {string[]} */
export function budgetComplaints(sources) {
  const complaints = [];
  for (const source of sources) {
    const { path } = source;
    const lines = linesOf(source);
    if (lines > fileLines) complaints.push(`${path}: ${lines} lines of ${fileLines}`);
    const functions = functionsOf(source);
    for (const { name, lines: length } of functions) {
      const limit = tighter[path]?.[name] ?? functionLines;
      if (length > limit) complaints.push(`${path}: ${name} has ${length} lines of ${limit}`);
    }
    for (const name of Object.keys(tighter[path] ?? {})) {
      if (functions.some((one) => one.name === name)) continue;
      complaints.push(`${path}: no function ${name}, which has a budget of its own`);
    }
  }
  const total = sources.reduce((sum, source) => sum + linesOf(source), 0);
  if (total > kernelLines) complaints.push(`src/kernel: ${total} lines of ${kernelLines}`);
  return complaints;
}

if (import.meta.main) {
  const files = filesBelow('src/kernel').filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'));
  const sources = files.map((path) => readSource(path));
  const total = sources.reduce((sum, source) => sum + linesOf(source), 0);
  const [longest] = sources.flatMap(functionsOf).sort((a, b) => b.lines - a.lines);
  const sizes = `${total} of ${kernelLines} lines in ${files.length} files`;
  report(budgetComplaints(sources), `kernel: ${sizes}; longest function: ${longest?.name}, ${longest?.lines} lines`);
}
