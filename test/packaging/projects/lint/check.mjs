// Every tarball is looked at by both. The package has ES modules alone, which `require` loads from Node 22.12 on: that
// a CommonJS importer gets an ES module is as it is to be, and older resolutions of TypeScript are not supported.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';

let failures = 0;
function run(name, ...args) {
  const { status, stdout, stderr } = spawnSync(name, args, { encoding: 'utf8', shell: process.platform === 'win32' });
  if (status === 0) return;
  failures++;
  console.log(`${name} ${args.join(' ')}: exit ${status}\n${stdout}${stderr}`);
}

for (const file of readdirSync('.').filter((name) => name.endsWith('.tgz'))) {
  run('publint', file, '--strict');
  run('attw', file, '--profile', 'node16', '--ignore-rules', 'cjs-resolves-to-esm', '--no-color', '--no-emoji');
}
console.log(failures === 0 ? 'ok' : `${failures} complaints`);
