/**
 * The kinds of tasks for which the conformance suite holds: the columns of the table whose rows are in suite.ts. Each
 * has a module in its own language with the functions that the suite calls. What a kind cannot have it states, with the
 * reason; the cases that need it say so instead of running. A further kind is a further entry here.
 */
import { readFileSync } from 'node:fs';
import type { SpawnOptions, System, Task } from '../../src/index.ts';
import { wat } from '../support/wat.ts';
import { suiteModule } from './fixtures/wat.ts';
import { fixture } from './support.ts';

/** What a case may need. */
export type Need =
  /** Arguments and results of every kind, and any number of them. */
  | 'objects'
  /** What only a port carries: shared memory, ports. */
  | 'ports'
  /** Errors of its own, which arrive as themselves. */
  | 'errors'
  /** Functions as arguments. */
  | 'functions'
  /** Functions of its own, given to a callback. */
  | 'ownFunctions'
  /** To be called again by what it calls. */
  | 'reentry'
  /** Handlers that wait while their caller's loop turns. */
  | 'waits'
  /** A caller that gives up while the handler computes. */
  | 'apart'
  /** A handler that waits by itself while its caller is blocked. */
  | 'ownLoop'
  /** A bound on the handlers under way. */
  | 'concurrency'
  /** Its own id and its caller's. */
  | 'ids'
  /** Callers whose side of a call is not that of another kind. */
  | 'ownStubs'
  /** `here` and `lookup`. */
  | 'here';

export interface Kind {
  readonly name: string;
  /** What its handles say. */
  readonly kind: 'worker' | 'local' | 'wasm';
  readonly lacks: { readonly [need in Need]?: string };
  /** Whether a handler that waits for its own promises alone can answer a blocked caller. */
  readonly ownTurns: boolean;
  /** Whether handlers that wait are under way together. */
  readonly overlaps: boolean;
  readonly takesConcurrency: boolean;
  /** How long a handler is to wait that shall still be there when many calls have been made. */
  readonly slow_ms: number;
  /** Whether a callback, or a function of the host, may give a promise to an `.async` call. */
  readonly awaitsCallbacks: boolean;
  /** How a `.sync` call ends that would have to wait: 'ERR_IPC_PEER_GONE' is the end of the task. */
  readonly cannotWait: string;
  /** How a stack overflow in a handler ends. */
  readonly overflows: 'RangeError' | 'ERR_IPC_LIMIT' | 'ERR_IPC_PEER_GONE';
  /** Calls of the test that looks for memory left behind, as a part of the whole. */
  readonly patience: number;
  spawn(system: System, options?: SpawnOptions): Promise<Task>;
}

const inSandbox = 'a sandbox sees the language and what it was granted';
const onStack = "it runs on its caller's stack";
const ofWorker = 'its callers are those of any worker';
const numbersAndBytes = 'its functions are over numbers, strings and bytes';
const ownLoop = 'it has no event loop';
const passiveWaits = 'a passive thread waits for nothing but its callees';

const ofModule =
  (options: SpawnOptions): Kind['spawn'] =>
  (system, more = {}) =>
    system.spawn(fixture('calls.ts'), { ...options, ...more });

/** What `calls-sandbox.ts` and the module with stacks of its own wait by. */
const waiting = {
  sleep: async (time_ms: number): Promise<void> =>
    new Promise((resolve) => {
      // What was given up shall not keep the process.
      const timer = setTimeout(resolve, time_ms);
      if (time_ms > 1000) timer.unref();
    }),
};
/** What a module imports and a case does not grant. */
const unasked = { double: (x: number): number => x, later: (x: number): number => x };

function ofWasm(options: SpawnOptions): Kind['spawn'] {
  const module = wat(suiteModule(options.thread === 'jspi'));
  const known = options.thread === 'jspi' ? { ...unasked, ...waiting } : unasked;
  return (system, { host, ...more } = {}) =>
    system.spawn(module, { kind: 'wasm', wasi: 'stdio', ...options, ...more, host: { ...known, ...host } });
}

const modules = { 'calls-plain.ts': readFileSync(fixture('calls-plain.ts'), 'utf8') };

const ofSandbox =
  (options: SpawnOptions): Kind['spawn'] =>
  (system, { host, ...more } = {}) =>
    system.spawn(fixture('calls-sandbox.ts'), {
      engine: 'quickjs',
      modules,
      ...options,
      ...more,
      host: { ...waiting, ...host },
    });

const lacksOfWasm = {
  objects: numbersAndBytes,
  ports: numbersAndBytes,
  errors: 'what leaves it as an exception is its end',
  functions: 'what it may call back it imports',
  ownFunctions: numbersAndBytes,
  reentry: 'an instance is not entered again while it is in an activation',
  here: 'a module sees what it imports',
} as const;

const lacksOfSandbox = {
  ports: 'memory and ports of others are no values of its language',
  ownFunctions: 'no function of a sandbox is held outside',
  reentry: 'a sandbox is not entered again while it is in an activation',
  ownLoop: 'it has no timers; what it waits for is its chief',
  ids: inSandbox,
  here: inSandbox,
} as const;

export const kinds = {
  local: {
    name: 'local',
    kind: 'local',
    lacks: { apart: onStack, ownLoop: 'its loop is that of its caller' },
    ownTurns: false,
    overlaps: true,
    takesConcurrency: true,
    slow_ms: 200,
    awaitsCallbacks: false,
    cannotWait: 'ERR_IPC_DEADLOCK',
    overflows: 'RangeError',
    patience: 1,
    spawn: ofModule({ kind: 'local' }),
  },
  worker: {
    name: 'worker',
    kind: 'worker',
    lacks: {},
    ownTurns: true,
    overlaps: true,
    takesConcurrency: true,
    slow_ms: 200,
    awaitsCallbacks: true,
    cannotWait: 'ERR_IPC_DEADLOCK',
    overflows: 'RangeError',
    patience: 1,
    spawn: ofModule({ kind: 'worker' }),
  },
  'wasm passive': {
    name: 'wasm, passive',
    kind: 'wasm',
    lacks: {
      ...lacksOfWasm,
      apart: onStack,
      ownLoop,
      waits: passiveWaits,
      concurrency: 'one activation at a time is all',
    },
    ownTurns: false,
    overlaps: false,
    takesConcurrency: false,
    slow_ms: 200,
    awaitsCallbacks: false,
    cannotWait: 'ERR_IPC_PEER_GONE',
    overflows: 'ERR_IPC_PEER_GONE',
    patience: 1,
    spawn: ofWasm({}),
  },
  'wasm jspi': {
    name: 'wasm, jspi',
    kind: 'wasm',
    lacks: { ...lacksOfWasm, apart: onStack, ownLoop },
    ownTurns: false,
    overlaps: false,
    takesConcurrency: true,
    slow_ms: 600,
    awaitsCallbacks: true,
    cannotWait: 'ERR_IPC_PEER_GONE',
    overflows: 'ERR_IPC_PEER_GONE',
    patience: 1,
    spawn: ofWasm({ thread: 'jspi' }),
  },
  'wasm worker': {
    name: 'wasm, worker',
    kind: 'worker',
    lacks: {
      ...lacksOfWasm,
      ownStubs: ofWorker,
      concurrency: 'one activation at a time is all',
      ids: 'they are those of the wasm task within the worker',
    },
    ownTurns: true,
    overlaps: false,
    takesConcurrency: true,
    slow_ms: 600,
    awaitsCallbacks: true,
    cannotWait: 'ERR_IPC_PEER_GONE',
    overflows: 'ERR_IPC_PEER_GONE',
    patience: 0.1,
    spawn: ofWasm({ thread: 'worker' }),
  },
  sandbox: {
    name: 'sandbox',
    kind: 'wasm',
    lacks: { ...lacksOfSandbox, apart: onStack, concurrency: 'its handlers wait for its chief, without a bound' },
    ownTurns: true,
    overlaps: true,
    takesConcurrency: false,
    // The calls themselves keep the loop, and nothing waits for what was given up.
    slow_ms: 20_000,
    awaitsCallbacks: true,
    cannotWait: 'ERR_IPC_DEADLOCK',
    overflows: 'ERR_IPC_LIMIT',
    patience: 0.3,
    spawn: ofSandbox({}),
  },
  'sandbox worker': {
    name: 'sandbox, worker',
    kind: 'worker',
    lacks: { ...lacksOfSandbox, ownStubs: ofWorker },
    ownTurns: true,
    overlaps: true,
    takesConcurrency: true,
    slow_ms: 200,
    awaitsCallbacks: true,
    cannotWait: 'ERR_IPC_DEADLOCK',
    overflows: 'ERR_IPC_LIMIT',
    patience: 0.1,
    spawn: ofSandbox({ thread: 'worker' }),
  },
} as const satisfies Record<string, Kind>;
