/**
 * The imports `l3.*`: what a wasm task asks the kernel for. Each function is made for one task, so that who calls is
 * never a parameter. Other tasks are named by handles, which are places in the list of those that the chief granted.
 *
 *   self() -> i32                                     the task's own thread
 *   sender() -> i32                                   the thread that the present activation serves
 *   task(address, length) -> i32                      handle of the task granted under this name, or -1
 *   method(handle, address, length) -> i32            number of its function of this name, or -1
 *   call(handle, method, words…) -> i32 | f32 | f64   calls it; 0 when the call failed
 *   status() -> i32                                   how the last call ended: 0, or a result of layout/message.ts
 *
 * `call` may be imported with as many words as the task likes, of any types, several times. There is no receive: a
 * passive thread receives by being called.
 */
import { peek } from '#atomics';
import {
  DEADLOCK,
  DENIED,
  LIMIT,
  NO_SUCH_THREAD,
  OK,
  PEER_GONE,
  RECEIVE_TIMEOUT,
  type Result,
} from '../../layout/message.ts';
import { TCB_SENDER } from '../../layout/tcb.ts';
import { IpcError } from '../../rpc/ipc-error.ts';
import { isThenable } from '../../rpc/serve.ts';
import { gone, isGone, type RawFunction, type WasmTask } from './record.ts';
import type { FunctionType } from './shape.ts';
import { takeString } from './space.ts';
import { type Outcome, suspend } from './stacks.ts';

/** A function of a granted task, by number. */
export interface Method {
  readonly name: string;
  /** Numbers that it takes; undefined when that is not known. */
  readonly arity: number | undefined;
  readonly call: RawFunction;
}

/** A task that the chief granted. */
export interface Capability {
  readonly name: string;
  readonly methods: readonly Method[];
}

const RESULTS: Record<string, Result> = {
  ERR_IPC_PEER_GONE: PEER_GONE,
  ERR_IPC_NO_SUCH_THREAD: NO_SUCH_THREAD,
  ERR_IPC_DENIED: DENIED,
  ERR_IPC_DEADLOCK: DEADLOCK,
  ERR_IPC_LIMIT: LIMIT,
  ERR_IPC_TIMEOUT: RECEIVE_TIMEOUT,
};
/** The callee threw an error of its own; and a handle or number that means nothing, or a wrong number of words. */
const THREW = 100;
const NO_SUCH_METHOD = 101;

const TYPES: Record<string, (type: FunctionType) => boolean> = {
  self: isType([], ['i32']),
  sender: isType([], ['i32']),
  status: isType([], ['i32']),
  task: isType(['i32', 'i32'], ['i32']),
  method: isType(['i32', 'i32', 'i32'], ['i32']),
  call: ({ params, results }) =>
    params[0] === 'i32' && params[1] === 'i32' && results.length <= 1 && [...params, ...results].every(isWord),
};

const isWord = (type: string): boolean => type === 'i32' || type === 'f32' || type === 'f64';

function isType(params: readonly string[], results: readonly string[]): (type: FunctionType) => boolean {
  return (type) => String(type.params) === String(params) && String(type.results) === String(results);
}

/** Whether `l3.name` may be imported with this type. */
export const isKernelImport = (name: string, type: FunctionType): boolean =>
  Object.hasOwn(TYPES, name) && TYPES[name]!(type);

/** The functions of `l3` for one task. */
export function kernelImports(task: WasmTask, granted: readonly Capability[]): Record<string, RawFunction> {
  const { id: born, space } = task;
  let status: Result = OK;
  const named = (address: number, length: number): string => takeString(space, address, length);
  return {
    self: () => task.stacks?.current?.id ?? task.id,
    sender: () =>
      task.stacks?.current?.sender ?? (task.remoteSender === 0 ? peek(task.tcb + TCB_SENDER) : task.remoteSender),
    status: () => status,
    task: (address, length) => granted.findIndex(({ name }) => name === named(address, length)),
    method: (handle, address, length) =>
      granted[handle]?.methods.findIndex(({ name }) => name === named(address, length)) ?? -1,
    call: (handle, number, ...args) => {
      if (isGone(task) || task.id !== born) throw gone(task, 'call');
      const method = granted[handle]?.methods[number];
      if (method === undefined || (method.arity ?? args.length) !== args.length) {
        status = NO_SUCH_METHOD;
        return 0;
      }
      const answer = ({ failed, value }: Outcome): number => {
        const isNumber = !failed && (typeof value === 'number' || value === undefined);
        status = isNumber ? OK : value instanceof IpcError ? (RESULTS[value.code] ?? THREW) : THREW;
        return isNumber ? (value ?? 0) : 0;
      };
      let result: unknown;
      try {
        result = method.call(...args);
      } catch (error) {
        // Its own end, and that of the stack, are not answers.
        if (isGone(task) || task.id !== born || error instanceof RangeError) throw error;
        return answer({ failed: true, value: error });
      }
      return isThenable(result) ? suspend(task.stacks!, result, answer, 0) : answer({ failed: false, value: result });
    },
  };
}
