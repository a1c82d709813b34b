/** `l3 ps` and `l3 top` on systems in other processes: the command, the socket and kernel memory together. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, rmdirSync } from 'node:fs';
import { test } from 'node:test';
import { directory } from '../../src/servers/inspect/address.ts';
import { end, eventually, l3, type Outcome, startSystem } from './support.ts';

interface ThreadDocument {
  readonly id: number;
  readonly name: string;
  readonly role: string;
  readonly state: string;
  readonly partner: number | null;
  readonly methodName: string | null;
  readonly since_ms: number | null;
  readonly ipc_per_s: number;
}

interface PsDocument {
  readonly system: { readonly name: string; readonly pid: number; readonly node: string };
  readonly time_ms: number;
  readonly totals: { readonly tasks: number; readonly threads: number };
  readonly tasks: readonly {
    readonly name: string;
    readonly kind: string;
    readonly state: string;
    readonly restarts: number;
  }[];
  readonly threads: readonly ThreadDocument[];
  readonly rings: readonly (readonly number[])[];
  readonly chains: readonly (readonly number[])[];
}

const documentOf = ({ out }: Outcome): PsDocument => JSON.parse(out) as PsDocument;

test('without a system the commands say so and fail', async () => {
  for (const command of ['ps', 'top']) {
    assert.deepEqual(await l3(command), {
      code: 1,
      out: '',
      err: `l3 ${command}: no system of this user is running\n`,
    });
  }
});

test('a directory of sockets that others may enter is refused in one line', async () => {
  mkdirSync(directory());
  chmodSync(directory(), 0o777);
  const { code, out, err } = await l3('ps');
  assert.deepEqual([code, out], [1, '']);
  assert.match(err, /^l3 ps: .* others may not enter\n$/);
  rmdirSync(directory());
});

test('a wrong command line is told apart from a failure', async () => {
  for (const args of [
    ['ps', '--nope'],
    ['ps', 'a', 'b'],
    ['top', '--count', '0'],
    ['top', '--count', 'many'],
    ['top', 'a', 'b'],
  ]) {
    const { code, out, err } = await l3(...args);
    assert.deepEqual([code, out], [2, ''], args.join(' '));
    assert.match(err, /^l3 (?:ps|top): .*\n\nUsage: l3 (?:ps|top) /, args.join(' '));
  }
});

test('a system whose main thread is blocked for ever shows who waits for whom', async () => {
  const child = await startSystem('stuck', 'blocked');
  const isStuck = ({ out }: Outcome): boolean =>
    documentOf({ code: 0, out, err: '' }).chains.some((c) => c.length === 4);
  const outcome = await eventually(() => l3('ps', '--json'), isStuck);
  assert.deepEqual([outcome.code, outcome.err], [0, '']);
  assert.equal(outcome.out.indexOf('\n'), outcome.out.length - 1, 'one document');
  const { system, tasks, threads, chains, rings, totals, time_ms } = documentOf(outcome);
  assert.deepEqual(system, { name: 'stuck', pid: child.pid, node: process.version });
  assert.deepEqual(
    tasks.filter(({ kind }) => kind === 'worker' || kind === 'main').map(({ name, restarts }) => [name, restarts]),
    [
      ['main', 0],
      ['first', 0],
      ['second', 0],
      ['third', 0],
    ],
  );
  assert.equal(totals.threads, threads.length);
  assert.ok(time_ms > 0);
  assert.deepEqual(rings, []);
  const chain = chains[0]!.map((id) => threads.find((thread) => thread.id === id)!);
  assert.deepEqual(
    chain.map(({ name, role, state, methodName }) => [name, role, state, methodName]),
    [
      ['main', 'caller', 'waiting', 'passOn'],
      ['first', 'server', 'waiting', 'passOn'],
      ['second', 'server', 'waiting', 'block'],
      ['third', 'server', 'running', null],
    ],
  );
  for (const [i, { partner, since_ms }] of chain.slice(0, -1).entries()) {
    assert.equal(partner, chain[i + 1]!.id);
    assert.ok(since_ms! >= 0);
  }
  const { out } = await l3('ps', 'stuck');
  assert.match(out, /main\/caller -> first\.passOn\(\) .* -> second\.passOn\(\) .* -> third\.block\(\) .*, running\n$/);
  await end(child);
});

test('a system at work shows its rates, and top prints as many tables as it is told to', async () => {
  const child = await startSystem('busy', 'calls');
  const worked = ({ out }: Outcome): boolean =>
    documentOf({ code: 0, out, err: '' }).threads.some((t) => t.ipc_per_s > 1);
  const outcome = await eventually(() => l3('ps', String(child.pid), '--json'), worked);
  assert.ok(worked(outcome));
  const { code, out, err } = await l3('top', 'busy', '--count', '2');
  assert.deepEqual([code, err], [0, '']);
  assert.equal(out.match(/^busy \(\d+\): up /gm)!.length, 2);
  assert.equal(out.match(/IPC\/S\*/g)!.length, 2);
  assert.ok(!out.includes('\u001b'), 'no escape sequences outside a terminal');
  child.kill('SIGSTOP');
  const stopped = await l3('ps');
  assert.deepEqual([stopped.code, stopped.out], [1, '']);
  assert.match(stopped.err, new RegExp(`; ${child.pid} does not answer`));
  await end(child);
});

test('a task that was started again says how often', async () => {
  const child = await startSystem('phoenix', 'restarted');
  const { tasks } = documentOf(await l3('ps', 'phoenix', '--json'));
  const [fourth, ...others] = tasks.filter(({ name, state }) => name === 'fourth' && state === 'alive');
  assert.deepEqual([fourth!.restarts, others.length], [1, 0]);
  assert.match((await l3('ps', 'phoenix')).out, / fourth +worker +.* 1\n/);
  await end(child);
});
