/**
 * The scenarios as tests, each complete within its bound. Files of their own for those with threads on one processor
 * and those with deaths, because a file has a limit of time.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explore } from './search.ts';
import { scenarios } from './scenarios.ts';
import { loadKernel, prepare, type Scenario } from './system.ts';

export type Part = 'live' | 'deaths' | 'home';

export const partOf = ({ name, kills = 0 }: Scenario): Part =>
  name.startsWith('home-') ? 'home' : kills > 0 ? 'deaths' : 'live';

export async function exploreInGate(part: Part): Promise<void> {
  const kernel = await loadKernel();
  for (const scenario of scenarios.filter((one) => one.deep !== true && partOf(one) === part)) {
    const { name, about, preemptions } = scenario;
    const bound = preemptions === undefined ? 'completely' : `to ${preemptions} preemptions`;
    void test(`${name}: ${about}, explored ${bound}`, () => {
      const { makeWorld, checkEnd } = prepare(kernel, scenario);
      const limits = preemptions === undefined ? {} : { preemptions };
      const { complete, ends, failure } = explore(makeWorld, checkEnd, limits);
      if (scenario.fails !== undefined) {
        assert.match(failure?.reason ?? '', scenario.fails);
        return;
      }
      assert.equal(failure, null);
      assert.ok(complete && ends > 0);
    });
  }
}
