/**
 * A system under the explorer: its memory, its agents, what each may do next, and what that does.
 *
 * An agent stops before each operation that another agent could tell apart from later or earlier: the atomic ones,
 * sleeping and waking, and plain accesses to words in HINTS. All other plain accesses run on with the operation before
 * them, which loses nothing as long as nobody else touches the word meanwhile; that is what the data-race check is for:
 * no agent may touch a word that another has touched since that one's last stop, unless both only read.
 *
 * Choices of the scheduler beside "this agent goes on": a sleep with a timeout ends by it; an agent that has a deadline
 * finds that it was late; an agent is killed, before any of its writes. Slices of a sleep that are a net under lost
 * wakeups never end, so that a lost wakeup is seen.
 */
import { KIND_MASK, LOCK, PARKED, POLL, RUN, TCB_STATE, TCB_WORDS, WAIT } from '../../src/layout/tcb.ts';
import { ANY_INDEX, INDEX_MASK, LISTEN_SLICE_ms, PARK_SLICE_ms } from '../../src/layout/params.ts';
import { Agent, ASLEEP, ENDED, KILLED, READY, WOKEN } from './agent.ts';
import { type Machine, operations } from './compile.ts';
import { type Memory, mix } from './memory.ts';

/** A sleeper on a lock looks again after this long (kernel/queue.ts). */
export const LOCK_SLICE_ms = 2;
const SLICES_ms: readonly number[] = [LOCK_SLICE_ms, LISTEN_SLICE_ms, PARK_SLICE_ms];

/** Fields of which plain accesses may meet another agent's, each with the reason why that is right. */
export const HINTS: Readonly<Record<string, string>> = {
  TCB_STATE: 'its owner writes it plainly while it runs: no claim expects RUN, and the publication behind it orders it',
  TCB_QUEUE_FIRST: 'a look without the lock; who acts on it looks again, by an atomic load or under the lock',
  TCB_BELL: 'a ring too many is harmless; who sets a bell does so before its parked bit, which every ringer has seen',
  TCB_POLL_TARGET: 'read before the claim: whoever polls anew meanwhile stands in its queue with another entry',
};

const stale = 'read by who holds an id that may be stale: whatever it acts on is claimed with the generation of the id';
/** The same for scenarios in which a record is given back while somebody still has its id. */
export const IDENTITY: Readonly<Record<string, string>> = {
  TCB_ID: stale,
  TCB_TASK: stale,
  TCB_CHIEF: stale,
  TCB_HOME: stale,
  TCB_TAKEN: stale,
  TCB_PROCESSOR: stale,
};

/** What the scheduler may do with an agent. */
export const STEP = 0;
export const TIME_OUT = 1;
export const KILL = 2;
export const LATE = 3;
/** The same as letters behind the agent's number in a schedule. */
export const LETTERS = ['', 't', 'k', 'l'] as const;

const numbers = Object.fromEntries(operations.map((name, i) => [name, i])) as Record<string, number>;
const {
  load: LOAD,
  store: STORE,
  compareExchange: COMPARE_EXCHANGE,
  exchange: EXCHANGE,
  add: ADD,
  peek: PEEK,
  poke: POKE,
  spin: SPIN,
  putBytes: PUT_BYTES,
  takeBytes: TAKE_BYTES,
  moveBytes: MOVE_BYTES,
  allocateBytes: ALLOCATE_BYTES,
  wait: WAIT_ON,
  notify: NOTIFY,
  now_ms: NOW,
  note: NOTE,
  claimThat: CLAIM_THAT,
  awaitEnd: AWAIT_END,
  awaitDeath: AWAIT_DEATH,
  makeBuffer: MAKE_BUFFER,
  holdsPattern: HOLDS_PATTERN,
} = numbers as Record<string, number>;

const LATE_ms = 1_000_000;

export interface AgentPlan {
  readonly name: string;
  /** Function of programs.ts, and its arguments. */
  readonly program: string;
  readonly args: readonly (number | boolean)[];
  /** It may be killed, before any of its writes. */
  readonly killable?: boolean;
  /** In the end it may still wait: a server that has nothing to do. */
  readonly rests?: boolean;
  /** It may find, once, that its deadline is over although nobody woke it late. */
  readonly stalls?: boolean;
}

export interface WorldPlan {
  readonly agents: readonly AgentPlan[];
  readonly kills: number;
  /** Nobody is killed any more once one death was heard of. */
  readonly together: boolean;
  /** Slices that may end once an agent was killed, by whose death a wakeup may be lost. */
  readonly nets: readonly number[];
  readonly claims: readonly string[];
  readonly hints: Readonly<Record<string, string>>;
  readonly nameOf: (thread: number) => string;
}

/** One thing that happened, for the trace. */
export interface Event {
  readonly agent: string;
  readonly where: readonly string[];
  readonly text: string;
}

/** Bytes that repeat at no power of two. */
export const patternByte = (i: number, seed: number): number => (i * 7 + (i >> 8) * 13 + seed) & 0xff;

export class World {
  readonly memory: Memory;
  readonly plan: WorldPlan;
  agents: Agent[];
  killsLeft: number;
  /** Why the system is wrong; null while it is not. */
  wrong: string | null = null;
  /** When set, everything that happens is told. */
  onEvent: ((event: Event) => void) | null = null;
  private readonly isHint: Uint8Array;

  constructor(memory: Memory, machine: Machine, plan: WorldPlan) {
    this.memory = memory;
    this.plan = plan;
    this.killsLeft = plan.kills;
    this.isHint = Uint8Array.from(memory.words, (_, cell) => (memory.fieldOf(cell) in plan.hints ? 1 : 0));
    this.agents = plan.agents.map(({ program, args }, number) => {
      const agent = new Agent(machine, number, null);
      agent.begin(program, args);
      return agent;
    });
    memory.undoLength = 0;
  }

  /** Brings each agent to its first stop. */
  start(): void {
    for (const agent of this.agents) this.settle(agent);
  }

  /** The choices there are, each agent * 4 + what. Empty: nothing will ever happen again. */
  choices(): number[] {
    const found: number[] = [];
    for (const [i, agent] of this.agents.entries()) {
      const { status } = agent;
      const plan = this.plan.agents[i]!;
      if (status === ENDED || status === KILLED) continue;
      if (status === WOKEN || (status === READY && this.canStep(agent))) found.push(i * 4 + STEP);
      if (status === ASLEEP && !SLICES_ms.includes(agent.c)) found.push(i * 4 + TIME_OUT);
      if (status === READY && agent.operation === NOW && this.mayBeLate(agent)) found.push(i * 4 + LATE);
      if (this.killsLeft > 0 && plan.killable === true && this.isKillPoint(agent)) found.push(i * 4 + KILL);
    }
    if (this.killsLeft < this.plan.kills) {
      for (const [i, agent] of this.agents.entries()) {
        if (agent.status === ASLEEP && this.plan.nets.includes(agent.c)) found.push(i * 4 + TIME_OUT);
      }
    }
    return found;
  }

  private canStep(agent: Agent): boolean {
    if (agent.operation === AWAIT_DEATH) return this.deathsOf(agent) !== 0;
    if (agent.operation !== AWAIT_END) return true;
    const { status } = this.agents[agent.a]!;
    return status === ENDED || status === KILLED;
  }

  /** Which of the two agents that it means were killed. */
  private deathsOf({ a, b, c }: Agent): number {
    const isKilled = (number: number): boolean => this.agents[number]!.status === KILLED;
    return ((isKilled(a) ? 1 : 0) | (isKilled(b) ? 2 : 0)) & c;
  }

  private mayBeLate(agent: Agent): boolean {
    return this.plan.agents[agent.number]!.stalls === true && agent.time_ms < LATE_ms;
  }

  /** Before a write. To be killed before a read is the same as before the write that follows. */
  private isKillPoint(agent: Agent): boolean {
    switch (agent.operation) {
      case LOAD:
      case PEEK:
      case SPIN:
      case NOW:
        return false;
      default:
        return true;
    }
  }

  /** Performs a choice. */
  apply(choice: number): void {
    const agent = this.own(choice >> 2);
    const what = choice & 3;
    if (what === KILL) {
      this.tell(agent, 'is killed');
      agent.die();
      this.killsLeft--;
      agent.updateHash();
      return;
    }
    agent.plain = [];
    if (what === TIME_OUT) {
      if (!SLICES_ms.includes(agent.c)) agent.time_ms += agent.c;
      this.wakeUp(agent, true);
    } else if (agent.status === WOKEN) this.wakeUp(agent, false);
    else {
      if (what === LATE) agent.time_ms += LATE_ms;
      this.perform(agent);
      if (agent.status === ASLEEP) {
        agent.updateHash();
        return;
      }
    }
    this.settle(agent);
  }

  /** The agent, as a copy that may be changed. */
  private own(number: number): Agent {
    const agent = this.agents[number]!.copy();
    this.agents[number] = agent;
    return agent;
  }

  private wakeUp(agent: Agent, timedOut: boolean): void {
    this.tell(agent, timedOut ? 'wait → timed out' : 'wait → notified');
    agent.status = READY;
    agent.sleepsAt = 0;
    agent.result = timedOut;
  }

  /** Runs on from an operation that was performed to the next one that is a stop. */
  private settle(agent: Agent): void {
    for (;;) {
      agent.run();
      if (agent.status === ENDED || this.wrong !== null || this.isStop(agent)) break;
      this.perform(agent);
    }
    agent.updateHash();
  }

  private isStop(agent: Agent): boolean {
    const killable = this.plan.agents[agent.number]!.killable === true && this.killsLeft > 0;
    switch (agent.operation) {
      case PEEK:
        return this.isHint[this.memory.cellOf(agent.a)] === 1;
      case POKE: {
        const cell = this.memory.cellOf(agent.a);
        return this.isHint[cell] === 1 || (killable && this.memory.isCounter[cell] === 0);
      }
      case PUT_BYTES:
      case MOVE_BYTES:
        return killable;
      case NOW:
        return this.mayBeLate(agent);
      case TAKE_BYTES:
      case ALLOCATE_BYTES:
      case NOTE:
      case CLAIM_THAT:
      case MAKE_BUFFER:
      case HOLDS_PATTERN:
        return false;
      default:
        return true;
    }
  }

  private fail(agent: Agent, reason: string): void {
    this.wrong ??= `${this.plan.agents[agent.number]!.name}: ${reason}`;
  }

  /** An access to a cell, against what others touched since they stopped last. */
  private access(agent: Agent, cell: number, writes: boolean, plain: boolean): void {
    if (this.isHint[cell] === 1) return;
    for (const other of this.agents) {
      if (other === agent || other.number === agent.number) continue;
      for (const touched of other.plain) {
        if (touched >> 1 !== cell || !(writes || (touched & 1) === 1)) continue;
        const [mine, theirs] = [writes ? 'writes' : 'reads', (touched & 1) === 1 ? 'written' : 'read'];
        const name = this.memory.describe(cell, this.plan.nameOf);
        const by = this.plan.agents[other.number]!.name;
        this.fail(agent, `data race: ${mine} ${name}, which ${by} has ${theirs} with nothing between to order the two`);
      }
    }
    if (!plain) return;
    const entry = cell * 2 + (writes ? 1 : 0);
    if (!agent.plain.includes(entry)) agent.plain.push(entry);
  }

  private perform(agent: Agent): void {
    const { memory } = this;
    const { operation, a, b, c, d } = agent;
    switch (operation) {
      case LOAD:
      case SPIN: {
        const cell = memory.cellOf(a);
        this.access(agent, cell, false, false);
        const seen = memory.words[cell]!;
        agent.result = operation === SPIN ? Number(seen === b) : seen;
        break;
      }
      case PEEK: {
        const cell = memory.cellOf(a);
        this.access(agent, cell, false, true);
        agent.result = memory.words[cell]!;
        break;
      }
      case POKE: {
        const cell = memory.cellOf(a);
        this.access(agent, cell, true, true);
        memory.set(cell, b);
        break;
      }
      case STORE:
      case EXCHANGE:
      case ADD: {
        const cell = memory.cellOf(a);
        this.access(agent, cell, true, false);
        agent.result = memory.words[cell]!;
        memory.set(cell, operation === ADD ? agent.result + b : b);
        break;
      }
      case COMPARE_EXCHANGE: {
        const cell = memory.cellOf(a);
        this.access(agent, cell, true, false);
        agent.result = memory.words[cell]!;
        if (agent.result === (b | 0)) memory.set(cell, c);
        break;
      }
      case WAIT_ON: {
        const cell = memory.cellOf(a);
        this.access(agent, cell, false, false);
        if (memory.words[cell]! === (b | 0)) {
          agent.status = ASLEEP;
          agent.sleepsAt = a;
        } else agent.result = false;
        break;
      }
      case NOTIFY:
        this.notify(a);
        break;
      default:
        this.performPrivate(agent);
    }
    if (this.onEvent !== null) this.tell(agent, this.textOf(operation, a, b, c, d, agent));
  }

  private notify(at: number): void {
    for (const [i, other] of this.agents.entries()) {
      if (other.status !== ASLEEP || other.sleepsAt !== at) continue;
      const woken = this.own(i);
      woken.status = WOKEN;
      woken.updateHash();
    }
  }

  /** Copies, private buffers, the clock, and what programs say to the explorer. */
  private performPrivate(agent: Agent): void {
    const { operation, a, b, c, d } = agent;
    switch (operation) {
      case PUT_BYTES:
        for (let i = 0; i < d; i++) this.putByte(agent, a + i, agent.buffers[b]![c + i]!);
        break;
      case TAKE_BYTES: {
        const bytes = agent.buffers[b]!.slice();
        for (let i = 0; i < d; i++) bytes[c + i] = this.takeByte(agent, a + i);
        agent.buffers = agent.buffers.with(b, bytes);
        break;
      }
      case MOVE_BYTES:
        for (let i = 0; i < c; i++) this.putByte(agent, a + i, this.takeByte(agent, b + i));
        break;
      case ALLOCATE_BYTES:
      case MAKE_BUFFER:
        agent.result = agent.buffers.length;
        agent.buffers = [
          ...agent.buffers,
          Uint8Array.from({ length: a }, (_, i) => (operation === MAKE_BUFFER ? patternByte(i, b) : 0)),
        ];
        break;
      case HOLDS_PATTERN:
        agent.result = agent.buffers[a]!.subarray(0, b).every((byte, i) => byte === patternByte(i, c));
        break;
      case NOW:
        agent.result = agent.time_ms;
        break;
      case NOTE:
        agent.log = [...agent.log, a | 0, b | 0, c | 0];
        break;
      case CLAIM_THAT:
        if (a === false) this.fail(agent, this.plan.claims[b] ?? `claim ${b} does not hold`);
        break;
      case AWAIT_DEATH:
        agent.result = this.deathsOf(agent);
        if (this.plan.together) this.killsLeft = 0;
        break;
      case AWAIT_END:
        agent.result = this.agents[a]!.status === KILLED;
        break;
      default:
        throw new Error(`operation ${operations[operation]} is unknown`);
    }
  }

  private putByte(agent: Agent, at: number, value: number): void {
    const index = this.memory.byteOf(at);
    this.access(agent, index >> 2, true, true);
    this.memory.setByte(index, value);
  }

  private takeByte(agent: Agent, at: number): number {
    const index = this.memory.byteOf(at);
    this.access(agent, index >> 2, false, true);
    return this.memory.bytes[index]!;
  }

  /** Two halves of a hash of the whole system. */
  key(): [number, number] {
    let low = this.memory.low ^ mix(this.killsLeft, 5);
    let { high } = this.memory;
    for (const agent of this.agents) {
      low = (low + agent.low) | 0;
      high = (high + agent.high) | 0;
    }
    return [low, high];
  }

  /** Agents that will never run again and should have: each with the function in which it sleeps. */
  stuck(): string[] {
    return this.agents
      .filter(({ status, number }) => {
        return status !== ENDED && status !== KILLED && this.plan.agents[number]!.rests !== true;
      })
      .map((agent) => `${this.plan.agents[agent.number]!.name} sleeps for ever in ${agent.where().join(' > ')}`);
  }

  // Words for a reader.

  private tell(agent: Agent, text: string): void {
    this.onEvent?.({ agent: this.plan.agents[agent.number]!.name, where: agent.where(), text });
  }

  private textOf(operation: number, a: any, b: any, c: any, d: any, agent: Agent): string {
    const name = operations[operation]!;
    const at = (word: number): string => this.memory.describe(this.memory.cellOf(word), this.plan.nameOf);
    const value = (word: number, v: any): string => this.valueOf(word, v);
    switch (operation) {
      case LOAD:
      case PEEK:
        return `${name} ${at(a)} → ${value(a, agent.result)}`;
      case SPIN:
        return `spin ${at(a)} for ${value(a, b)} → ${agent.result}`;
      case STORE:
      case POKE:
        return `${name} ${at(a)} = ${value(a, b)}`;
      case EXCHANGE:
      case ADD:
        return `${name} ${at(a)} ${value(a, b)} → was ${value(a, agent.result)}`;
      case COMPARE_EXCHANGE: {
        const outcome = agent.result === (b | 0) ? 'done' : `it is ${value(a, agent.result)}`;
        return `compareExchange ${at(a)} ${value(a, b)} → ${value(a, c)}: ${outcome}`;
      }
      case WAIT_ON:
        return `wait on ${at(a)} = ${value(a, b)}${agent.status === ASLEEP ? ': sleeps' : ': it has changed'}`;
      case NOTIFY:
        return `notify ${at(a)}`;
      default:
        return `${name} ${[a, b, c, d].join(' ')} → ${agent.result}`;
    }
  }

  /** A state word in words, any other as a number. */
  private valueOf(at: number, value: number): string {
    const cell = this.memory.cellOf(at);
    if (this.memory.fieldOf(cell) !== 'TCB_STATE' || (at - 1024) % TCB_WORDS !== TCB_STATE) return String(value);
    if ((value | 0) === 0) return 'DEAD';
    const kinds: Record<number, string> = { [RUN]: 'RUN', [WAIT]: 'WAIT for', [LOCK]: 'LOCK by', [POLL]: 'POLL for' };
    const kind = value & KIND_MASK;
    const index = value & INDEX_MASK;
    const partner = kind === RUN ? '' : index === ANY_INDEX ? ' anybody' : ` ${this.plan.nameOf(index)}`;
    return `${kinds[kind] ?? kind}${partner}${(value & PARKED) !== 0 ? '|PARKED' : ''}`;
  }
}
