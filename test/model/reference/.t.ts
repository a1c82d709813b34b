import fc from 'fast-check';
import { bundleKernel } from '../bundle.ts';
import { commandsOn, steps } from './commands.ts';
const check = commandsOn(await bundleKernel());
const t = performance.now();
try {
  fc.assert(
    fc.property(steps, (s) => {
      for (const p of ['fast', 'slow'] as const) {
        const w = check(p, s);
        if (w) throw new Error(w);
      }
    }),
    { numRuns: Number(process.argv[2] ?? 500), seed: Number(process.argv[3] ?? 1) },
  );
} catch (e) {
  console.log(String(e).slice(0, 3000));
}
console.log(performance.now() - t);
