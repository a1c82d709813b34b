import { moreScenarios } from '/work/main/test/model/mutants/scenarios.ts';
import { explore } from '/work/main/test/model/search.ts';
import { loadKernel, prepare } from '/work/main/test/model/system.ts';
const kernel = await loadKernel();
for (const s of moreScenarios) {
  const { makeWorld, checkEnd } = prepare(kernel, s);
  const o = explore(makeWorld, checkEnd, {
    ...(s.preemptions === undefined ? {} : { preemptions: s.preemptions }),
    ms: 40000,
    states: 3e6,
  });
  console.log(s.name, o.complete, o.states, o.ends, o.ms.toFixed(0), o.failure);
}
