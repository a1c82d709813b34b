/** A client that calls a server by name for so long, one call after another, and gives the times of its calls. */
import { lookup } from '../../src/index.ts';
import { count, histogram } from '../harness/histogram.ts';

type TypedTask = typeof import('./typed-task.ts');

export function run(server: string, duration_ms: number): Float64Array {
  const { add } = lookup<TypedTask>(server).sync;
  const counts = histogram();
  let before_ms = performance.now();
  for (const end_ms = before_ms + duration_ms; before_ms < end_ms;) {
    add(1, 2);
    const now_ms = performance.now();
    count(counts, now_ms - before_ms);
    before_ms = now_ms;
  }
  return counts;
}
