/**
 * The clock: sends ticks to threads that wait for messages and so cannot have timers. It is the supervisor's server
 * thread, an event-loop thread that takes message words only, and answers at once.
 *
 * It never waits for anybody: a tick goes to who is open for it at that moment, and is counted to the next one when
 * nobody is. Invariant: the timer is set to the first tick that is due, and there is none when nobody wants one.
 */
import { peek, poke, registers } from '#atomics';
import { now_ms } from '#wait';
import { finishMessage, receive, reply, startSend } from '../../kernel/ipc-slow.ts';
import { takeMessage } from '../../kernel/transfer.ts';
import {
  CALL,
  CUT,
  DENIED,
  ERROR,
  NOT_YET,
  OK,
  OPEN_ONLY,
  R_FLOAT,
  R_SENDER,
  R_SEQUENCE,
  R_TAG,
  REPLY,
  type Result,
  SEND,
  SEND_TIMEOUT,
  TAG_KIND,
  TAG_METHOD_SHIFT,
} from '../../layout/message.ts';
import { ANY_INDEX } from '../../layout/params.ts';
import { TCB_ACCEPT_STATED, TCB_HOME, tcbOf, type ThreadId } from '../../layout/tcb.ts';
import { registerFloats } from '../../platform/registers.ts';
import { agent } from '../../user/agent.ts';
import { listen, stopListening } from '../../user/loop.ts';
import { METHOD_SET_TICK, METHOD_TICK, PERIOD_MAX_ms, PERIOD_MIN_ms } from './protocol.ts';
import { Wheel } from './wheel.ts';

/** Requests served before the supervisor's own timers have their turn. */
const REQUESTS_PER_TURN = 64;

interface Tick {
  readonly to: ThreadId;
  readonly period_ms: number;
  due_ms: number;
  /** Periods that have gone by since the last one that was taken. */
  periods: number;
}

const wheel = new Wheel<Tick>();
const ticks = new Map<ThreadId, Tick>();
let timer: NodeJS.Timeout | null = null;
let timer_ms = 0;
let ticked_ms = 0;

/** Begins to take requests. */
export function openClock(): void {
  // No strings: the pieces of a long one would be waited for.
  poke(agent.server + TCB_ACCEPT_STATED, 1);
  ticked_ms = now_ms();
  open();
}

function open(): void {
  for (let served = 0; served < REQUESTS_PER_TURN; served++) {
    const code = receive(agent.server, 0, OPEN_ONLY);
    if (code === NOT_YET) {
      listen({ tcb: agent.server, number: 0, polls: false, onTaken: () => {}, onMessage });
      return;
    }
    serve(code);
  }
  setImmediate(open);
}

function onMessage(): void {
  stopListening();
  takeMessage(agent.server);
  serve(finishMessage(agent.server));
  open();
}

/** Serves the message in the registers, of a receive that ended with `code`. */
function serve(code: Result): void {
  const tag = registers[R_TAG]!;
  if ((code !== OK && code !== CUT) || (tag & TAG_KIND) !== CALL) return;
  const from = registers[R_SENDER]! as ThreadId;
  const method = tag >> TAG_METHOD_SHIFT;
  const isServed = code === OK && method === METHOD_SET_TICK && setTick(from, registerFloats[R_FLOAT]!);
  reply(agent.server, from, registers[R_SEQUENCE]!, isServed ? REPLY : ERROR);
}

/** False: refused. A generator thread has deadlines of its own, and takes no message at the moment it is sent. */
function setTick(to: ThreadId, period_ms: number): boolean {
  const isPeriod = Number.isInteger(period_ms) && period_ms >= PERIOD_MIN_ms && period_ms <= PERIOD_MAX_ms;
  if ((period_ms !== 0 && !isPeriod) || peek(tcbOf(to) + TCB_HOME) !== 0) return false;
  const before = ticks.get(to);
  if (before !== undefined) wheel.delete(before);
  ticks.delete(to);
  if (period_ms !== 0) {
    const tick: Tick = { to, period_ms, due_ms: now_ms() + period_ms, periods: 0 };
    ticks.set(to, tick);
    wheel.add(tick);
  }
  setTimer();
  return true;
}

function setTimer(): void {
  const due_ms = ticks.size === 0 ? Number.POSITIVE_INFINITY : wheel.next(ticked_ms);
  if (timer !== null && timer_ms === due_ms) return;
  if (timer !== null) clearTimeout(timer);
  timer_ms = due_ms;
  timer = due_ms === Number.POSITIVE_INFINITY ? null : setTimeout(onTimer, Math.max(1, due_ms - now_ms()));
}

function onTimer(): void {
  timer = null;
  const time_ms = now_ms();
  for (const tick of wheel.take(ticked_ms, time_ms)) give(tick, time_ms);
  ticked_ms = time_ms;
  setTimer();
}

/** Sends one tick, and notes when the next one is due: by the period, however late this one is. */
function give(tick: Tick, time_ms: number): void {
  const late = Math.floor((time_ms - tick.due_ms) / tick.period_ms);
  tick.periods += 1 + late;
  registerFloats[R_FLOAT] = time_ms;
  registerFloats[R_FLOAT + 1] = tick.periods;
  const tag = SEND | (METHOD_TICK << TAG_METHOD_SHIFT) | 2;
  const result = startSend(agent.server, tick.to, ANY_INDEX, tag, 0);
  if (result === OK) tick.periods = 0;
  else if (result !== SEND_TIMEOUT && result !== DENIED) {
    ticks.delete(tick.to);
    return;
  }
  tick.due_ms += (1 + late) * tick.period_ms;
  wheel.add(tick);
}
