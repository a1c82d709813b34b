/** What --import names is found in options as Node takes them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { importsIn, wordsOf } from './preload.ts';

test('both forms of the option are found, in their order', () => {
  assert.deepEqual(importsIn(['--import', './a.js', '--no-warnings', '--import=tsx', '--imports', 'x']), [
    './a.js',
    'tsx',
  ]);
  assert.deepEqual(importsIn([]), []);
  assert.deepEqual(importsIn(['--import']), []);
});

test('NODE_OPTIONS is taken apart at spaces outside of quotes', () => {
  assert.deepEqual(wordsOf('  --import=tsx  --title "a b" '), ['--import=tsx', '--title', 'a b']);
  assert.deepEqual(wordsOf('--import="./a \\"b\\".js"'), ['--import=./a "b".js']);
  assert.deepEqual(wordsOf(''), []);
});
