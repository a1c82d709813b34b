/**
 * Packages that others have written and that know nothing of us, with the drop-ins in place of what they depend on.
 * Each does its own work twice, with the original and with ours, and must print the same.
 *
 * oxfmt (a user of tinypool) is among the development dependencies. Those that have to be installed, with `overrides`
 * as a user would, are projects of test/packaging.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build, installDropIns } from './project.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
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
