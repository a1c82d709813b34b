/** The scenarios: who does what, and what must be true when nothing happens any more. */
import { NEVER, OK } from '../../src/layout/message.ts';
import type { Tcb } from '../../src/layout/tcb.ts';
import type { AgentPlan } from './world.ts';
import type { End, Scenario, System } from './system.ts';

const client = (
  system: System,
  name: string,
  self: Tcb,
  to: Tcb,
  times: number,
  send = NEVER,
  receive = NEVER,
): AgentPlan => ({
  name,
  program: 'callTimes',
  args: [self, system.idOf(to), times, send, receive],
});

const server = (self: Tcb): AgentPlan => ({ name: 'server', program: 'serve', args: [self], rests: true });

/** Every call was answered, served once, and in the order of its caller. */
function allServed(end: End, clients: readonly string[], times: number): string | null {
  const { served } = end.of('server');
  for (const name of clients) {
    const { results } = end.of(name);
    for (let n = 1; n <= times; n++) if (results.get(n) !== OK) return `call ${n} of ${name} gave ${results.get(n)}`;
  }
  if (new Set(served).size !== served.length) return `a message was served twice: ${served.join(' ')}`;
  if (served.length !== clients.length * times) return `${served.length} messages were served`;
  return inOrder(served);
}

/** Messages of one sender are served in the order in which it sent them. */
function inOrder(served: readonly number[]): string | null {
  const last = new Map<number, number>();
  for (const word of served) {
    if ((last.get(word >> 8) ?? 0) >= word) return `message ${word} was served behind a later one`;
    last.set(word >> 8, word);
  }
  return null;
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'call-1x1',
    about: '1 client, 1 call, 1 server',
    threads: 2,
    build(system) {
      const main = system.task();
      const [s, c] = [system.thread('server', main), system.thread('client', main)];
      return [server(s), client(system, 'client', c, s, 1)];
    },
    check: (end) => allServed(end, ['client'], 1),
  },
  {
    name: 'call-1x2',
    about: '1 client, 2 calls, 1 server',
    threads: 2,
    build(system) {
      const main = system.task();
      const [s, c] = [system.thread('server', main), system.thread('client', main)];
      return [server(s), client(system, 'client', c, s, 2)];
    },
    check: (end) => allServed(end, ['client'], 2),
  },
  {
    name: 'call-2x1',
    about: '2 clients, 1 call each, 1 server',
    threads: 3,
    preemptions: 2,
    build(system) {
      const main = system.task();
      const [s, a, b] = [
        system.thread('server', main),
        system.thread('client A', main),
        system.thread('client B', main),
      ];
      return [server(s), client(system, 'client A', a, s, 1), client(system, 'client B', b, s, 1)];
    },
    check: (end) => allServed(end, ['client A', 'client B'], 1),
  },
  {
    name: 'call-2x2',
    about: '2 clients, 2 calls each, 1 server',
    threads: 3,
    preemptions: 1,
    build(system) {
      const main = system.task();
      const [s, a, b] = [
        system.thread('server', main),
        system.thread('client A', main),
        system.thread('client B', main),
      ];
      return [server(s), client(system, 'client A', a, s, 2), client(system, 'client B', b, s, 2)];
    },
    check: (end) => allServed(end, ['client A', 'client B'], 2),
  },
];
