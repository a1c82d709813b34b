/**
 * What both ways of a value have in common: errors, calls of the prelude's functions, and the marks of a tape. A value
 * crosses as a *tape* (prelude.ts); take.ts brings it out of the sandbox, put.ts into it.
 */
import { placesOf } from './engine.ts';
import { OPERATIONS, type Operation } from './prelude.ts';
import { freeBox, GuestThrew, isException, type Vm } from './vm.ts';

/** A value that cannot cross; the message has its path. */
export class Refusal extends Error {
  readonly code: 'ERR_IPC_NOT_CLONEABLE' | 'ERR_IPC_LIMIT';
  constructor(code: Refusal['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** Calls a function of the prelude. Throws GuestThrew: the stack or the memory was used up, or a getter threw. */
export function callBoxes(vm: Vm, fn: number, boxes: readonly number[]): number {
  const { argv, undefined: nothing } = placesOf();
  vm.look();
  for (let i = 0; i < boxes.length; i++) vm.words[(argv >> 2) + i] = boxes[i]!;
  const result = vm.raw.qjs_call(fn, nothing, boxes.length, argv);
  if (isException(vm, result)) {
    if (result !== 0) freeBox(vm, result);
    throw new GuestThrew();
  }
  return result;
}

/** An entry of a tape that is no value but says what follows. */
export class Mark {
  readonly operation: Operation;
  constructor(operation: Operation) {
    this.operation = operation;
  }
}
export const MARKS = OPERATIONS.map((operation) => new Mark(operation));
export const markOf = (operation: Operation): Mark => MARKS[OPERATIONS.indexOf(operation)]!;
