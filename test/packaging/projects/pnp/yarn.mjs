// Installs with Yarn in a folder of its own, and runs the program by it.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';

const yarn = new URL('./node_modules/@yarnpkg/cli-dist/bin/yarn.js', import.meta.url).pathname;
mkdirSync('pnp', { recursive: true });
for (const file of ['main.mjs', 'adder.mjs', 'l3kernel.tgz']) cpSync(file, `pnp/${file}`);
writeFileSync(
  'pnp/package.json',
  JSON.stringify({ private: true, type: 'module', dependencies: { l3kernel: 'file:./l3kernel.tgz' } }),
);
writeFileSync('pnp/yarn.lock', '');
writeFileSync(
  'pnp/.yarnrc.yml',
  'nodeLinker: pnp\nenableTelemetry: false\nenableGlobalCache: false\nenableScripts: false\n',
);
const options = {
  cwd: 'pnp',
  stdio: 'inherit',
  env: { ...process.env, CI: '', YARN_ENABLE_IMMUTABLE_INSTALLS: 'false' },
};
execFileSync(process.execPath, [yarn, 'install'], options);
execFileSync(process.execPath, [yarn, 'node', 'main.mjs'], options);
