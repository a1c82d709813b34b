import { mutants } from '/work/main/test/model/mutants/mutants.ts';
import { shippedText } from '/work/main/test/model/bundle.ts';
import { explore } from '/work/main/test/model/search.ts';
import { scenarios } from '/work/main/test/model/scenarios.ts';
import { loadKernel, prepare } from '/work/main/test/model/system.ts';
const only = process.argv[2];
const bymax = Number(process.argv[3] ?? 2);
for (const m of mutants) {
  if (only && only !== 'all' && !m.name.includes(only)) continue;
  const path = 'src/' + m.file;
  const text = shippedText(path);
  const n = text.split(m.find).length - 1;
  if (n !== 1) {
    console.log('NOMATCH', n, m.name);
    continue;
  }
  let kernel;
  try {
    kernel = await loadKernel({ [path]: text.replace(m.find, () => m.replace) });
  } catch (e) {
    console.log('NOLOAD', m.name, String(e).slice(0, 300));
    continue;
  }
  const first = scenarios.filter((s) => s.name === m.scenario && !s.fails);
  const list = [...first, ...(process.argv[4] ? scenarios.filter((s) => !s.fails && s.name !== m.scenario) : [])];
  let done = '';
  for (const s of list) {
    for (let p = 0; p <= bymax && !done; p++) {
      try {
        const { makeWorld, checkEnd } = prepare(kernel, s);
        const o = explore(makeWorld, checkEnd, { preemptions: p, ms: 20000 });
        if (o.failure)
          done = `${s.name === m.scenario ? 'ok  ' : 'OTHER'} ${s.name} p=${p} ${o.ms.toFixed(0)}ms ${o.states} ${o.failure.reason.slice(0, 90)}`;
        else if (!o.complete) {
          console.log('   incomplete', s.name, p);
          break;
        }
      } catch (e) {
        done = 'THROW ' + String(e).slice(0, 200);
      }
    }
    if (done) break;
  }
  console.log(done || `SURVIVES ${m.scenario}`, '|', m.name);
}
