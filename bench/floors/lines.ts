/**
 * The floor on the kernel's own lines: it stores into message words of two thread control blocks, so that both sides of
 * a ratio use the same cache lines of the same pages. The first message word is free for it while neither thread is in
 * a call: a sender writes it before the receiver may look.
 */
import { TASK_CALLER, TASK_KIND, TASK_KIND_MAIN, taskAt } from '../../src/layout/task.ts';
import { TASKS_DEFAULT } from '../../src/layout/params.ts';
import { TCB_WORD, tcbOf } from '../../src/layout/tcb.ts';
import { words } from '../../src/platform/memory.ts';
import type { Side } from '../harness/interleave.ts';
import { startFloorAgent } from './agent.ts';
import type { FloorAgent } from './agent.ts';

/** Kernel memory of this process, as the floor's agents see it. */
export { words as kernelWords };

/** The word that the floor uses in the ipc line of a thread. */
export const floorWord = (threadId: number): number => tcbOf(threadId) + TCB_WORD;

/** The thread that calls for the main program's ordinary code. */
export function mainCaller(): number {
  for (let index = 1; index < TASKS_DEFAULT; index++) {
    const record = taskAt(index);
    if (words[record + TASK_KIND] === TASK_KIND_MAIN) return words[record + TASK_CALLER] as number;
  }
  throw new Error('no main task in kernel memory: boot first');
}

export interface KernelFloor {
  /** The two-line floor on the ipc lines of these two threads. */
  cacheline(client: number, server: number): Side;
  bytes(client: number, server: number, size: number): Side;
  stop(): void;
}

export function startKernelFloor(bytes_max = 0): KernelFloor {
  const agent: FloorAgent = startFloorAgent(words, bytes_max);
  return {
    cacheline: (client, server) => agent.cacheline(floorWord(client), floorWord(server)),
    bytes: (client, server, size) => agent.bytes(floorWord(client), floorWord(server), size),
    stop: agent.stop,
  };
}
