// CommonJS: the program and its task.
const assert = require('node:assert/strict');
const { pathToFileURL } = require('node:url');
const { boot, bootSync, task } = require('l3kernel');
require('l3kernel/ipc');
require('l3kernel/clock');

const adder = task(`${__dirname}/adder.cjs`, { timeout: 8000 });
assert.equal(adder.sync.add(1, 2), 3);
const other = bootSync().spawnSync(pathToFileURL(`${__dirname}/adder.cjs`));
assert.equal(other.sync.add(3, 4), 7);
void import('l3kernel').then((module) => {
  assert.equal(module.boot, boot);
  console.log('ok');
});
