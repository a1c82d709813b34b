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

const functionTypes = ['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'];

/** @type {string[]} */
const complaints = [];
const files = filesBelow('src/kernel').filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'));
let total = 0;
let longest = { name: 'none', lines: 0 };
for (const path of files) {
  const source = readSource(path);
  const lines = source.text.split('\n').length - 1;
  total += lines;
  if (lines > fileLines) complaints.push(`${path}: ${lines} lines of ${fileLines}`);
  const seen = new Set();
  for (const node of nodes(source.program)) {
    if (!functionTypes.includes(node.type) || !node.body) continue;
    const name = node.id?.name ?? `the function in line ${source.lineAt(node.start)}`;
    const length = source.lineAt(node.end) - source.lineAt(node.start) + 1;
    const limit = tighter[path]?.[name] ?? functionLines;
    seen.add(name);
    if (length > limit) complaints.push(`${path}: ${name} has ${length} lines of ${limit}`);
    if (length > longest.lines) longest = { name: `${name} in ${path}`, lines: length };
  }
  for (const name of Object.keys(tighter[path] ?? {})) {
    if (!seen.has(name)) complaints.push(`${path}: no function ${name}, which has a budget of its own`);
  }
}
if (total > kernelLines) complaints.push(`src/kernel: ${total} lines of ${kernelLines}`);
const sizes = `${total} of ${kernelLines} lines in ${files.length} files`;
report(complaints, `kernel: ${sizes}; longest function: ${longest.name}, ${longest.lines} lines`);
