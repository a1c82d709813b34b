// What ESLint says, the paths left out.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';

mkdirSync('src', { recursive: true });
for (let i = 0; i < 5; i++) writeFileSync(`src/f${i}.js`, `const  a${i} = {b:1};export {a${i} as b}\n`);
const { stdout, stderr, status } = spawnSync(
  process.execPath,
  ['node_modules/eslint/bin/eslint.js', 'src', '--format', 'json'],
  { encoding: 'utf8' },
);
console.log(stdout.replaceAll(JSON.stringify(process.cwd()).slice(1, -1), ''), stderr, status);
console.log(stdout.includes('prettier/prettier') && status === 1 ? 'ok' : 'not what it should be');
