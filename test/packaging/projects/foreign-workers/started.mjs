// Once by each of the two programs.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

const started = readFileSync('started.txt', 'utf8').trim().split('\n');
assert.equal(started.length, 2, String(started));
assert.equal(new Set(started).size, 2);
console.log('ok');
