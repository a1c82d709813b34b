/**
 * Calls into linear memories: from one wasm task to another through its imports, which is a direct switch and a run on
 * the caller's own stack; from JavaScript; and between wasm tasks and workers.
 */
import { boot } from '../../../src/index.ts';
import type { System, Task } from '../../../src/index.ts';
import { mainCaller, startKernelFloor } from '../../floors/lines.ts';
import {
  copyFloor,
  importFloor,
  instanceFloor,
  residentFloor,
  residentOf,
  suspendFloor,
  wasmFloor,
} from '../../floors/wasm.ts';
import { moduleUrl, sourceUrl } from '../../harness/files.ts';
import { timed, timedAsync, timedAsyncSettled, timedSettled } from '../../harness/interleave.ts';
import type { Side } from '../../harness/interleave.ts';
import type { Context } from '../../harness/job.ts';
import { ROWS } from '../rows.ts';

const CALLEE = sourceUrl('workers/wasm-callee.wasm');
const CALLER = sourceUrl('workers/wasm-caller.wasm');
const NAME = 'wasm-callee';

type Spawn = (name?: string) => Promise<Task>;

const spawner =
  (system: System): Spawn =>
  (name) =>
    system.spawn(CALLEE, name === undefined ? {} : { name });

async function pair(system: System, spawn: Spawn): Promise<{ callee: Task; caller: Task }> {
  const callee = await spawn();
  const caller = await system.spawn(CALLER, { imports: { callee } });
  return { callee, caller };
}

const loopSide = (loop: (count: number) => unknown): Side => timed((count) => void loop(count));

async function measureSwitch(context: Context, system: System, spawn: Spawn): Promise<void> {
  const { callee, caller } = await pair(system, spawn);
  const two = wasmFloor(2);
  if (context.wants('wasm.call')) await context.measure('wasm.call', loopSide(caller.sync.add), two);
  if (context.wants('wasm.call.6words')) {
    await context.measure('wasm.call.6words', loopSide(caller.sync.six), wasmFloor(6));
  }
  const { add } = callee.sync;
  const fromHere = timed((count) => {
    for (let round = 0; round < count; round++) add(round, 2);
  });
  if (context.wants('wasm.sync')) await context.measure('wasm.sync', fromHere, two);
  for (const row of ROWS.filter(({ name }) => name.startsWith('wasm.bytes.') && context.wants(name))) {
    const size = row.size as number;
    const take = timed((count) => void caller.sync.take(count, size));
    await context.measure(row.name, take, copyFloor(size));
  }
}

/** The same pair while more and more tasks live; and one call of each task in turn. */
async function measureMany(context: Context, system: System, spawn: Spawn): Promise<void> {
  const rows = ROWS.filter(({ name }) => /^wasm\.(?:tasks|round)\./.test(name) && context.wants(name));
  if (rows.length === 0) return;
  const { caller } = await pair(system, spawn);
  const floor = wasmFloor(2);
  const others: ((a: number, b: number) => number)[] = [];
  for (const { name, size } of rows) {
    while (others.length < (size as number)) others.push((await spawn()).sync.add);
    const round = timed((count) => {
      for (let i = 0; i < count; i++) others[i % others.length]!(i, 2);
    });
    await context.measure(name, name.startsWith('wasm.round') ? round : loopSide(caller.sync.add), floor);
  }
}

/** On stacks of their own: what blocks, and what might have. */
async function measureStacks(context: Context, system: System): Promise<void> {
  const rows = [
    ['wasm.jspi', async (value: number) => value, suspendFloor],
    ['wasm.jspi.plain', (value: number) => value, importFloor],
  ] as const;
  for (const [row, wait, floor] of rows) {
    if (!context.wants(row)) continue;
    const task = await system.spawn(sourceUrl('workers/wasm-jspi.wasm'), { thread: 'jspi', host: { wait } });
    const { run } = task.async;
    await context.measure(
      row,
      timedAsync(async (count) => void (await run(count))),
      floor(),
    );
    await task.kill();
  }
}

async function measureLocal(context: Context, system: System, spawn: Spawn): Promise<void> {
  if (!context.wants('wasm.local')) return;
  const callee = await spawn(NAME);
  const url = moduleUrl('workers/wasm-client.ts');
  const local = await system.spawn<typeof import('../../workers/wasm-client.ts')>(url, { kind: 'local' });
  const side = timed((count) => void local.sync.callWasm(NAME, count));
  await context.measure('wasm.local', side, wasmFloor(2));
  await local.kill();
  await callee.kill();
}

function measureResident(context: Context, system: System): void {
  if (!context.wants('wasm.resident')) return;
  const count = ROWS.find(({ name }) => name === 'wasm.resident')!.size!;
  const spawned = residentOf(count, () => system.spawnSync(CALLEE));
  context.record('wasm.resident', { ns: spawned, floor_ns: residentFloor(count) });
}

async function measureSpawn(context: Context, spawn: Spawn): Promise<void> {
  if (!context.wants('wasm.spawn')) return;
  const side = timedAsync(async (count) => {
    for (let round = 0; round < count; round++) await (await spawn()).kill();
  });
  await context.measure('wasm.spawn', side, instanceFloor());
}

/** To a worker, and from one: the other side is another agent. */
async function measureWorkers(context: Context, system: System, spawn: Spawn): Promise<void> {
  if (!context.wants('wasm.worker') && !context.wants('worker.wasm')) return;
  const floor = startKernelFloor();
  const worker = await system.spawn<typeof import('../../workers/wasm-client.ts')>(moduleUrl('workers/wasm-client.ts'));
  const cacheline = floor.cacheline(mainCaller(), worker.id);
  if (context.wants('wasm.worker')) {
    const caller = await system.spawn(CALLER, { imports: { callee: worker } });
    const side = timedSettled((count) => void caller.sync.add(count));
    await context.measure('wasm.worker', side, cacheline, true);
    await caller.kill();
  }
  if (context.wants('worker.wasm')) {
    const callee = await spawn(NAME);
    const side = timedAsyncSettled(async (count) => void (await worker.async.callWasm(NAME, count)));
    await context.measure('worker.wasm', side, cacheline, true);
    await callee.kill();
  }
  await worker.kill();
  floor.stop();
}

export async function run(context: Context): Promise<void> {
  const system = await boot({ limits: { tasks: 4000 } });
  const spawn = spawner(system);
  for (let placement = 0; placement < context.plan.placements; placement++) {
    await measureSwitch(context, system, spawn);
    await measureSpawn(context, spawn);
    await measureLocal(context, system, spawn);
    await measureStacks(context, system);
    if (placement > 0) continue;
    measureResident(context, system);
    await measureWorkers(context, system, spawn);
    await measureMany(context, system, spawn);
  }
  await system.shutdown();
}
