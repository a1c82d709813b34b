/**
 * The kinds of threads between which the low-level suite passes messages: the columns of the table whose rows are in
 * ipc-behaviours.ts. Each names the thread that tests and its partner. A further kind is a further row here.
 */
import type { System, Task } from '../../src/index.ts';
import { load } from '../../src/platform/atomics.ts';
import { INDEX_MASK } from '../../src/layout/params.ts';
import { HOME_POLL, KIND_MASK, POLL, TCB_STATE, tcbAt } from '../../src/layout/tcb.ts';
import * as ipc from '../../src/user/ipc.ts';
import { wat } from '../support/wat.ts';
import * as here from './fixtures/roles.ts';
import { blocking, type Operations, performLater, type RoleName, startSteps, type Steps } from './fixtures/roles.ts';
import { fixture, sleep, until } from './support.ts';

/** A partner that plays one role, and what comes of it. */
export interface Partner {
  readonly id: number;
  readonly end: Promise<unknown>;
}

/** Where the two sides live. */
export interface Pair {
  /** Runs steps as the thread that tests. */
  test(make: (ops: Operations, self: number) => Steps): Promise<unknown>;
  /** Lets a partner play a role; `exits`: and ends it then. */
  partner(role: RoleName, tester: number, args: readonly unknown[], exits?: boolean): Promise<Partner>;
  /** A thread that tests is known before it runs. */
  readonly tester: () => number;
}

/** What the two can do, and so which behaviours apply. */
export interface Traits {
  /** Both are generator threads of one agent. */
  readonly isOneAgent: boolean;
  readonly tester: 'ordinary' | 'generator';
  readonly partner: 'ordinary' | 'generator';
}

export interface Kind extends Traits {
  readonly name: string;
  open(system: System): Promise<Pair>;
}

type Roles = typeof import('./fixtures/roles.ts');

/** Whether a thread stands in a queue. */
export const isPolling = (thread: number): boolean => {
  const kind = load(tcbAt(thread & INDEX_MASK) + TCB_STATE) & KIND_MASK;
  return kind === POLL || kind === HOME_POLL;
};
export const untilPolling = (thread: number): Promise<void> => until(() => isPolling(thread));

const ordinary = blocking((time_ms) => sleep(time_ms).then(() => ipc.OK));

const asOrdinary: Pick<Pair, 'test' | 'tester'> = {
  test: (make) => performLater(make(ordinary, ipc.self())),
  tester: () => ipc.self(),
};

/** Tests as a generator thread of the main thread, of which the id is known from its start. */
function asGenerator(): Pick<Pair, 'test' | 'tester'> {
  let go: ((make: (ops: Operations, self: number) => Steps) => void) | null = null;
  let running: { id: number; end: Promise<unknown> } | null = null;
  const start = (): { id: number; end: Promise<unknown> } => {
    let make: ((ops: Operations, self: number) => Steps) | null = null;
    go = (given) => {
      make = given;
    };
    running = startSteps(function* (ops) {
      while (make === null) yield ops.sleep(1);
      return yield* make(ops, ipc.self());
    });
    return running;
  };
  return {
    tester: () => (running ?? start()).id,
    async test(make) {
      const { end } = running ?? start();
      go!(make);
      running = null;
      return end;
    },
  };
}

/** Partners on the serving threads of workers: one task for each that plays at a time. */
function ofWorkers(system: System): Pick<Pair, 'partner'> {
  const idle: Task<Roles>[] = [];
  return {
    async partner(role, tester, args, exits = false) {
      const task = idle.pop() ?? (await system.spawn<Roles>(fixture('roles.ts')));
      const id = task.sync.self();
      const end = exits
        ? task.async.playAndExit(role, tester, ...args).catch(() => task.exited)
        : task.async.play(role, tester, ...args).finally(() => idle.push(task));
      end.catch(() => {});
      return { id, end };
    },
  };
}

/** Partners that are generator threads of one worker. */
async function ofGenerators(system: System): Promise<Pick<Pair, 'partner'>> {
  const task = await system.spawn<Roles>(fixture('roles.ts'));
  return {
    async partner(role, tester, args) {
      const id = task.sync.start(role, tester, ...args);
      const end = task.async.ended(id);
      end.catch(() => {});
      return { id, end };
    },
  };
}

const ofHere: Pick<Pair, 'partner'> = {
  async partner(role, tester, args) {
    const id = here.start(role, tester, ...args);
    return { id, end: here.ended(id) };
  },
};

export const kinds: readonly Kind[] = [
  {
    name: 'worker',
    isOneAgent: false,
    tester: 'ordinary',
    partner: 'ordinary',
    open: async (system) => ({ ...asOrdinary, ...ofWorkers(system) }),
  },
  {
    name: 'generator of another agent',
    isOneAgent: false,
    tester: 'ordinary',
    partner: 'generator',
    open: async (system) => ({ ...asOrdinary, ...(await ofGenerators(system)) }),
  },
  {
    name: 'generator of the own agent',
    isOneAgent: true,
    tester: 'ordinary',
    partner: 'generator',
    open: async () => ({ ...asOrdinary, ...ofHere }),
  },
  {
    name: 'worker, for a generator',
    isOneAgent: false,
    tester: 'generator',
    partner: 'ordinary',
    open: async (system) => ({ ...asGenerator(), ...ofWorkers(system) }),
  },
  {
    name: 'generators of two agents',
    isOneAgent: false,
    tester: 'generator',
    partner: 'generator',
    open: async (system) => ({ ...asGenerator(), ...(await ofGenerators(system)) }),
  },
  {
    name: 'generators of one agent',
    isOneAgent: true,
    tester: 'generator',
    partner: 'generator',
    open: async () => ({ ...asGenerator(), ...ofHere }),
  },
];

/** A thread that serves the calls of typed stubs, and takes a low-level call of numbers as one of these. */
export interface Server {
  readonly id: number;
  /** Adds its arguments: method 1. The number of words that it takes, -1 for any. */
  readonly words: number;
  kill(): Promise<void>;
}

export interface ServingKind {
  readonly name: string;
  /** Whether callers block until it is answered, whatever happens: it runs on their stack. */
  readonly isOnStack: boolean;
  open(system: System): Promise<Server>;
}

const SUM = `(module (func (export "sum") (param f64 f64 f64) (result f64)
  (f64.add (f64.add (local.get 0) (local.get 1)) (local.get 2))))`;

async function serverOf(system: System, kind: 'worker' | 'local' | 'wasm'): Promise<Server> {
  const task = await system.spawn(kind === 'wasm' ? wat(SUM) : fixture('sums.ts'), { kind });
  return { id: task.id, words: kind === 'wasm' ? 3 : -1, kill: () => task.kill() };
}

export const servingKinds: readonly ServingKind[] = [
  { name: 'event loop of a worker', isOnStack: false, open: (system) => serverOf(system, 'worker') },
  { name: 'passive', isOnStack: true, open: (system) => serverOf(system, 'local') },
  { name: 'wasm passive', isOnStack: true, open: (system) => serverOf(system, 'wasm') },
];
