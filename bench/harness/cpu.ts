/** Processor time of the calling thread, so that a caller's own work can be taken off what its calls cost. */
import { now_ms } from './interleave.ts';

/** Milliseconds; before Node 23.9 the time of day, which is as much while the thread keeps its core. */
export function threadTime_ms(): number {
  const usage = (process as Partial<Pick<NodeJS.Process, 'threadCpuUsage'>>).threadCpuUsage?.();
  return usage === undefined ? now_ms() : (usage.user + usage.system) / 1e3;
}
