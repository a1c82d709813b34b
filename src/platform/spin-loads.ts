/** How long to spin for what is expected at once. With one core the partner cannot run while we spin. */
import { availableParallelism } from 'node:os';
import { SPIN_LOADS_BARE, SPIN_LOADS_PAUSING } from '../layout/params.ts';

const loads = 'pause' in Atomics ? SPIN_LOADS_PAUSING : SPIN_LOADS_BARE;
export const spinLoads: number = availableParallelism() > 1 ? loads : 0;
