/** A client: looks the server up by its name and calls it, one synchronous call after another. */
import { lookup } from 'l3kernel';

const find = () => lookup<typeof import('./counter.ts')>('counter');
let counter: ReturnType<typeof find> | undefined;

/** Increases the own count `times` times; gives the last answer. */
export function work(times: number): number {
  counter ??= find();
  let count = 0;
  for (let i = 0; i < times; i++) count = counter.sync.increase(1);
  return count;
}
