/**
 * How long the beginning and the end of a task take: a spawn to its first answer, a death to the error of a caller that
 * is blocked, a timeout to the answer of the spare. The floors are bare workers.
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { boot } from '../../../src/index.ts';
import type { System } from '../../../src/index.ts';
import { moduleUrl, sourceUrl } from '../../harness/files.ts';
import type { Context } from '../../harness/job.ts';

type Mortal = typeof import('../../workers/mortal.ts');
type BootTask = typeof import('../../workers/boot-task.ts');

/** Starts and ends are slow: fewer of them than other groups have blocks. */
const PLACEMENTS_MAX = 8;
/** The call that the spare is to answer for. */
const TIMEOUT_ms = 20;
/** Until the spare of a task has imported its module. */
const SPARE_ms = 300;
const NEXT_TIMEOUT_ms = 5_000;

const MODULES = { spawn: './boot-task.mjs', 'spawn.ts': './boot-task.ts' } as const;

/** Nanoseconds of the process's monotonic clock, the same in all its threads. */
const now_ns = (): number => Number(process.hrtime.bigint());

async function bareStart(): Promise<number> {
  const start_ns = now_ns();
  const worker = new Worker(sourceUrl('workers/bare-post.mjs'));
  await once(worker, 'message');
  const ns = now_ns() - start_ns;
  await worker.terminate();
  return ns;
}

async function firstAnswer(system: System, module: string): Promise<number> {
  const start_ns = now_ns();
  const task = system.spawnSync<BootTask>(sourceUrl(`workers/${module}`));
  task.sync.add(1, 2);
  const ns = now_ns() - start_ns;
  await task.kill();
  return ns;
}

function fails(call: () => unknown, code: string): void {
  try {
    call();
  } catch (error) {
    if ((error as { code?: string }).code === code) return;
    throw error;
  }
  throw new Error(`there was an answer in place of ${code}`);
}

async function exitToError(system: System): Promise<number> {
  const task = await system.spawn<Mortal>(moduleUrl('workers/mortal.ts'));
  const sign = new Float64Array(new SharedArrayBuffer(8));
  fails(() => task.sync.exit(sign), 'ERR_IPC_PEER_GONE');
  const ns = now_ns() - sign[0]!;
  await task.exited;
  return ns;
}

async function killToError(system: System): Promise<number> {
  const task = await system.spawn<Mortal>(moduleUrl('workers/mortal.ts'));
  let start_ns = 0;
  let killed: Promise<void> | undefined;
  const kill = (): void => {
    start_ns = now_ns();
    killed = task.kill();
  };
  fails(() => task.sync.spin(kill), 'ERR_IPC_PEER_GONE');
  const ns = now_ns() - start_ns;
  await killed;
  return ns;
}

async function bareExit(): Promise<number> {
  const sign = new Float64Array(new SharedArrayBuffer(8));
  const worker = new Worker(moduleUrl('workers/mortal.ts'), { workerData: { bareEnd: sign } });
  await once(worker, 'exit');
  return now_ns() - sign[0]!;
}

async function bareTerminate(): Promise<number> {
  const worker = new Worker(moduleUrl('workers/mortal.ts'), { workerData: { bareEnd: 'spin' } });
  await once(worker, 'message');
  const exited = once(worker, 'exit');
  const start_ns = now_ns();
  void worker.terminate();
  await exited;
  return now_ns() - start_ns;
}

async function timeoutToAnswer(system: System): Promise<number> {
  const task = await system.spawn<Mortal>(moduleUrl('workers/mortal.ts'), { timeout: TIMEOUT_ms, onTimeout: 'kill' });
  await sleep(SPARE_ms);
  const patient = task.with({ timeout: NEXT_TIMEOUT_ms });
  fails(() => task.sync.spin(), 'ERR_IPC_TIMEOUT');
  const start_ns = now_ns();
  patient.sync.add(1, 2);
  const ns = now_ns() - start_ns;
  await task.kill();
  return ns;
}

export async function run(context: Context): Promise<void> {
  const system = await boot({ log: false });
  // The first of each brings the supervisor, and fills the caches.
  for (const module of Object.values(MODULES)) await firstAnswer(system, module);
  await bareStart();
  for (let placement = 0; placement < Math.min(context.plan.placements, PLACEMENTS_MAX); placement++) {
    for (const [row, module] of Object.entries(MODULES)) {
      if (!context.wants(row)) continue;
      context.record(row, { ns: await firstAnswer(system, module), floor_ns: await bareStart() });
    }
    if (context.wants('death.to.error')) {
      context.record('death.to.error', { ns: await exitToError(system), floor_ns: await bareExit() });
      context.record('death.to.error', { ns: await killToError(system), floor_ns: await bareTerminate() });
    }
    if (context.wants('restart.spare')) {
      context.record('restart.spare', { ns: await timeoutToAnswer(system), floor_ns: await bareStart() });
    }
  }
  await system.shutdown();
}
