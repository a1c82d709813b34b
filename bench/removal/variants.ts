/**
 * The kernel with one thing taken out of it: each technique of the paper (its Table 1), and each check. A variant is a
 * few edits of the shipped text, applied while the benchmark's bundle is made, so that the shipped build has no flag.
 *
 * A variant answers the benchmark's calls rightly; what else it breaks is said in `breaks`.
 */
import type { Edit } from '../harness/edits.ts';

export interface Variant {
  readonly name: string;
  readonly kind: 'technique' | 'check';
  /** Where the paper has it. */
  readonly paper: string;
  /** What the variant does in its place. */
  readonly instead: string;
  /** Of a check: what goes wrong without it, and what in the tests shows it. */
  readonly breaks?: string;
  /** Rows that it can change: the beginnings of their names. */
  readonly rows: readonly string[];
  readonly edits: readonly Edit[];
}

const IPC = 'kernel/ipc.ts';
const DISPATCH = 'kernel/dispatch.ts';
const TRANSFER = 'kernel/transfer.ts';
const TCB = 'layout/tcb.ts';
const WORKER = ['worker.'];
const LOCAL = ['local.'];
const WORDS = ['worker.8', 'worker.32', 'worker.128', 'local.'];
const STRINGS = ['worker.512', 'worker.4096'];

const combinedCall: readonly Edit[] = [
  {
    file: IPC,
    find: '  const partner = tcbOf(to);\n  if ((tag & (TAG_STRINGS | TAG_KIND)) !== CALL || !sameClan(self, partner)) {',
    replace:
      '  const sent = send(self, to, tag, sendTimeout_ms);\n' +
      '  if (sent === OK) return receive(self, to, receiveTimeout_ms);\n' +
      '  const partner = tcbOf(to);\n  if ((tag & (TAG_STRINGS | TAG_KIND)) !== CALL || !sameClan(self, partner)) {',
  },
  {
    file: IPC,
    find: '  const partner = tcbOf(to);\n  const me = peek(self + TCB_ID);\n  const awaiting = waiting(to, me);',
    replace:
      '  if (send(self, to, tag, NEVER) === OK) return receive(self, 0, receiveTimeout_ms);\n' +
      '  const partner = tcbOf(to);\n  const me = peek(self + TCB_ID);\n  const awaiting = waiting(to, me);',
  },
  {
    file: IPC,
    find: 'finishMessage, receive, replyAndReceiveSlow }',
    replace: 'finishMessage, receive, replyAndReceiveSlow, send }',
  },
];

const oneCopy: readonly Edit[] = [
  {
    file: 'platform/atomics.ts',
    find: '  if (length <= LOOP_BYTES) {\n    for (let i = 0; i < length; i++) bytes[at + i] = source[start + i]!;',
    replace:
      '  if (length <= between.length) {\n    between.set(start === 0 && length === source.length ? source : source.subarray(start, start + length));\n' +
      '    source = between;\n    start = 0;\n  }\n' +
      '  if (length <= LOOP_BYTES) {\n    for (let i = 0; i < length; i++) bytes[at + i] = source[start + i]!;',
  },
  {
    file: 'platform/atomics.ts',
    find: 'const LOOP_BYTES = 64;',
    replace: 'const LOOP_BYTES = 64;\nconst between = new Uint8Array(65_536);',
  },
];

const condensed: readonly Edit[] = [
  { file: TCB, find: 'export const TCB_SENDER = 1;', replace: 'export const TCB_SENDER = 52;' },
  { file: TCB, find: 'export const TCB_TAG = 2;', replace: 'export const TCB_TAG = 84;' },
  { file: TCB, find: 'export const TCB_SEQUENCE = 3;', replace: 'export const TCB_SEQUENCE = 108;' },
];

const idByMask: readonly Edit[] = [
  {
    file: TCB,
    find: 'export const tcbOf = (id: number): Tcb => (TCB_BASE + (id & INDEX_MASK) * TCB_WORDS) as Tcb;',
    replace: `const table = new Map<number, Tcb>();
export const tcbOf = (id: number): Tcb => {
  const known = table.get(id);
  if (known !== undefined) return known;
  const found = (TCB_BASE + (id & INDEX_MASK) * TCB_WORDS) as Tcb;
  table.set(id, found);
  return found;
};`,
  },
];

const freshViews: readonly Edit[] = [
  {
    file: TRANSFER,
    find: '  for (let i = 0; i < count; i++) registers[R_WORD + i] = peek(self + TCB_WORD + i);',
    replace:
      '  const view = new Int32Array(words.buffer, (self + TCB_WORD) * 4, count);\n' +
      '  for (let i = 0; i < count; i++) registers[R_WORD + i] = view[i]!;',
  },
  {
    file: TRANSFER,
    find: "} from '#atomics';",
    replace: "} from '#atomics';\nimport { words } from '../platform/memory.ts';",
  },
];

const lazyScheduling: readonly Edit[] = [
  {
    file: DISPATCH,
    find: '  registers[R_SENDER] = me;\n  registers[R_TAG] = tag;\n  countSent(self);\n  if (kind === CALL) {',
    replace:
      '  insertReady(processor, partner);\n  removeReady(processor, partner);\n' +
      '  registers[R_SENDER] = me;\n  registers[R_TAG] = tag;\n  countSent(self);\n  if (kind === CALL) {',
  },
  {
    file: DISPATCH,
    find: '    poke(self + TCB_STATE, homeWaiting(me, ANY_INDEX));\n    registers[R_SENDER] = me;',
    replace:
      '    insertReady(processor, partner);\n    removeReady(processor, partner);\n' +
      '    poke(self + TCB_STATE, homeWaiting(me, ANY_INDEX));\n    registers[R_SENDER] = me;',
  },
  {
    file: DISPATCH,
    find: 'import { insertReady, takeReady }',
    replace: 'import { insertReady, removeReady, takeReady }',
  },
];

const directSwitch: readonly Edit[] = [
  {
    file: DISPATCH,
    find: '    insertReady(processor, self);\n  }\n  return to & INDEX_MASK;',
    replace:
      '    insertReady(processor, self);\n  }\n  putMessage(partner, me, registers[R_TAG]!, registers[R_SEQUENCE]!);\n' +
      '  poke(partner + TCB_PENDING, 1);\n  insertReady(processor, partner);\n  return 0;',
  },
  {
    file: DISPATCH,
    find: '    limitWait(processor, self, registers[R_RECEIVE_TIMEOUT]!);\n    return to & INDEX_MASK;',
    replace:
      '    limitWait(processor, self, registers[R_RECEIVE_TIMEOUT]!);\n' +
      '    putMessage(partner, me, registers[R_TAG]!, registers[R_SEQUENCE]!);\n' +
      '    poke(partner + TCB_PENDING, 1);\n    insertReady(processor, partner);\n    return 0;',
  },
];

const spinning: readonly Edit[] = [
  {
    file: 'platform/spin-loads.ts',
    find: 'availableParallelism() > 1 ? loads : 0',
    replace: 'availableParallelism() > 1_000_000 ? loads : 0',
  },
];

const predicted: readonly Edit[] = [
  {
    file: IPC,
    find: '  if (compareExchange(partner + TCB_STATE, receptive, locked(to, me)) !== receptive) {',
    replace:
      '  if (\n    load(partner + TCB_STATE) !== receptive ||\n' +
      '    compareExchange(partner + TCB_STATE, receptive, locked(to, me)) !== receptive\n  ) {',
  },
  {
    file: IPC,
    find: '  if (compareExchange(partner + TCB_STATE, awaiting, locked(to, me)) !== awaiting) {',
    replace:
      '  if (\n    load(partner + TCB_STATE) !== awaiting ||\n' +
      '    compareExchange(partner + TCB_STATE, awaiting, locked(to, me)) !== awaiting\n  ) {',
  },
];

const wakeupLists: readonly Edit[] = [
  {
    file: DISPATCH,
    find: '  const time_ms = now_ms();\n  setWakeup(processor, self, time_ms + Math.max(1, timeout_ms), time_ms);',
    replace:
      '  const index = indexOfTcb(self);\n  if (timers[index] !== undefined) clearTimeout(timers[index]);\n' +
      '  timers[index] = setTimeout(() => {}, timeout_ms);\n  timers[index].unref();',
  },
  {
    file: DISPATCH,
    find: 'const passives: (Passive | undefined)[] = [];',
    replace: 'const passives: (Passive | undefined)[] = [];\nconst timers: NodeJS.Timeout[] = [];',
  },
];

const atomicsAsWasm: readonly Edit[] = [
  {
    file: 'platform/atomics.ts',
    find: 'export const { load, compareExchange, exchange, spin } = compileAtomics(memory, PAGES, pause);',
    replace: `const compiled = compileAtomics(memory, PAGES, pause);
export const { spin } = compiled;
export const load = (at: number): number => Atomics.load(words, at);
export const compareExchange = (at: number, expected: number, value: number): number =>
  Atomics.compareExchange(words, at, expected, value);
export const exchange = (at: number, value: number): number => Atomics.exchange(words, at, value);`,
  },
];

const clanCompare: readonly Edit[] = [
  {
    file: 'kernel/clan.ts',
    find: '  return chiefOfA === chiefOfB || chiefOfB === peek(a + TCB_TASK) || chiefOfA === peek(b + TCB_TASK);',
    replace: '  return true;',
  },
];

const generation: readonly Edit[] = [
  {
    file: TCB,
    find: 'export const STATE_GENERATION = 0x0fff << INDEX_BITS;',
    replace: 'export const STATE_GENERATION = 0;',
  },
];

const callSequence: readonly Edit[] = [
  {
    file: IPC,
    find: '  if (peek(partner + TCB_SEQUENCE) !== sequence) {\n    unclaim(partner, awaiting);\n    return receive(self, 0, receiveTimeout_ms);\n  }\n',
    replace: '',
  },
  {
    file: DISPATCH,
    find: '  const answered = awaits && peek(partner + TCB_SEQUENCE) === registers[R_SEQUENCE];',
    replace: '  const answered = awaits;',
  },
];

const claimOwner: readonly Edit[] = [
  {
    file: TCB,
    find: 'export const locked = (id: number, claimer: number): number => LOCK | (id & STATE_GENERATION) | (claimer & INDEX_MASK);',
    replace: 'export const locked = (id: number, _claimer: number): number => LOCK | (id & STATE_GENERATION);',
  },
];

const TECHNIQUES: readonly Variant[] = [
  {
    name: 'hand-over by spinning',
    kind: 'technique',
    paper: '5.3.5, direct process switch, on two cores',
    instead: 'whoever waits parks at once',
    rows: ['worker.8'],
    edits: spinning,
  },
  {
    name: 'call, reply & receive',
    kind: 'technique',
    paper: '5.2.1',
    instead: 'send, then receive: two operations on each side, the partner found waiting or polled for in each',
    rows: WORKER,
    edits: combinedCall,
  },
  {
    name: 'one copy into the window',
    kind: 'technique',
    paper: '5.2.3, direct transfer by temporary mapping',
    instead: 'the bytes go through a buffer between the two',
    rows: STRINGS,
    edits: oneCopy,
  },
  {
    name: 'one line for a short message',
    kind: 'technique',
    paper: '5.2.5, condensed tables; 5.3.6, short messages in registers',
    instead: 'sender, tag and sequence lie in lines of their own',
    rows: WORDS,
    edits: condensed,
  },
  {
    name: 'direct process switch',
    kind: 'technique',
    paper: '5.3.5',
    instead: 'the partner goes into the ready queue, its message into its line, and the scheduler is asked',
    rows: LOCAL,
    edits: directSwitch,
  },
  {
    name: 'lazy scheduling',
    kind: 'technique',
    paper: '5.3.4',
    instead: 'each ipc puts who becomes ready into the queue and takes who waits out of it',
    rows: LOCAL,
    edits: lazyScheduling,
  },
  {
    name: 'wakeup lists',
    kind: 'technique',
    paper: '5.3.3',
    instead: 'a timer of the host for each ipc with a timeout',
    rows: ['local.timeout'],
    edits: wakeupLists,
  },
  {
    name: 'ids by mask',
    kind: 'technique',
    paper: '5.2.4, thread ids',
    instead: 'a thread is looked up in a table',
    rows: ['worker.8', 'local.8'],
    edits: idByMask,
  },
  {
    name: 'no view for a message',
    kind: 'technique',
    paper: '5.3.6, no segment registers loaded',
    instead: 'a typed array is made for each message that is taken',
    rows: WORDS,
    edits: freshViews,
  },
  {
    name: 'predicted claim',
    kind: 'technique',
    paper: 'not in the paper',
    instead: 'the state word is loaded and compared before it is claimed',
    rows: ['worker.8'],
    edits: predicted,
  },
  {
    name: 'atomics as wasm',
    kind: 'technique',
    paper: 'not in the paper',
    instead: 'Atomics.load, compareExchange and exchange',
    rows: ['worker.8'],
    edits: atomicsAsWasm,
  },
];

const CHECKS: readonly Variant[] = [
  {
    name: 'clan compare',
    kind: 'check',
    paper: '3.2, clans and chiefs',
    instead: 'anybody may call anybody',
    breaks: 'a task reaches threads that its chief keeps from it (the tests of clans fail)',
    rows: ['worker.8', 'local.8'],
    edits: clanCompare,
  },
  {
    name: 'generation',
    kind: 'check',
    paper: '5.2.4, uids',
    instead: 'the state word holds the index alone',
    breaks:
      'a call to a task that has ended reaches who has its record now (the explorer: reuse of a tcb during a claim)',
    rows: ['worker.8', 'local.8'],
    edits: generation,
  },
  {
    name: 'call sequence',
    kind: 'check',
    paper: 'not in the paper',
    instead: 'whoever is called may answer whatever waits for it',
    breaks: 'a late answer is taken for that of the next call (the explorer: receive-timeout)',
    rows: ['worker.8', 'local.8'],
    edits: callSequence,
  },
  {
    name: 'owner of a claim',
    kind: 'check',
    paper: 'not in the paper',
    instead: 'a locked word does not say by whom',
    breaks:
      'the claim of a thread that died is never undone, and its partner waits for ever (the explorer: kill-client)',
    rows: ['worker.8'],
    edits: claimOwner,
  },
];

/** Those that can go together, on two cores; to park at once would hide all others. */
const TOGETHER = [combinedCall, oneCopy, condensed, idByMask, freshViews, atomicsAsWasm, clanCompare];
const TOGETHER_LOCAL = [directSwitch, wakeupLists, idByMask, freshViews, clanCompare];

const ALL: readonly Variant[] = [
  {
    name: 'all of them, two cores',
    kind: 'technique',
    paper: '7',
    instead: 'all that go together, but for the spinning',
    rows: WORKER,
    edits: TOGETHER.flat(),
  },
  {
    name: 'all of them, one core',
    kind: 'technique',
    paper: '7',
    instead: 'all that go together',
    rows: LOCAL,
    edits: TOGETHER_LOCAL.flat(),
  },
];

export const VARIANTS: readonly Variant[] = [...TECHNIQUES, ...ALL, ...CHECKS];
