/** The two-line floor beside itself: what the ratio of two equal things is on this machine today. */
import { startFloorAgent, ownWords, PLACEMENT_WORDS } from '../../floors/agent.ts';
import type { Context } from '../../harness/job.ts';

export async function run(context: Context): Promise<void> {
  const { placements } = context.plan;
  const agent = startFloorAgent(ownWords(placements));
  for (let placement = 0; placement < placements; placement++) {
    const client = placement * 2 * PLACEMENT_WORDS;
    const side = agent.cacheline(client, client + PLACEMENT_WORDS);
    await context.measure('floor.cacheline', side, side);
  }
  agent.stop();
}
