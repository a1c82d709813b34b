/**
 * Tests of the checks themselves: each rule meets one text that breaks it and one that only looks so. A check that
 * cannot fail would be worth nothing.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { budgetComplaints } from './budgets.mjs';
import { checkBundle } from './built.mjs';
import { layeringComplaints } from './layering.mjs';
import { parseSource } from './source.mjs';
import { tidyComplaints } from './tidy.mjs';
import { wrapComments } from './wrap.mjs';

const layering = (path: string, text: string): string[] => layeringComplaints(parseSource(path, text));
const tidy = (path: string, text: string): string[] => tidyComplaints(parseSource(path, text));
const chunk = { fileName: 'a.js', code: '', imports: [], dynamicImports: [], modules: {} };

test('an import against the arrows is found in each form', () => {
  for (const text of [
    "import { a } from '../user/ipc.ts';",
    "import type { A } from '../user/ipc.ts';",
    "export * from '../user/ipc.ts';",
    "type A = import('../user/ipc.ts').A;",
    "const load = () => import('../user/ipc.ts');",
    "import fs from 'node:fs';",
    "import comlink from 'comlink';",
  ]) {
    assert.equal(layering('src/kernel/a.ts', text).length, 1, text);
  }
});

test('imports along the arrows pass', () => {
  assert.deepEqual(layering('src/kernel/a.ts', "import '../layout/tcb.ts'; import '#wait'; import './b.ts';"), []);
  assert.deepEqual(layering('src/rpc/a.ts', "import '../kernel/ipc.ts'; import 'node:v8'; import '#atomics';"), []);
  assert.deepEqual(layering('src/index.ts', "import './servers/names/api.ts'; import '#bootstrap';"), []);
});

test('servers are reached by the command line and the index only', () => {
  for (const room of ['rpc', 'tasks', 'user', 'compat', 'inspect']) {
    assert.equal(layering(`src/${room}/a.ts`, "import '../servers/names/api.ts';").length, 1, room);
  }
  assert.deepEqual(layering('src/cli/a.ts', "import '../servers/names/api.ts';"), []);
});

test('a room without rules is refused', () => {
  assert.equal(layering('src/odd/a.ts', '').length, 1);
});

test('kernel code holds no refused construct, comments and strings may name it', () => {
  for (const text of ['async () => 1', 'Atomics.load(w, 0)', 'new Uint8Array(4)', 'try { f() } finally { g() }']) {
    assert.equal(layering('src/kernel/a.ts', `const a = () => { ${text} };`).length, 1, text);
    assert.deepEqual(layering('src/user/a.ts', `const a = () => { ${text} };`), [], text);
  }
  assert.deepEqual(layering('src/kernel/a.ts', "/* async */ const a = 'finally'; // Atomics.load(w)"), []);
});

test('a long function, a long file and a long kernel are over budget', () => {
  const lines = (count: number): string => '  f();\n'.repeat(count);
  const one = (path: string, text: string): string[] => budgetComplaints([parseSource(path, text)]);
  assert.deepEqual(one('src/kernel/a.ts', `function f() {\n${lines(68)}}\n`), []);
  assert.equal(one('src/kernel/a.ts', `function f() {\n${lines(69)}}\n`).length, 1);
  assert.deepEqual(one('src/kernel/a.ts', lines(500)), []);
  assert.equal(one('src/kernel/a.ts', lines(501)).length, 1);
  const full = Array.from({ length: 6 }, (_, index) => parseSource(`src/kernel/${index}.ts`, lines(450)));
  assert.equal(budgetComplaints(full.slice(1)).length, 0);
  assert.equal(budgetComplaints(full).length, 1);
});

test('call has a budget of its own and is there', () => {
  const body = (count: number): string => `export function call() {\n${'  f();\n'.repeat(count)}}\n`;
  const one = (text: string): string[] => budgetComplaints([parseSource('src/kernel/ipc.ts', text)]);
  assert.deepEqual(one(body(58)), []);
  assert.equal(one(body(59)).length, 1);
  assert.equal(one('').length, 1);
});

test('untidy text is found', () => {
  const opening = '/** What it is. */\n';
  assert.equal(tidy('src/a.ts', 'export {};\n').length, 1);
  assert.deepEqual(tidy('src/a.ts', `#!/usr/bin/env node\n${opening}`), []);
  assert.equal(tidy('src/a.ts', `${opening}// ${'word '.repeat(30)}\n`).length, 1);
  assert.deepEqual(tidy('src/a.ts', `${opening}// https://example.org/${'x'.repeat(120)}\n`), []);
  assert.equal(tidy('src/a.ts', `${opening}// TODO: later\n`).length, 1);
  for (const text of ["test('a should b', f);", "test.skip('a', f);", "test('a', { only: true }, f);"]) {
    assert.equal(tidy('src/a.test.ts', opening + text).length, 1, text);
  }
  assert.deepEqual(tidy('src/a.test.ts', `${opening}test('a call is answered', f);`), []);
});

test('wrapping moves words on within a paragraph and keeps the text', () => {
  const long = 'word '.repeat(25).trimEnd();
  const wrap = (text: string): string => wrapComments(parseSource('src/a.ts', text));
  assert.equal(
    wrap(`/**\n * ${long}\n * and on.\n *\n * Next.\n */\n`),
    `/**\n * ${long.slice(0, 114)}\n * word word and on.\n *\n * Next.\n */\n`,
  );
  assert.equal(wrap(`/** ${long} */\n`), `/**\n * ${long.slice(0, 114)}\n * word word\n */\n`);
  assert.equal(wrap(`// - ${long}\n// - b\n`), `// - ${long.slice(0, 114)}\n//   word word\n// - b\n`);
  const literal = `/** A. */\nconst a = '${long}';\n`;
  assert.equal(wrap(literal), literal);
});

test('a bundle with a flag, a foreign import or two copies of a module is refused', () => {
  assert.deepEqual(checkBundle('', [{ ...chunk, code: '"DIRECT_SWITCH"; // CLAN_COMPARE' }]), []);
  assert.equal(checkBundle('', [{ ...chunk, code: 'if (DIRECT_SWITCH) f();' }]).length, 1);
  assert.equal(checkBundle('if (FRESH_VIEWS) f();', []).length, 1);
  assert.equal(checkBundle('f(__filename);', []).length, 1);
  assert.equal(checkBundle('', [{ ...chunk, imports: ['comlink', 'node:fs'] }]).length, 1);
  const twice = { ...chunk, modules: { 'src/kernel/ipc.ts': {} } };
  assert.equal(checkBundle('', [twice, { ...twice, fileName: 'b.js' }]).length, 1);
});
