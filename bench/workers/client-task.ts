/** A client that calls a server by name, one call after another. */
import { lookup } from '../../src/index.ts';

type TypedTask = typeof import('./typed-task.ts');

const time_ms = (): number => performance.timeOrigin + performance.now();

/**
 * Calls for `settle_ms`, until all clients run, and then `count` times. Gives when these began and ended, in
 * milliseconds since the epoch: a client that has to be woken first is not in the figure.
 */
export function run(server: string, settle_ms: number, count: number): [began_ms: number, ended_ms: number] {
  const { add } = lookup<TypedTask>(server).sync;
  let sum = 0;
  for (const end_ms = time_ms() + settle_ms; time_ms() < end_ms;) sum = (sum + add(sum, 1)) | 0;
  const began_ms = time_ms();
  for (let round = 0; round < count; round++) sum = (sum + add(round, 1)) | 0;
  return [began_ms, time_ms()];
}
