/**
 * Ipc in an event loop: threads whose agent must not block are watched, and their watchers called when a message is in.
 *
 * Four ways to watch, in this order: a look at the states as soon as the code that called has run (a microtask), with a
 * spin of at most about 1 us, for a turn of the loop is dearer than a short call; a look in each turn (`setImmediate`);
 * after some 30 turns without news, the doorbell of the processor by `Atomics.waitAsync`. Looking costs CPU and answers
 * in half a microsecond; the doorbell costs nothing and answers in some 70 us. Invariant: while anything is watched, a
 * look or a turn is scheduled, or the doorbell is armed with the parked bits set, or (letLoopEnd) a timer stands by.
 *
 * `waitAsync` does not keep a loop alive, so a timer does, exactly while calls are pending.
 */
import { compareExchange, load, peek, store } from '#atomics';
import { dispatch, drainInbox, parkAbroad, waitsAbroad } from '../kernel/dispatch.ts';
import { firstInQueue } from '../kernel/queue.ts';
import { ring } from '../kernel/park.ts';
import { PROCESSOR_DOORBELL, PROCESSOR_INBOX, PROCESSOR_READY_FIRST, PROCESSOR_STUCK } from '../layout/task.ts';
import { KIND_MASK, PARKED, POLL, RUN, type Tcb, TCB_BELL, TCB_STATE, WAIT } from '../layout/tcb.ts';
import { poke } from '../platform/atomics.ts';
import { waitDoorbell } from '../platform/wait.ts';
import { agent, isAttached } from './agent.ts';
import { keepTime, setOnTick, stopTime } from './clock.ts';
import { clearInterval, clearTimeout, performance, setImmediate, setInterval, setTimeout } from '../platform/timers.ts';

/** What happens with the message, or the kernel's result, that has come for a watched thread. */
export interface Watcher {
  readonly tcb: Tcb;
  onMessage(): void;
  /** The thread was taken out of a queue and now waits for its answer. */
  onTaken(): void;
  /** True until onTaken was called, for a thread that began by polling. */
  polls: boolean;
  /** Of two that have news at the same time, the one with the lower number hears of it first. */
  readonly number: number;
}

/** Turns without news before the doorbell is armed. */
const TURNS_IDLE_MAX = 30;
/** Loads of one state word in a turn: less than 1 us. */
const TURN_LOADS = 60;
/** Looks between two turns of the loop: a chain of calls in microtasks would else starve timers and sockets. */
const LOOKS_PER_TURN = 32;
/** A period that never ends: the timer exists to keep the loop alive. */
const FOREVER_ms = 2 ** 30;

/** In the order of their numbers. */
const pending: Watcher[] = [];
let listener: Watcher | null = null;
let turnScheduled = false;
let lookScheduled = false;
let looksLeft = LOOKS_PER_TURN;
let armed = false;
/** Raised when the agent leaves its system: what was armed before does not count any more. */
let epoch = 0;
let idleTurns = 0;
let keepAlive: NodeJS.Timeout | null = null;

/** Watches a thread that waits or polls, until `unwatch`. The loop stays alive for it. */
export function watch(watcher: Watcher): void {
  poke(watcher.tcb + TCB_BELL, doorbell());
  let at = pending.length;
  while (at > 0 && pending[at - 1]!.number > watcher.number) at--;
  if (at === pending.length) pending.push(watcher);
  else pending.splice(at, 0, watcher);
  if (lookScheduled) return;
  if (looksLeft === 0) scheduleTurn();
  else scheduleLook();
}

export function unwatch(watcher: Watcher): void {
  const at = pending.indexOf(watcher);
  if (at >= 0) pending.splice(at, 1);
}

export const pendingCount = (): number => pending.length;

/** Listens for messages to the server thread while the loop lives; does not keep it alive. */
export function listen(watcher: Watcher): void {
  listener = watcher;
  poke(watcher.tcb + TCB_BELL, doorbell());
  scheduleTurn();
}

/**
 * As `listen`, for a loop that is thought to be empty: nothing is scheduled and nobody need ring, so the loop can end
 * and the thread be waited for in place. A loop that lives all the same is looked at again by an unref'd timer.
 */
export function listenToEnd(watcher: Watcher): void {
  listener = watcher;
  poke(watcher.tcb + TCB_BELL, doorbell());
  letLoopEnd();
}

function letLoopEnd(): void {
  if (endTimer === null) endTimer = setTimeout(turn, END_LOOK_ms).unref();
  else endTimer.refresh();
}

/** Stops listening: the thread is about to block in place, and is rung on its own state word from now on. */
export function stopListening(): void {
  if (listener === null) return;
  const { tcb } = listener;
  listener = null;
  poke(tcb + TCB_BELL, 0);
  // Whoever saw the parked bit may still have read the old bell: clear the bit, so that the next one reads the new.
  const state = load(tcb + TCB_STATE);
  if ((state & PARKED) !== 0) compareExchange(tcb + TCB_STATE, state, state & ~PARKED);
}

/** Whether generator threads live here, who may be rung for at any time and stand still while the agent blocks. */
export let multiplexes = false;
export const setMultiplexes = (on: boolean): void => {
  multiplexes = on;
};

/** Whether the doorbell is heard. */
export const isArmed = (): boolean => armed;
export const isListening = (): boolean => listener !== null;

const doorbell = (): number => agent.processor + PROCESSOR_DOORBELL;

/** Whether nobody can call this agent now. */
let isClosed: () => boolean = () => false;
let isStuck = false;
let timesStuck = 0;

export const setClosed = (closed: () => boolean): void => {
  isClosed = closed;
};

/**
 * For a loop that was found empty: if it waits for answers to its calls, and nothing but them can make it go on, that
 * is said in kernel memory until the next turn, and the loop stays. False: it is not so.
 */
export function sayStuck(): boolean {
  if (pending.length === 0 || !isClosed()) return false;
  isStuck = true;
  timesStuck = (timesStuck + 1) & 0x7fff;
  store(agent.processor + PROCESSOR_STUCK, (timesStuck << 16) | pending.length);
  keepLoopAlive(true);
  return true;
}

function goOn(): void {
  if (!isStuck) return;
  isStuck = false;
  store(agent.processor + PROCESSOR_STUCK, 0);
}

/** Runs `turn` in the next turn of the event loop. */
export function scheduleTurn(): void {
  goOn();
  idleTurns = 0;
  scheduleNext();
}

function scheduleNext(): void {
  if (turnScheduled) return;
  turnScheduled = true;
  setImmediate(turn);
}

const settled = Promise.resolve();

/** Runs `look` when the code that runs now has ended, before the loop goes on. */
function scheduleLook(): void {
  goOn();
  lookScheduled = true;
  looksLeft--;
  // Not queueMicrotask: Node makes a resource of async_hooks for each of those.
  void settled.then(look);
}

/** A look at the calls alone: what is called meanwhile waits for the turn. */
function look(): void {
  lookScheduled = false;
  if (!isAttached() || pending.length === 0) return;
  const news = scanPending() || spin();
  if (lookScheduled || pending.length === 0) return;
  if (news && looksLeft > 0) scheduleLook();
  else scheduleTurn();
}

setOnTick(turn);

/** One look at everything watched; schedules the next, or arms the doorbell. */
function turn(): void {
  turnScheduled = false;
  looksLeft = LOOKS_PER_TURN;
  // The last turn of a system that has ended meanwhile.
  if (!isAttached()) return;
  goOn();
  if (!scan() && !spin()) idleTurns++;
  else idleTurns = 0;
  const localWork = runLocal();
  keepTime();
  if (pending.length === 0 && !localWork) keepLoopAlive(false);
  if (pending.length === 0 && !localWork && triesToEnd()) letLoopEnd();
  else if (localWork || (idleTurns < TURNS_IDLE_MAX && (pending.length > 0 || listener !== null))) {
    scheduleNext();
  } else {
    onIdle?.();
    arm();
  }
}

/** Time between two tries to end the loop; doubled while something else keeps it alive. */
const END_PAUSE_MIN_ms = 2;
const END_PAUSE_MAX_ms = 128;
/** A loop that has not ended after this long lives. */
const END_LOOK_ms = 1;
let endTimer: NodeJS.Timeout | null = null;
/** When a worker whose loop may be empty tries next whether it is; never in an agent that does not wait in place. */
let endsAt_ms = Number.POSITIVE_INFINITY;
let endPause_ms = END_PAUSE_MIN_ms;

/** The loop was empty: from here on this worker goes back to wait in place as soon as it can. */
export function loopHasEnded(): void {
  endsAt_ms = 0;
  endPause_ms = END_PAUSE_MIN_ms;
}

/**
 * Our own turns keep a loop alive that has nothing else to do, and a turn is slower than a wait in place. So one now
 * and then schedules none: an empty loop ends, and one that lives comes to the timer.
 */
function triesToEnd(): boolean {
  if (endsAt_ms === Number.POSITIVE_INFINITY) return false;
  const time_ms = performance.now();
  if (time_ms < endsAt_ms) return false;
  endsAt_ms = time_ms + endPause_ms;
  endPause_ms = Math.min(2 * endPause_ms, END_PAUSE_MAX_ms);
  return true;
}

/** Looks at every watched state word once. True when there was news. */
function scan(): boolean {
  let news = false;
  if (listener !== null && (load(listener.tcb + TCB_STATE) & KIND_MASK) === RUN) {
    news = true;
    listener.onMessage();
  }
  return scanPending() || news;
}

/** Looks at every call once. */
function scanPending(): boolean {
  let news = false;
  const found: Watcher[] = [];
  // Backwards: a server answers one after the other, so that who sees a later answer then sees the earlier ones too.
  for (let i = pending.length - 1; i >= 0; i--) {
    const watcher = pending[i]!;
    const kind = load(watcher.tcb + TCB_STATE) & KIND_MASK;
    if (kind === RUN || (watcher.polls && kind === WAIT)) found.push(watcher);
  }
  while (found.length > 0) news = hear(found.pop()!) || news;
  return news;
}

/** Tells a watcher what has become of its thread, unless another's news has ended its watch. True: a message is in. */
function hear(watcher: Watcher): boolean {
  if (!pending.includes(watcher)) return false;
  const kind = load(watcher.tcb + TCB_STATE) & KIND_MASK;
  if (watcher.polls && kind === WAIT) {
    watcher.polls = false;
    watcher.onTaken();
  }
  if (kind === RUN) watcher.onMessage();
  return kind === RUN;
}

/** Waits shortly for the oldest call: its answer may be on its way. */
function spin(): boolean {
  const oldest = pending[0];
  if (oldest === undefined) return false;
  for (let loads = TURN_LOADS; loads > 0; loads--) {
    if ((load(oldest.tcb + TCB_STATE) & KIND_MASK) === RUN) return scanPending();
  }
  return false;
}

/** Lets local threads run for a timeslice. True when there is more to do at once. */
function runLocal(): boolean {
  const { processor } = agent;
  if (firstInQueue(processor + PROCESSOR_INBOX) !== 0) drainInbox(processor);
  if (peek(processor + PROCESSOR_READY_FIRST) !== 0 || waitsAbroad()) return dispatch(processor, 0);
  return false;
}

let onIdle: (() => void) | null = null;

/** States what to do when the loop goes to sleep although it lives: something other than ipc keeps it. */
export const onLoopIdle = (action: () => void): void => {
  onIdle = action;
};

/** Sets the parked bit of every watched thread and sleeps on the doorbell. News that comes meanwhile is not lost. */
function arm(): void {
  // A closed agent lets its loop end, to learn whether anything but its calls keeps it.
  keepLoopAlive((pending.length > 0 && !isClosed()) || waitsAbroad());
  if (pending.length === 0 && listener === null && !waitsAbroad() && !multiplexes) return;
  const bell = doorbell();
  const seen = load(bell);
  // A sender that rang between the last look at the inbox and `seen` is in the inbox now.
  let news = firstInQueue(agent.processor + PROCESSOR_INBOX) !== 0 || !parkAbroad();
  news = (listener !== null && !setParked(listener.tcb)) || news;
  for (const watcher of pending) news = !setParked(watcher.tcb) || news;
  if (news) {
    scheduleTurn();
  } else if (!armed) {
    const rung = waitDoorbell(bell, seen);
    if (rung === null) {
      scheduleTurn();
      return;
    }
    armed = true;
    const armedIn = epoch;
    // The promise of waitAsync never rejects.
    void rung.then(() => {
      if (armedIn === epoch) onDoorbell();
    });
  }
}

function onDoorbell(): void {
  armed = false;
  idleTurns = 0;
  turn();
}

/** False: the thread runs already, or is just being given its message. */
function setParked(tcb: Tcb): boolean {
  const state = load(tcb + TCB_STATE);
  const kind = state & KIND_MASK;
  if (kind !== WAIT && kind !== POLL) return false;
  // The thread may have blocked in place since it was watched, in a handler or a callback, and been rung elsewhere.
  poke(tcb + TCB_BELL, doorbell());
  return (state & PARKED) !== 0 || compareExchange(tcb + TCB_STATE, state, state | PARKED) === state;
}

/** Keeps the process alive while calls are pending, as a pending request of any other kind does. */
function keepLoopAlive(alive: boolean): void {
  if (keepAlive === null) {
    if (!alive) return;
    keepAlive = setInterval(() => {}, FOREVER_ms);
  }
  if (alive) keepAlive.ref();
  else keepAlive.unref();
}

/** Gives every watched thread the news that it has by now. */
export function settle(): void {
  while (scan());
}

/** Ends all watching: the agent leaves its system. */
export function stopLoop(): void {
  goOn();
  pending.length = 0;
  listener = null;
  if (keepAlive !== null) clearInterval(keepAlive);
  stopTime();
  if (endTimer !== null) clearTimeout(endTimer);
  endTimer = null;
  keepAlive = null;
  armed = false;
  epoch++;
  // Nobody may sleep on: a waiter of the old system would take the rings of the next one on the same processor.
  ring(doorbell());
}
