/** A worker of synckit that fails on purpose, for the second table; its first argument says how. */
import { createSyncFn, runAsWorker } from 'synckit';

const slow = /^(([a-z])+.)+[A-Z]([a-z])+$/;

runAsWorker((failure: string): unknown => {
  switch (failure) {
    case 'regex':
      return slow.exec('a'.repeat(60));
    case 'exit':
      return process.exit(1);
    case 'heap': {
      const kept: number[][] = [];
      for (;;) kept.push(new Array<number>(2 ** 20).fill(1));
    }
    case 'throw':
      throw new TypeError('broken on purpose');
    // A worker cannot be called but by who made it: whoever calls a part makes another one.
    case 'ring':
      return createSyncFn<(failure: string) => unknown>(new URL(import.meta.url))('ring');
    case 'loop':
      for (;;);
    default:
      return 'an answer';
  }
});
