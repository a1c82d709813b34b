/**
 * What runs in a worker task before and around its module. Takes on the identity that the spawner prepared, imports the
 * module, says hello with its export list, and serves: in the event loop while that lives, in place when it is empty.
 */
import { enableCompileCache, syncBuiltinESMExports } from 'node:module';
import threads from 'node:worker_threads';
import { peek, registers } from '#atomics';
import { repairTask } from '../kernel/fault.ts';
import { send } from '../kernel/ipc-slow.ts';
import { NEVER, R_TAG, SEND, TAG_FLAG } from '../layout/message.ts';
import { TASK_CHIEF, TASK_EXIT_CODE, TASK_LOOP_ALIVE, type TaskId } from '../layout/task.ts';
import { TCB_ID, type ThreadId } from '../layout/tcb.ts';
import { poke } from '../platform/atomics.ts';
import { INDEX_MASK } from '../layout/params.ts';
import { agent, attach } from '../user/agent.ts';
import { onLoopIdle } from '../user/loop.ts';
import { setPort } from '../rpc/carry.ts';
import { putThrown } from '../rpc/failure.ts';
import { putResult } from '../rpc/payload.ts';
import { setExports, tableOf } from '../rpc/serve.ts';
import { openServer, serveInPlace } from '../rpc/server.ts';
import { setDefaultTimeout, setHost } from './here.ts';
import './api.ts';
import { setBootstrap, type WorkerStart } from './worker.ts';

const { l3kernel: start } = threads.workerData as { l3kernel: WorkerStart };
let opened = false;

function becomeTask(): void {
  attach(start.taskId as TaskId);
  poke(agent.task + TASK_LOOP_ALIVE, 1);
  setPort(peek(agent.task + TASK_CHIEF), start.port);
  setBootstrap(start.bootstrap);
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
  send(agent.server, start.spawner as ThreadId, tag | SEND, NEVER);
}

async function main(): Promise<void> {
  const chief = peek(agent.task + TASK_CHIEF);
  try {
    const table = tableOf((await import(start.url)) as Record<string, unknown>);
    setExports(table, start.concurrency);
    hello(putResult([...table.names], chief));
  } catch (error) {
    sayError(error, chief);
    return;
  }
  opened = true;
  openServer();
}

function sayError(error: unknown, chief: number): void {
  // The kind of a message that is sent says nothing else; the flag tells the two kinds of hello apart.
  const tag = putThrown(error, chief) | TAG_FLAG;
  send(agent.server, start.spawner as ThreadId, tag, NEVER);
  process.exit(1);
}

becomeTask();

process.on('beforeExit', () => {
  if (!opened) {
    sayError(
      new Error('the module waits for a promise that nothing can settle any more'),
      peek(agent.task + TASK_CHIEF),
    );
    return;
  }
  serveInPlace();
});

onLoopIdle(() => poke(agent.task + TASK_LOOP_ALIVE, 1));

// The last act of a task that ends in an orderly way: it answers everybody who waits for it, at once.
process.on('exit', (code) => {
  poke(agent.task + TASK_EXIT_CODE, code);
  repairTask(agent.task, peek(agent.caller + TCB_ID) & INDEX_MASK);
});

void main();
