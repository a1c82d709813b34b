/**
 * The programs that are measured, as text, for they import packages by the names of the originals, and which package
 * that is depends on the project that they are written to. A program prints its samples as JSON: nanoseconds of a call.
 */

/** Blocks of calls; a block is as long as `block_ms`. `once` is one call. */
const PATTERNS = `
const [pattern, , blocks, block_ms] = [process.argv[2], 0, Number(process.argv.at(-2)), Number(process.argv.at(-1))];
const now = () => performance.now();
function dense(once) {
  for (const end = now() + 3 * block_ms; now() < end; ) once();
  return Array.from({ length: blocks }, () => {
    let calls = 0;
    const began = now();
    let ended = began;
    while (ended - began < block_ms) { for (let i = 0; i < 8; i++) once(); calls += 8; ended = now(); }
    return ((ended - began) / calls) * 1e6;
  });
}
function millisecond(once) {
  for (let i = 0; i < 20; i++) once();
  return Array.from({ length: blocks }, () => {
    const samples = Array.from({ length: Math.ceil(block_ms) }, () => {
      for (const end = now() + 1; now() < end; );
      const began = now();
      once();
      return now() - began;
    }).sort((a, b) => a - b);
    return samples[samples.length >> 1] * 1e6;
  });
}
function measure(once) {
  if (pattern === 'process') once();
  else console.log(JSON.stringify(pattern === 'dense' ? dense(once) : millisecond(once)));
}
`;

/** `run` and `end` are those of a pool of two threads. */
const poolProgram = (setUp: string): string => `
const [size, bytes, blocks, block_ms] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4]), Number(process.argv[5])];
${setUp}
const flight = size === 'small' ? 64 : 8;
const task = size === 'small' ? { a: 1, b: 2 } : new Uint8Array(bytes);
async function block(ms) {
  let done = 0;
  const began = performance.now();
  const one = async () => { while (performance.now() - began < ms) { await run(task); done++; } };
  await Promise.all(Array.from({ length: flight }, one));
  return ((performance.now() - began) / done) * 1e6;
}
await block(5 * block_ms);
const samples = [];
for (let i = 0; i < blocks; i++) samples.push(await block(5 * block_ms));
console.log(JSON.stringify(samples));
await end();
`;

const POOL = (name: string): string =>
  poolProgram(`
import Pool from '${name}';
const pool = new Pool({ filename: new URL('./${name}-worker.mjs', import.meta.url).href, minThreads: 2, maxThreads: 2 });
const run = (task) => pool.run(task);
const end = () => pool.destroy();
`);

/** A pool of our own where there is one, in the project of the drop-ins. */
const INSTANCES = (name: string): string =>
  poolProgram(`
const ours = await import('l3kernel').catch(() => null);
const url = new URL('./${name}-worker.mjs', import.meta.url).href;
let run;
let end;
if (ours === null) {
  const { default: Pool } = await import('${name}');
  const pool = new Pool({ filename: url, minThreads: 2, maxThreads: 2 });
  run = (task) => pool.run(task);
  end = () => pool.destroy();
} else {
  const system = await ours.boot();
  const pool = await system.spawn(url, { instances: 2 });
  run = pool.async.default;
  end = () => system.shutdown();
}
`);

const POOL_WORKER = 'export default (x) => (x instanceof Uint8Array ? x : x.a + x.b);\n';

const PROGRAMS = {
  synckit: {
    'synckit.mjs': `
import { createSyncFn } from 'synckit';
${PATTERNS}
const add = createSyncFn(new URL('./synckit-worker.mjs', import.meta.url));
measure(() => { if (add(1, 2) !== 3) throw new Error('a wrong sum'); });
`,
    'synckit-worker.mjs': `import { runAsWorker } from 'synckit'; runAsWorker(async (a, b) => a + b);\n`,
  },
  'make-synchronized': {
    'make-synchronized.mjs': `
import makeSynchronized from 'make-synchronized';
${PATTERNS}
const { add } = makeSynchronized(new URL('./make-synchronized-worker.mjs', import.meta.url));
measure(() => { if (add(1, 2) !== 3) throw new Error('a wrong sum'); });
`,
    'make-synchronized-worker.mjs': `export const add = async (a, b) => a + b;\n`,
  },
  'sync-message-port': {
    'sync-message-port.mjs': `
import { Worker } from 'node:worker_threads';
import { SyncMessagePort } from 'sync-message-port';
${PATTERNS}
const channel = SyncMessagePort.createChannel();
const port = new SyncMessagePort(channel.port1);
new Worker(new URL('./sync-message-port-worker.mjs', import.meta.url), { workerData: channel.port2, transferList: [channel.port2] }).unref();
measure(() => { port.postMessage([1, 2]); if (port.receiveMessage() !== 3) throw new Error('a wrong sum'); });
port.close();
`,
    'sync-message-port-worker.mjs': `
import { workerData } from 'node:worker_threads';
import { SyncMessagePort } from 'sync-message-port';
const port = new SyncMessagePort(workerData);
for (;;) {
  const numbers = port.receiveMessage({ closedValue: null });
  if (numbers === null) break;
  port.postMessage(numbers[0] + numbers[1]);
}
`,
  },
  'sync-child-process': {
    'sync-child-process.mjs': `
import { SyncChildProcess } from 'sync-child-process';
${PATTERNS}
const cat = new SyncChildProcess('cat');
measure(() => { cat.stdin.write('a line\\n'); if (cat.next().value.data.length !== 7) throw new Error('a wrong line'); });
cat.stdin.end();
cat.next();
`,
  },
  'instances-tinypool': { 'instances-tinypool.mjs': INSTANCES('tinypool') },
  'instances-piscina': { 'instances-piscina.mjs': INSTANCES('piscina') },
  tinypool: { 'tinypool.mjs': POOL('tinypool'), 'tinypool-worker.mjs': POOL_WORKER },
  piscina: { 'piscina.mjs': POOL('piscina'), 'piscina-worker.mjs': POOL_WORKER },
} satisfies Record<string, Record<string, string>>;

export type ProgramName = keyof typeof PROGRAMS;

/** Every file of every program. */
export const FILES: Readonly<Record<string, string>> = Object.assign({}, ...Object.values(PROGRAMS)) as Record<
  string,
  string
>;
