/**
 * A process that makes one synchronous call with this library, and prints the nanoseconds it took from the import, and
 * the time: it has nothing more to do, and ends by itself.
 */
type Library = typeof import('../../src/index.ts');
type BootTask = typeof import('./boot-task.ts');

const [module, library] = process.argv.slice(2) as [string, string];
const url = new URL(module, import.meta.url);
const start_ms = performance.now();
const { task } = (await import(library)) as Library;
const answer = task<BootTask>(url).sync.add(1, 2);
const elapsed_ms = performance.now() - start_ms;
if (answer !== 3) throw new Error(`1 + 2 is not ${String(answer)}`);
process.stdout.write(`${elapsed_ms * 1e6} ${process.hrtime.bigint()}`);
