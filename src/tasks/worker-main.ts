/**
 * What runs in a worker task before and around its module. Takes on the identity that was prepared, imports the module,
 * says hello with its export list, and serves: in the event loop while that lives, in place when it is empty.
 */
import { enableCompileCache, syncBuiltinESMExports } from 'node:module';
import threads from 'node:worker_threads';
import { peek, registers } from '#atomics';
import { repairTask } from '../kernel/fault.ts';
import { send } from '../kernel/ipc-slow.ts';
import { NEVER, R_TAG, SEND, TAG_FLAG } from '../layout/message.ts';
import { TASK_CHIEF, TASK_EXIT_CODE, TASK_LOOP_ALIVE, type TaskId } from '../layout/task.ts';
import { type ThreadId } from '../layout/tcb.ts';
import { poke } from '../platform/atomics.ts';
import { agent, attach, holder } from '../user/agent.ts';
import { reasonFor, setReason } from '../user/incarnations.ts';
import { staysForDeadline } from '../user/clock.ts';
import { isArmed, multiplexes, onLoopIdle, scheduleTurn } from '../user/loop.ts';
import { setPort } from '../rpc/carry.ts';
import { putThrown } from '../rpc/failure.ts';
import { putResult } from '../rpc/payload.ts';
import { exportsOf } from '../rpc/generators.ts';
import { type ExportTable, setExports } from '../rpc/serve.ts';
import { openServer, serveInPlace } from '../rpc/server.ts';
import { IpcError } from '../rpc/ipc-error.ts';
import type { WorkerStart } from './control.ts';
import { setDefaultTimeout, setHost } from './here.ts';
import './api.ts';
import { importModule } from './wasm/apart-main.ts';
import { preload } from './preload.ts';
import { onEnd } from './worker.ts';
import { request, usePort } from './supervisor.ts';
import { clearInterval, setInterval } from '../platform/timers.ts';

const { l3kernel: start } = threads.workerData as { l3kernel: WorkerStart };
let opened = false;

function becomeTask(): void {
  attach(start.taskId as TaskId);
  poke(agent.task + TASK_LOOP_ALIVE, 1);
  if (start.port !== null) setPort(peek(agent.task + TASK_CHIEF), start.port);
  usePort(start.control);
  // The system shuts down: what runs has ended, for the loop has come here.
  onEnd(() => process.exit(0));
  setHost(start.hostNames);
  setDefaultTimeout(start.timeout_ms);
  // The module sees a worker without our own data in it.
  (threads as { workerData: unknown }).workerData = undefined;
  syncBuiltinESMExports();
  enableCompileCache?.();
}

/** Sends the spawner the export list, or what was thrown. */
function hello(tag: number): void {
  registers[R_TAG] = tag;
  if (start.spawner !== 0) send(agent.server, start.spawner as ThreadId, tag | SEND, NEVER);
}

/**
 * The functions in the order of an earlier export list: the callers of an earlier incarnation know them by number, and
 * the module may have been changed since. What it no longer has is refused by name; what is new comes last.
 */
function inOrderOf(names: readonly string[], table: ExportTable): ExportTable {
  const all = [...names, ...table.names.filter((name) => !names.includes(name))];
  const functions = all.map(
    (name) =>
      table.functions[table.names.indexOf(name)] ??
      ((): never => {
        throw new IpcError('ERR_IPC_NO_SUCH_METHOD', `the task was started again, and exports no '${name}' any more`);
      }),
  );
  return { names: all, functions, streams: table.streams };
}

async function main(): Promise<void> {
  const chief = peek(agent.task + TASK_CHIEF);
  try {
    await preload();
    const exported = exportsOf(await importModule(start.url));
    const table = start.names === null ? exported : inOrderOf(start.names, exported);
    setExports(table, start.concurrency);
    request({ kind: 'loaded', names: table.names });
    hello(putResult({ names: table.names, streams: table.streams }, chief));
  } catch (error) {
    sayError(error, chief);
    return;
  }
  opened = true;
  openServer();
}

function sayError(error: unknown, chief: number): void {
  setReason(agent.task, reasonFor(1, error));
  // The kind of a message that is sent says nothing else; the flag tells the two kinds of hello apart.
  hello(putThrown(error, chief) | TAG_FLAG);
  // Nobody hears the hello of an incarnation that is not the first: its parent reports the error.
  if (start.spawner === 0) throw error;
  process.exit(1);
}

becomeTask();

process.on('beforeExit', () => {
  if (!opened) {
    if (staysForDeadline()) return;
    sayError(
      new Error('the module waits for a promise that nothing can settle any more'),
      peek(agent.task + TASK_CHIEF),
    );
    return;
  }
  if (multiplexes) stayForThreads();
  else serveInPlace();
});

/** A period that never ends. */
const FOREVER_ms = 2 ** 30;
let stay: NodeJS.Timeout | null = null;

/**
 * The loop has nothing but generator threads, which would stand still in a wait in place: it goes on, asleep. The
 * process does not live for it, unless one of them waits with a deadline.
 */
function stayForThreads(): void {
  poke(agent.task + TASK_LOOP_ALIVE, staysForDeadline() ? 1 : 0);
  stay ??= setInterval(() => {}, FOREVER_ms);
  if (!isArmed()) scheduleTurn();
}

onLoopIdle(() => {
  poke(agent.task + TASK_LOOP_ALIVE, 1);
  // Whether anything else keeps the loop is found out anew.
  if (stay !== null) clearInterval(stay);
  stay = null;
});

process.on('uncaughtExceptionMonitor', (error: unknown) => setReason(agent.task, reasonFor(1, error)));

// The last act of a task that ends in an orderly way: it answers everybody who waits for it, at once.
process.on('exit', (code) => {
  poke(agent.task + TASK_EXIT_CODE, code);
  repairTask(agent.task, holder());
});

void main();
