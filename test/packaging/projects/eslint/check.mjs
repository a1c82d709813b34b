// The rule's answers, with the thread of ESLint's own, and with workers that ESLint starts.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, readdirSync, writeFileSync } from 'node:fs';

mkdirSync('src', { recursive: true });
for (let i = 0; i < 12; i++)
  writeFileSync(`src/f${i}.js`, `export const good${i} = ${i};\nexport const bad${i} = ${i};\n`);
const lint = (...args) => {
  rmSync('started', { recursive: true, force: true });
  mkdirSync('started');
  let text;
  try {
    text = execFileSync(process.execPath, ['node_modules/eslint/bin/eslint.js', 'src', '--format', 'json', ...args], {
      encoding: 'utf8',
      timeout: 60_000,
    });
  } catch (error) {
    text = error.stdout || assert.fail(error.stderr);
  }
  const results = JSON.parse(text);
  assert.equal(results.length, 12, text);
  for (const { messages } of results)
    assert.deepEqual(
      messages.map(({ line }) => line),
      [2],
    );
  assert.ok(existsSync('started'));
  return readdirSync('started').length;
};
assert.equal(lint(), 1);
assert.equal(lint('--concurrency', '4'), 1);
console.log('ok');
