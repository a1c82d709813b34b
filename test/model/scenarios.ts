/** The scenarios: who does what, and what must be true when nothing happens any more. */
import {
  ABORTED,
  CALL,
  MISSED,
  NEVER,
  NO_SUCH_THREAD,
  NOT_TAKEN,
  NOT_YET,
  OK,
  PEER_GONE,
  R_SEQUENCE,
  R_WORD,
  RECEIVE_TIMEOUT,
  type Result,
  SEND_TIMEOUT,
} from '../../src/layout/message.ts';
import { ANY_INDEX, INDEX_MASK, WINDOW_SMALL_BYTES } from '../../src/layout/params.ts';
import { type Tcb, TCB_TAKEN, tcbAt } from '../../src/layout/tcb.ts';
import type { End, Scenario, System } from './system.ts';
import { type AgentPlan, LOCK_SLICE_ms } from './world.ts';

/** A timeout: any that is no slice of the kernel's. */
const SHORT_ms = 10;

// Agents.

const server = (self: Tcb): AgentPlan => ({ name: 'server', program: 'serve', args: [self], rests: true });

function client(system: System, name: string, self: Tcb, to: Tcb, times: number, send_ms = NEVER, receive_ms = NEVER) {
  return { name, program: 'callTimes', args: [self, system.idOf(to), times, send_ms, receive_ms] };
}

const sender = (system: System, name: string, self: Tcb, to: Tcb, times: number, send_ms = NEVER): AgentPlan => ({
  name,
  program: 'sendTimes',
  args: [self, system.idOf(to), times, send_ms],
});

const killable = (plan: AgentPlan): AgentPlan => ({ ...plan, killable: true });

/** Repairs when the agent with this number, of this task, was killed. */
const reaper = (self: Tcb, agent: number, task: number, frees: boolean): AgentPlan => ({
  name: 'reaper',
  program: 'repairAfter',
  args: [self, agent, task, frees],
  rests: true,
});

// Checks.

/** The first that is wrong. */
const firstOf = (...wrong: readonly (string | null)[]): string | null => wrong.find((one) => one !== null) ?? null;

/** The operations 1 to `times` of an agent ended once each, with one of these results. */
function endedWith(end: End, name: string, times: number, ...allowed: readonly Result[]): string | null {
  const { results, killed } = end.of(name);
  if (killed) return null;
  for (let n = 1; n <= times; n++) {
    const result = results.get(n);
    if (result === undefined || !allowed.includes(result)) return `operation ${n} of ${name} gave ${result}`;
  }
  return results.size > times ? `${name} says more than it did` : null;
}

/**
 * What `taker` got: each message once, in the order of its sender; and of each sender all that it knows to be taken
 * (`taken`), nothing that it knows not to be (`not`).
 */
function taken(
  end: End,
  taker: string,
  senders: readonly string[],
  yes: readonly Result[],
  no: readonly Result[],
): string | null {
  const { served, killed } = end.of(taker);
  const last = new Map<number, number>();
  for (const word of served) {
    if ((last.get(word >> 8) ?? 0) >= word) return `message ${word} came twice, or behind a later one`;
    last.set(word >> 8, word);
  }
  for (const name of senders) {
    const index = end.threadOf(name);
    for (const [n, result] of end.of(name).results) {
      const was = served.includes((index << 8) | n);
      if (yes.includes(result) && !was && !killed) return `message ${n} of ${name} gave ${result} and was not taken`;
      if (no.includes(result) && was) return `message ${n} of ${name} gave ${result} and was taken`;
    }
  }
  return null;
}

/** Who was to repair has done so, if there was a death. */
const repaired = (end: End, died: boolean): string | null =>
  !died || end.of('reaper').isAtEnd ? null : 'the repair does not end';

/** How many threads there are, of those with an index up to `last`. */
function threadsAre(end: End, last: number, count: number): string | null {
  let found = 0;
  for (let index = 1; index <= last; index++) if (end.peek(tcbAt(index) + TCB_TAKEN) !== 0) found++;
  return found === count ? null : `${found} threads are left, not ${count}`;
}

const DEAD_PARTNER: readonly Result[] = [PEER_GONE, NOT_TAKEN, NO_SUCH_THREAD];

/** Clients of one server, with their numbers of calls. */
function clientsOf(
  count: number,
  times: number,
  send_ms: number,
  receive_ms: number,
): Pick<Scenario, 'build' | 'check'> {
  const names = ['client A', 'client B', 'client C'].slice(0, count);
  return {
    build(system) {
      const main = system.task();
      const s = system.thread('server', main);
      const clients = names.map((name) =>
        client(system, name, system.thread(name, main), s, times, send_ms, receive_ms),
      );
      return [server(s), ...clients];
    },
    check(end) {
      const allowed = [
        OK,
        ...(send_ms === NEVER ? [] : [SEND_TIMEOUT]),
        ...(receive_ms === NEVER ? [] : [RECEIVE_TIMEOUT]),
      ];
      return firstOf(
        ...names.map((name) => endedWith(end, name, times, ...allowed)),
        taken(end, 'server', names, [OK, RECEIVE_TIMEOUT], [SEND_TIMEOUT]),
      );
    },
  };
}

/** Senders, one taker; thread 1 is the taker's. */
function sendersOf(
  names: readonly string[],
  times: number,
  send_ms: number,
  take: readonly number[],
): Pick<Scenario, 'build' | 'check'> {
  return {
    build(system) {
      const main = system.task();
      const t = system.thread('taker', main);
      const taker = { name: 'taker', program: 'takeAll', args: [t, ...take], rests: take[0] === NEVER };
      return [taker, ...names.map((name) => sender(system, name, system.thread(name, main), t, times, send_ms))];
    },
    check(end) {
      return firstOf(
        ...names.map((name) => endedWith(end, name, times, OK, ...(send_ms === NEVER ? [] : [SEND_TIMEOUT]))),
        taken(end, 'taker', names, [OK], [SEND_TIMEOUT]),
      );
    },
  };
}

/** A client and a server in tasks of their own, one of which is killed; the other's operations end. */
function killed(
  victim: 'client' | 'server',
  times: number,
  frees: boolean,
): Pick<Scenario, 'build' | 'check' | 'kills' | 'nets' | 'reuses' | 'threads' | 'tasks'> {
  return {
    reuses: frees,
    threads: 3,
    tasks: 3,
    kills: 1,
    nets: [LOCK_SLICE_ms],
    build(system) {
      const main = system.task();
      const [serverTask, clientTask] = [system.task(main), system.task(main)];
      const r = system.thread('reaper', main);
      const s = system.thread('server', serverTask);
      const c = system.thread('client', clientTask);
      const agents = [server(s), client(system, 'client', c, s, times)];
      const number = victim === 'server' ? 0 : 1;
      agents[number] = killable(agents[number]!);
      return [...agents, reaper(r, number, victim === 'server' ? serverTask : clientTask, frees)];
    },
    check(end) {
      const died = end.of(victim).killed;
      return firstOf(
        repaired(end, died),
        threadsAre(end, 3, died && frees ? 2 : 3),
        endedWith(end, 'client', times, OK, ...(died ? DEAD_PARTNER : [])),
        taken(end, 'server', ['client'], [OK], [NOT_TAKEN, NO_SUCH_THREAD]),
      );
    },
  };
}

/** Bytes of the windows in the scenarios with long messages, and of such a message: three pieces. */
const WINDOW = 8;
const LONG = 10;

/**
 * A client and a server in tasks of their own with small windows; `there` and `back` are the lengths of the strings.
 */
function strings(
  there: number,
  back: number,
  receive_ms: number,
  victim?: 'client' | 'server',
  frees = false,
): Pick<Scenario, 'build' | 'check' | 'kills' | 'nets' | 'reuses' | 'threads' | 'tasks' | 'windows'> {
  return {
    threads: 3,
    tasks: 3,
    windows: 2,
    ...(victim === undefined ? {} : { kills: 1, nets: [LOCK_SLICE_ms], reuses: frees }),
    build(system) {
      const main = system.task();
      const [serverTask, clientTask] = [system.task(main), system.task(main)];
      const r = system.thread('reaper', main);
      const s = system.thread('server', serverTask, WINDOW);
      const c = system.thread('client', clientTask, WINDOW);
      const agents: AgentPlan[] = [
        { name: 'server', program: 'serveStrings', args: [s, 1, back], rests: true },
        { name: 'client', program: 'callWithString', args: [c, system.idOf(s), 1, there, receive_ms] },
      ];
      if (victim === undefined) return agents;
      const number = victim === 'server' ? 0 : 1;
      agents[number] = killable(agents[number]!);
      return [...agents, reaper(r, number, victim === 'server' ? serverTask : clientTask, frees)];
    },
    check(end) {
      const died = victim !== undefined && end.of(victim).killed;
      const dead = died ? DEAD_PARTNER : [];
      return firstOf(
        repaired(end, died),
        endedWith(end, 'client', 1, OK, ...dead, ...(receive_ms === NEVER ? [] : [RECEIVE_TIMEOUT])),
        end.of('server').results.size === 0 ? null : endedWith(end, 'server', 1, OK, ...dead),
        taken(end, 'server', ['client'], died ? [] : [OK], [NOT_TAKEN, NO_SUCH_THREAD]),
      );
    },
  };
}

/** An agent makes threads with windows and gives them back, and is killed; another does the same meanwhile. */
function makers(): Omit<Scenario, 'name' | 'about'> {
  return {
    threads: 5,
    tasks: 3,
    windows: 4,
    kills: 1,
    nets: [LOCK_SLICE_ms],
    reuses: true,
    build(system) {
      const main = system.task();
      const [dying, living] = [system.task(main), system.task(main)];
      const r = system.thread('reaper', main);
      const [m, o] = [system.thread('maker', dying), system.thread('other maker', living)];
      return [
        killable({ name: 'maker', program: 'makeAndFree', args: [m, dying, 2] }),
        { name: 'other maker', program: 'makeAndFree', args: [o, living, 1] },
        reaper(r, 0, dying, true),
      ];
    },
    check(end) {
      const died = end.of('maker').killed;
      return firstOf(
        threadsAre(end, 5, died ? 3 : 5),
        endedWith(end, 'maker', 2, OK),
        endedWith(end, 'other maker', 1, OK),
      );
    },
  };
}

/** A task's threads are given back by an agent that is killed, and whose work another does again. */
function freers(): Omit<Scenario, 'name' | 'about'> {
  return {
    threads: 5,
    tasks: 4,
    windows: 2,
    kills: 2,
    nets: [LOCK_SLICE_ms],
    reuses: true,
    build(system) {
      const main = system.task();
      const own = system.task(main);
      const dying = system.task(own);
      const [r, q] = [system.thread('reaper', own), system.thread('second reaper', main)];
      const m = system.thread('maker', dying, WINDOW_SMALL_BYTES);
      system.thread('another', dying, WINDOW_SMALL_BYTES);
      return [
        { ...killable(server(m)), name: 'maker' },
        killable(reaper(r, 0, dying, true)),
        { name: 'second reaper', program: 'repairBoth', args: [q, 1, own, 0, dying], rests: true },
      ];
    },
    check(end) {
      const [maker, first] = [end.of('maker').killed, end.of('reaper').killed];
      return threadsAre(end, 5, maker ? (first ? 1 : 2) : 4);
    },
  };
}

/** A passive thread or a generator that serves callers of other processors, each with its number of calls. */
function homeServer(
  program: 'runPassive' | 'runBody',
  times: readonly number[],
  send_ms: number,
  calls: 'callTimes' | 'callAgain' = 'callTimes',
): Pick<Scenario, 'build' | 'check' | 'threads' | 'tasks'> {
  const names = ['client A', 'client B'].slice(0, times.length);
  return {
    threads: 2 + times.length,
    tasks: 2,
    build(system) {
      const main = system.task();
      const home = system.task(main);
      const [h, s] = [system.thread('home', home), system.thread('server', home, 0, true)];
      system.callsFor(home, h);
      const clients = names.map((name, i) =>
        calls === 'callTimes'
          ? client(system, name, system.thread(name, main), s, times[i]!, send_ms)
          : { name, program: calls, args: [system.thread(name, main), system.idOf(s), send_ms] },
      );
      return [{ name: 'server', program, args: program === 'runBody' ? [s, 0, 0] : [s, 0], rests: true }, ...clients];
    },
    check: (end) =>
      firstOf(
        ...names.map((name, i) => endedWith(end, name, times[i]!, OK, ...(send_ms === NEVER ? [] : [SEND_TIMEOUT]))),
        taken(end, 'server', names, [OK], [SEND_TIMEOUT]),
        calls === 'callTimes' || end.of('client A').results.get(2) === OK ? null : 'the second call gave up',
      ),
  };
}

/** The same, and client A is cancelled at any moment. */
function withAborter(
  scenario: Pick<Scenario, 'build' | 'threads' | 'tasks'>,
): typeof scenario & Pick<Scenario, 'check'> {
  return {
    ...scenario,
    threads: scenario.threads + 1,
    build(system) {
      const agents = scenario.build(system);
      const main = system.idOfTask(1);
      const a = system.thread('aborter', main);
      return [...agents, { name: 'aborter', program: 'cancelOnce', args: [a, system.tcbOf('client A')] }];
    },
    check(end) {
      const aborted = end.of('client A').results.get(1) === ABORTED;
      return firstOf(
        endedWith(end, 'client A', 1, OK, ABORTED),
        endedWith(end, 'client B', 1, OK),
        taken(end, 'server', ['client A', 'client B'], [OK], []),
        (end.of('aborter').results.get(1) === 1) === aborted ? null : 'cancel says what did not happen',
      );
    },
  };
}

/** Callers of a passive thread, the first in a task of its own; that task, or the thread's, is killed. */
function killedAtHome(
  victim: 'client' | 'server',
  names: readonly string[],
): Pick<Scenario, 'build' | 'check' | 'kills' | 'nets' | 'threads' | 'tasks'> {
  return {
    threads: 3 + names.length,
    tasks: 3,
    kills: 1,
    nets: [LOCK_SLICE_ms],
    build(system) {
      const main = system.task();
      const [home, clientTask] = [system.task(main), system.task(main)];
      const [h, r] = [system.thread('home', home), system.thread('reaper', main)];
      const s = system.thread('server', home, 0, true);
      system.callsFor(home, h);
      const clients = names.map((name, i) =>
        client(system, name, system.thread(name, i === 0 ? clientTask : main), s, 1),
      );
      const agents: AgentPlan[] = [{ name: 'server', program: 'runPassive', args: [s, 0], rests: true }, ...clients];
      const number = victim === 'server' ? 0 : 1;
      agents[number] = killable(agents[number]!);
      return [...agents, reaper(r, number, victim === 'server' ? home : clientTask, false)];
    },
    check(end) {
      const died = end.of(victim).killed && victim === 'server';
      return firstOf(
        ...names.map((name) => endedWith(end, name, 1, OK, ...(died ? DEAD_PARTNER : []))),
        taken(end, 'server', names, [OK], [NOT_TAKEN, NO_SUCH_THREAD]),
      );
    },
  };
}

/** Two agents with tasks of their own, and the supervisor that hears of their deaths; they may call a third. */
function supervised(
  who: 'callers' | 'each other',
  reversed: boolean,
  together: boolean,
): Pick<Scenario, 'build' | 'check' | 'kills' | 'nets' | 'threads' | 'tasks' | 'together'> {
  const names = who === 'callers' ? ['client A', 'client B'] : ['server', 'client'];
  return {
    threads: 4,
    tasks: 3,
    kills: 2,
    together,
    nets: [LOCK_SLICE_ms],
    build(system) {
      const main = system.task();
      const [firstTask, secondTask] = [system.task(main), system.task(main)];
      const r = system.thread('supervisor', main);
      const [a, b] = [system.thread(names[0]!, firstTask), system.thread(names[1]!, secondTask)];
      const supervisor: AgentPlan = {
        name: 'supervisor',
        program: 'supervise',
        args: [r, 0, firstTask, 1, secondTask, reversed],
        rests: true,
      };
      if (who === 'callers') {
        const s = system.thread('server', main);
        const clients = [a, b].map((tcb, i) => killable(client(system, names[i]!, tcb, s, 1)));
        return [...clients, supervisor, server(s)];
      }
      return [
        killable({ name: 'server', program: 'serveWithUpcall', args: [a, NEVER], rests: true }),
        killable({ name: 'client', program: 'callServingUpcalls', args: [b, system.idOf(a), 1] }),
        supervisor,
      ];
    },
    check(end) {
      if (who === 'callers') {
        return firstOf(...names.map((name) => endedWith(end, name, 1, OK)), taken(end, 'server', names, [OK], []));
      }
      const died = names.some((name) => end.of(name).killed);
      return firstOf(
        endedWith(end, 'client', 1, OK, ...(died ? DEAD_PARTNER : [])),
        end.of('server').results.size === 0 ? null : endedWith(end, 'server', 1, OK, ...(died ? DEAD_PARTNER : [])),
      );
    },
  };
}

export const scenarios: readonly Scenario[] = [
  { name: 'call-1x1', about: '1 client, 1 call, 1 server', threads: 2, ...clientsOf(1, 1, NEVER, NEVER) },
  { name: 'call-1x2', about: '1 client, 2 calls, 1 server', threads: 2, ...clientsOf(1, 2, NEVER, NEVER) },
  { name: 'call-2x1', about: '2 clients, 1 call each', threads: 3, preemptions: 2, ...clientsOf(2, 1, NEVER, NEVER) },
  { name: 'call-2x2', about: '2 clients, 2 calls each', threads: 3, preemptions: 1, ...clientsOf(2, 2, NEVER, NEVER) },
  {
    name: 'receive-timeout',
    about: 'replyAndReceive against a caller that times out, and calls again while the old reply is on its way',
    threads: 2,
    ...clientsOf(1, 2, NEVER, SHORT_ms),
  },
  {
    name: 'call-timeouts',
    about: 'a caller with both timeouts, 2 calls',
    threads: 2,
    ...clientsOf(1, 2, SHORT_ms, SHORT_ms),
  },
  {
    name: 'send-timeout',
    about: 'a sender that gives up against a late receiver, 3 messages',
    threads: 2,
    ...sendersOf(['sender'], 3, SHORT_ms, [NEVER]),
  },
  {
    name: 'send-receive-timeout',
    about: 'a sender and a receiver that both give up',
    threads: 2,
    ...sendersOf(['sender'], 2, SHORT_ms, [SHORT_ms]),
    check: (end) =>
      firstOf(endedWith(end, 'sender', 2, OK, SEND_TIMEOUT), taken(end, 'taker', ['sender'], [OK], [SEND_TIMEOUT])),
  },
  {
    name: 'send-2',
    about: '2 senders, 1 with a timeout, 1 receiver',
    threads: 3,
    preemptions: 2,
    build(system) {
      const main = system.task();
      const t = system.thread('taker', main);
      const [a, b] = [system.thread('sender A', main), system.thread('sender B', main)];
      return [
        { name: 'taker', program: 'takeAll', args: [t, NEVER], rests: true },
        sender(system, 'sender A', a, t, 1, SHORT_ms),
        sender(system, 'sender B', b, t, 2),
      ];
    },
    check: (end) =>
      firstOf(
        endedWith(end, 'sender A', 1, OK, SEND_TIMEOUT),
        endedWith(end, 'sender B', 2, OK),
        taken(end, 'taker', ['sender A', 'sender B'], [OK], [SEND_TIMEOUT]),
      ),
  },
  {
    name: 'send-again',
    about: 'a sender that gives up and polls anew, 3 messages, with another in the queue',
    threads: 3,
    preemptions: 2,
    build(system) {
      const main = system.task();
      const t = system.thread('taker', main);
      const [a, b] = [system.thread('sender A', main), system.thread('sender B', main)];
      return [
        { name: 'taker', program: 'takeAll', args: [t, NEVER], rests: true },
        sender(system, 'sender A', a, t, 1),
        sender(system, 'sender B', b, t, 3, SHORT_ms),
      ];
    },
    check: (end) =>
      firstOf(
        endedWith(end, 'sender A', 1, OK),
        endedWith(end, 'sender B', 3, OK, SEND_TIMEOUT),
        taken(end, 'taker', ['sender A', 'sender B'], [OK], [SEND_TIMEOUT]),
      ),
  },
  {
    name: 'closed-receive',
    about: 'a closed receive with a timeout against a sender and a bystander who polls',
    threads: 3,
    preemptions: 2,
    build(system) {
      const main = system.task();
      const t = system.thread('taker', main);
      const [a, b] = [system.thread('sender', main), system.thread('bystander', main)];
      return [
        { name: 'taker', program: 'takeFrom', args: [t, system.idOf(a), 1, SHORT_ms] },
        sender(system, 'sender', a, t, 1, SHORT_ms),
        sender(system, 'bystander', b, t, 1, SHORT_ms),
      ];
    },
    check(end) {
      const { results } = end.of('taker');
      return firstOf(
        endedWith(end, 'sender', 1, OK, SEND_TIMEOUT),
        endedWith(end, 'bystander', 1, SEND_TIMEOUT),
        taken(end, 'taker', ['sender', 'bystander'], [OK], [SEND_TIMEOUT]),
        results.get(1) === end.of('sender').results.get(1) || results.get(1) === RECEIVE_TIMEOUT
          ? null
          : `the closed receive gave ${results.get(1)}`,
      );
    },
  },
  {
    name: 'abort-1',
    about: 'a call is cancelled at any moment',
    threads: 3,
    preemptions: 2,
    build(system) {
      const main = system.task();
      const [s, c] = [system.thread('server', main), system.thread('client', main)];
      const a = system.thread('aborter', main);
      return [server(s), client(system, 'client', c, s, 1), { name: 'aborter', program: 'cancelOnce', args: [a, c] }];
    },
    check(end) {
      const aborted = end.of('client').results.get(1) === ABORTED;
      return firstOf(
        endedWith(end, 'client', 1, OK, ABORTED),
        taken(end, 'server', ['client'], [OK], []),
        (end.of('aborter').results.get(1) === 1) === aborted ? null : 'cancel says what did not happen',
      );
    },
  },
  {
    name: 'abort-in-queue',
    about: 'a polling-me queue of 3, the one in the middle cancelled',
    threads: 5,
    preemptions: 1,
    build(system) {
      const main = system.task();
      const t = system.thread('taker', main);
      const names = ['sender A', 'sender B', 'sender C'];
      const threads = names.map((name) => system.thread(name, main));
      const a = system.thread('aborter', main);
      return [
        { name: 'taker', program: 'takeAll', args: [t, NEVER], rests: true },
        ...names.map((name, i) => sender(system, name, threads[i]!, t, 1)),
        { name: 'aborter', program: 'cancelOnce', args: [a, threads[1]!] },
      ];
    },
    check(end) {
      const aborted = end.of('sender B').results.get(1) === ABORTED;
      return firstOf(
        endedWith(end, 'sender A', 1, OK),
        endedWith(end, 'sender B', 1, OK, ABORTED),
        endedWith(end, 'sender C', 1, OK),
        taken(end, 'taker', ['sender A', 'sender B', 'sender C'], [OK], [ABORTED]),
        (end.of('aborter').results.get(1) === 1) === aborted ? null : 'cancel says what did not happen',
      );
    },
  },
  {
    name: 'c-before-a',
    about: 'C polls while A is served: C is next, though A calls again',
    threads: 3,
    preemptions: 3,
    build(system) {
      const main = system.task();
      const s = system.thread('server', main);
      const [a, c] = [system.thread('client A', main), system.thread('client C', main)];
      const { native, registers } = system;
      // The server has taken the call of A, and C polls.
      const begin = (tcb: Tcb): number => {
        registers[R_WORD] = ((system.idOf(tcb) & INDEX_MASK) << 8) | 1;
        return native['startSend'](tcb, system.idOf(s), ANY_INDEX, CALL | 1, NEVER) as number;
      };
      system.openUp(s);
      if (begin(a) !== OK) throw new Error('A is not taken');
      native['takeMessage'](s);
      const sequence = registers[R_SEQUENCE]!;
      if (begin(c) !== NOT_YET) throw new Error('C does not poll');
      const target = system.idOf(s) & INDEX_MASK;
      return [
        {
          name: 'server',
          program: 'serveFrom',
          args: [s, system.idOf(a), sequence, ((system.idOf(a) & INDEX_MASK) << 8) | 1],
          rests: true,
        },
        { name: 'client A', program: 'callOn', args: [a, system.idOf(s), 0, 2] },
        { name: 'client C', program: 'callOn', args: [c, system.idOf(s), target, 1] },
      ];
    },
    check(end) {
      const { served } = end.of('server');
      return firstOf(
        endedWith(end, 'client A', 2, OK),
        endedWith(end, 'client C', 1, OK),
        served[1]! >> 8 === end.threadOf('client C') ? null : `served in the order ${served.join(' ')}`,
      );
    },
  },
  {
    name: 'chain-3',
    about: 'A calls B, which calls C to answer',
    threads: 3,
    preemptions: 3,
    build(system) {
      const main = system.task();
      const [c, b] = [system.thread('server', main), system.thread('relay', main)];
      const a = system.thread('client', main);
      return [
        server(c),
        { name: 'relay', program: 'relay', args: [b, system.idOf(c)], rests: true },
        client(system, 'client', a, b, 1),
      ];
    },
    check: (end) =>
      firstOf(endedWith(end, 'client', 1, OK), end.of('server').served.length === 1 ? null : 'the last was not called'),
  },
  {
    name: 'upcall',
    about: 'a call back to the caller inside its call',
    threads: 2,
    build(system) {
      const main = system.task();
      const [s, c] = [system.thread('server', main), system.thread('client', main)];
      return [
        { name: 'server', program: 'serveWithUpcall', args: [s, NEVER], rests: true },
        { name: 'client', program: 'callServingUpcalls', args: [c, system.idOf(s), 1] },
      ];
    },
    check: (end) => firstOf(endedWith(end, 'client', 1, OK), endedWith(end, 'server', 1, OK)),
  },
  {
    name: 'upcall-given-up',
    about: 'a server gives its call back up, and answers while the caller may serve it still; then a second call',
    threads: 2,
    build(system) {
      const main = system.task();
      const [s, c] = [system.thread('server', main), system.thread('client', main)];
      return [
        { name: 'server', program: 'serveWithUpcall', args: [s, SHORT_ms], rests: true },
        { name: 'client', program: 'callServingUpcalls', args: [c, system.idOf(s), 2] },
      ];
    },
    check(end) {
      const missed = [1, 2].find((n) => end.of('client').results.get(n) === MISSED) ?? 0;
      // Only what was given up can have been missed.
      if (missed !== 0 && end.of('server').results.get(missed) === OK) return `answer ${missed} was missed in its wait`;
      return firstOf(endedWith(end, 'client', 2, OK, MISSED), endedWith(end, 'server', 2, OK, RECEIVE_TIMEOUT));
    },
  },
  { name: 'kill-client', about: 'a client killed at any write, repaired', ...killed('client', 1, false) },
  { name: 'kill-server', about: 'a server killed at any write, repaired', ...killed('server', 1, false) },
  {
    name: 'kill-client-free',
    about: 'a client killed at any write, repaired, its record given back',
    ...killed('client', 1, true),
  },
  {
    name: 'kill-server-free',
    about: 'a server killed at any write, repaired, its record given back while the client has its id',
    ...killed('server', 1, true),
  },
  { name: 'string', about: 'a call with a string that fits the window', ...strings(5, 5, NEVER) },
  { name: 'pieces', about: 'a call whose string goes in 3 pieces', ...strings(LONG, 0, NEVER) },
  { name: 'pieces-back', about: 'an answer whose string comes in 3 pieces', ...strings(0, LONG, NEVER) },
  { name: 'pieces-both', about: 'pieces there and back', ...strings(LONG, LONG, NEVER) },
  { name: 'pieces-timeout', about: 'pieces back, to a caller that times out', ...strings(5, LONG, SHORT_ms) },
  { name: 'pieces-kill-client', about: 'its sender killed among the pieces', ...strings(LONG, 0, NEVER, 'client') },
  { name: 'pieces-kill-server', about: 'its receiver killed among the pieces', ...strings(LONG, 0, NEVER, 'server') },
  { name: 'pieces-back-kill-client', about: 'the receiver of the answer killed', ...strings(0, LONG, NEVER, 'client') },
  { name: 'pieces-back-kill-server', about: 'the sender of the answer killed', ...strings(0, LONG, NEVER, 'server') },
  {
    name: 'window-free',
    about: 'the window of a dead receiver given back while a live sender writes a piece',
    ...strings(0, LONG, NEVER, 'client', true),
  },
  {
    name: 'pieces-abort',
    about: 'a call whose string goes in 3 pieces is cancelled at any moment',
    preemptions: 2,
    threads: 3,
    windows: 2,
    build(system) {
      const main = system.task();
      const [s, c] = [system.thread('server', main, WINDOW), system.thread('client', main, WINDOW)];
      const a = system.thread('aborter', main);
      return [
        { name: 'server', program: 'serveStrings', args: [s, 1, 0], rests: true },
        { name: 'client', program: 'callWithString', args: [c, system.idOf(s), 1, LONG, NEVER] },
        { name: 'aborter', program: 'cancelOnce', args: [a, c] },
      ];
    },
    check(end) {
      const { served, results } = end.of('server');
      return firstOf(
        endedWith(end, 'client', 1, OK, ABORTED),
        results.size > 0 && served.length === 0 ? 'the server got half a message' : null,
        taken(end, 'server', ['client'], [OK], []),
      );
    },
  },
  {
    name: 'reuse',
    about: 'a server dies, and its record serves again at once, with a client that has the old id',
    threads: 3,
    tasks: 3,
    kills: 1,
    nets: [LOCK_SLICE_ms],
    reuses: true,
    build(system) {
      const main = system.task();
      const [serverTask, clientTask] = [system.task(main), system.task(main)];
      const r = system.thread('reaper', main);
      const s = system.thread('server', serverTask);
      const c = system.thread('client', clientTask);
      return [
        killable(server(s)),
        client(system, 'client', c, s, 1),
        { name: 'reaper', program: 'repairAndServe', args: [r, 0, serverTask, main], rests: true },
      ];
    },
    check: (end) => endedWith(end, 'client', 1, OK, ...DEAD_PARTNER),
  },
  {
    name: 'pieces-after-death',
    about: 'a transfer to a thread that is dead, and then one with another, while the repair is on its way',
    preemptions: 2,
    threads: 4,
    tasks: 3,
    windows: 3,
    build(system) {
      const main = system.task();
      const [deadTask, clientTask] = [system.task(main), system.task(main)];
      const r = system.thread('reaper', main);
      const b = system.thread('second server', main, WINDOW);
      const [s, c] = [system.thread('server', deadTask, WINDOW), system.thread('client', clientTask, WINDOW)];
      system.openUp(s);
      return [
        { name: 'client', program: 'sendThenCall', args: [c, system.idOf(s), system.idOf(b), LONG] },
        { name: 'reaper', program: 'repairNow', args: [r, deadTask] },
        { name: 'second server', program: 'serveStrings', args: [b, 1, LONG], rests: true },
      ];
    },
    check(end) {
      const second = end.of('client').results.get(2);
      return firstOf(
        endedWith(end, 'client', 2, OK, ...DEAD_PARTNER),
        second === OK ? null : `the second call gave ${second}`,
      );
    },
  },
  {
    name: 'make-kill',
    about: 'an agent killed at any write of making threads and giving them back, repaired, while another makes some',
    preemptions: 1,
    ...makers(),
  },
  {
    name: 'free-kill',
    about: 'an agent killed at any write of giving the records of a dead task back, which another then does again',
    ...freers(),
  },
  {
    name: 'home-passive',
    about: 'a passive thread, multiplexed, and 2 callers of other processors, 1 call each',
    preemptions: 2,
    ...homeServer('runPassive', [1, 1], NEVER),
  },
  {
    name: 'home-generator',
    about: 'a generator thread, multiplexed, and 2 callers of other processors, 1 call each',
    preemptions: 1,
    ...homeServer('runBody', [1, 1], NEVER),
  },
  {
    name: 'home-timeout',
    about: 'a multiplexed thread and a caller of another processor that gives up, and calls again',
    ...homeServer('runPassive', [2], SHORT_ms),
  },
  {
    name: 'home-abort',
    about: 'a multiplexed thread and 2 callers of other processors, one of which is cancelled at any moment',
    preemptions: 1,
    ...withAborter(homeServer('runPassive', [1, 1], NEVER)),
  },
  {
    name: 'home-kill-client',
    about: 'a caller of a multiplexed thread killed at any write, repaired, with another caller',
    preemptions: 1,
    ...killedAtHome('client', ['client', 'client B']),
  },
  {
    name: 'home-kill-server',
    about: 'the processor of a multiplexed thread killed at any write, repaired',
    ...killedAtHome('server', ['client']),
  },
  {
    name: 'home-client',
    about: 'a generator thread, multiplexed, that makes 2 calls to another processor',
    threads: 3,
    build(system) {
      const main = system.task();
      const home = system.task(main);
      const [h, c] = [system.thread('home', home), system.thread('client', home, 0, true)];
      system.callsFor(home, h);
      const s = system.thread('server', main);
      return [server(s), { name: 'client', program: 'runBody', args: [c, system.idOf(s), 2], rests: true }];
    },
    check: (end) => endedWith(end, 'client', 2, OK),
  },
  {
    name: 'home-again',
    about: 'a multiplexed thread and a caller of another processor that gives up, and calls again without a limit',
    ...homeServer('runPassive', [2], SHORT_ms, 'callAgain'),
  },
  {
    name: 'home-timeouts',
    about: 'a multiplexed thread and 2 callers of other processors that give up, and call again',
    preemptions: 1,
    ...homeServer('runPassive', [2, 2], SHORT_ms),
  },
  {
    name: 'upcall-kill-client',
    about: 'the caller dies in its call, or while it serves the upcall',
    threads: 3,
    tasks: 3,
    kills: 1,
    nets: [LOCK_SLICE_ms],
    build(system) {
      const main = system.task();
      const [serverTask, clientTask] = [system.task(main), system.task(main)];
      const r = system.thread('reaper', main);
      const s = system.thread('server', serverTask);
      const c = system.thread('client', clientTask);
      return [
        { name: 'server', program: 'serveWithUpcall', args: [s, NEVER], rests: true },
        killable({ name: 'client', program: 'callServingUpcalls', args: [c, system.idOf(s), 1] }),
        reaper(r, 1, clientTask, false),
      ];
    },
    check(end) {
      const died = end.of('client').killed;
      return firstOf(
        endedWith(end, 'client', 1, OK),
        end.of('server').results.size === 0 ? null : endedWith(end, 'server', 1, OK, ...(died ? DEAD_PARTNER : [])),
      );
    },
  },
  {
    name: 'call-after-death',
    about: 'a server is killed, and its client calls another while the repair is on its way',
    preemptions: 1,
    threads: 4,
    tasks: 3,
    kills: 1,
    nets: [LOCK_SLICE_ms],
    build(system) {
      const main = system.task();
      const [deadTask, clientTask] = [system.task(main), system.task(main)];
      const [r, b] = [system.thread('reaper', main), system.thread('second server', main)];
      const s = system.thread('server', deadTask);
      const c = system.thread('client', clientTask);
      return [
        killable(server(s)),
        { name: 'client', program: 'callBoth', args: [c, system.idOf(s), system.idOf(b)] },
        reaper(r, 0, deadTask, false),
        { ...server(b), name: 'second server' },
      ];
    },
    check(end) {
      const died = end.of('server').killed;
      const second = end.of('client').results.get(2);
      return firstOf(
        endedWith(end, 'client', 2, OK, ...(died ? DEAD_PARTNER : [])),
        second === OK ? null : `the second call gave ${second}`,
      );
    },
  },
  {
    name: 'kill-both',
    about: 'client and server killed, repaired by two agents in any order, even at once',
    threads: 4,
    tasks: 3,
    kills: 2,
    nets: [LOCK_SLICE_ms],
    preemptions: 1,
    build(system) {
      const main = system.task();
      const [serverTask, clientTask] = [system.task(main), system.task(main)];
      const [r, q] = [system.thread('reaper', main), system.thread('second reaper', main)];
      const s = system.thread('server', serverTask);
      const c = system.thread('client', clientTask);
      return [
        killable(server(s)),
        killable(client(system, 'client', c, s, 1)),
        reaper(r, 0, serverTask, false),
        { ...reaper(q, 1, clientTask, false), name: 'second reaper' },
      ];
    },
    check: (end) => endedWith(end, 'client', 1, OK, ...(end.of('server').killed ? DEAD_PARTNER : [])),
  },
  {
    name: 'die-together',
    about: 'two callers of a third killed at any writes, both dead when their supervisor begins to repair',
    preemptions: 0,
    ...supervised('callers', false, true),
  },
  {
    name: 'die-together-reversed',
    about: 'the same, repaired in the other order',
    preemptions: 1,
    deep: true,
    ...supervised('callers', true, true),
  },
  {
    name: 'die-in-calls',
    about: 'a caller and the server that calls it back killed at any writes, both dead when their repair begins',
    preemptions: 1,
    ...supervised('each other', false, true),
  },
  {
    name: 'die-in-calls-reversed',
    about: 'the same, repaired in the other order',
    preemptions: 1,
    ...supervised('each other', true, true),
  },
  {
    name: 'die-in-repair',
    about: 'one that calls the other back dies in the midst of it, while the other is being repaired',
    deep: true,
    fails: /a livelock/,
    ...supervised('each other', false, false),
  },
];
