/**
 * Wasm tasks in AssemblyScript: strings and bytes as {address, length}, and calls to other tasks. A module exports the
 * kernel's allocator again, `export { l3_alloc } from '…/sdk/as/l3'`, and is built with `--use abort=`, so that a
 * failed assertion is a trap, which ends the task.
 *
 * What is given to a function is the task's: `takeString` and `takeBytes` copy it into a value of AssemblyScript's and
 * free the room. A result is kept alive until the next one is given. The conventions are in sdk/README.md.
 */

/** The task's own thread. */
// @ts-ignore: decorator
@external('l3', 'self')
export declare function self(): i32;

/** The thread that the present activation serves. */
// @ts-ignore: decorator
@external('l3', 'sender')
export declare function sender(): i32;

/** How the last call ended: 0, or why it failed. */
// @ts-ignore: decorator
@external('l3', 'status')
export declare function status(): i32;

// @ts-ignore: decorator
@external('l3', 'task')
declare function taskNamed(address: usize, length: i32): i32;

// @ts-ignore: decorator
@external('l3', 'method')
declare function methodNamed(task: i32, address: usize, length: i32): i32;

/** Calls over numbers; 0 when the call failed. Other types are had by another declaration of the import `l3.call`. */
// @ts-ignore: decorator
@external('l3', 'call')
export declare function call0(task: i32, method: i32): f64;

// @ts-ignore: decorator
@external('l3', 'call')
export declare function call1(task: i32, method: i32, a: f64): f64;

// @ts-ignore: decorator
@external('l3', 'call')
export declare function call2(task: i32, method: i32, a: f64, b: f64): f64;

/** Handle of the task that was granted under a name, or -1. */
export function task(name: string): i32 {
  const bytes = String.UTF8.encode(name);
  return taskNamed(changetype<usize>(bytes), bytes.byteLength);
}

/** Number of a task's function of this name, or -1. */
export function method(task: i32, name: string): i32 {
  const bytes = String.UTF8.encode(name);
  return methodNamed(task, changetype<usize>(bytes), bytes.byteLength);
}

/**
 * A server's loop: asks `take` of another task for a request until it is negative, and gives each to `answer` with what
 * `serve` makes of it. Returns the number of requests served; a call that fails ends the loop, see `status`.
 */
export function serve(task: i32, take: i32, answer: i32, handler: (request: f64) => f64): i32 {
  let served = 0;
  let request = call0(task, take);
  while (status() == 0 && request >= 0) {
    call2(task, answer, request, handler(request));
    if (status() != 0) break;
    served++;
    request = call0(task, take);
  }
  return served;
}

/** Room for what others send. The kernel calls it. */
export function l3_alloc(length: i32): usize {
  return heap.alloc(length);
}

/** A parameter with the letter `s`. */
export function takeString(address: usize, length: i32): string {
  const text = String.UTF8.decodeUnsafe(address, length);
  heap.free(address);
  return text;
}

/** A parameter with the letter `b`. */
export function takeBytes(address: usize, length: i32): Uint8Array {
  const bytes = new Uint8Array(length);
  memory.copy(bytes.dataStart, address, length);
  heap.free(address);
  return bytes;
}

/** The last result, so that it is not collected before it has been read, and where it stands. */
let given: ArrayBuffer = new ArrayBuffer(0);
const pair: usize = memory.data(8);

/** A result with the letter `s`. */
export function giveString(text: string): usize {
  return give(String.UTF8.encode(text), 0, -1);
}

/** A result with the letter `b`. The bytes are read when the function has returned, before anything else runs. */
export function giveBytes(bytes: Uint8Array): usize {
  return give(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function give(buffer: ArrayBuffer, offset: i32, length: i32): usize {
  given = buffer;
  store<usize>(pair, changetype<usize>(buffer) + offset);
  store<i32>(pair, length < 0 ? buffer.byteLength : length, 4);
  return pair;
}
