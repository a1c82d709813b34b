/** How the same call is made without this library, for scale: the bare message port, synckit, Comlink. */
import { Worker } from 'node:worker_threads';
import { ownWords, PLACEMENT_WORDS, startFloorAgent } from '../../floors/agent.ts';
import type { FloorAgent } from '../../floors/agent.ts';
import { moduleUrl, sourceUrl } from '../../harness/files.ts';
import { timed, timedAsync } from '../../harness/interleave.ts';
import type { Side } from '../../harness/interleave.ts';
import type { Context } from '../../harness/job.ts';
import { endpointOf } from '../../workers/comlink-endpoint.ts';

function postMessageSide(): Side {
  const worker = new Worker(moduleUrl('workers/echo.ts'));
  return timedAsync(
    (count) =>
      new Promise((resolve) => {
        let left = count;
        const next = (): void => {
          if (left-- > 0) return worker.postMessage(left);
          worker.off('message', next);
          resolve();
        };
        worker.on('message', next);
        next();
      }),
  );
}

async function synckitSide(): Promise<Side> {
  const { createSyncFn } = await import('synckit');
  const add = createSyncFn<(left: number, right: number) => number>(sourceUrl('workers/synckit-add.mjs'));
  return timed((count) => {
    for (let round = 0; round < count; round++) add(round, 1);
  });
}

async function comlinkSide(): Promise<Side> {
  const { wrap } = await import('comlink');
  const worker = new Worker(moduleUrl('workers/comlink-add.ts'));
  const proxy = wrap<{ add(left: number, right: number): number }>(endpointOf(worker));
  return timedAsync(async (count) => {
    for (let round = 0; round < count; round++) await proxy.add(round, 1);
  });
}

async function measureRival(context: Context, agent: FloorAgent, row: string, subject: Side): Promise<void> {
  for (let placement = 0; placement < context.plan.placements; placement++) {
    const client = placement * 2 * PLACEMENT_WORDS;
    await context.measure(row, subject, agent.cacheline(client, client + PLACEMENT_WORDS));
  }
}

export async function run(context: Context): Promise<void> {
  const agent = startFloorAgent(ownWords(context.plan.placements));
  const rivals: readonly (readonly [string, () => Side | Promise<Side>])[] = [
    ['postMessage', postMessageSide],
    ['synckit', synckitSide],
    ['comlink', comlinkSide],
  ];
  for (const [row, open] of rivals) {
    if (!context.wants(row)) continue;
    try {
      await measureRival(context, agent, row, await open());
    } catch (error) {
      context.fail(row, error);
    }
  }
  agent.stop();
}
