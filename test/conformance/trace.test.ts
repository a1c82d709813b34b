/** The events of a call, with and without subscribers, over tasks of both kinds. */
import assert from 'node:assert/strict';
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { after, before, test } from 'node:test';
import { boot, type System, type Task } from '../../src/index.ts';

interface Seen {
  readonly event: string;
  readonly task: string;
  readonly method: string;
  readonly sync: boolean;
  readonly result?: unknown;
  readonly error?: unknown;
}

const EVENTS = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const;
const url = new URL('./fixtures/calls.ts', import.meta.url);
type Exports = typeof import('./fixtures/calls.ts');

let system: System;
let tasks: Task<Exports>[];

before(async () => {
  system = await boot();
  // Made before anybody subscribes: their stubs trace all the same.
  const kinds = ['worker', 'local'] as const;
  tasks = await Promise.all(kinds.map((kind) => system.spawn<Exports>(url, { kind, name: kind })));
});

after(() => system.shutdown());

/** What subscribers see while `run` runs. */
async function seenBy(run: () => unknown): Promise<Seen[]> {
  const seen: Seen[] = [];
  const handlers = Object.fromEntries(
    EVENTS.map((event) => [event, (message: object) => void seen.push({ event, ...(message as Omit<Seen, 'event'>) })]),
  ) as unknown as Parameters<ReturnType<typeof tracingChannel>['subscribe']>[0];
  const channel = tracingChannel('l3kernel:call');
  channel.subscribe(handlers);
  try {
    await run();
  } finally {
    channel.unsubscribe(handlers);
  }
  return seen;
}

test('a blocking call has a start and an end, with its result', async () => {
  for (const task of tasks) {
    const seen = await seenBy(() => task.sync.add(1, 2));
    const call = { task: task.name, method: 'add', sync: true };
    assert.deepEqual(seen, [
      { event: 'start', ...call },
      { event: 'end', ...call, result: 3 },
    ]);
  }
});

test('a call of the event loop has both ends of its promise besides', async () => {
  for (const task of tasks) {
    const seen = await seenBy(() => task.async.add(1, 2));
    assert.deepEqual(
      seen.map(({ event, sync, method, result }) => [event, sync, method, result]),
      [
        ['start', false, 'add', undefined],
        ['end', false, 'add', undefined],
        ['asyncStart', false, 'add', 3],
        ['asyncEnd', false, 'add', 3],
      ],
    );
  }
});

test('an error is an event, and reaches the caller as without subscribers', async () => {
  for (const task of tasks) {
    const sync = await seenBy(() => assert.throws(() => task.sync.fail('no luck'), /no luck/));
    assert.deepEqual(
      sync.map(({ event, error }) => [event, (error as Error | undefined)?.message]),
      [
        ['start', undefined],
        ['error', 'no luck'],
        ['end', 'no luck'],
      ],
    );
    const async = await seenBy(() => assert.rejects(task.async.fail('no luck'), /no luck/));
    assert.deepEqual(
      async.map(({ event }) => event),
      ['start', 'end', 'error', 'asyncStart', 'asyncEnd'],
    );
  }
});

test('a subscriber to one event alone is served, and one that has gone is not', async () => {
  const [task] = tasks;
  const seen: unknown[] = [];
  const listener = (message: unknown): void => void seen.push((message as Seen).result);
  subscribe('tracing:l3kernel:call:end', listener);
  assert.equal(task!.sync.add(2, 2), 4);
  unsubscribe('tracing:l3kernel:call:end', listener);
  assert.equal(task!.sync.add(3, 3), 6);
  assert.deepEqual(seen, [4]);
});

test('a call made by a subscriber is traced itself, once', async () => {
  const [task] = tasks;
  let methods: string[] = [];
  const listener = (message: unknown): void => {
    methods.push((message as Seen).method);
    if (methods.length === 1) task!.sync.echo('x');
  };
  subscribe('tracing:l3kernel:call:start', listener);
  task!.sync.add(1, 1);
  unsubscribe('tracing:l3kernel:call:start', listener);
  assert.deepEqual(methods, ['add', 'echo']);
  methods = [];
  task!.sync.add(1, 1);
  assert.deepEqual(methods, []);
});

test('a subscriber that leaves while the call begins leaves no trace in the next call', async () => {
  const [task] = tasks;
  let starts = 0;
  const once = (): void => {
    starts++;
    unsubscribe('tracing:l3kernel:call:start', once);
  };
  subscribe('tracing:l3kernel:call:start', once);
  assert.equal(task!.sync.add(1, 1), 2);
  assert.equal(starts, 1);
  const seen = await seenBy(() => task!.sync.add(1, 1));
  assert.equal(seen.length, 2);
});
