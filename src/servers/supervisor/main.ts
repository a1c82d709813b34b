/**
 * The supervisor: a worker thread that runs no user code and is the parent of every worker of the system, so that it
 * hears of their ends while everybody else is blocked. It starts them, repairs what they leave behind, starts them
 * again as their policy says, and shows by its beat that it lives.
 *
 * It is fail-stop: an error in it ends it, and with it, as Node has it, every worker. The main thread hears of that,
 * or, blocked, notices the silence.
 */
import threads from 'node:worker_threads';
import { peek, poke, store } from '#atomics';
import { HEADER_BEAT } from '../../layout/map.ts';
import { BEAT_ms } from '../../layout/params.ts';
import type { TaskId } from '../../layout/task.ts';
import { attach } from '../../user/agent.ts';
import type { Notice, SupervisorStart } from '../../tasks/control.ts';
import { openClock } from '../clock/server.ts';
import { writeLine } from '../console/server.ts';
import { openInspection } from '../inspect/server.ts';
import { first } from './first.ts';
import { openDoor } from './guests.ts';
import { lookForDeadlocks, lookForStalls, methodName } from './looks.ts';
import { beginFirst, endAll, hear, lookAfterReplaced, type Parent, serviceTable } from './services.ts';

/**
 * What is looked at from time to time, beside the beat: functions over kernel memory that take no argument and throw
 * nothing. `every_ms` is the time between two calls.
 */
const checks: { readonly every_ms: number; readonly check: () => void }[] = [
  { every_ms: BEAT_ms, check: lookAfterReplaced },
  { every_ms: BEAT_ms, check: lookForDeadlocks },
  { every_ms: BEAT_ms, check: () => lookForStalls(sayLine) },
];

/** The task id of every incarnation, with its url and the names of its exports in the order of their method numbers. */
export { serviceTable };

let report: (line: string) => void = () => {};

/** Says a line to whoever is to read what goes on in the system. */
export const sayLine = (line: string): void => report(line);

function reporter({ log, control }: SupervisorStart): (line: string) => void {
  if (log === 'nowhere') return () => {};
  if (log === 'function') return (line) => control.postMessage({ kind: 'log', line } satisfies Notice);
  return (line) => writeLine(2, `l3kernel: ${line}`);
}

/** A new system's beats are not taken for those of the last one in the same memory. */
const firstBeat = (): number => (Date.now() & 0x3fffffff) | 1;

function beat(): void {
  store(HEADER_BEAT, (peek(HEADER_BEAT) + 1) & 0x7fffffff || 1);
}

/** Takes over the worker that was started before this module was loaded, and begins to supervise. */
function begin(start: SupervisorStart): void {
  attach(start.taskId as TaskId);
  poke(HEADER_BEAT, firstBeat());
  setInterval(beat, BEAT_ms);
  report = reporter(start);
  const parent: Parent = {
    common: { memory: start.memory, bootstrap: start.bootstrap },
    report: sayLine,
    onEnded: () => process.exit(0),
  };
  const main = { taskId: start.main, port: start.control };
  beginFirst(parent, main, start.first, first);
  openDoor(start.door, start.main);
  start.control.on('message', (request) => {
    if (request.kind === 'end') endAll();
    else hear(main, request);
  });
  for (const { every_ms, check } of checks) setInterval(check, every_ms);
  openClock();
  // Later: now the program waits for its first answer.
  setTimeout(() => openInspection({ name: start.name, methodName }), BEAT_ms);
}

process.on('uncaughtException', (error) => {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  writeLine(2, `l3kernel: the supervisor ends, and every worker with it: ${text}`);
  process.exit(1);
});

begin((threads.workerData as { l3kernel: SupervisorStart }).l3kernel);
