/**
 * Who waits for whom, read from kernel memory while all threads go on: the material of deadlock.ts and stall.ts.
 *
 * A *wait* is a thread that waits for a message of one partner, or polls for one, or for the next step of its partner
 * in a long transfer. It is *in place* when its agent sleeps in it: nothing else of that agent runs until the wait
 * ends. Words are read one by one, so that one look proves nothing; `holds` is the second look. Sequence and count of
 * messages sent are read with the state, because a thread that has left a wait and come back to the same partner has
 * the same state word and not the same counts.
 */
import { load, peek } from '#atomics';
import { HEADER_THREAD_CURSOR, HEADER_THREADS_MAX } from '../../layout/map.ts';
import { inPieces } from '../../kernel/transfer.ts';
import { CALL, TAG_FLAG, TAG_KIND, TAG_METHOD_SHIFT } from '../../layout/message.ts';
import { ANY_INDEX, INDEX_MASK, PIECES } from '../../layout/params.ts';
import {
  PROCESSOR_STUCK,
  processorAt,
  TASK_CALLER,
  TASK_CHIEF,
  TASK_ID,
  TASK_SERVER,
  TASK_STARTING,
  TASK_STATE,
  taskAt,
} from '../../layout/task.ts';
import {
  KIND_MASK,
  LOCK,
  PARKED,
  POLL,
  RUN,
  type Tcb,
  TCB_BELL,
  TCB_DRAINED,
  TCB_FILLED,
  TCB_ID,
  TCB_PROCESSOR,
  TCB_SENDER,
  TCB_SENT,
  TCB_SEQUENCE,
  TCB_SINCE,
  TCB_STATE,
  TCB_STRING_TOTAL,
  TCB_TAG,
  TCB_TAKEN,
  TCB_TASK,
  TCB_TRANSFER,
  TCB_WINDOW_BYTES,
  tcbAt,
  tcbOf,
  type ThreadId,
  WAIT,
} from '../../layout/tcb.ts';
import { METHOD_DESCRIBE, METHOD_HOST, METHOD_STEP } from '../../rpc/serve.ts';
import { nameOf } from '../../user/names.ts';

/** A thread's wait, as its words were at one moment. */
export interface Wait {
  readonly tcb: Tcb;
  readonly id: ThreadId;
  readonly state: number;
  readonly sequence: number;
  readonly sent: number;
  /** Of its own message: no CALL while it only receives. */
  readonly tag: number;
  readonly since_ms: number;
  readonly partner: Tcb;
  readonly inPlace: boolean;
}

/**
 * Name of method number `method`: of the exports of a task, or, from METHOD_HOST on, of the functions that the task was
 * granted by its chief. Undefined when it is not known.
 */
export type MethodName = (task: number, method: number) => string | undefined;

export const taskOf = (tcb: Tcb): number => peek(tcb + TCB_TASK);
export const agentOf = (tcb: Tcb): number => peek(tcb + TCB_PROCESSOR);
export const isCall = (wait: Wait): boolean => (wait.tag & TAG_KIND) === CALL;
export const isUpcall = (wait: Wait): boolean => isCall(wait) && (wait.tag & TAG_FLAG) !== 0;
export const polls = ({ state }: Pick<Wait, 'state'>): boolean => (state & KIND_MASK) === POLL;

/** Every wait of the system. */
export function collectWaits(): Wait[] {
  const waits: Wait[] = [];
  const max = peek(HEADER_THREADS_MAX);
  // Records are handed out in turn: until the cursor comes round, none behind it was ever used.
  const end = Math.min(max, load(HEADER_THREAD_CURSOR) + 1);
  for (let index = 1; index <= end; index++) {
    const wait = waitOf(tcbAt(index));
    if (wait !== null) waits.push(wait);
  }
  return waits;
}

function waitOf(tcb: Tcb): Wait | null {
  if (peek(tcb + TCB_TAKEN) === 0) return null;
  const sequence = peek(tcb + TCB_SEQUENCE);
  const sent = peek(tcb + TCB_SENT);
  const state = load(tcb + TCB_STATE);
  const kind = state & KIND_MASK;
  const partner = state & INDEX_MASK;
  const isAmid = (kind === RUN || partner === ANY_INDEX) && awaitsPieces(tcb);
  const isWait = kind === WAIT || kind === POLL || (kind === LOCK && (state & PARKED) !== 0);
  if (!isAmid && (!isWait || partner === ANY_INDEX)) return null;
  return {
    tcb,
    id: peek(tcb + TCB_ID) as ThreadId,
    state,
    sequence,
    sent,
    tag: isAmid ? 0 : peek(tcb + TCB_TAG),
    since_ms: peek(tcb + TCB_SINCE),
    partner: isAmid ? tcbOf(peek(tcb + TCB_TRANSFER)) : tcbAt(partner),
    inPlace: isAmid || isInPlace(tcb, state),
  };
}

/**
 * A thread that sleeps on its own state word; or one that sends a long call, sleeping on the counts of its pieces, as
 * the threads of a loop do in the midst of it.
 */
function isInPlace(tcb: Tcb, state: number): boolean {
  if (owesPieces(tcb, state)) return false;
  if (awaitsPieces(tcb)) return true;
  if ((state & PARKED) !== 0) return peek(tcb + TCB_BELL) === 0;
  if (peek(tcb + TCB_TRANSFER) === 0) return false;
  const task = taskAt(taskOf(tcb) & INDEX_MASK);
  const id = peek(tcb + TCB_ID);
  return id === peek(task + TASK_CALLER) || id === peek(task + TASK_SERVER);
}

/**
 * Whether a thread whose state says that it sleeps is about to go on, or does: its long message was taken out of the
 * queue, for which it was rung, and there is room for pieces that are still to come.
 */
function owesPieces(tcb: Tcb, state: number): boolean {
  const receiver = tcbAt(state & INDEX_MASK);
  const isTaken = (state & KIND_MASK) === WAIT && peek(receiver + TCB_SENDER) === peek(tcb + TCB_ID);
  // The word that says so is of the last message with strings.
  if (!isTaken || !inPieces(receiver, peek(receiver + TCB_TAG))) return false;
  const filled = load(receiver + TCB_FILLED);
  const half_bytes = (peek(receiver + TCB_WINDOW_BYTES) / PIECES) | 0;
  const isRoom = filled - load(receiver + TCB_DRAINED) < PIECES;
  return filled >= 0 && isRoom && filled * half_bytes < peek(receiver + TCB_STRING_TOTAL);
}

/**
 * Whether a thread that runs, or has opened for the next message already, sleeps on the counts of a long transfer: its
 * partner has to fill or to drain the next piece. That partner may be one of many threads of its agent, and its agent
 * asleep in another.
 */
function awaitsPieces(tcb: Tcb): boolean {
  const id = peek(tcb + TCB_TRANSFER);
  if (id === 0) return false;
  const partner = tcbOf(id);
  const sends = peek(partner + TCB_SENDER) === peek(tcb + TCB_ID) && inPieces(partner, peek(partner + TCB_TAG));
  const receiver = sends ? partner : tcb;
  const filled = load(receiver + TCB_FILLED);
  const drained = load(receiver + TCB_DRAINED);
  const isAborted = filled < 0 || drained < 0;
  const half_bytes = (peek(receiver + TCB_WINDOW_BYTES) / PIECES) | 0;
  if (isAborted || filled * half_bytes >= peek(receiver + TCB_STRING_TOTAL)) return false;
  return sends ? filled - drained >= PIECES : filled === drained;
}

/** Whether a wait is still the same one, and has been since it was collected. */
export function holds({ tcb, id, state, sequence, sent, inPlace }: Wait): boolean {
  const now = waitOf(tcb);
  const isSame = now !== null && now.id === id && now.state === state && now.inPlace === inPlace;
  return isSame && now.sequence === sequence && now.sent === sent;
}

/** The word with which an agent says that only an answer can make it go on, while it says so; 0 while it does not. */
export const stuckWord = (agent: number): number => load(processorAt(agent) + PROCESSOR_STUCK);
/** How many calls such an agent watches. */
export const watchedCalls = (word: number): number => word & 0xffff;

/**
 * Whether a cancel would be heard: who is amid a long transfer looks at nothing else, and who is locked is its
 * partner's to give an answer to.
 */
export const canEnd = ({ tcb, state }: Wait): boolean =>
  peek(tcb + TCB_TRANSFER) === 0 && ((state & KIND_MASK) === WAIT || polls({ state }));

/** Name of the task of a thread. */
export function taskName(tcb: Tcb): string {
  const task = taskAt(taskOf(tcb) & INDEX_MASK);
  const name = peek(task + TASK_ID) === taskOf(tcb) ? nameOf(task) : '';
  return name === '' ? `task ${taskOf(tcb) & INDEX_MASK}` : name;
}

export const isStarting = (tcb: Tcb): boolean => load(taskAt(taskOf(tcb) & INDEX_MASK) + TASK_STATE) === TASK_STARTING;

/** Whether a chief waits for the hello of a task that it has made: its module is being loaded. */
export function awaitsStart(wait: Wait): boolean {
  if (isCall(wait)) return false;
  const task = taskAt(taskOf(wait.partner) & INDEX_MASK);
  return peek(task + TASK_CHIEF) === taskOf(wait.tcb) && peek(task + TASK_SERVER) === peek(wait.partner + TCB_ID);
}

/** What a thread waits for: `b.f()`, or a message when no call is under way. */
export function describeAwaited(wait: Wait, methodName: MethodName): string {
  const task = taskName(wait.partner);
  if (!isCall(wait)) return awaitsStart(wait) ? `the start of ${task}` : `a message of ${task}`;
  return `${task}.${describeMethod(wait, methodName)}()`;
}

function describeMethod({ tcb, partner, tag }: Wait, methodName: MethodName): string {
  const method = tag >> TAG_METHOD_SHIFT;
  if ((tag & TAG_FLAG) !== 0) return `callback ${method}`;
  if (method === METHOD_DESCRIBE) return 'exports';
  if (method === METHOD_STEP) return 'next';
  const isGranted = method >= METHOD_HOST;
  const name = methodName(taskOf(isGranted ? tcb : partner), method);
  return name ?? (isGranted ? `host function ${method - METHOD_HOST}` : `method ${method}`);
}
