/**
 * The worker behind the watchdog of test/conformance/support.ts. It sleeps until a test is begun or over; when one is
 * not over in time, it says on stderr which, and who waits for whom in kernel memory, and ends the process.
 *
 * Words of `state`: turn, rung at the beginning and the end of a test | bytes of its title, 0 between tests | limit in
 * milliseconds | unused | title in UTF-8.
 */
import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import type { ThreadView } from '../../src/inspect/snapshot.ts';

/** Time between the two looks from which rings are told. */
const LOOK_ms = 50;

const { state } = workerData as { state: Int32Array<SharedArrayBuffer> };
const nothing = new Int32Array(new SharedArrayBuffer(4));

/** The threads that are not idle, and the chains and rings of their waits. */
async function waits(): Promise<string> {
  // Nothing of this is loaded by tests that end.
  const { takeSnapshot } = await import('../../src/inspect/snapshot.ts');
  const { chainsIn, ringsIn } = await import('../../src/inspect/waits.ts');
  const { formatTime, labelOf, waitText } = await import('../../src/inspect/table.ts');
  const before = takeSnapshot();
  Atomics.wait(nothing, 0, 0, LOOK_ms);
  const after = takeSnapshot();
  const methodOf = ({ method }: ThreadView): string => (method === null ? '' : `method ${method}`);
  const labels = new Map(after.threads.map((thread) => [thread.id, labelOf(thread)]));
  const lines = after.threads
    .filter(({ state: now, role }) => role === 'server' || now !== 'running')
    .map((thread) => {
      const partner = thread.partner === null ? '' : ` for ${labels.get(thread.partner) ?? thread.partner}`;
      const since = thread.since_ms === null ? '' : `, ${formatTime(thread.since_ms)}`;
      return `  ${labelOf(thread)} (${thread.id}): ${thread.state}${partner}${thread.parked ? ', parked' : ''}${since}`;
    });
  const rings = ringsIn(before, after).map((ring) => `  ${waitText(ring, true, methodOf)}`);
  const chains = chainsIn(after).map((chain) => `  ${waitText(chain, false, methodOf)}`);
  return [...lines, ...rings, ...chains].join('\n');
}

function sleepUntilLate(): string {
  for (;;) {
    const turn = Atomics.load(state, 0);
    const limit_ms = Atomics.load(state, 2);
    const inTime = Atomics.wait(state, 0, turn, limit_ms === 0 ? Number.POSITIVE_INFINITY : limit_ms) !== 'timed-out';
    const bytes = Atomics.load(state, 1);
    if (inTime || Atomics.load(state, 0) !== turn || bytes === 0) continue;
    return `'${Buffer.from(state.buffer, 16, bytes).toString()}' is not over after ${limit_ms} ms`;
  }
}

const late = sleepUntilLate();
writeSync(2, `watchdog: ${late}\n`);
try {
  writeSync(2, `${await waits()}\n`);
} finally {
  process.kill(process.pid, 'SIGKILL');
}
