/**
 * A process that makes one synchronous call with synckit, and prints the nanoseconds it took from the import, and the
 * time.
 */
const url = new URL(process.argv[2] as string, import.meta.url);
const start_ms = performance.now();
const { createSyncFn } = await import('synckit');
const answer = createSyncFn<(left: number, right: number) => number>(url)(1, 2);
const elapsed_ms = performance.now() - start_ms;
if (answer !== 3) throw new Error(`1 + 2 is not ${String(answer)}`);
process.stdout.write(`${elapsed_ms * 1e6} ${process.hrtime.bigint()}`);
