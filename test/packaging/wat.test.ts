/** The modules that are kept built are those of their sources. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { assemble, builtModules } from '../../scripts/wat.mjs';

const modules = builtModules();

test('there are built modules', () => assert.ok(modules.length >= 3, String(modules)));

for (const path of modules) {
  test(`${path} makes the module beside it`, async () => {
    const kept = readFileSync(new URL(`../../${path.replace(/\.wat$/, '.wasm')}`, import.meta.url));
    assert.deepEqual(new Uint8Array(kept), await assemble(path));
  });
}
