/**
 * Packages that others have written and that know nothing of us, with the drop-ins in place of what they depend on.
 * Each does its own work twice, with the original and with ours, and must print the same.
 *
 * oxfmt (a user of tinypool) is among the development dependencies. eslint-plugin-prettier (synckit) and sass-embedded
 * (sync-child-process, and by it sync-message-port) are installed by npm with `overrides`, as a user would. Where the
 * registry is not reached in INSTALL_ms, that test is skipped and says so.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build, installDropIns } from './project.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** On an idle machine npm takes a fraction of it. */
const INSTALL_ms = 50_000;
const folders: string[] = [];

before(build);
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'l3-consumer-'));
  folders.push(folder);
  return folder;
}

function run(folder: string, args: readonly string[]): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, args, {
    cwd: folder,
    encoding: 'utf8',
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  assert.notEqual(status, null, `${args.join(' ')} hangs: ${stderr}`);
  return `${stdout}exit ${status}`.replaceAll(folder, '');
}

const SOURCES = {
  'a.css': 'a{b:c}\n@media (x){.y{z:1}}\n',
  'b.md': '# T\n* x\n\n```js\nconst  a=1\n```\n',
  'c.js': 'const  a={b:1};const s=css`a{b:${a}}`;\n',
  'd.vue': '<template><a  b="c"/></template>\n<style>a{b:c}</style>\n',
};

test('oxfmt formats the same on l3kernel/tinypool', () => {
  const results = [false, true].map((ours) => {
    const folder = makeFolder();
    const modules = join(folder, 'node_modules');
    mkdirSync(modules);
    for (const name of ['oxfmt', '@oxfmt', 'tinypool']) {
      cpSync(join(root, 'node_modules', name), join(modules, name), { recursive: true });
    }
    if (ours) installDropIns(modules);
    for (const [name, text] of Object.entries(SOURCES)) writeFileSync(join(folder, name), text);
    const code = run(folder, [join(modules, 'oxfmt/bin/oxfmt'), '.']).replace(/in \d+ms/, '');
    const read = `const fs = require('fs'); for (const f of ${JSON.stringify(Object.keys(SOURCES))}) console.log(fs.readFileSync(f, 'utf8'))`;
    return code + run(folder, ['--eval', read]);
  });
  assert.match(results[0]!, /@media \(x\) \{/);
  assert.equal(results[1], results[0]);
});

const files = {
  'eslint.config.mjs': `
import prettier from 'eslint-plugin-prettier';
export default [{ files: ['src/*.js'], plugins: { prettier }, rules: { 'prettier/prettier': 'error' } }];
`,
  'sass.mjs': `
import * as sass from 'sass-embedded';
const source = '$a: 1px; .x { width: calc($a + 2px); y: twice(4) } @import "foo";';
const { css } = sass.compileString(source, {
  functions: { 'twice($n)': ([n]) => new sass.SassNumber(n.assertNumber().value * 2) },
  importers: [{ canonicalize: (url) => new URL('mem:' + url), load: () => ({ contents: '.imp { a: b }', syntax: 'scss' }) }],
  silenceDeprecations: ['import'],
});
console.log(css);
try { sass.compileString('.x { a: $nope }'); } catch (error) { console.log(error.message); }
for (let i = 0; i < 10; i++) console.log(sass.compileString('.a' + i + ' { b: ' + i + ' }').css);
const compiler = sass.initCompiler();
console.log(compiler.compileString('a { b: c }').css);
compiler.dispose();
`,
};

const DEPENDENCIES = { eslint: '^9', 'eslint-plugin-prettier': '^5', prettier: '^3', 'sass-embedded': '^1' };
const DROP_INS = ['l3kernel', 'synckit', 'sync-message-port', 'sync-child-process'];
/** Installed under other names, to be put in the place of the drop-ins. */
const ORIGINALS = { 'sync-message-port': '1.2.0', 'sync-child-process': '1.1.1' };

function writeProject(folder: string): void {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  mkdirSync(join(folder, 'src'));
  for (let i = 0; i < 5; i++) writeFileSync(join(folder, `src/f${i}.js`), `const  a${i} = {b:1};export {a${i} as b}\n`);
}

/** A project with the consumers in it, the drop-ins by overrides. False: npm did not get them in time. */
function install(folder: string): boolean {
  installDropIns(join(folder, 'drop-ins'));
  const places = DROP_INS.map((name) => [name, `file:drop-ins/${name}`]);
  const originals = Object.entries(ORIGINALS).map(([name, version]) => [`original-${name}`, `npm:${name}@${version}`]);
  const manifest = {
    private: true,
    dependencies: { ...DEPENDENCIES, ...Object.fromEntries([...places, ...originals]) },
    overrides: Object.fromEntries(DROP_INS.map((name) => [name, `$${name}`])),
  };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  const args = ['install', '--ignore-scripts', '--install-links', '--prefer-offline', '--no-audit', '--no-fund'];
  const { status } = spawnSync('npm', args, { cwd: folder, timeout: INSTALL_ms, shell: process.platform === 'win32' });
  return status === 0;
}

/** The same project with the originals in the places of the drop-ins. */
function putOriginalsBack(from: string, to: string): void {
  cpSync(join(from, 'node_modules'), join(to, 'node_modules'), { recursive: true, verbatimSymlinks: true });
  const modules = join(to, 'node_modules');
  for (const name of DROP_INS) rmSync(join(modules, name), { recursive: true });
  for (const name of Object.keys(ORIGINALS))
    cpSync(join(modules, `original-${name}`), join(modules, name), { recursive: true });
  for (const name of ['synckit', '@pkgr', '@dual-bundle']) {
    cpSync(join(root, 'node_modules', name), join(modules, name), { recursive: true });
  }
}

test('eslint-plugin-prettier and sass-embedded print the same with the drop-ins by overrides', (t) => {
  const [ours, theirs] = [makeFolder(), makeFolder()];
  if (!install(ours)) {
    t.skip(`npm did not install the consumers within ${INSTALL_ms / 1000} s: is the registry reachable?`);
    return;
  }
  for (const folder of [ours, theirs]) writeProject(folder);
  putOriginalsBack(ours, theirs);
  for (const name of ['synckit', 'sync-child-process', 'sync-message-port']) {
    const manifest = readFileSync(join(ours, 'node_modules', name, 'package.json'), 'utf8');
    assert.match(manifest, /"name": "@l3kernel\//, 'the override holds');
  }
  for (const args of [['node_modules/eslint/bin/eslint.js', 'src', '--format', 'json'], ['sass.mjs']]) {
    const expected = run(theirs, args);
    assert.equal(run(ours, args), expected);
    assert.match(
      expected,
      args.length === 1 ? /width: 3px;\n {2}y: 8;[^]*exit 0$/ : /"ruleId":"prettier\/prettier"[^]*exit 1$/,
    );
  }
});
