/**
 * Starting the worker of a task. It stands alone, so that the supervisor can start its first worker before it loads
 * anything else.
 */
import { MessageChannel, type MessagePort, SHARE_ENV, Worker, type WorkerOptions } from 'node:worker_threads';
import type { Launch, WorkerStart } from './control.ts';

/** What every worker of a system is given. */
export interface Common {
  readonly memory: WebAssembly.Memory;
  readonly bootstrap: string;
}

/** A worker, and what became of it before somebody listened. */
export interface Launched {
  readonly worker: Worker;
  /** Our end of its port to the supervisor. */
  readonly control: MessagePort;
  error: unknown;
  /** Exit code; null while it runs. */
  code: number | null;
  onExit: ((code: number) => void) | null;
}

/** Starts the worker of a task. Throws what `new Worker` throws. */
export function launchWorker(
  { memory, bootstrap }: Common,
  launch: Launch,
  names: readonly string[] | null = null,
  isSpare = false,
): Launched {
  const { port1, port2 } = new MessageChannel();
  const { taskId, url, spawner, hostNames, concurrency, timeout_ms, port } = launch;
  const start: WorkerStart = {
    role: 'task',
    memory,
    taskId,
    url,
    spawner,
    hostNames,
    concurrency,
    timeout_ms,
    port,
    control: port2,
    names,
    isSpare,
  };
  const options: WorkerOptions = {
    eval: true,
    name: launch.name,
    workerData: { l3kernel: start },
    transferList: port === null ? [port2] : [port, port2],
    argv: [...launch.argv],
    env: launch.env === null ? SHARE_ENV : launch.env,
    ...(launch.resourceLimits === undefined ? {} : { resourceLimits: launch.resourceLimits }),
  };
  return follow(create(bootstrap, options, launch), port1);
}

type ExecArgv = Pick<Launch, 'execArgv' | 'inheritsExecArgv'>;

const INVALID_EXEC_ARGV = /invalid execArgv flags: (.*)/;

/**
 * A worker takes no option of the process as a whole. Node leaves those out when a worker inherits its options, and
 * refuses them when they are stated, as they are here: the supervisor has none that a worker could inherit.
 */
function create(bootstrap: string, options: WorkerOptions, { execArgv, inheritsExecArgv }: ExecArgv): Worker {
  if (execArgv.length === 0 && inheritsExecArgv) return new Worker(bootstrap, options);
  try {
    return new Worker(bootstrap, { ...options, execArgv: [...execArgv] });
  } catch (error) {
    const flags = INVALID_EXEC_ARGV.exec((error as Error).message)?.[1]?.split(', ');
    if (!inheritsExecArgv || flags === undefined) throw error;
    const kept = execArgv.filter((flag) => !flags.includes(flag));
    if (kept.length === execArgv.length) return new Worker(bootstrap, options);
    return create(bootstrap, options, { execArgv: kept, inheritsExecArgv });
  }
}

function follow(worker: Worker, control: MessagePort): Launched {
  const launched: Launched = { worker, control, error: undefined, code: null, onExit: null };
  worker.on('error', (error) => {
    launched.error = error;
  });
  worker.on('exit', (code) => {
    launched.code = code;
    launched.onExit?.(code);
  });
  return launched;
}
