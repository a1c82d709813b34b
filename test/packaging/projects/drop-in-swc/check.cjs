// Files compiled by several workers, and one that cannot be.
const { spawnSync } = require('node:child_process');
const { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } = require('node:fs');

mkdirSync('src', { recursive: true });
for (let i = 0; i < 12; i++)
  writeFileSync(`src/f${i}.ts`, `export const a${i}: number = ${i};\nclass A { #x = a${i} }\n`);
const compile = () => {
  rmSync('lib', { recursive: true, force: true });
  const args = ['node_modules/@swc/cli/bin/swc.js', 'src', '-d', 'lib', '--workers', '2'];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    timeout: 40_000,
    killSignal: 'SIGKILL',
  });
  console.log(status, `${stdout}${stderr}`.replace(/\(.*?ms\)/g, '').replaceAll(process.cwd(), ''));
};
compile();
const compiled = readdirSync('lib', { recursive: true })
  .filter((name) => name.endsWith('.js'))
  .toSorted();
for (const name of compiled) console.log(name, readFileSync(`lib/${name}`, 'utf8'));
writeFileSync('src/broken.ts', 'export const = ;\n');
compile();
console.log(compiled.length === 12 ? 'ok' : `${compiled.length} files`);
