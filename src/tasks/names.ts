/**
 * What this room needs of a name server. Which one it has is said by who assembles the agent: the package's entry, and
 * the main module of a task's worker.
 */
import type { TaskRecord } from '../layout/task.ts';

export interface NameServer {
  /**
   * Gives a task a name under which it is found; `pool` is the id of the pool that it is in. False: another has it.
   * Throws a RangeError for one that cannot be.
   */
  register(task: TaskRecord, name: string, holder: number, pool?: number): boolean;
  /** Frees the name of a task that did not start, or has ended for good. */
  release(task: TaskRecord): void;
  find(name: string): TaskRecord | null;
  /** The id of the pool of this name that a task is in; else 0. */
  poolNamed(name: string, task: TaskRecord): number;
  instancesOf(pool: number): TaskRecord[];
}

export let names: NameServer;

export const setNameServer = (server: NameServer): void => {
  names = server;
};
