/**
 * `l3kernel/clock`: time for code that waits in place, where no timer of the event loop comes. All functions act for
 * the current thread, as those of `l3kernel/ipc` do; and as there, several copies of the package in an agent are one.
 */
import { peek } from '#atomics';
import { TASK_CALLER, TASK_KIND, TASK_KIND_SUPERVISOR, TASK_SERVER } from '../../layout/task.ts';
import type { ThreadId } from '../../layout/tcb.ts';
import { agent, idOf } from '../../user/agent.ts';
import * as ipc from '../../user/ipc.ts';
import { liveTasks } from '../../user/names.ts';
import { METHOD_SET_TICK, METHOD_TICK, PERIOD_MAX_ms, PERIOD_MIN_ms } from './protocol.ts';

/** A thread of the supervisor, TASK_SERVER or TASK_CALLER; 0 before the first worker of the system. */
function threadOfClock(at: number): ThreadId | 0 {
  const supervisor = liveTasks().find((task) => peek(task + TASK_KIND) === TASK_KIND_SUPERVISOR);
  return supervisor === undefined ? 0 : (peek(supervisor + at) as ThreadId);
}

/** A thread that sends nothing to anybody: to wait for it is to sleep. */
const nobody = (): ThreadId =>
  threadOfClock(TASK_CALLER) || idOf(agent.current === agent.server ? agent.caller : agent.server);

/**
 * Blocks this thread, and so its agent, for so many milliseconds: a receive with a timeout, which no message ends.
 * False: it has been ended before its time, by `system.cancel` or with the system.
 */
function sleep(time_ms: number): boolean {
  if (!(time_ms >= 0 && time_ms <= PERIOD_MAX_ms)) {
    throw new RangeError(`sleep(${time_ms}): it must be milliseconds from 0 to ${PERIOD_MAX_ms}`);
  }
  ipc.self();
  return ipc.receive(nobody(), Math.ceil(time_ms)) === ipc.RECEIVE_TIMEOUT;
}

/**
 * From now on the clock sends this thread a message every `period_ms`, whenever it waits in an open receive at that
 * moment; a period that it missed is counted to the next tick. 0: no more. It ends with the thread.
 */
function setTick(period_ms: number): void {
  if (period_ms !== 0 && !(Number.isInteger(period_ms) && period_ms >= PERIOD_MIN_ms && period_ms <= PERIOD_MAX_ms)) {
    throw new RangeError(`setTick(${period_ms}): the period must be whole milliseconds from ${PERIOD_MIN_ms}, or 0`);
  }
  ipc.self();
  const clock = threadOfClock(TASK_SERVER);
  if (clock === 0) throw new Error('l3kernel/clock: the clock starts with the first worker of the system');
  ipc.message[0] = period_ms;
  const result = ipc.call(clock, ipc.makeTag(1, 0, METHOD_SET_TICK));
  if (result === ipc.DENIED) {
    throw new Error(
      'l3kernel/clock: the clock takes calls of the program and of the tasks that it spawned, of no others',
    );
  }
  if (result !== ipc.OK) throw new Error(`l3kernel/clock: the clock did not answer (result ${result})`);
}

/** Of the message last received: how many periods have gone by, 0 when it is not a tick. */
const ticksIn = (): number =>
  ipc.methodIn(ipc.tag()) === METHOD_TICK && ipc.sender() === threadOfClock(TASK_SERVER) ? ipc.message[1]! : 0;

const implementation = { sleep, setTick, ticksIn };
const KEY = Symbol.for('l3kernel.clock');
const shared = globalThis as { [KEY]?: typeof implementation };
const clock = (shared[KEY] ??= implementation);
const { sleep: sleep_, setTick: setTick_, ticksIn: ticksIn_ } = clock;

export { setTick_ as setTick, sleep_ as sleep, ticksIn_ as ticksIn };
