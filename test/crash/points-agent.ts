/**
 * An agent of points.ts: it plays one thread, as the victim, once, or as the survivor, again and again. It is bundled
 * with the kernel's sources, whose seams are points-seam.ts and points-wait.ts here.
 */
import { workerData } from 'node:worker_threads';
import { load, registers } from '#atomics';
import { call, replyAndReceive } from '../../src/kernel/ipc.ts';
import { receive, replyAndReceiveFrom } from '../../src/kernel/ipc-slow.ts';
import { outgoing, stringsIn } from '../../src/kernel/transfer.ts';
import {
  CALL,
  NEVER,
  OK,
  R_CALLED,
  R_SENDER,
  R_SEQUENCE,
  R_STRING,
  R_TAG,
  REPLY,
  type Result,
  TAG_KIND,
  TAG_METHOD_SHIFT,
  TAG_STRING_SHIFT,
} from '../../src/layout/message.ts';
import { ANY_INDEX } from '../../src/layout/params.ts';
import { indexOfTcb, KIND_MASK, PARKED, POLL, TCB_STATE, tcbOf, type ThreadId } from '../../src/layout/tcb.ts';
import { arm } from './points-seam.ts';
import {
  type Agent,
  DONE,
  ENDED,
  NOBODY,
  ORDER,
  PARTNER,
  QUIT,
  RESULT,
  SCENARIO,
  type Scenario,
  STOPPED,
  VICTIM,
  VICTIM_PARTNER,
  WRITES,
} from './points-table.ts';

const METHOD = -1 << TAG_METHOD_SHIFT;

const { control, isVictim, self, scenarios } = (workerData as { agent: Agent }).agent;

/** Ends nothing by itself: whoever waits here is terminated. */
function standStill(): void {
  Atomics.store(control, VICTIM, STOPPED);
  Atomics.notify(control, VICTIM);
  for (;;) Atomics.wait(control, NOBODY, 0);
}

/** Until the other one polls for us and sleeps, or is dead. */
function awaitPoller(other: ThreadId): void {
  for (;;) {
    const state = load(tcbOf(other) + TCB_STATE);
    if ((state & KIND_MASK) === POLL && (state & PARKED) !== 0) return;
    if (!isVictim && Atomics.load(control, VICTIM) === STOPPED) return;
    Atomics.wait(control, NOBODY, 0, 1);
  }
}

function putString(bytes: number): number {
  if (bytes === 0) return 0;
  outgoing[0] = new Uint8Array(bytes).fill(7);
  registers[R_STRING] = bytes;
  return 1 << TAG_STRING_SHIFT;
}

/** Calls, and serves what it is called for until it has its answer. */
function client({ bytes }: Scenario, other: ThreadId): Result {
  let result = call(self, other, ANY_INDEX, CALL | putString(bytes), NEVER, NEVER);
  const called = registers[R_CALLED]!;
  while (result === OK && (registers[R_TAG]! & TAG_KIND) === CALL) {
    const from = registers[R_SENDER]! as ThreadId;
    result = replyAndReceiveFrom(self, from, registers[R_SEQUENCE]!, REPLY, other, called, NEVER);
  }
  return result;
}

/** Serves: the victim one call, the survivor until it is told to stop. */
function server({ bytes, upcall, queued }: Scenario, other: ThreadId): Result {
  if (queued) awaitPoller(other);
  let result = receive(self, 0, NEVER);
  for (;;) {
    // Its caller died between the claim and the publication.
    if (result !== OK) {
      result = receive(self, 0, NEVER);
      continue;
    }
    const [from, sequence, tag] = [registers[R_SENDER]! as ThreadId, registers[R_SEQUENCE]!, registers[R_TAG]!];
    if ((tag & METHOD) === QUIT) return OK;
    if (upcall) call(self, from, indexOfTcb(self), CALL, NEVER, NEVER);
    const back = REPLY | (stringsIn(tag) > 0 ? putString(bytes) : 0);
    result = replyAndReceive(self, from, sequence, back, isVictim ? 0 : NEVER);
    if (isVictim) return OK;
  }
}

function play(scenario: Scenario, other: ThreadId): Result {
  return isVictim === (scenario.victim === 'client') ? client(scenario, other) : server(scenario, other);
}

const scenarioNow = (): Scenario => scenarios[control[SCENARIO]!]!;

if (isVictim) {
  arm(control[WRITES]!, standStill);
  play(scenarioNow(), control[VICTIM_PARTNER]! as ThreadId);
  arm(-1, standStill);
  Atomics.store(control, VICTIM, DONE);
  Atomics.notify(control, VICTIM);
} else {
  for (let order = 0; ; order++) {
    Atomics.wait(control, ORDER, order);
    control[RESULT] = play(scenarioNow(), control[PARTNER]! as ThreadId);
    Atomics.add(control, ENDED, 1);
    Atomics.notify(control, ENDED);
  }
}
