/**
 * The server thread of an agent at work: takes calls, serves them, answers. Two modes.
 *
 * In loop mode the agent's event loop lives, and the thread listens through it (user/loop.ts). In blocking mode it
 * waits in place; a worker does that only inside its `beforeExit` event, which Node emits exactly when the loop has
 * nothing left to do. From there it returns to the loop when a handler gave a promise, once before each park, and after
 * a timeslice of uninterrupted service, so that timers, sockets and promises are never starved.
 *
 * A third way, in place too, is to follow a caller that calls now and then (platform/handover.ts).
 *
 * While the loop runs for one of these reasons the thread is not open, and senders stand in its queue; `resume` opens
 * it.
 */
import { load, peek, poke, registers } from '#atomics';
import { replyAndReceive } from '../kernel/ipc.ts';
import { awaitMessage, finishMessage, receive, reply, replyAndReceiveSlow } from '../kernel/ipc-slow.ts';
import { outgoing, takeMessage } from '../kernel/transfer.ts';
import {
  ERROR,
  NEVER,
  NOT_YET,
  OK,
  OPEN_ONLY,
  R_SENDER,
  R_SEQUENCE,
  type Result,
  SPIN_ONLY,
  TAG_KIND,
} from '../layout/message.ts';
import { TURN_ms } from '../layout/params.ts';
import { TASK_LOOP_ALIVE } from '../layout/task.ts';
import { KIND_MASK, RUN, TCB_PARKS, TCB_SENT, TCB_STATE, type ThreadId } from '../layout/tcb.ts';
import { follow, isSparse, makeWay, mayFollow, stopFollowing } from '../platform/handover.ts';
import { agent } from '../user/agent.ts';
import {
  isListening,
  listen,
  listenToEnd,
  loopHasEnded,
  sayStuck,
  scheduleTurn,
  setClosed,
  stopListening,
  type Watcher,
} from '../user/loop.ts';
import { parkLimit_ms } from './generators.ts';
import { hasLocalTasks, isFull, serve, setServeLine, whenHandlerEnds } from './serve.ts';
import { performance, setImmediate, setTimeout } from '../platform/timers.ts';

/** Calls served between two looks at the clock. */
const CALLS_PER_LOOK = 8;
/** With every handler waiting for something that does not keep the loop alive, this often they are looked for. */
const HELD_PERIOD_ms = 10;
/** A server that follows its caller lets the loop run this often all the same. */
const FOLLOW_PERIOD_ms = 1000;

/** As many handlers are under way as may be: the thread opens again when one ends. */
let held = false;
/** The loop has run since the last message: the next thing to do is to park. */
let yielded = false;
/** The task ends as soon as the loop turns: it takes no more calls. */
let ending = false;

/** Begins to take calls, in the event loop. */
export function openServer(): void {
  whenHandlerEnds(onHandlerEnd);
  setClosed(() => held && !hasLocalTasks());
  setServeLine(serveLine);
  resume();
}

/** The call that is being served is answered, and is the last one: its task ends. Later ones are the next one's. */
export function serveNoMore(): void {
  ending = true;
}

const listener = (): Watcher => ({ tcb: agent.server, polls: false, number: 0, onTaken: () => {}, onMessage });

function resume(): void {
  if (!ending && run(receive(agent.server, 0, OPEN_ONLY), OPEN_ONLY)) listen(listener());
}

/** After a timeslice in place: if nothing else is to do, the loop ends at once and we are back in place. */
function resumeToEnd(): void {
  if (!ending && run(receive(agent.server, 0, OPEN_ONLY), OPEN_ONLY)) listenToEnd(listener());
}

function onHandlerEnd(): void {
  if (held && !isFull()) {
    held = false;
    resume();
  } else {
    scheduleTurn();
  }
}

/** The loop found the server thread running: there is a message in its line. */
function onMessage(): void {
  // Who is closed must not be watched: what lies in its line has been served.
  stopListening();
  takeMessage(agent.server);
  if (run(finishMessage(agent.server), OPEN_ONLY)) listen(listener());
}

/**
 * The loop has not come to see the message: this agent is blocked, in a call to a task that waits for the answer. What
 * comes next stands in the queue, where its sender can take it out again.
 */
function serveLine(): void {
  const self = agent.server;
  if (!isListening() || (load(self + TCB_STATE) & KIND_MASK) !== RUN) return;
  stopListening();
  takeMessage(self);
  if (finishMessage(self) === OK) {
    const from = registers[R_SENDER]! as ThreadId;
    const sequence = registers[R_SEQUENCE]!;
    const tag = serve(self, null, true);
    if (tag !== 0) reply(self, from, sequence, tag);
  }
  pause(resume);
}

/**
 * Serves the message in the registers, of a receive that ended with `code`, and those that follow without a wait of
 * more than `wait_ms` (SPIN_ONLY or OPEN_ONLY). True: there is none now, and the thread is open. False: it is closed,
 * the loop should run.
 */
function run(code: Result, wait_ms: number): boolean {
  const self = agent.server;
  const began_ms = performance.now();
  for (let served = 1; code !== NOT_YET; served++) {
    if (code !== OK) {
      // The kernel ended the wait, or a sender gave up in the middle: nothing to serve.
      code = receive(self, 0, wait_ms);
      continue;
    }
    const from = registers[R_SENDER]! as ThreadId;
    const sequence = registers[R_SEQUENCE]!;
    const tag = serve(self, null, false);
    const isOver = ending || (served % CALLS_PER_LOOK === 0 && performance.now() - began_ms > TURN_ms);
    if (tag === 0 || isOver || isFull()) {
      if (tag !== 0) reply(self, from, sequence, tag);
      pause(tag !== 0 && wait_ms === SPIN_ONLY ? resumeToEnd : resume);
      return false;
    }
    const answer = wait_ms === SPIN_ONLY ? replyAndReceive : replyAndReceiveSlow;
    code = answer(self, from, sequence, tag, wait_ms);
  }
  return true;
}

/**
 * As `run`, for the message of a caller that calls now and then: after each answer the thread goes to where its caller
 * is and sleeps. The loop does not run between two calls, for it has been looked at and is empty.
 */
function runFollowing(): boolean {
  const self = agent.server;
  const end_ms = performance.now() + FOLLOW_PERIOD_ms;
  for (;;) {
    const from = registers[R_SENDER]! as ThreadId;
    const sequence = registers[R_SEQUENCE]!;
    const began_ms = performance.now();
    if (!isSparse(from, began_ms)) {
      makeWay();
      return run(OK, SPIN_ONLY);
    }
    const tag = serve(self, null, false);
    if (tag !== 0) reply(self, from, sequence, tag);
    const isOver = ending || tag === 0 || (tag & TAG_KIND) === ERROR || isFull() || began_ms > end_ms;
    if (isOver || !follow(began_ms)) {
      stopFollowing();
      pause(tag === 0 ? resume : resumeToEnd);
      return false;
    }
    poke(agent.task + TASK_LOOP_ALIVE, 0);
    const code = receive(self, 0, FOLLOW_PERIOD_ms);
    poke(agent.task + TASK_LOOP_ALIVE, 1);
    if (code !== OK) {
      stopFollowing();
      return run(code, SPIN_ONLY);
    }
  }
}

/** Lets the loop run with the thread closed. */
function pause(next: () => void): void {
  stopListening();
  held = isFull();
  if (!held) setImmediate(next);
}

/** Serves in place, in the `beforeExit` event. Leaves something in the loop, so that the event comes again. */
export function serveInPlace(): void {
  // The loop has work, or a call served since it ran last may have given it some: who wants to exit should ask again.
  const waits = held && sayStuck();
  const isIdle = (held && !waits) || yielded;
  poke(agent.task + TASK_LOOP_ALIVE, isIdle ? 0 : 1);
  if (held) {
    if (!waits) setTimeout(() => {}, HELD_PERIOD_ms);
    return;
  }
  stopListening();
  loopHasEnded();
  // What was answered last may be a large array of the task.
  outgoing.length = 0;
  const { server } = agent;
  const parks = peek(server + TCB_PARKS);
  const code = awaitMessage(server, NEVER, yielded ? parkLimit_ms() : SPIN_ONLY);
  poke(agent.task + TASK_LOOP_ALIVE, 1);
  yielded = code === NOT_YET;
  const slept = code === OK && peek(server + TCB_PARKS) !== parks;
  if (slept && mayFollow(registers[R_SENDER]!, peek(server + TCB_SENT))) {
    if (!runFollowing()) return;
  } else if (code !== NOT_YET && !run(code, SPIN_ONLY)) return;
  listenToEnd(listener());
  setImmediate(() => {});
}
