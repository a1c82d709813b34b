/**
 * What the agents of the scenarios do: small users of the kernel, bundled with it and compiled as it is. A message is
 * one word, `wordOf(thread, n)`, and its answer the same word with ANSWER; a program says by `note` what came of each
 * operation, and the scenario's check compares.
 */
import { registers } from '#atomics';
import { call, replyAndReceive } from '../../src/kernel/ipc.ts';
import { receive } from '../../src/kernel/ipc-slow.ts';
import { ANY_INDEX, INDEX_MASK } from '../../src/layout/params.ts';
import { CALL, NEVER, OK, R_SENDER, R_SEQUENCE, R_WORD, REPLY } from '../../src/layout/message.ts';
import { indexOfTcb, type Tcb, type ThreadId } from '../../src/layout/tcb.ts';
import { claimThat, note } from './seam.ts';

/** Notes: the n-th operation of this agent ended with a result; a message was served. */
export const ENDED_WITH = 1;
export const SERVED = 2;

/** Claims of the programs, by number. */
export const claims: readonly string[] = [
  'an answer is the one to this very call',
  'a receive without a timeout ends with a message',
  'a message says who sent it',
];
const OWN_ANSWER = 0;
const RECEIVES = 1;
const TELLS_SENDER = 2;

const ANSWER = 1 << 20;
const wordOf = (self: Tcb, n: number): number => (indexOfTcb(self) << 8) | n;

/** Calls `to` a number of times. */
export function callTimes(self: Tcb, to: ThreadId, times: number, send_ms: number, receive_ms: number): void {
  for (let n = 1; n <= times; n++) {
    registers[R_WORD] = wordOf(self, n);
    const result = call(self, to, ANY_INDEX, CALL | 1, send_ms, receive_ms);
    if (result === OK) claimThat(registers[R_WORD] === (wordOf(self, n) | ANSWER), OWN_ANSWER);
    note(ENDED_WITH, n, result);
  }
}

/** Serves calls, one after the other, for ever. */
export function serve(self: Tcb): void {
  let result = receive(self, 0, NEVER);
  for (;;) {
    claimThat(result === OK, RECEIVES);
    const from = registers[R_SENDER]! as ThreadId;
    const sequence = registers[R_SEQUENCE]!;
    const word = registers[R_WORD]!;
    claimThat(word >> 8 === (from & INDEX_MASK), TELLS_SENDER);
    note(SERVED, word);
    registers[R_WORD] = word | ANSWER;
    result = replyAndReceive(self, from, sequence, REPLY | 1, NEVER);
  }
}
