/**
 * How a thread that somebody else starts finds the system of its process. The agent that starts a supervisor leaves a
 * note in the environment data of worker_threads, which Node gives to every worker that is started from then on by that
 * thread, or by one that it started: kernel memory, and the *door*, a channel on which the supervisor hears (see
 * tasks/guest.ts). So such a worker finds the memory when it evaluates this package, and no message is needed.
 */
import { getEnvironmentData, isMainThread, setEnvironmentData, workerData } from 'node:worker_threads';
import { layoutHash } from '../layout/describe.ts';
import { INDEX_MASK } from '../layout/params.ts';
import { TASK_FREE, TASK_ID, TASK_STATE, taskAt } from '../layout/task.ts';

const KEY = 'l3kernel.house';

export interface House {
  readonly memory: WebAssembly.Memory;
  /** Another version of this package cannot live in the memory. */
  readonly layout: number;
  /** Name of the BroadcastChannel. */
  readonly door: string;
  /** The supervisor, as a task and as a thread of Node. */
  readonly supervisor: number;
  readonly thread: number;
}

export function announceHouse(house: Omit<House, 'layout'> | undefined): void {
  setEnvironmentData(KEY, (house === undefined ? undefined : { ...house, layout: layoutHash() }) as never);
}

/** Whether the supervisor that a note names is still there, or is about to be. */
export function isOpen({ supervisor }: House, load: (at: number) => number): boolean {
  const task = taskAt(supervisor & INDEX_MASK);
  return load(task + TASK_STATE) !== TASK_FREE && load(task + TASK_ID) === supervisor;
}

/** The house that this thread was started in by somebody else, if its system lives. */
function findHouse(): House | null {
  const parent = workerData as { l3kernel?: object } | null | undefined;
  if (isMainThread || parent?.l3kernel !== undefined) return null;
  const note = getEnvironmentData(KEY) as unknown as House | undefined;
  if (note?.layout !== layoutHash()) return null;
  const words = new Int32Array(note.memory.buffer as unknown as SharedArrayBuffer);
  return isOpen(note, (at) => Atomics.load(words, at)) ? note : null;
}

/** As it was when this module was evaluated: from then on the memory of this agent is what it is. */
export const house: House | null = findHouse();
