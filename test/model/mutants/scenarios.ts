/** Scenarios that some mutants need, beside those of the explorer: what happens to a thread after it was disturbed. */
import {
  ABORTED,
  NEVER,
  NO_SUCH_THREAD,
  NOT_TAKEN,
  OK,
  PEER_GONE,
  RECEIVE_TIMEOUT,
  type Result,
  SEND_TIMEOUT,
} from '../../../src/layout/message.ts';
import type { Tcb } from '../../../src/layout/tcb.ts';
import type { End, Scenario, System } from '../system.ts';
import { type AgentPlan, LOCK_SLICE_ms } from '../world.ts';

/** A timeout: any that is no slice of the kernel's. */
const SHORT_ms = 10;

const GONE: readonly Result[] = [PEER_GONE, NOT_TAKEN, NO_SUCH_THREAD];

/** Every operation of these agents that was to end did so once, in one of these ways. */
function ended(end: End, counts: Readonly<Record<string, number>>, allowed: readonly Result[]): string | null {
  for (const [name, count] of Object.entries(counts)) {
    const { results, killed } = end.of(name);
    for (let n = 1; n <= count && !killed; n++) {
      if (!allowed.includes(results.get(n) ?? -1)) return `operation ${n} of ${name} gave ${results.get(n)}`;
    }
  }
  return null;
}

/** Each message was taken once, and no earlier than the one before it of its sender. */
function takenInOrder(end: End, taker: string): string | null {
  const last = new Map<number, number>();
  for (const word of end.of(taker).served) {
    if ((last.get(word >> 8) ?? 0) >= word) return `message ${word} came twice, or behind a later one`;
    last.set(word >> 8, word);
  }
  return null;
}

const sends = (system: System, name: string, self: Tcb, to: Tcb, times: number, send_ms = NEVER): AgentPlan => ({
  name,
  program: 'sendTimes',
  args: [self, system.idOf(to), times, send_ms],
});

const calls = (system: System, name: string, self: Tcb, to: Tcb): AgentPlan => ({
  name,
  program: 'callTimes',
  args: [self, system.idOf(to), 1, NEVER, NEVER],
});

export const moreScenarios: readonly Scenario[] = [
  {
    name: 'abort-again',
    about: 'a send is cancelled at any moment, and its thread sends again, beside another sender',
    threads: 4,
    preemptions: 1,
    build(system) {
      const main = system.task();
      const [t, a] = [system.thread('taker', main), system.thread('sender A', main)];
      const [b, c] = [system.thread('sender B', main), system.thread('aborter', main)];
      return [
        { name: 'taker', program: 'takeAll', args: [t, NEVER], rests: true },
        sends(system, 'sender A', a, t, 2),
        sends(system, 'sender B', b, t, 1),
        { name: 'aborter', program: 'cancelOnce', args: [c, a] },
      ];
    },
    check: (end) => ended(end, { 'sender A': 2, 'sender B': 1 }, [OK, ABORTED]) ?? takenInOrder(end, 'taker'),
  },
  {
    name: 'give-up-in-queue',
    about: 'a sender that gives up and sends again, beside another sender',
    threads: 3,
    preemptions: 1,
    build(system) {
      const main = system.task();
      const [t, a] = [system.thread('taker', main), system.thread('sender A', main)];
      const b = system.thread('sender B', main);
      return [
        { name: 'taker', program: 'takeAll', args: [t, NEVER], rests: true },
        sends(system, 'sender A', a, t, 2, SHORT_ms),
        sends(system, 'sender B', b, t, 1),
      ];
    },
    check: (end) => ended(end, { 'sender A': 2, 'sender B': 1 }, [OK, SEND_TIMEOUT]) ?? takenInOrder(end, 'taker'),
  },
  {
    name: 'never-answered',
    about: 'a call that waits as long as it must to be taken, and not so long for an answer, which never comes',
    threads: 2,
    build(system) {
      const main = system.task();
      const [t, c] = [system.thread('taker', main), system.thread('client', main)];
      return [
        { name: 'taker', program: 'takeAll', args: [t, NEVER], rests: true },
        { name: 'client', program: 'callTimes', args: [c, system.idOf(t), 1, NEVER, SHORT_ms] },
      ];
    },
    check: (end) => ended(end, { client: 1 }, [RECEIVE_TIMEOUT]) ?? takenInOrder(end, 'taker'),
  },
  {
    name: 'closed-receive-waits',
    about: 'a closed receive and its sender, neither of which gives up',
    threads: 2,
    build(system) {
      const main = system.task();
      const [t, s] = [system.thread('taker', main), system.thread('sender', main)];
      return [
        { name: 'taker', program: 'takeFrom', args: [t, system.idOf(s), 2, NEVER] },
        sends(system, 'sender', s, t, 2),
      ];
    },
    check: (end) => ended(end, { taker: 2, sender: 2 }, [OK]) ?? takenInOrder(end, 'taker'),
  },
  {
    name: 'kill-in-queue',
    about: 'one of two clients is killed at any write, repaired',
    threads: 4,
    tasks: 3,
    kills: 1,
    nets: [LOCK_SLICE_ms],
    preemptions: 1,
    build(system) {
      const main = system.task();
      const dying = system.task(main);
      const [r, s] = [system.thread('reaper', main), system.thread('server', main)];
      const [a, b] = [system.thread('client A', main), system.thread('client B', dying)];
      return [
        { name: 'server', program: 'serve', args: [s], rests: true },
        calls(system, 'client A', a, s),
        { ...calls(system, 'client B', b, s), killable: true },
        { name: 'reaper', program: 'repairAfter', args: [r, 2, dying, false], rests: true },
      ];
    },
    check: (end) => ended(end, { 'client A': 1, 'client B': 1 }, [OK]) ?? takenInOrder(end, 'server'),
  },
  {
    name: 'upcall-kill-server',
    about: 'a server dies at any write of its upcall, repaired',
    threads: 3,
    tasks: 3,
    kills: 1,
    nets: [LOCK_SLICE_ms],
    preemptions: 2,
    build(system) {
      const main = system.task();
      const [serverTask, clientTask] = [system.task(main), system.task(main)];
      const r = system.thread('reaper', main);
      const [s, c] = [system.thread('server', serverTask), system.thread('client', clientTask)];
      return [
        { name: 'server', program: 'serveWithUpcall', args: [s, NEVER], rests: true, killable: true },
        { name: 'client', program: 'callServingUpcalls', args: [c, system.idOf(s), 1] },
        { name: 'reaper', program: 'repairAfter', args: [r, 0, serverTask, false], rests: true },
      ];
    },
    check: (end) => ended(end, { client: 1 }, end.of('server').killed ? [OK, ...GONE] : [OK]),
  },
];
