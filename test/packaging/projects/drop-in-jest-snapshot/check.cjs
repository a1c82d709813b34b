// Jest writes the snapshots into the file, and has Prettier format it.
const { spawnSync } = require('node:child_process');
const { readFileSync, writeFileSync } = require('node:fs');

writeFileSync(
  'one.spec.js',
  "test('a', () => {\n  expect({ a: [1, 2], b: 'x' }).toMatchInlineSnapshot();\n  expect('y'.repeat(3)).toMatchInlineSnapshot();\n});\n",
);
const { stderr, status } = spawnSync(process.execPath, ['node_modules/jest/bin/jest.js', '--ci=false'], {
  encoding: 'utf8',
});
const text = readFileSync('one.spec.js', 'utf8');
console.log(text, status);
console.log(text.includes('"yyy"') && status === 0 ? 'ok' : stderr);
