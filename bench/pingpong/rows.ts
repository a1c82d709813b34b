/**
 * The rows of `l3 bench pingpong`, as data: to measure another case, add a row and, when no group can run it, a group.
 *
 * A row is one round trip beside its floor. `ns` is always the whole way there and back, of the subject and of the
 * floor alike. Rows of one group share a process; `apart` gives a row processes of its own, so that the code of its
 * neighbours cannot change what the compiler made of its own. A target is what the design promises; the run prints it
 * beside the figure and does not act on it.
 */

/** What is promised of a row: at most so many floors, or at most so many nanoseconds, in the median or the tail. */
export type Target = { readonly ratio_max: number } | { readonly ns_max: number } | { readonly p99_ns_max: number };

export interface Row {
  readonly name: string;
  readonly group: string;
  readonly unit: string;
  readonly floor: string;
  readonly method: string;
  readonly target?: Target;
  readonly apart?: true;
  /** Fewer processes than the plan has, for rows that take seconds each. */
  readonly processes_max?: number;
  /** The row's own parameter: bytes of a message, waiting threads, calls in flight. */
  readonly size?: number;
}

const ROUND = 'ns per round trip';
const CACHELINE = 'floor.cacheline';

const call: readonly Row[] = [
  {
    name: 'floor.cacheline',
    group: 'floor',
    unit: ROUND,
    floor: CACHELINE,
    method: 'Two agents, store and load-spin on two cache lines, one writer each; beside itself, to show the noise.',
  },
  {
    name: 'worker.call',
    group: 'call',
    unit: ROUND,
    floor: CACHELINE,
    method: 'Low-level call to a worker with two message words each way and every check.',
    target: { ratio_max: 1.3 },
    apart: true,
  },
  {
    name: 'worker.sync',
    group: 'typed',
    unit: ROUND,
    floor: CACHELINE,
    method: 'Typed stub, t.sync.add(1, 2): two numbers there, one back.',
    target: { ratio_max: 1.5 },
    apart: true,
  },
  {
    name: 'worker.sync.string',
    group: 'typed',
    unit: ROUND,
    floor: CACHELINE,
    method: 'Typed stub, a string of 32 characters there and back.',
    target: { ratio_max: 2.5 },
    apart: true,
  },
  {
    name: 'worker.sync.object',
    group: 'typed',
    unit: ROUND,
    floor: 'structuredClone of the result',
    method: 'Typed stub that returns ten records; the floor is one structuredClone of the same ten records.',
    target: { ratio_max: 1.5 },
    apart: true,
  },
  {
    name: 'worker.upcall',
    group: 'typed',
    unit: ROUND,
    floor: CACHELINE,
    method: 'Typed stub with a function argument that the callee calls once: two crossings in one call.',
    target: { ratio_max: 2.2 },
    apart: true,
  },
];

const asynchronous: readonly Row[] = [
  {
    name: 'worker.stream',
    group: 'stream',
    unit: 'ns per value',
    floor: CACHELINE,
    method: 'One step of the iterator of a generator function, t.sync.numbers(): one number.',
  },
  {
    name: 'worker.stream.batch',
    group: 'stream',
    unit: 'ns per value',
    floor: CACHELINE,
    method: 'The same with({ batch: 100 }): a hundred numbers a rendezvous.',
  },
  {
    name: 'worker.async',
    group: 'async',
    unit: ROUND,
    floor: CACHELINE,
    method: 'await t.async.add(1, 2), one after another.',
    target: { ns_max: 2_000 },
    apart: true,
    size: 1,
  },
  {
    name: 'worker.async.1000',
    group: 'async',
    unit: 'ns per call',
    floor: CACHELINE,
    method: 'Promise.all of 1,000 calls in flight; elapsed time over calls.',
    target: { ns_max: 1_000 },
    apart: true,
    size: 1_000,
  },
  {
    name: 'clients.3',
    group: 'clients',
    unit: 'ns per call',
    floor: CACHELINE,
    method: 'Three client tasks call one server task, each one call after another; elapsed time over all calls.',
    target: { ns_max: 1_000 },
    size: 3,
  },
];

const WITHOUT_HANDOVER = 'the same without hand-over';

const sparse: readonly Row[] = [
  {
    name: 'worker.sparse',
    group: 'handover',
    unit: ROUND,
    floor: WITHOUT_HANDOVER,
    method: 'Typed stub, one call a millisecond, the caller busy in between; boot({ handover: true }).',
    target: { ns_max: 6_000 },
    size: 1,
  },
  ...[10, 100, 1_000].map((size): Row => ({
    name: `burst.${size}`,
    group: 'handover',
    unit: 'ns per call',
    floor: WITHOUT_HANDOVER,
    method: `Typed stub, ${size} calls in a row after each millisecond of work of the caller; boot({ handover: true }).`,
    target: { ratio_max: 1.3 },
    size,
  })),
];

const local: readonly Row[] = [
  {
    name: 'local.call',
    group: 'local',
    unit: ROUND,
    floor: 'two generator switches',
    method: 'Call between two generator threads of one agent.',
    target: { ratio_max: 2.3 },
    apart: true,
  },
  {
    name: 'local.passive',
    group: 'local',
    unit: ROUND,
    floor: 'two generator switches',
    method: "Call to a passive server, which runs on its caller's stack.",
    target: { ratio_max: 1.2 },
    apart: true,
  },
];

const WASM_FLOOR = 'import call + export call';
const WASM_BYTES = [64, 512, 4_096, 65_536] as const;
/** Below this size the call itself is most of the round trip. */
const WASM_BYTES_PROMISED_MIN = 4_096;
const WASM_TASKS = [1, 10, 100, 1_000] as const;

const wasm: readonly Row[] = [
  {
    name: 'wasm.call',
    group: 'wasm',
    unit: ROUND,
    floor: WASM_FLOOR,
    method: "Wasm task to wasm task through an import, two words, every check; runs on the caller's own stack.",
    target: { ratio_max: 1.6 },
    apart: true,
  },
  {
    name: 'wasm.call.6words',
    group: 'wasm',
    unit: ROUND,
    floor: WASM_FLOOR,
    method: 'The same with six words.',
    target: { ratio_max: 1.6 },
    apart: true,
  },
  {
    name: 'wasm.sync',
    group: 'wasm',
    unit: ROUND,
    floor: WASM_FLOOR,
    method: 'Typed stub in the same agent, t.sync.add(1, 2), types checked.',
    apart: true,
  },
  {
    name: 'wasm.worker',
    group: 'wasm',
    unit: ROUND,
    floor: CACHELINE,
    method: 'Wasm task to a function of a worker, two numbers there and one back.',
    apart: true,
  },
  {
    name: 'worker.wasm',
    group: 'wasm',
    unit: ROUND,
    floor: CACHELINE,
    method: 'Worker to a wasm task of the main agent, which serves in its event loop.',
    apart: true,
  },
  {
    name: 'wasm.local',
    group: 'wasm',
    unit: ROUND,
    floor: WASM_FLOOR,
    method: 'Local task to a wasm task of the same agent, by a stub that it has looked up.',
    apart: true,
  },
  {
    name: 'wasm.jspi',
    group: 'wasm',
    unit: ROUND,
    floor: 'bare promising + Suspending',
    method: 'Wasm task on a stack of its own calls a function that gives a settled promise: suspended and resumed.',
    apart: true,
  },
  {
    name: 'wasm.jspi.plain',
    group: 'wasm',
    unit: ROUND,
    floor: 'one import call',
    method: 'The same with a function that gives a number: the half of the import that need not block.',
    apart: true,
  },
  ...WASM_BYTES.map((size): Row => ({
    name: `wasm.bytes.${size}`,
    group: 'wasm',
    unit: ROUND,
    floor: 'one memory.copy',
    method: 'Wasm task to wasm task with bytes, into room that the callee gives; beside the bare instruction.',
    ...(size >= WASM_BYTES_PROMISED_MIN ? { target: { ratio_max: 2 } } : {}),
    apart: true,
    size,
  })),
  ...WASM_TASKS.map((size): Row => ({
    name: `wasm.tasks.${size}`,
    group: 'wasm',
    unit: ROUND,
    floor: WASM_FLOOR,
    method: `wasm.call of one fixed pair while ${size} other wasm tasks live.`,
    processes_max: 3,
    size,
  })),
  {
    name: 'wasm.round.1000',
    group: 'wasm',
    unit: ROUND,
    floor: WASM_FLOOR,
    method: 'Typed stubs of 1,000 wasm tasks called in turn.',
    processes_max: 3,
    size: 1_000,
  },
  {
    name: 'wasm.spawn',
    group: 'wasm',
    unit: 'ns per task',
    floor: 'one WebAssembly.Instance',
    method: 'Spawn and end of a wasm task whose module is compiled.',
    apart: true,
    processes_max: 3,
  },
  {
    name: 'wasm.resident',
    group: 'wasm',
    unit: 'bytes per task',
    floor: 'one WebAssembly.Instance',
    method: 'Resident memory of the process that 1,000 wasm tasks add; their memories are untouched.',
    apart: true,
    processes_max: 3,
    size: 1_000,
  },
];

const QUICKJS_FLOOR = 'quickjs-emscripten by hand';

const quickjs: readonly Row[] = [
  {
    name: 'quickjs.call',
    group: 'quickjs',
    unit: ROUND,
    floor: QUICKJS_FLOOR,
    method: 'Typed stub of a sandbox, two numbers there and one back; beside handles made and freed by hand.',
    apart: true,
  },
  {
    name: 'quickjs.host',
    group: 'quickjs',
    unit: ROUND,
    floor: QUICKJS_FLOOR,
    method: 'A sandbox calls a function of the host, two numbers there and one back.',
    apart: true,
  },
  {
    name: 'quickjs.fresh',
    group: 'quickjs',
    unit: 'ns per task',
    floor: 'a runtime, a context and the same text by hand',
    method: 'Spawn and end of a sandbox when the engine is warm; the module is compiled and run each time.',
    target: { ns_max: 1_000_000 },
    apart: true,
    processes_max: 3,
  },
];

const BYTES = [4_096, 65_536, 1_048_576, 67_108_864] as const;

/** Below this size the fixed cost of a call is a visible part of the round trip, and no ratio is promised. */
const BYTES_PROMISED_MIN = 65_536;

const bytes: readonly Row[] = BYTES.flatMap((size): Row[] => [
  {
    name: `worker.bytes.${size}`,
    group: 'bytes',
    unit: ROUND,
    floor: 'bare hand-over and one set each way',
    method: 'Low-level call with a string item each way, gathered from and scattered into private bytes of the sides.',
    ...(size >= BYTES_PROMISED_MIN ? { target: { ratio_max: 1.2 } } : {}),
    apart: true,
    size,
  },
  {
    name: `worker.sync.bytes.${size}`,
    group: 'typed-bytes',
    unit: ROUND,
    floor: 'bare hand-over and one set each way',
    method: 'Typed stub, a Uint8Array as argument and as result, owned on arrival; both sides read every line.',
    apart: true,
    processes_max: 3,
    size,
  },
  {
    name: `worker.lent.bytes.${size}`,
    group: 'typed-bytes',
    unit: ROUND,
    floor: 'bare hand-over and one set each way',
    method: 'The same with the argument lent and the result put into a buffer of the caller: with({ borrow, into }).',
    apart: true,
    processes_max: 3,
    size,
  },
  {
    name: `worker.move.${size}`,
    group: 'typed-bytes',
    unit: ROUND,
    floor: 'bare hand-over and one set each way',
    method: 'Typed stub, move(buffer) there and back; both sides read every line.',
    apart: true,
    processes_max: 3,
    size,
  },
]);

const THREADS = [2, 16, 128, 1_024, 4_096] as const;
const TIMEOUTS = [1, 16, 256, 4_096] as const;
const TASKS = [1, 4, 16, 64] as const;

const scale: readonly Row[] = [
  ...THREADS.map((size): Row => ({
    name: `threads.${size}`,
    group: 'threads',
    unit: ROUND,
    floor: 'threads.2',
    method: `Low-level call while ${size} other threads wait in receive.`,
    target: { ratio_max: 1.1 },
    size,
  })),
  ...TIMEOUTS.map((size): Row => ({
    name: `timeouts.${size}`,
    group: 'timeouts',
    unit: ROUND,
    floor: 'timeouts.1',
    method: `Call with a timeout between two generator threads of one agent, while ${size} others wait with timeouts.`,
    target: { ratio_max: 1.1 },
    size,
  })),
  ...TIMEOUTS.map((size): Row => ({
    name: `timeouts.tick.${size}`,
    group: 'timeouts',
    unit: 'ns per tick',
    floor: 'timeouts.tick.1',
    method: `One tick of a millisecond, while ${size} threads wait with timeouts of seconds.`,
    size,
  })),
  ...TASKS.map((size): Row => ({
    name: `tasks.${size}`,
    group: 'tasks',
    unit: ROUND,
    floor: CACHELINE,
    method: `worker.sync of one fixed task while ${size} other tasks wait, each in a worker of its own.`,
    processes_max: 2,
    size,
  })),
  {
    name: 'worker.resident',
    group: 'tasks',
    unit: 'bytes per task',
    floor: 'a bare worker that waits',
    method: 'Resident memory of the process that 16 worker tasks add, each having answered once.',
    apart: true,
    processes_max: 3,
    size: 16,
  },
  {
    name: 'idle.cpu',
    group: 'idle',
    unit: 'ns of processor time in 3 s',
    floor: '3 s of one core',
    method: 'Sixteen tasks that answered once and then wait; process.cpuUsage over 3 s of wall time.',
    target: { ratio_max: 0.005 },
    processes_max: 2,
    size: 16,
  },
  {
    name: 'boot.first-answer',
    group: 'boot',
    unit: 'ns to the first answer',
    floor: "synckit's first answer",
    method:
      'From just before the import of the library to the first synchronous answer of a .mjs module, in a fresh process each.',
    target: { ratio_max: 1.2 },
    processes_max: 4,
  },
  {
    name: 'boot.first-answer.ts',
    group: 'boot',
    unit: 'ns to the first answer',
    floor: "synckit's first answer",
    method: 'The same with a TypeScript module on both sides.',
    processes_max: 4,
  },
  {
    name: 'boot.exit',
    group: 'boot',
    unit: 'ns to the end of the process',
    floor: "the end of synckit's process",
    method: 'From the first answer, after which the program has nothing to do, to the end of its process.',
    target: { ratio_max: 1.2 },
    processes_max: 4,
  },
  {
    name: 'postMessage',
    group: 'rivals',
    unit: ROUND,
    floor: CACHELINE,
    method: 'postMessage to a worker and back, for scale.',
    processes_max: 3,
  },
  {
    name: 'synckit',
    group: 'rivals',
    unit: ROUND,
    floor: CACHELINE,
    method: 'createSyncFn of synckit, two numbers there and one back, for scale.',
    processes_max: 3,
  },
  {
    name: 'comlink',
    group: 'rivals',
    unit: ROUND,
    floor: CACHELINE,
    method: 'A Comlink proxy over a worker, two numbers there and one back, for scale.',
    processes_max: 3,
  },
  {
    name: 'docs.index',
    group: 'docs',
    unit: 'ns per corpus',
    floor: 'the same modules called directly',
    method: 'Indexing of the docs-browser corpus with walls, beside a process that calls the same modules directly.',
    target: { ratio_max: 1.3 },
  },
];

const SPAWN = 'ns to the first answer';
const BARE = 'a bare worker that posts one message';

const ends: readonly Row[] = [
  {
    name: 'spawn',
    group: 'ends',
    unit: SPAWN,
    floor: BARE,
    method: 'spawnSync of a .mjs module and its first synchronous answer, in a system that has had tasks before.',
    target: { ratio_max: 2.5 },
    processes_max: 4,
  },
  {
    name: 'spawn.ts',
    group: 'ends',
    unit: SPAWN,
    floor: BARE,
    method: 'The same with a TypeScript module in the compile cache; the floor is the .mjs worker.',
    target: { ratio_max: 2.5 },
    processes_max: 4,
  },
  {
    name: 'death.to.error',
    group: 'ends',
    unit: 'ns from the last sign of life to the error',
    floor: "a bare worker's end to its parent's exit event",
    method:
      'A blocked caller; by turns process.exit in the handler and kill() while it spins. The target is of the p99.',
    target: { p99_ns_max: 100_000_000 },
    processes_max: 4,
  },
  {
    name: 'restart.spare',
    group: 'ends',
    unit: 'ns from the timeout to the next answer',
    floor: BARE,
    method: "onTimeout: 'kill' of a handler that spins, with a spare: from the caller's timeout to its next answer.",
    target: { ns_max: 5_000_000 },
    processes_max: 4,
  },
];

export const ROWS: readonly Row[] = [
  ...call,
  ...asynchronous,
  ...sparse,
  ...local,
  ...wasm,
  ...quickjs,
  ...bytes,
  ...scale,
  ...ends,
];

/**
 * Groups that reach below the public surface, or beside it: what the library's entry is makes no difference to them.
 */
const GROUPS_WITHOUT_LIBRARY = new Set(['floor', 'call', 'local', 'bytes', 'threads', 'timeouts', 'rivals']);

/** Whether the row imports the library as a program does. */
export function importsLibrary(name: string): boolean {
  const row = ROWS.find((candidate) => candidate.name === name);
  return row !== undefined && !GROUPS_WITHOUT_LIBRARY.has(row.group);
}

/**
 * The rows that the words ask for: a word is a row's whole name, else the beginning of some; no words are all rows.
 * A word that fits nothing throws with the names there are.
 */
export function selectRows(words: readonly string[]): readonly Row[] {
  if (words.length === 0) return ROWS;
  const chosen = new Set<Row>();
  for (const word of words) {
    const exact = ROWS.filter((row) => row.name === word);
    const found = exact.length > 0 ? exact : ROWS.filter((row) => row.name.startsWith(word));
    if (found.length === 0) throw new Error(`no row '${word}'; there are: ${ROWS.map((row) => row.name).join(', ')}`);
    for (const row of found) chosen.add(row);
  }
  return ROWS.filter((row) => chosen.has(row));
}
