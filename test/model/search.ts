/**
 * The search through all that the scheduler may choose: depth first over states, each visited once, complete unless a
 * limit says otherwise; bounded by preemptions; or at random with a seed.
 *
 * Two states are the same when their hash of 64 bits is. Among n states two different ones share a hash with a
 * probability of about n²/2⁶⁵: 10⁻⁵ for twenty million.
 */
import { LETTERS, type World } from './world.ts';

export interface Limits {
  /** Switches away from an agent that could go on. */
  readonly preemptions?: number;
  readonly states?: number;
  readonly ms?: number;
}

export interface Outcome {
  /** All states within the bound were visited. */
  readonly complete: boolean;
  readonly states: number;
  readonly transitions: number;
  /** Distinct states in which nothing can happen any more. */
  readonly ends: number;
  readonly depth: number;
  readonly ms: number;
  readonly failure: Failure | null;
}

export interface Failure {
  readonly reason: string;
  readonly schedule: string;
}

/** Says what is wrong at an end, null if nothing is. */
export type EndCheck = (world: World) => string | null;

/** States seen: open addressing over two halves of a hash, with a number each. */
class Seen {
  private low = new Int32Array(1 << 16);
  private high = new Int32Array(1 << 16);
  /** 1 + least preemptions with which the state was reached; 0 for a free place. */
  private cost = new Uint8Array(1 << 16);
  private numbers = new Int32Array(1 << 16);
  count = 0;

  /** The state's number if it is to be visited now; -1 - number if it was with as few preemptions. */
  visit(low: number, high: number, preemptions: number): number {
    if (this.count * 2 > this.low.length) this.grow();
    const at = this.find(low, high);
    if (this.cost[at] === 0) {
      this.low[at] = low;
      this.high[at] = high;
      this.numbers[at] = this.count++;
      this.cost[at] = preemptions + 1;
      return this.numbers[at]!;
    }
    if (this.cost[at]! <= preemptions + 1) return -1 - this.numbers[at]!;
    this.cost[at] = preemptions + 1;
    return this.numbers[at]!;
  }

  private find(low: number, high: number): number {
    const mask = this.low.length - 1;
    for (let at = (low ^ Math.imul(high, 0x9e3779b9)) & mask; ; at = (at + 1) & mask) {
      if (this.cost[at] === 0 || (this.low[at] === low && this.high[at] === high)) return at;
    }
  }

  private grow(): void {
    const { low, high, cost, numbers } = this;
    this.low = new Int32Array(low.length * 2);
    this.high = new Int32Array(this.low.length);
    this.cost = new Uint8Array(this.low.length);
    this.numbers = new Int32Array(this.low.length);
    for (let i = 0; i < low.length; i++) {
      if (cost[i] === 0) continue;
      const at = this.find(low[i]!, high[i]!);
      this.low[at] = low[i]!;
      this.high[at] = high[i]!;
      this.cost[at] = cost[i]!;
      this.numbers[at] = numbers[i]!;
    }
  }
}

/** Pairs of state numbers, from and to. */
class Edges {
  private pairs = new Int32Array(1 << 16);
  length = 0;

  add(from: number, to: number): void {
    if (this.length + 2 > this.pairs.length) {
      const more = new Int32Array(this.pairs.length * 2);
      more.set(this.pairs);
      this.pairs = more;
    }
    this.pairs[this.length++] = from;
    this.pairs[this.length++] = to;
  }

  /** A state from which none of `ends` can be reached, -1 if there is none. */
  deadEnd(states: number, ends: readonly number[]): number {
    const starts = new Int32Array(states + 1);
    for (let i = 1; i < this.length; i += 2) starts[this.pairs[i]! + 1]!++;
    for (let i = 0; i < states; i++) starts[i + 1]! += starts[i]!;
    const fill = starts.slice();
    const sources = new Int32Array(this.length / 2);
    for (let i = 0; i < this.length; i += 2) sources[fill[this.pairs[i + 1]!]!++] = this.pairs[i]!;
    const reaches = new Uint8Array(states);
    const left = [...ends];
    for (const end of ends) reaches[end] = 1;
    for (let state = left.pop(); state !== undefined; state = left.pop()) {
      for (let i = starts[state]!; i < starts[state + 1]!; i++) {
        const source = sources[i]!;
        if (reaches[source] === 0) {
          reaches[source] = 1;
          left.push(source);
        }
      }
    }
    return reaches.indexOf(0);
  }
}

interface Frame {
  readonly agents: World['agents'];
  readonly killsLeft: number;
  readonly undoLength: number;
  readonly choices: readonly number[];
  next: number;
  readonly number: number;
  readonly last: number;
  readonly preemptions: number;
}

/** A schedule as text: agent and letter of each choice, repeated ones counted. */
export function scheduleText(choices: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < choices.length;) {
    let count = 1;
    while (choices[i + count] === choices[i]) count++;
    parts.push(`${choices[i]! >> 2}${LETTERS[choices[i]! & 3]}${count > 1 ? `*${count}` : ''}`);
    i += count;
  }
  return parts.join('.');
}

export function parseSchedule(text: string): number[] {
  const choices: number[] = [];
  for (const part of text.split('.').filter((one) => one !== '')) {
    const match = /^(\d+)([tkl]?)(?:\*(\d+))?$/.exec(part);
    if (match === null) throw new Error(`'${part}' is no part of a schedule`);
    const choice = Number(match[1]) * 4 + LETTERS.indexOf(match[2] as (typeof LETTERS)[number]);
    for (let i = Number(match[3] ?? 1); i > 0; i--) choices.push(choice);
  }
  return choices;
}

class Search {
  private readonly world: World;
  private readonly checkEnd: EndCheck;
  private readonly limits: Limits;
  private readonly began_ms: number = performance.now();
  private readonly frames: Frame[] = [];
  private readonly path: number[] = [];
  private readonly seen: Seen = new Seen();
  private readonly edges: Edges = new Edges();
  private readonly ends: number[] = [];
  /** State that each state was first reached from, and by what choice. */
  private readonly parents: number[] = [];
  private readonly by: number[] = [];
  private transitions = 0;
  private depth = 0;
  private complete = true;
  private failure: Failure | null = null;

  constructor(world: World, checkEnd: EndCheck, limits: Limits) {
    this.world = world;
    this.checkEnd = checkEnd;
    this.limits = limits;
  }

  run(): Outcome {
    this.arrive(-1, 0);
    while (this.frames.length > 0 && this.failure === null) {
      const frame = this.frames.at(-1)!;
      if (frame.next === frame.choices.length || this.isOver()) this.leave();
      else this.take(frame, frame.choices[frame.next++]!);
    }
    if (this.failure === null && this.complete && this.limits.preemptions === undefined) this.findLivelock();
    return {
      complete: this.complete,
      states: this.seen.count,
      transitions: this.transitions,
      ends: this.ends.length,
      depth: this.depth,
      ms: performance.now() - this.began_ms,
      failure: this.failure,
    };
  }

  private isOver(): boolean {
    if (!this.complete) return true;
    const { states, ms } = this.limits;
    const late = ms !== undefined && (this.transitions & 0xfff) === 0 && performance.now() - this.began_ms > ms;
    if (late || (states !== undefined && this.seen.count >= states)) this.complete = false;
    return !this.complete;
  }

  private take(frame: Frame, choice: number): void {
    const { world } = this;
    const costs = this.isPreemption(frame, choice);
    const preemptions = frame.preemptions + (costs ? 1 : 0);
    if (this.limits.preemptions !== undefined && preemptions > this.limits.preemptions) return;
    world.agents = frame.agents.slice();
    world.killsLeft = frame.killsLeft;
    world.memory.undoTo(frame.undoLength);
    this.path.push(choice);
    this.transitions++;
    try {
      world.apply(choice);
    } catch (error) {
      world.wrong ??= `${String(error)}`;
    }
    if (world.wrong !== null) this.fail(world.wrong);
    else this.arrive(choice >> 2, preemptions);
  }

  private isPreemption(frame: Frame, choice: number): boolean {
    const { last } = frame;
    if (last < 0 || choice >> 2 === last || (choice & 3) === 2) return false;
    return frame.choices.includes(last * 4);
  }

  /** In a state: visits it, unless that was done. */
  private arrive(last: number, preemptions: number): void {
    const { world, limits } = this;
    const bounded = limits.preemptions !== undefined;
    const [low, high] = world.key();
    const number = this.seen.visit(
      bounded ? (low + Math.imul(last + 1, 0x3c6ef35f)) | 0 : low,
      high,
      bounded ? preemptions : 0,
    );
    const from = this.frames.at(-1)?.number;
    if (!bounded && from !== undefined) this.edges.add(from, number < 0 ? -1 - number : number);
    if (number < 0) {
      this.path.pop();
      return;
    }
    this.parents[number] = from ?? -1;
    this.by[number] = this.path.at(-1) ?? -1;
    const choices = world.choices();
    if (!choices.some((choice) => (choice & 3) !== 2)) this.end(number);
    this.frames.push({
      agents: world.agents.slice(),
      killsLeft: world.killsLeft,
      undoLength: world.memory.undoLength,
      choices,
      next: 0,
      number,
      last,
      preemptions,
    });
    this.depth = Math.max(this.depth, this.frames.length);
  }

  private end(number: number): void {
    this.ends.push(number);
    const stuck = this.world.stuck();
    const wrong = stuck.length > 0 ? stuck.join('; ') : this.checkEnd(this.world);
    if (wrong !== null) this.fail(wrong);
  }

  private leave(): void {
    this.frames.pop();
    this.path.pop();
  }

  private fail(reason: string): void {
    this.failure = { reason, schedule: scheduleText(this.path) };
  }

  /** A state from which no end can be reached: the agents run for ever and get nowhere. */
  private findLivelock(): void {
    const state = this.edges.deadEnd(this.seen.count, this.ends);
    if (state < 0) return;
    const choices: number[] = [];
    for (let at = state; this.parents[at]! >= 0; at = this.parents[at]!) choices.unshift(this.by[at]!);
    this.failure = { reason: 'from here on nothing ends any more: a livelock', schedule: scheduleText(choices) };
  }
}

/** Visits every state there is, within the limits. */
export function explore(makeWorld: () => World, checkEnd: EndCheck, limits: Limits = {}): Outcome {
  return new Search(makeWorld(), checkEnd, limits).run();
}

/** A small generator of random numbers below 2^32, the same for the same seed everywhere. */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
}

/** Runs `runs` schedules at random: an agent goes on until a change of mind, which comes about every tenth choice. */
export function walk(
  makeWorld: () => World,
  checkEnd: EndCheck,
  seed: number,
  runs: number,
  steps_max = 20_000,
): Outcome {
  const began_ms = performance.now();
  const random = randomFrom(seed);
  let transitions = 0;
  let depth = 0;
  const world = makeWorld();
  const { agents, killsLeft } = world;
  for (let run = 0; run < runs; run++) {
    world.agents = agents.slice();
    world.killsLeft = killsLeft;
    world.memory.undoTo(0);
    const path: number[] = [];
    let last = -1;
    for (;;) {
      const choices = world.choices();
      const wrong = endOf(world, choices, checkEnd) ?? (path.length > steps_max ? 'it does not end' : null);
      if (wrong !== null && wrong !== '') {
        const failure = { reason: wrong, schedule: scheduleText(path) };
        return { complete: false, states: 0, transitions, ends: run, depth, ms: performance.now() - began_ms, failure };
      }
      if (wrong === '') break;
      const goesOn = random() % 10 !== 0 && choices.includes(last * 4);
      const choice = goesOn ? last * 4 : choices[random() % choices.length]!;
      last = choice >> 2;
      path.push(choice);
      transitions++;
      world.apply(choice);
    }
    depth = Math.max(depth, path.length);
  }
  return {
    complete: false,
    states: 0,
    transitions,
    ends: runs,
    depth,
    ms: performance.now() - began_ms,
    failure: null,
  };
}

/** What is wrong, '' when the run is at its end and nothing is, null when it goes on. */
function endOf(world: World, choices: readonly number[], checkEnd: EndCheck): string | null {
  if (world.wrong !== null) return world.wrong;
  if (choices.some((choice) => (choice & 3) !== 2)) return null;
  const stuck = world.stuck();
  return stuck.length > 0 ? stuck.join('; ') : (checkEnd(world) ?? '');
}

/** The failure again with as few preemptions as it takes: what a reader can follow. */
export function simplest(
  makeWorld: () => World,
  checkEnd: EndCheck,
  { most = 8, ...limits }: Limits & { readonly most?: number },
): Failure | null {
  for (let preemptions = 0; preemptions <= most; preemptions++) {
    const { failure, complete } = explore(makeWorld, checkEnd, { ...limits, preemptions });
    if (failure !== null) return failure;
    if (!complete) return null;
  }
  return null;
}
