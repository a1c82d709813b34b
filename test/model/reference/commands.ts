/**
 * Sequences of operations on the shipped kernel, in one JavaScript thread that plays all threads of a small system, and
 * on the reference kernel: after each step the two must have given the same answer and be in the same state.
 *
 * An operation that cannot end at once stays under way; its thread then does nothing but look how it ended, or give up.
 */
import fc from 'fast-check';
import * as atomics from '../../../src/platform/atomics.ts';
import { registers } from '../../../src/platform/atomics.ts';
import { layoutHash } from '../../../src/layout/describe.ts';
import {
  ABORTED,
  CALL,
  NOT_YET,
  OK,
  OPEN_ONLY,
  R_CALLED,
  R_SENDER,
  R_SEQUENCE,
  R_TAG,
  R_WORD,
  REPLY,
  type Result,
  SEND,
  SPIN_ONLY,
  TAG_KIND,
} from '../../../src/layout/message.ts';
import { ANY_INDEX, INDEX_MASK } from '../../../src/layout/params.ts';
import {
  processorAt,
  PROCESSOR_WORDS,
  TASK_ALIVE,
  TASK_KIND_WORKER,
  TASK_PROCESSOR,
  TASK_STATE,
  TASK_WORDS,
  taskAt,
} from '../../../src/layout/task.ts';
import {
  DEAD,
  KIND_MASK,
  POLL,
  RUN,
  TCB_BASE,
  TCB_POLL_NEXT,
  TCB_QUEUE_FIRST,
  TCB_STATE,
  type Tcb,
  tcbAt,
  tcbOf,
  WAIT,
} from '../../../src/layout/tcb.ts';
import { runNatively } from '../compile.ts';
import { type Answer, ReferenceKernel, type Task, type Thread } from './reference.ts';

const { peek, poke } = atomics;

/** Records of threads and tasks: few, so that they are used again. */
const RECORDS = 10;

/** Chief of each task, by its place here; task 0 is the main one and lives for ever. */
const CHIEFS = [-1, 0, 0, 1] as const;
/** Task of each thread. */
const HOMES = [0, 0, 1, 1, 2, 3] as const;

const operations = [
  'send',
  'call',
  'receive',
  'receiveFrom',
  'reply',
  'replyAndReceive',
  'look',
  'giveUp',
  'cancel',
  'kill',
] as const;

export interface Step {
  readonly does: (typeof operations)[number];
  /** Who does it, and with whom: places in HOMES. */
  readonly who: number;
  readonly whom: number;
  /** Whose id is used: the thread's, that of the one in its place before, that of one to come. */
  readonly id: 'present' | 'past' | 'future';
  /** Whether it waits to send, and to receive; else the timeout is 0. */
  readonly waits: readonly [boolean, boolean];
  /** Which of the calls ever taken by this place is answered. */
  readonly nth: number;
}

const place = fc.integer({ min: 0, max: HOMES.length - 1 });
const step: fc.Arbitrary<Step> = fc.record({
  does: fc.constantFrom(...operations),
  who: place,
  whom: place,
  id: fc.oneof(
    { arbitrary: fc.constant('present' as const), weight: 12 },
    { arbitrary: fc.constantFrom('past' as const, 'future' as const), weight: 1 },
  ),
  waits: fc.tuple(
    fc.oneof({ arbitrary: fc.constant(true), weight: 4 }, fc.constant(false)),
    fc.oneof({ arbitrary: fc.constant(true), weight: 4 }, fc.constant(false)),
  ),
  nth: fc.nat(2),
});
export const steps: fc.Arbitrary<Step[]> = fc.array(step, { maxLength: 60, size: 'max' });

export type Path = 'fast' | 'slow';
/** The functions of src/kernel/, of the bundle that the explorer compiles. */
type Kernel = Record<string, any>;

const sleeps = (): never => {
  throw new Error('it sleeps, though nobody else is there');
};

/** The functions of a bundle, run on kernel memory of this process, where nobody waits. */
const kernelOf = (text: string): Kernel =>
  runNatively(text, {
    ...atomics,
    notify: () => {},
    wait: sleeps,
    now_ms: () => 1,
    firstSpin: 0,
    spinLoads: 0,
    spinsFor: () => 0,
    learnSpin: () => {},
  });

/** A call as its server sees it. */
interface Taken {
  readonly caller: number;
  readonly sequence: number;
}

/** Both kernels, with the same tasks and threads. */
class Pair {
  private readonly kernel: Kernel;
  private readonly path: Path;
  private readonly reference: ReferenceKernel = new ReferenceKernel();
  private readonly tasks: Task[] = [];
  private readonly threads: Thread[] = [];
  private readonly past: number[] = [];
  /** Index that each thread polls for, until it was seen to be taken. */
  private readonly targets: number[] = [];
  private readonly taken: Taken[][] = HOMES.map(() => []);
  /** Sequence in the kernel of each message of the reference. */
  private readonly sequences: number[] = [0];
  private word = 0;

  constructor(kernel: Kernel, path: Path) {
    this.kernel = kernel;
    this.path = path;
    for (let at = 0; at < TCB_BASE; at++) poke(at, 0);
    for (let at = tcbAt(0); at < tcbAt(RECORDS + 1); at++) poke(at, 0);
    for (let at = taskAt(0); at < taskAt(0) + TASK_WORDS * (RECORDS + 1); at++) poke(at, 0);
    for (let at = processorAt(0); at < processorAt(0) + PROCESSOR_WORDS * (RECORDS + 1); at++) poke(at, 0);
    kernel['formatMemory'](RECORDS, RECORDS, layoutHash());
    for (const number of CHIEFS.keys()) this.makeTask(number);
  }

  private makeTask(number: number): void {
    const chief = this.tasks[CHIEFS[number]!]?.id ?? 0;
    const id = this.kernel['createTask'](chief, TASK_KIND_WORKER, 0) as number;
    const record = taskAt(id & INDEX_MASK);
    poke(record + TASK_STATE, TASK_ALIVE);
    const task = (this.tasks[number] = { id, chief });
    const processor = processorAt(peek(record + TASK_PROCESSOR));
    for (const [who, home] of HOMES.entries()) {
      if (home !== number) continue;
      this.past[who] = this.threads[who]?.id ?? 0;
      this.threads[who] = this.reference.add(this.kernel['createThread'](record, processor, false) as number, task);
    }
  }

  private idOf({ id, whom }: Step): number {
    const present = this.threads[whom]!.id;
    if (id === 'future') return present + INDEX_MASK + 1;
    return id === 'past' && this.past[whom] !== 0 ? this.past[whom]! : present;
  }

  /** Does a step that is possible now; says what differs. */
  take(one: Step): string | null {
    const self = this.threads[one.who]!;
    const isUnderWay = self.state !== 'runs' || self.news !== null;
    const wantsUnderWay = one.does === 'look' || one.does === 'giveUp';
    if (one.does === 'kill') return this.kill(HOMES[one.who]!);
    if (one.does === 'cancel') return this.cancel(one);
    if (isUnderWay !== wantsUnderWay) return null;
    if (one.does.startsWith('reply') && this.taken[one.who]![one.nth] === undefined) return null;
    const before = this.reference.sequence;
    const [expected, code] = this.perform(one, self);
    if (this.reference.sequence > before) this.sequences[this.reference.sequence] = registers[R_CALLED]!;
    if (self.state === 'polls') this.targets[one.who] = self.partner!.id & INDEX_MASK;
    else if (!wantsUnderWay || code === NOT_YET) this.targets[one.who] = 0;
    if (code === OK && expected.message?.kind === 'call') {
      this.taken[one.who]!.unshift({ caller: expected.message.from, sequence: expected.message.sequence });
    }
    return this.compareAnswers(expected, code);
  }

  /** The answers of both kernels. */
  private perform(one: Step, self: Thread): [Answer, Result] {
    const { kernel, reference } = this;
    const { who, does } = one;
    const [waitsToSend, waitsForAnswer] = one.waits;
    const tcb = tcbOf(self.id);
    const word = (registers[R_WORD] = ++this.word);
    const to = this.idOf(one);
    const receive_ms = waitsForAnswer ? OPEN_ONLY : 0;
    const { caller, sequence } = this.taken[who]![one.nth] ?? { caller: to, sequence: 0 };
    const answered = this.sequences[sequence];
    if (does === 'send') {
      const code = kernel['send'](tcb, to, SEND | 1, waitsToSend ? OPEN_ONLY : 0);
      return [reference.send(self, to, { kind: 'send', word, waitsToSend, waitsForAnswer }), code];
    }
    if (does === 'call') {
      const call = kernel[this.path === 'fast' ? 'call' : 'callSlow'];
      const code = call(tcb, to, ANY_INDEX, CALL | 1, waitsToSend ? OPEN_ONLY : 0, receive_ms);
      return [reference.send(self, to, { kind: 'call', word, waitsToSend, waitsForAnswer }), code];
    }
    if (does === 'receive') {
      return [reference.receive(self, 0, waitsForAnswer), kernel['receive'](tcb, 0, receive_ms)];
    }
    if (does === 'receiveFrom') {
      return [reference.receive(self, to, waitsForAnswer), kernel['receive'](tcb, to, receive_ms)];
    }
    if (does === 'reply') {
      return [reference.reply(self, caller, sequence, word), kernel['reply'](tcb, caller, answered, REPLY | 1)];
    }
    if (does === 'replyAndReceive') {
      const replyAndReceive = kernel[this.path === 'fast' ? 'replyAndReceive' : 'replyAndReceiveSlow'];
      const code = replyAndReceive(tcb, caller, answered, REPLY | 1, receive_ms);
      return [reference.replyAndReceive(self, caller, sequence, word, waitsForAnswer), code];
    }
    const timeout_ms = does === 'look' ? SPIN_ONLY : 0;
    const code = kernel['awaitMessage'](tcb, timeout_ms, timeout_ms, this.targets[who] ?? 0);
    return [reference.look(self, does === 'look'), code];
  }

  private cancel({ who, whom }: Step): string | null {
    if (who === whom) return null;
    const other = this.threads[whom]!;
    const expected = this.reference.cancel(other);
    const holder = this.threads[who]!.id & INDEX_MASK;
    return this.kernel['cancel'](tcbOf(other.id), ABORTED, holder) === expected ? null : `cancel is not ${expected}`;
  }

  /** Ends a task and starts it anew. */
  private kill(number: number): string | null {
    if (number === 0) return null;
    const task = this.tasks[number]!;
    const record = taskAt(task.id & INDEX_MASK);
    const holder = this.threads[0]!.id & INDEX_MASK;
    this.reference.kill(task);
    this.kernel['repairTask'](record, holder);
    const wrong = this.compareStates();
    if (wrong !== null) return `after the repair: ${wrong}`;
    this.kernel['freeThreads'](record, holder);
    this.kernel['freeTask'](record);
    this.makeTask(number);
    return null;
  }

  private compareAnswers({ code, message }: Answer, actual: Result): string | null {
    if (actual !== code) return `the result is ${actual}, not ${code}`;
    if (message === undefined) return null;
    const kind = { send: SEND, call: CALL, reply: REPLY }[message.kind];
    const expected = [message.from, kind, this.sequences[message.sequence]!, message.word].join(' ');
    const here = [registers[R_SENDER], registers[R_TAG]! & TAG_KIND, registers[R_SEQUENCE], registers[R_WORD]].join(
      ' ',
    );
    return here === expected ? null : `the message is ${here}, not ${expected}`;
  }

  /** States and queues of all threads that exist, and what `verify` says. */
  compareStates(): string | null {
    for (const { id, state, partner, queue } of this.threads) {
      const tcb = tcbOf(id);
      const word = peek(tcb + TCB_STATE);
      const kind = { runs: RUN, waits: WAIT, polls: POLL, dead: DEAD }[state];
      if ((word & KIND_MASK) !== kind) return `thread ${id} has the state ${word >>> 29} and ${state}`;
      const index = partner === null ? ANY_INDEX : partner.id & INDEX_MASK;
      if ((kind === WAIT || kind === POLL) && (word & INDEX_MASK) !== index) return `thread ${id} waits for another`;
      const [here, expected] = [queueOf(tcb).join(' '), queue.map((one) => one.id & INDEX_MASK).join(' ')];
      if (here !== expected) return `the queue of thread ${id} is '${here}', not '${expected}'`;
    }
    return (this.kernel['verify']() as string[])[0] ?? null;
  }
}

/** Indices of the threads in a polling-me queue. */
function queueOf(tcb: Tcb): number[] {
  const found: number[] = [];
  for (let index = peek(tcb + TCB_QUEUE_FIRST); index !== 0 && found.length < RECORDS;) {
    found.push(index);
    index = peek(tcbAt(index) + TCB_POLL_NEXT);
  }
  return found;
}

/** A check of a sequence on a bundled kernel: what differs, null if nothing does. */
export function commandsOn(text: string): (path: Path, sequence: readonly Step[]) => string | null {
  const kernel = kernelOf(text);
  return (path, sequence) => {
    const pair = new Pair(kernel, path);
    for (const [i, one] of sequence.entries()) {
      let wrong: string | null;
      try {
        wrong = pair.take(one) ?? pair.compareStates();
      } catch (error) {
        wrong = String(error);
      }
      if (wrong !== null) return `step ${i}, ${one.does}, ${path} path: ${wrong}`;
    }
    return null;
  };
}

/** Sequences that once showed a defect, or that chance finds too seldom. */
const does = (what: Step['does'], who: number, whom: number, more: Partial<Step> = {}): Step => ({
  does: what,
  who,
  whom,
  id: 'present',
  waits: [true, true],
  nth: 0,
  ...more,
});
/** A call times out, and is made again before the server has answered the first. */
const calledAgain: readonly Step[] = [
  does('call', 0, 2),
  does('receive', 2, 0),
  does('giveUp', 0, 0),
  does('call', 0, 2),
  does('receive', 2, 0),
];
export const examples: readonly (readonly Step[])[] = [
  // A closed receive from a thread that never was took a thread of another generation out of the queue.
  [does('send', 4, 0), does('receiveFrom', 0, 4, { id: 'future' })],
  // A closed receive took the late answer to a call that had timed out.
  [does('call', 1, 4), does('receive', 4, 0), does('giveUp', 1, 0), does('receiveFrom', 1, 4), does('reply', 4, 0)],
  [...calledAgain, does('reply', 2, 0, { nth: 1 }), does('reply', 2, 0), does('look', 0, 0)],
  [...calledAgain, does('replyAndReceive', 2, 0, { nth: 1 }), does('giveUp', 2, 0), does('reply', 2, 0)],
  // A closed receive takes its partner out of the middle of the queue.
  [does('send', 1, 0), does('send', 2, 0), does('receiveFrom', 0, 2), does('receiveFrom', 0, 1)],
];

export const RUNS = 300;

/** Searches for a sequence on which a kernel differs from the reference, always the same ones; null: there is none. */
export function differenceOf(check: ReturnType<typeof commandsOn>): string | null {
  for (const sequence of [...examples, ...fc.sample(steps, { numRuns: RUNS, seed: 1 })]) {
    const wrong = check('fast', sequence) ?? check('slow', sequence);
    if (wrong !== null) return wrong;
  }
  return null;
}
