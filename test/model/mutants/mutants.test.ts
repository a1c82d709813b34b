/** Each small wrong edit of the kernel is caught; the scenarios that catch them pass on the kernel as it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bundleKernel } from '../bundle.ts';
import { commandsOn, differenceOf } from '../reference/commands.ts';
import { explore } from '../search.ts';
import { scenarios } from '../scenarios.ts';
import { loadKernel, prepare } from '../system.ts';
import { catchMutant, scenarioOf, textsWith } from './catch.ts';
import { mutants, REFERENCE } from './mutants.ts';
import { moreScenarios } from './scenarios.ts';

for (const mutant of mutants) {
  test(`caught by ${mutant.scenario}: ${mutant.name}`, async () => {
    assert.notEqual((await catchMutant(mutant)).reason, null, `it survives; a user would see: ${mutant.harm}`);
  });
}

const kernel = await loadKernel();

for (const scenario of moreScenarios) {
  const { name, about, preemptions } = scenario;
  const bound = preemptions === undefined ? 'completely' : `to ${preemptions} preemptions`;
  test(`${name}: ${about}, explored ${bound}`, () => {
    const { makeWorld, checkEnd } = prepare(kernel, scenario);
    const { complete, ends, failure } = explore(makeWorld, checkEnd, preemptions === undefined ? {} : { preemptions });
    assert.equal(failure, null);
    assert.ok(complete && ends > 0);
  });
}

test('the command sequences that catch mutants find nothing in the kernel as it is', async () => {
  assert.equal(differenceOf(commandsOn(await bundleKernel())), null);
});

test('no two mutants are one, and each scenario of this folder is needed', () => {
  assert.equal(new Set(mutants.map(({ name }) => name)).size, mutants.length);
  assert.equal(new Set(mutants.map((one) => JSON.stringify(textsWith(one)))).size, mutants.length);
  const used = new Set(mutants.filter((one) => one.scenario !== REFERENCE).map((one) => scenarioOf(one).name));
  for (const { name } of moreScenarios) {
    assert.ok(used.has(name), `no mutant needs ${name}`);
    assert.ok(!scenarios.some((one) => one.name === name), `${name} is a scenario of the explorer too`);
  }
});

test('a mutant that no longer fits its source is refused', () => {
  assert.throws(() => textsWith({ ...mutants[0]!, find: 'no such text' }), /0 times, not once/);
  assert.throws(() => textsWith({ ...mutants[0]!, find: 'TCB_STATE' }), /times, not once/);
});
