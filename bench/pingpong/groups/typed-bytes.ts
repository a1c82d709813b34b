/**
 * Bytes through the typed stubs: copied there and back (owned on both sides), lent there and put into a buffer of the
 * caller back, and moved there and back. Both sides read
 * every line of what they got, as in the floor, since a buffer that nobody reads has not arrived in any cache.
 */
import { boot, move } from '../../../src/index.ts';
import type { Stubs, Task } from '../../../src/index.ts';
import { readEveryLine } from '../../floors/bytes.ts';
import { mainCaller, startKernelFloor } from '../../floors/lines.ts';
import { moduleUrl } from '../../harness/files.ts';
import { timed } from '../../harness/interleave.ts';
import type { Side } from '../../harness/interleave.ts';
import type { Context } from '../../harness/job.ts';
import { ROWS } from '../rows.ts';

type BytesTask = typeof import('../../workers/bytes-task.ts');

let sink = 0;

function linesOf(bytes: Uint8Array): void {
  sink ^= readEveryLine(new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2));
}

function copySide({ sync }: Stubs<BytesTask>, size: number): Side {
  const bytes = new Uint8Array(size).fill(7);
  return timed((count) => {
    for (let round = 0; round < count; round++) linesOf(sync.exchange(bytes));
  });
}

/** The same with fewer copies. */
function lentSide(task: Task<BytesTask>, size: number): Side {
  return copySide(task.with({ borrow: true, into: new Uint8Array(size) }), size);
}

/** One buffer travels to and fro; it is this side's again at the end of every round. */
function moveSide({ sync }: Task<BytesTask>, size: number): Side {
  let bytes = new Uint8Array(size).fill(7);
  return timed((count) => {
    for (let round = 0; round < count; round++) {
      bytes = sync.pass(move(bytes)) as Uint8Array<ArrayBuffer>;
      linesOf(bytes);
    }
  });
}

const SIDES = [
  ['worker.sync', copySide],
  ['worker.lent', lentSide],
  ['worker.move', moveSide],
] as const;

export async function run(context: Context): Promise<void> {
  const rows = ROWS.filter((row) => row.group === 'typed-bytes' && context.wants(row.name));
  const floor = startKernelFloor(Math.max(...rows.map((row) => row.size as number)));
  const system = await boot();
  const url = moduleUrl('workers/bytes-task.ts');
  for (let placement = 0; placement < context.plan.placements; placement++) {
    const task = await system.spawn<BytesTask>(url);
    for (const row of rows) {
      const size = row.size as number;
      const side = SIDES.find(([name]) => row.name.startsWith(name))![1];
      const subject = side(task, size);
      await context.measure(row.name, subject, floor.bytes(mainCaller(), task.id, size), true);
    }
    await task.kill();
  }
  floor.stop();
  if (sink === 1) throw new Error('the loads were compiled away');
}
