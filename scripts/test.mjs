/**
 * The gate: `npm test` runs every step, `npm run check` all but the tests. A broken step does not hide the ones after
 * it. Arguments that are paths limit the tests to those files:
 * `npm test -- src/kernel`.
 */
import { join } from 'node:path';
import { buildIfChanged } from './build-stamp.mjs';
import { onDevelopmentNode, root, runNode } from './toolchain.mjs';

await onDevelopmentNode(import.meta.url);

const withTests = !process.argv.includes('--no-tests');
const testPaths = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const module = (/** @type {string} */ path) => join(root, 'node_modules', path);
const script = (/** @type {string} */ name) => join(root, 'scripts', name);
const lintArgs = ['--type-aware', '--deny-warnings', '--report-unused-disable-directives'];

/** @type {[name: string, run: () => Promise<number>][]} */
const steps = [
  ['build', buildIfChanged],
  ['require', () => runNode(['--input-type=commonjs', '--eval', "require('l3kernel'); require('l3kernel/ipc');"])],
  ['format', () => runNode([module('oxfmt/bin/oxfmt'), '--check', '.'])],
  ['types', () => runNode([module('typescript/bin/tsc'), '--project', join(root, 'tsconfig.json')])],
  ['lint', () => runNode([module('oxlint/bin/oxlint'), ...lintArgs])],
  ['layering', () => runNode([script('layering.mjs')])],
  ['budgets', () => runNode([script('budgets.mjs')])],
  ['tidy', () => runNode([script('tidy.mjs')])],
];
if (withTests) steps.push(['tests', () => runNode([script('run-tests.mjs'), ...testPaths])]);

/** @type {string[]} */
const report = [];
let failures = 0;
for (const [name, run] of steps) {
  process.stdout.write(`\n== ${name}\n`);
  const began_ms = performance.now();
  const code = await run();
  const seconds = ((performance.now() - began_ms) / 1000).toFixed(1);
  report.push(`${code === 0 ? 'ok    ' : 'FAILED'} ${name.padEnd(10)} ${seconds.padStart(6)} s`);
  process.stdout.write(`== ${report.at(-1)}\n`);
  if (code !== 0) failures += 1;
}
process.stdout.write(`\n${report.join('\n')}\n${failures === 0 ? 'all steps passed' : `${failures} steps failed`}\n`);
process.exitCode = failures === 0 ? 0 : 1;
