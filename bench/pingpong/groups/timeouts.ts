/**
 * Whether a call with a timeout, and a tick of the clock, cost more when many threads wait with timeouts. The threads
 * are real ones, multiplexed on this agent's processor and in its wakeup lists; the ticks are of a time that is made
 * up, before every deadline, so that none of them ends a wait.
 */
import { setWakeup, tick, unlinkWakeup } from '../../../src/kernel/wakeup.ts';
import { ANY_INDEX, WAKEUP_LISTS, WAKEUP_LONG_ms } from '../../../src/layout/params.ts';
import { homeWaiting, TCB_DEADLINE, TCB_STATE, tcbOf } from '../../../src/layout/tcb.ts';
import type { ThreadId } from '../../../src/layout/tcb.ts';
import { words } from '../../../src/platform/memory.ts';
import { formatBareKernel } from '../../harness/bare-kernel.ts';
import { timed } from '../../harness/interleave.ts';
import type { Side } from '../../harness/interleave.ts';
import type { Context } from '../../harness/job.ts';
import { localCalls } from '../../harness/local-calls.ts';
import { ROWS } from '../rows.ts';

const FLOOR_THREADS = 1;
const WORDS = 2;
const TIMEOUT_MS = 1_000;
/** The deadlines lie in the second half of what the short lists hold. */
const SPAN_MS = WAKEUP_LONG_ms >> 1;

export async function run(context: Context): Promise<void> {
  const rows = ROWS.filter((row) => row.group === 'timeouts' && context.wants(row.name));
  const kernel = formatBareKernel();
  const { processor } = kernel;
  const others: ThreadId[] = [];
  const most = Math.max(...rows.map((row) => row.size as number), FLOOR_THREADS);
  while (others.length < most) {
    const { client, server } = kernel.localPair();
    others.push(client, server);
  }
  const start_ms = Math.ceil(performance.now());

  const setWaiting = (waiting: number): void => {
    for (const [index, id] of others.entries()) {
      const tcb = tcbOf(id);
      words[tcb + TCB_STATE] = homeWaiting(id, ANY_INDEX);
      if (index < waiting) setWakeup(processor, tcb, start_ms + SPAN_MS + (index % (SPAN_MS - 1)), start_ms);
      else {
        unlinkWakeup(processor, tcb);
        words[tcb + TCB_DEADLINE] = 0;
      }
    }
  };
  const withWaiting = (waiting: number, side: Side): Side => {
    return (count) => {
      setWaiting(waiting);
      return side(count);
    };
  };
  const ticks = timed((count) => {
    for (let round = 0; round < count; round++) {
      const time_ms = start_ms + (round & (WAKEUP_LISTS - 1));
      tick(processor, time_ms, time_ms + 1);
    }
  });

  for (let placement = 0; placement < context.plan.placements; placement++) {
    const calls = localCalls(processor, kernel.localPair(), WORDS, TIMEOUT_MS);
    for (const { name, size } of rows) {
      const side = name.startsWith('timeouts.tick') ? ticks : calls;
      await context.measure(name, withWaiting(size as number, side), withWaiting(FLOOR_THREADS, side));
    }
  }
}
