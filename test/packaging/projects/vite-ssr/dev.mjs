// The module as the development server runs it, twice, as after a change.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { boot } from 'l3kernel';
import { createServer } from 'vite';

const text = `
import { boot, task } from 'l3kernel';
const adder = task(new URL('./adder.ts', import.meta.url), { timeout: 8000 });
export const three = () => adder.sync.add(1, 2);
export const system = await boot();
`;
writeFileSync('src/hot.ts', text);
const server = await createServer({
  server: { middlewareMode: true },
  appType: 'custom',
  logLevel: 'warn',
  ssr: { noExternal: ['l3kernel'] },
});
const first = await server.ssrLoadModule('/src/hot.ts');
assert.equal(first.three(), 3);
server.moduleGraph.invalidateAll();
const second = await server.ssrLoadModule('/src/hot.ts');
assert.notEqual(second, first);
assert.equal(second.three(), 3);
assert.equal(second.system, first.system);
assert.equal(await boot(), first.system);
await server.close();
await first.system.shutdown();
