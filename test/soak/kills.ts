/**
 * A loaded system of eight tasks, whose members are killed at random in every way there is, and come again. At the end
 * every call has exactly one outcome, none was executed twice, kernel memory is clean, and nothing is left that was not
 * there before.
 *
 *     node test/soak/kills.ts [KILLS [SEED]]
 *
 * Progress goes to stderr; stdout gets one JSON document. Exit code 1 when anything is wrong. The seed says who is
 * killed and how; what they are doing then is up to the machine.
 */
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { boot, type System, type Task } from '../../src/index.ts';
import { takeSnapshot } from '../../src/inspect/snapshot.ts';
import type { ThreadView } from '../../src/inspect/snapshot.ts';
import { waitText } from '../../src/inspect/table.ts';
import { chainsIn } from '../../src/inspect/waits.ts';
import { verify } from '../../src/kernel/verify.ts';
import { WINDOWS_START } from '../../src/kernel/window.ts';
import { HEADER_WINDOW_FREE_LARGE, HEADER_WINDOW_FREE_SMALL, HEADER_WINDOW_NEXT } from '../../src/layout/map.ts';
import { WINDOW_BYTES, WINDOW_SMALL_BYTES } from '../../src/layout/params.ts';
import { peek } from '../../src/platform/atomics.ts';
import { countTasks, countThreads } from '../support/records.ts';
import {
  type Account,
  account,
  answerOf,
  begin,
  bytesFor,
  clear,
  drawCall,
  end,
  isWhole,
  openCalls,
  stop,
} from './ledger.ts';

const MEMBERS = 8;
/** Members with a spare, which can be replaced. A call of those that times out kills. */
const REPLACEABLE = 3;
/** Number of a local task in the main thread, which all may call; nobody kills it. */
const LOCAL = MEMBERS;
/** Of the other members, how many one calls. */
const CALLEES_MAX = 4;
/** Members under fire at a time. */
const KILLERS = 2;
/** The longest peace between two kills by one killer. */
const PEACE_ms = 60;
const TIMEOUT_ms = 30;
const MAIN_IN_FLIGHT = 16;
/** For the last calls to end, and for the threads of the operating system. */
const QUIET_ms = 60_000;

/** Ends of a member's own making, after which the supervisor starts it again. */
const SUICIDES = ['exit', 'throwLater', 'reject', 'hoard'] as const;
type Way = (typeof SUICIDES)[number] | 'kill' | 'killSpinning' | 'timeout';
/** How often each is taken, beside the others. */
const WAYS: readonly (readonly [Way, number])[] = [
  ['kill', 8],
  ['killSpinning', 4],
  ['timeout', 6],
  ['exit', 4],
  ['throwLater', 2],
  ['reject', 2],
  ['hoard', 1],
];

export interface Report extends Account {
  readonly seed: number;
  readonly seconds: number;
  readonly kills: Record<string, number>;
  /** Incarnations of members after the first of each. */
  readonly restarts: number;
  /** What `verify` found at the end. */
  readonly verified: readonly string[];
}

/** Whole numbers below a bound, the same for the same seed (mulberry32). */
function randomFrom(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}

const codeOf = (error: unknown): string => (error as { code?: string }).code ?? String(error);

/** The system under fire. */
class Field {
  readonly kills: Record<string, number> = {};
  readonly problems: string[] = [];
  private readonly system: System;
  private readonly random: (bound: number) => number;
  /** Says who calls whom, apart from who is killed. */
  private readonly draw: (bound: number) => number;
  private readonly tasks: Task[] = [];
  private local: Task | null = null;
  /** Members that somebody is about to kill. */
  private readonly targets = new Set<number>();
  private inFlight = 0;
  private isLoading = true;
  private left: number;

  constructor(system: System, seed: number, kills: number) {
    this.system = system;
    this.random = randomFrom(seed);
    this.draw = randomFrom(~seed);
    this.left = kills;
  }

  private async spawn(number: number): Promise<void> {
    const task = await this.system.spawn(new URL('./fixtures/member.ts', import.meta.url), {
      name: `member-${number}`,
      restart: 'on-failure',
      resourceLimits: { maxOldGenerationSizeMb: 40 },
      ...(number < REPLACEABLE ? { onTimeout: 'kill' } : {}),
    });
    this.tasks[number] = task;
    await this.join(number);
  }

  /** The number of the present incarnation as a caller. One that dies before it answers has a successor. */
  private async join(number: number): Promise<number> {
    for (;;) {
      try {
        return (await this.tasks[number]!.async['join']!(number, this.drawCallees(number), REPLACEABLE)) as number;
      } catch (error) {
        if (codeOf(error) !== 'ERR_IPC_PEER_GONE' || !this.tasks[number]!.alive) throw error;
      }
    }
  }

  /** Whom an incarnation of this member calls: some of the others, and now and then the local task. */
  private drawCallees(number: number): number[] {
    const others = Array.from({ length: MEMBERS }, (_, other) => other).filter((other) => other !== number);
    const callees = Array.from({ length: 1 + this.draw(CALLEES_MAX) }, () => others[this.draw(others.length)]!);
    return this.draw(2) === 0 ? callees : [...callees, LOCAL];
  }

  async start(): Promise<void> {
    const url = new URL('./fixtures/member.ts', import.meta.url);
    this.local = await this.system.spawn(url, { kind: 'local', name: `member-${LOCAL}` });
    for (let number = 0; number < MEMBERS; number++) await this.spawn(number);
  }

  private async callOne(): Promise<void> {
    const number = Math.floor(Math.random() * MEMBERS);
    const { size, timeout_ms, abortAfter_ms } = drawCall();
    const call = begin(0);
    this.inFlight++;
    try {
      const { async: stubs } = this.tasks[number]!.with({
        ...(timeout_ms > 0 && number >= REPLACEABLE ? { timeout: timeout_ms } : {}),
        ...(abortAfter_ms >= 0 ? { signal: AbortSignal.timeout(abortAfter_ms) } : {}),
      });
      const bytes = size > 0 ? bytesFor(call, size) : null;
      const answer: unknown = await (bytes === null ? stubs['serve']!(call) : stubs['echo']!(call, bytes));
      end(call, (bytes === null ? answer === answerOf(call) : isWhole(answer, bytes)) ? 'answer' : 'other');
    } catch (error) {
      end(call, codeOf(error));
    } finally {
      this.inFlight--;
    }
  }

  /** Calls of the main thread, beside those of the members. */
  async load(): Promise<void> {
    while (this.isLoading) {
      while (this.inFlight < MAIN_IN_FLIGHT) void this.callOne();
      await sleep(1);
    }
  }

  private choose(): { number: number; way: Way } {
    let number = this.random(MEMBERS);
    while (this.targets.has(number)) number = this.random(MEMBERS);
    let at = this.random(WAYS.reduce((sum, [, weight]) => sum + weight, 0));
    const [way] = WAYS.find(([, weight]) => (at -= weight) < 0)!;
    return { number, way: way === 'timeout' && number >= REPLACEABLE ? 'kill' : way };
  }

  /** Kills one after another, and sees to it that they are there again. */
  async kill(say: (line: string) => void, end_ms: number): Promise<void> {
    while (this.left > 0 && performance.now() < end_ms) {
      this.left--;
      const { number, way } = this.choose();
      this.targets.add(number);
      const done = await this.killBy(number, way);
      this.targets.delete(number);
      if (!done) this.left++;
      else this.kills[way] = (this.kills[way] ?? 0) + 1;
      const total = Object.values(this.kills).reduce((sum, count) => sum + count, 0);
      if (done && total % 25 === 0) say(`${total} kills`);
      await sleep(this.random(PEACE_ms));
    }
  }

  private async killBy(number: number, way: Way): Promise<boolean> {
    const task = this.tasks[number]!;
    if (way === 'kill' || way === 'killSpinning') {
      if (way === 'killSpinning') void task.async['spin']!().catch(() => {});
      await sleep(this.random(5));
      await task.kill();
      await this.spawn(number);
      return true;
    }
    try {
      if (way === 'timeout') await task.with({ timeout: TIMEOUT_ms }).async['spin']!();
      else await task.async[way]!();
      this.problems.push(`${way} gave an answer`);
    } catch (error) {
      const { code, phase } = error as { code?: string; phase?: string };
      // A call that was not taken kills nobody.
      if (way === 'timeout' && (code !== 'ERR_IPC_TIMEOUT' || phase === 'send')) return false;
      // Nor does one that met a member which is blocked in a call to this thread: CAVEATS.
      if (way !== 'timeout' && code === 'ERR_IPC_DEADLOCK') return false;
      if (way !== 'timeout' && code !== 'ERR_IPC_PEER_GONE') this.problems.push(`${way} ended in ${String(error)}`);
    }
    await this.revive(number);
    return true;
  }

  /** Waits for the next incarnation; spawns the task again when the supervisor has given it up. */
  private async revive(number: number): Promise<void> {
    try {
      await this.join(number);
    } catch (error) {
      if (codeOf(error) !== 'ERR_IPC_PEER_GONE') throw error;
      await this.tasks[number]!.exited;
      await this.spawn(number);
    }
  }

  /** Whoever has not come to an end yet, and whom it waits for. */
  private describeOpen(): void {
    const snapshot = takeSnapshot();
    const methodOf = ({ method }: ThreadView): string => (method === null ? '' : String(method));
    for (const chain of chainsIn(snapshot)) this.problems.push(waitText(chain, false, methodOf));
  }

  /** Ends the load. Returns the callers that live, when their calls have ended or when it is too late for that. */
  async quiesce(): Promise<Set<number>> {
    this.isLoading = false;
    stop();
    const living = new Set([0]);
    for (let number = 0; number < MEMBERS; number++) living.add(await this.join(number));
    for (const end_ms = performance.now() + QUIET_ms; openCalls(living) > 0 && performance.now() < end_ms;)
      await sleep(20);
    if (openCalls(living) > 0) this.describeOpen();
    return living;
  }

  async end(): Promise<void> {
    await Promise.all([...this.tasks, this.local!].map((task) => task.kill()));
  }
}

/** Windows that nobody has given back, in bytes. */
function windowsTaken_bytes(): number {
  const free = (list: number, size_bytes: number): number => {
    let sum = 0;
    for (let at = peek(list); at !== 0; at = peek(at >> 2)) sum += size_bytes;
    return sum;
  };
  const cut = Math.max(0, peek(HEADER_WINDOW_NEXT) - WINDOWS_START);
  return cut - free(HEADER_WINDOW_FREE_LARGE, WINDOW_BYTES) - free(HEADER_WINDOW_FREE_SMALL, WINDOW_SMALL_BYTES);
}

/** Entries of a folder of /proc/self: threads of the operating system, open files. */
const countOf = (folder: string): number => {
  try {
    return readdirSync(`/proc/self/${folder}`).length;
  } catch {
    return 0;
  }
};

interface Held {
  readonly threads: number;
  readonly files: number;
  readonly handles: string;
}

const held = (): Held => ({
  threads: countOf('task'),
  files: countOf('fd'),
  handles: process.getActiveResourcesInfo().sort().join(' '),
});

/** What is held is to be no more than before; ends of threads take the operating system a moment. */
async function leftBehind(before: Held): Promise<string[]> {
  const isMore = (now: Held): boolean =>
    now.threads > before.threads || now.files > before.files || now.handles.length > before.handles.length;
  for (const end_ms = performance.now() + QUIET_ms / 6; isMore(held()) && performance.now() < end_ms;) await sleep(50);
  const now = held();
  return isMore(now) ? [`held before: ${JSON.stringify(before)}, after: ${JSON.stringify(now)}`] : [];
}

/** What the tasks other than main have in kernel memory, the supervisor's own included. */
function inKernel(): string {
  const { tasks, threads } = takeSnapshot();
  const main = tasks.find(({ kind }) => kind === 'main')!.id;
  return `${tasks.length} tasks, ${threads.filter(({ task }) => task !== main).length} threads beside those of main`;
}

async function run(kills: number, seed: number, limit_ms: number, say: (line: string) => void): Promise<Report> {
  const began_ms = performance.now();
  const system = await boot({ log: false });
  const first = await system.spawn(new URL('./fixtures/member.ts', import.meta.url));
  await first.kill();
  const kernelBefore = inKernel();
  const field = new Field(system, seed, kills);
  await field.start();
  const loading = field.load();
  await Promise.all(Array.from({ length: KILLERS }, () => field.kill(say, performance.now() + limit_ms)));
  const living = await field.quiesce();
  await loading;
  const problems = [...field.problems];
  const verified = verify();
  const { problems: wrong, ...counts } = account(living);
  problems.push(...wrong);
  await field.end();
  // The spares of the dead are ended with them, and may take a moment longer.
  for (const end_ms = performance.now() + QUIET_ms / 6; inKernel() !== kernelBefore && performance.now() < end_ms;) {
    await sleep(20);
  }
  if (inKernel() !== kernelBefore) {
    const names = takeSnapshot().tasks.map(({ name, state }) => `${name} (${state})`);
    problems.push(`in kernel memory before: ${kernelBefore}; after: ${inKernel()}: ${names.join(', ')}`);
  }
  await system.shutdown();
  verified.push(...verify());
  problems.push(...verified);
  if (countThreads() !== 0 || countTasks() !== 0) problems.push('threads or tasks were left behind');
  if (windowsTaken_bytes() !== 0) problems.push(`${windowsTaken_bytes()} bytes of windows were not given back`);
  const seconds = (performance.now() - began_ms) / 1000;
  const restarts = counts.members - MEMBERS;
  return { ...counts, seed, seconds, kills: field.kills, restarts, verified, problems: problems.slice(0, 20) };
}

/** Runs the soak, no longer than it may, after a short one, which has made what a process makes once. */
export async function soakKills(
  kills: number,
  seed: number,
  limit_ms: number = Number.POSITIVE_INFINITY,
  say: (line: string) => void = () => {},
): Promise<Report> {
  clear();
  await run(1, seed, limit_ms, () => {});
  const before = held();
  clear();
  const report = await run(kills, seed, limit_ms, say);
  return { ...report, problems: [...report.problems, ...(await leftBehind(before))] };
}

if (import.meta.main) {
  const [kills, seed] = [Number(process.argv[2] ?? 1000), Number(process.argv[3] ?? Date.now() % 1e6)];
  if (!(Number.isSafeInteger(kills) && kills > 0 && Number.isSafeInteger(seed))) {
    process.stderr.write('usage: node test/soak/kills.ts [KILLS [SEED]]\n');
    process.exit(2);
  }
  process.stderr.write(`seed ${seed}\n`);
  const report = await soakKills(kills, seed, Number.POSITIVE_INFINITY, (line) => process.stderr.write(`${line}\n`));
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  process.exitCode = report.problems.length === 0 ? 0 : 1;
}
