/**
 * The clock of an agent: one timer, set to the earliest deadline in the wakeup lists of its processor, for the calls
 * that its event loop watches and for its generator threads. Threads that block in place carry their deadline in their
 * wait, and are not in the lists.
 *
 * Invariant: while a thread in the lists waits with a deadline, the timer is set to that time or an earlier one, or a
 * turn of the loop is to come. With nothing due there is no timer. Why each agent has its own, and the supervisor none
 * for all: docs/decisions/clock.md.
 */
import { peek } from '#atomics';
import { now_ms } from '#wait';
import { lookAbroad } from '../kernel/dispatch.ts';
import { nextWakeup, setWakeup, tick } from '../kernel/wakeup.ts';
import { PROCESSOR_DUE } from '../layout/task.ts';
import type { Tcb } from '../layout/tcb.ts';
import { agent } from './agent.ts';
import { clearTimeout, setTimeout } from '../platform/timers.ts';

let timer: NodeJS.Timeout | null = null;
/** What the timer is set to, and when the lists were last gone through. Milliseconds since boot. */
let timer_ms = 0;
let ticked_ms = 0;
let onTick: () => void = () => {};

/** States what to do after a tick that the timer made: the loop looks at who runs now. */
export const setOnTick = (action: () => void): void => {
  onTick = action;
};

/** Wakes a watched thread at `deadline_ms` (milliseconds since boot) by the wakeup lists. */
export function setDeadline(tcb: Tcb, deadline_ms: number): void {
  setWakeup(agent.processor, tcb, deadline_ms, now_ms());
  keepTime();
}

/** Sets the timer if somebody is due before it; to be called after threads of this processor have run. */
export function keepTime(): void {
  const due_ms = peek(agent.processor + PROCESSOR_DUE);
  if (due_ms === 0 || (timer !== null && timer_ms <= due_ms)) return;
  if (timer !== null) clearTimeout(timer);
  timer_ms = due_ms;
  timer = setTimeout(onTimer, Math.max(1, due_ms - now_ms()));
  timer.unref();
}

function onTimer(): void {
  timer = null;
  tickNow();
  onTick();
}

/** The clock interrupt: expired threads run with a timeout, and the next interrupt is set. */
export function tickNow(): void {
  const time_ms = now_ms();
  // Whose message was taken has another deadline now.
  lookAbroad(agent.processor);
  tick(agent.processor, ticked_ms, time_ms);
  ticked_ms = time_ms;
  nextWakeup(agent.processor, time_ms);
  keepTime();
}

/** Whether a thread of this processor is sure to go on by itself. The loop then stays alive until the next tick. */
export function staysForDeadline(): boolean {
  if (peek(agent.processor + PROCESSOR_DUE) === 0 || nextWakeup(agent.processor, now_ms()) === 0) return false;
  keepTime();
  timer?.ref();
  return true;
}

/** Forgets the time: the agent leaves its system. */
export function stopTime(): void {
  if (timer !== null) clearTimeout(timer);
  timer = null;
  ticked_ms = 0;
}
