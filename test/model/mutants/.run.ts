import { catchMutant } from './catch.ts';
import { mutants } from './mutants.ts';
for (const m of mutants) {
  if (process.argv[2] && !m.name.includes(process.argv[2])) continue;
  try {
    const c = await catchMutant(m);
    console.log(
      c.reason === null ? 'SURVIVES' : 'caught',
      m.scenario,
      c.preemptions,
      c.ms.toFixed(0),
      (c.reason ?? '').slice(0, 70),
      '|',
      m.name,
    );
  } catch (e) {
    console.log('THROWS', m.name, String(e).slice(0, 200));
  }
}
