/**
 * Makes the system of a scenario: bundles and compiles the kernel, formats a memory, lets the scenario create its tasks
 * and threads with the kernel's own functions, run natively, and gives worlds to explore.
 */
import { layoutHash } from '../../src/layout/describe.ts';
import { REGISTER_WORDS, type Result } from '../../src/layout/message.ts';
import { INDEX_MASK, WINDOW_SMALL_BYTES } from '../../src/layout/params.ts';
import {
  TASK_ALIVE,
  TASK_CALLER,
  TASK_ID,
  TASK_KIND_MAIN,
  TASK_KIND_WORKER,
  TASK_PROCESSOR,
  TASK_STATE,
  processorAt,
  taskAt,
} from '../../src/layout/task.ts';
import {
  DEAD,
  open,
  TCB_ID,
  TCB_STATE,
  TCB_WINDOW_BYTES,
  type Tcb,
  type ThreadId,
  tcbOf,
} from '../../src/layout/tcb.ts';
import { ENDED, KILLED } from './agent.ts';
import { bundleKernel, type Texts } from './bundle.ts';
import { compileMachine, type Machine, runNatively } from './compile.ts';
import { Memory } from './memory.ts';
import * as programs from './programs.ts';
import { type EndCheck } from './search.ts';
import { type AgentPlan, type Event, HINTS, IDENTITY, World } from './world.ts';

/** A kernel ready to be explored. */
export interface Kernel {
  readonly text: string;
  readonly machine: Machine;
}

/** Loads and spins are one and the same here: a spin in vain is a spin not made. */
const { claims, ENDED_WITH, SERVED } = programs;

const constants = {
  firstSpin: 0,
  spinLoads: 0,
  pause: (): void => {},
  spinsFor: (): number => 0,
};

/** The shipped kernel, or one with other texts for some of its files. */
export async function loadKernel(texts: Texts = {}): Promise<Kernel> {
  const text = await bundleKernel(texts);
  return { text, machine: compileMachine(text, constants, Object.keys(programs)) };
}

/** The seam of kernel code that runs natively, alone. */
function nativeSeam(memory: Memory, registers: Int32Array): Record<string, unknown> {
  const get = (at: number): number => memory.words[memory.cellOf(at)]!;
  const set = (at: number, value: number): number => {
    const old = get(at);
    memory.set(memory.cellOf(at), value);
    return old;
  };
  const refuse = (): never => {
    throw new Error('the set-up of a scenario does not wait');
  };
  return {
    ...constants,
    load: get,
    peek: get,
    poke: set,
    store: set,
    exchange: set,
    add: (at: number, value: number): number => set(at, get(at) + value),
    compareExchange: (at: number, expected: number, next: number): number => {
      const old = get(at);
      if (old === (expected | 0)) set(at, next);
      return old;
    },
    registers,
    notify: () => {},
    now_ms: () => 1,
    wait: refuse,
    spin: refuse,
    allocateBytes: refuse,
    putBytes: refuse,
    takeBytes: refuse,
    moveBytes: refuse,
    note: refuse,
    claimThat: refuse,
    awaitEnd: refuse,
    awaitDeath: refuse,
    makeBuffer: refuse,
    holdsPattern: refuse,
  };
}

/** What a scenario makes its system with. */
export class System {
  readonly memory: Memory;
  /** The kernel's exports, run natively on this memory. */
  readonly native: Record<string, any>;
  readonly registers: Int32Array = new Int32Array(REGISTER_WORDS);
  readonly names: Map<number, string> = new Map();
  /** Windows are used in part only: between two of them there is room that nobody has. */
  hasSmallWindows = false;

  constructor(kernel: Kernel, threads: number, tasks: number, windows: number) {
    this.memory = new Memory(threads, tasks, windows);
    this.native = runNatively(kernel.text, nativeSeam(this.memory, this.registers));
    this.native['formatMemory'](threads, tasks, layoutHash());
  }

  peek(at: number): number {
    return this.memory.words[this.memory.cellOf(at)]!;
  }

  poke(at: number, value: number): void {
    this.memory.set(this.memory.cellOf(at), value);
  }

  /** A living task with a processor of its own: its id. The first is the main one, the others are its children. */
  task(chief = 0): number {
    const id = this.native['createTask'](chief, chief === 0 ? TASK_KIND_MAIN : TASK_KIND_WORKER, 0) as number;
    this.poke(taskAt(id & INDEX_MASK) + TASK_STATE, TASK_ALIVE);
    return id;
  }

  /** A thread of a task: its tcb. `window_bytes` of its window are used. `home`: it is multiplexed. */
  thread(name: string, task: number, window_bytes = 0, home = false): Tcb {
    const record = taskAt(task & INDEX_MASK);
    const processor = processorAt(this.peek(record + TASK_PROCESSOR));
    const id = this.native['createThread'](record, processor, home) as ThreadId;
    const tcb = tcbOf(id);
    this.names.set(id & INDEX_MASK, name);
    if (window_bytes > 0) {
      this.native['giveWindow'](tcb, false);
      this.poke(tcb + TCB_WINDOW_BYTES, window_bytes);
      if (window_bytes < WINDOW_SMALL_BYTES) this.hasSmallWindows = true;
    }
    return tcb;
  }

  /** Makes a thread the one in whose name the agent of its task takes locks. */
  callsFor(task: number, tcb: Tcb): void {
    this.poke(taskAt(task & INDEX_MASK) + TASK_CALLER, this.idOf(tcb));
  }

  /** Lets a thread wait for anybody. */
  openUp(tcb: Tcb): void {
    this.poke(tcb + TCB_STATE, open(this.idOf(tcb)));
  }

  /** The tcb of the thread with this name. */
  tcbOf(name: string): Tcb {
    return tcbOf([...this.names].find((entry) => entry[1] === name)![0]);
  }

  idOfTask(index: number): number {
    return this.peek(taskAt(index) + TASK_ID);
  }

  idOf(tcb: Tcb): ThreadId {
    return this.peek(tcb + TCB_ID) as ThreadId;
  }
}

/** What an agent says in the end. */
export interface Report {
  readonly killed: boolean;
  /** Results of its operations, by their number; an operation that ended twice is -1. */
  readonly results: ReadonlyMap<number, Result>;
  /** Words it served, in order. */
  readonly served: readonly number[];
  readonly isAtEnd: boolean;
}

/** What the check of a scenario sees. */
export interface End {
  of(agent: string): Report;
  /** Index of the thread with this name. */
  threadOf(name: string): number;
  peek(at: number): number;
}

export interface Scenario {
  readonly name: string;
  /** One line for the table. */
  readonly about: string;
  /** Highest indices, and windows. */
  readonly threads: number;
  readonly tasks?: number;
  readonly windows?: number;
  readonly kills?: number;
  /** Nobody is killed any more once one death was heard of: those that die, die together. */
  readonly together?: boolean;
  /** Slices that may end once an agent was killed, by whose death a wakeup may be lost. */
  readonly nets?: readonly number[];
  /** Records are given back while somebody may hold an id of theirs. */
  readonly reuses?: boolean;
  /** It is known to fail, so: a limit that CAVEATS states. The explorer must see it. */
  readonly fails?: RegExp;
  /** Bound in `npm test`; without one the search is complete. */
  readonly preemptions?: number;
  /** In `--all` only. */
  readonly deep?: boolean;
  build(system: System): readonly AgentPlan[];
  /** What is wrong at an end, beside what holds for all scenarios; null if nothing is. */
  check?(end: End): string | null;
}

function reportOf(world: World, number: number): Report {
  const agent = world.agents[number]!;
  const results = new Map<number, Result>();
  const served: number[] = [];
  for (let i = 0; i < agent.log.length; i += 3) {
    const [what, a, b] = agent.log.slice(i, i + 3) as [number, number, number];
    if (what === ENDED_WITH) results.set(a, results.has(a) ? -1 : b);
    if (what === SERVED) served.push(a);
  }
  return { killed: agent.status === KILLED, results, served, isAtEnd: agent.status === ENDED };
}

/** Worlds of a scenario, all alike, and the check of their ends. */
export function prepare(kernel: Kernel, scenario: Scenario): { makeWorld: () => World; checkEnd: EndCheck } {
  const { threads, tasks = 2, windows = 0 } = scenario;
  let native: Record<string, any> = {};
  let names: ReadonlyMap<number, string> = new Map();
  let hasSmallWindows = false;
  let agents: readonly AgentPlan[] = [];
  const makeWorld = (): World => {
    const system = new System(kernel, threads, tasks, windows);
    agents = scenario.build(system);
    native = system.native;
    names = system.names;
    hasSmallWindows = system.hasSmallWindows;
    const nameOf = (thread: number): string => system.names.get(thread) ?? `thread ${thread}`;
    const { kills = 0, nets = [], together = false } = scenario;
    const hints = scenario.reuses === true ? { ...HINTS, ...IDENTITY } : HINTS;
    const world = new World(system.memory, kernel.machine, { agents, kills, together, nets, claims, hints, nameOf });
    world.start();
    return world;
  };
  const checkEnd = (world: World): string | null => {
    // A dead thread whose record is not given back may have died in a transfer.
    const isDead = (thread: string): boolean => world.memory.words[world.memory.cellOf(tcbOf(Number(thread)))] === DEAD;
    const wrong = (native['verify']() as string[]).filter((one) => {
      if (hasSmallWindows && one.endsWith(' is lost')) return false;
      const match = /^thread (\d+) is in a long transfer$/.exec(one);
      return match === null || !isDead(match[1]!);
    });
    if (wrong.length > 0) return `verify: ${wrong.join('; ')}`;
    const of = (name: string): Report => {
      const number = agents.findIndex((plan) => plan.name === name);
      if (number < 0) throw new Error(`no agent is called ${name}`);
      return reportOf(world, number);
    };
    const threadOf = (name: string): number => [...names].find((entry) => entry[1] === name)![0];
    const end: End = { of, threadOf, peek: (at) => world.memory.words[world.memory.cellOf(at)]! };
    return scenario.check?.(end) ?? null;
  };
  return { makeWorld, checkEnd };
}

/** Runs one schedule and gives what happened, and what was wrong in the end if it was. */
export function replay(
  kernel: Kernel,
  scenario: Scenario,
  schedule: readonly number[],
): { events: Event[]; wrong: string | null } {
  const { makeWorld, checkEnd } = prepare(kernel, scenario);
  const world = makeWorld();
  const events: Event[] = [];
  world.onEvent = (event) => events.push(event);
  for (const choice of schedule) {
    if (!world.choices().includes(choice)) return { events, wrong: `choice ${choice} of the schedule is not possible` };
    world.apply(choice);
    if (world.wrong !== null) return { events, wrong: world.wrong };
  }
  if (world.choices().some((choice) => (choice & 3) !== 2)) return { events, wrong: null };
  const stuck = world.stuck();
  return { events, wrong: stuck.length > 0 ? stuck.join('; ') : checkEnd(world) };
}
