/** A client that calls a server by name, one call after another. */
import { lookup } from '../../src/index.ts';

type TypedTask = typeof import('./typed-task.ts');

export function run(server: string, count: number): number {
  const { add } = lookup<TypedTask>(server).sync;
  let sum = 0;
  for (let round = 0; round < count; round++) sum = (sum + add(round, 1)) | 0;
  return sum;
}
