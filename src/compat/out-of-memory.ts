/**
 * The end of a worker whose heap was full, as Node reports it to the worker's parent.
 */
export function outOfMemory(cause: unknown): Error {
  const text = 'Worker terminated due to reaching memory limit: JS heap out of memory';
  return Object.assign(new Error(text, { cause }), { code: 'ERR_WORKER_OUT_OF_MEMORY' });
}
