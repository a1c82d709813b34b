/**
 * The supervisor's very first act: it starts the worker whose spawn started it, before it loads anything else, for the
 * program waits for that worker.
 */
import threads from 'node:worker_threads';
import type { SupervisorStart } from '../../tasks/control.ts';
import { type Launched, launchWorker } from '../../tasks/launch.ts';

/** The worker, or what kept it from starting; null when the system was opened without one. */
export type First = { readonly launched: Launched } | { readonly error: unknown } | null;

const KEY = Symbol.for('l3kernel.first');
/** The two halves of the supervisor are two scripts of one agent. */
const agent = globalThis as { [KEY]?: First };

function launchFirst(): First {
  const { l3kernel: start } = threads.workerData as { l3kernel: SupervisorStart };
  if (start.first === null) return null;
  try {
    return { launched: launchWorker(start, start.first) };
  } catch (error) {
    return { error };
  }
}

if (agent[KEY] === undefined) agent[KEY] = launchFirst();
export const first: First = agent[KEY];
