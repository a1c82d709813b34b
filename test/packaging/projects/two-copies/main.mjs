// A second copy of the package, and modules evaluated again: one system.
import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { boot } from 'l3kernel';

cpSync('node_modules/l3kernel', 'other/node_modules/l3kernel', { recursive: true, dereference: true });
const copy = await import('./other/node_modules/l3kernel/dist/index.js');
// As a hot reload does: the same files again, under another url.
const again = await import('./node_modules/l3kernel/dist/index.js?t=2');
const system = await boot({ timeout: 8000 });
assert.equal(await copy.boot(), system);
assert.equal(await again.boot(), system);
await system.spawn(new URL('./adder.mjs', import.meta.url), { name: 'adder' });
assert.equal(copy.lookup('adder').sync.add(1, 2), 3);
assert.equal(again.lookup('adder').sync.add(1, 2), 3);

const source = `
import { task } from 'l3kernel';
const adder = task(new URL('./adder.mjs', import.meta.url));
export const three = () => adder.sync.add(1, 2);
`;
for (let version = 1; version <= 3; version++) {
  writeFileSync(new URL('./reloaded.mjs', import.meta.url), `${source}// ${version}\n`);
  assert.equal((await import(`./reloaded.mjs?t=${version}`)).three(), 3);
}
const supervisors = system.tasks().filter(({ kind }) => kind === 'supervisor');
assert.equal(supervisors.length, 1);
assert.ok(readFileSync('package.json', 'utf8').includes('l3kernel'));
await system.shutdown();
console.log('ok');
