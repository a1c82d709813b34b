/** `l3 top` on a screen that is a list of what was written to it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TaskView, ThreadView } from '../inspect/snapshot.ts';
import { widthOf } from '../inspect/table.ts';
import type { Inspection } from '../servers/inspect/protocol.ts';
import { pictureOf, type Screen, Top } from './top.ts';

const task = (id: number, name: string): TaskView => ({
  id,
  name,
  kind: 'worker',
  state: 'alive',
  chief: null,
  server: id,
  processor: id,
  origin: id,
  restarts: 0,
  exitCode: null,
  reason: '',
});

const thread = (id: number, more: Partial<ThreadView> = {}): ThreadView => ({
  id,
  task: id,
  name: `task-${id}`,
  role: 'server',
  processor: id,
  state: 'receiving',
  parked: true,
  inPlace: true,
  partner: null,
  method: null,
  sequence: 0,
  since_ms: null,
  sent: 0,
  bytes: 0,
  parks: 0,
  ...more,
});

function inspection(time_ms: number, threads: readonly ThreadView[]): Inspection {
  return {
    system: { name: 'demo', pid: 4242, node: 'v26.0.0' },
    time_ms,
    totals: { tasks: threads.length, tasks_max: 1024, threads: threads.length, threads_max: 8192, beat: 0 },
    tasks: threads.map(({ id, name }) => task(id, name)),
    threads,
    methods: { 1: 'first' },
  };
}

/** Twenty threads that work, thread n sending n messages a second. */
const working = (time_ms: number): Inspection =>
  inspection(
    time_ms,
    Array.from({ length: 20 }, (_, i) => thread(i + 1, { sent: ((i + 1) * time_ms) / 1000 })),
  );

const ring = (sequence = 0): readonly ThreadView[] =>
  [1, 2, 3].map((id) => thread(id, { state: 'waiting', partner: (id % 3) + 1, sequence, method: 7, since_ms: 9000 }));

const VIEW = { sort: 'ipc', isReversed: false } as const;

test('forty columns and ten rows hold a whole picture, and it says what is missing', () => {
  const lines = pictureOf(working(1000), working(2000), VIEW, 40, 10);
  assert.equal(lines.length, 10);
  for (const line of lines) assert.ok(widthOf(line) <= 40, line);
  assert.match(lines[0]!, /^demo \(4242\): up 2\.0 s/);
  assert.match(lines[1]!, /NAME .*STATE .*IPC\/S\*/);
  assert.match(lines[2]!, /task-20 .* 20$/);
  assert.equal(lines[8], '… 14 more threads');
  assert.match(lines[9]!, /q quit/);
});

test('every size of terminal is kept to', () => {
  const all = inspection(2000, [...ring(), ...working(2000).threads.slice(3)]);
  for (const [width, height] of [
    [1, 1],
    [5, 2],
    [10, 3],
    [20, 4],
    [40, 5],
    [80, 24],
    [300, 100],
  ] as const) {
    const lines = pictureOf(all, all, VIEW, width, height);
    assert.ok(lines.length <= height, `${width}x${height}: ${lines.length} lines`);
    for (const line of lines) assert.ok(widthOf(line) <= width, `${width}x${height}: ${line}`);
  }
});

test('a ring is told below the table, once both looks have seen it', () => {
  const told = (before: number): string => {
    const looks = [inspection(1000, ring(before)), inspection(2000, ring(5))] as const;
    return pictureOf(...looks, VIEW, 120, 24).join('\n');
  };
  assert.match(
    told(5),
    /\nring: task-1 -> task-2\.first\(\) 9\.0 s -> task-3\.#7\(\) 9\.0 s -> task-1\.#7\(\) 9\.0 s\n/,
  );
  assert.doesNotMatch(told(4), /ring/);
});

/** A screen of 40 by 10 and what was written to it. */
function screen(): Screen & { written: string[] } {
  const written: string[] = [];
  return { columns: 40, rows: 10, written, write: (text: string) => void written.push(text) };
}

const endless = (): { first: Inspection; ask: () => Promise<Inspection> } => {
  let time_ms = 1000;
  return { first: working(time_ms), ask: async () => working((time_ms += 1000)) };
};

test('it draws in place, without a line break at the end, and gives the terminal back', async () => {
  const on = screen();
  await new Top(on).run(endless(), 3, 1);
  assert.equal(on.written.length, 5);
  assert.equal(on.written[0], '\u001b[?1049h\u001b[?25l');
  for (const picture of on.written.slice(1, 4)) {
    assert.ok(picture.startsWith('\u001b[H') && picture.endsWith('\u001b[K\u001b[J'));
    assert.equal(picture.split('\r\n').length, 10);
  }
  assert.equal(on.written[4], '\u001b[?25h\u001b[?1049l');
});

test('s sorts by the next column, r reverses, q and Ctrl-C quit', async () => {
  const on = screen();
  const top = new Top(on);
  const running = top.run(endless(), 1000, 20);
  while (on.written.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  const shown = (): string => on.written.at(-1)!;
  assert.match(shown(), /IPC\/S\*[^]*task-20/);
  top.press('r');
  assert.match(shown(), /\r\ntask-1 /);
  const drawn = on.written.length;
  top.press('x');
  assert.equal(on.written.length, drawn, 'other keys do nothing');
  for (let presses = 0; presses < 6; presses++) top.press('s');
  assert.match(shown(), /NAME\*/);
  top.press('q');
  await running;
  assert.equal(shown(), '\u001b[?25h\u001b[?1049l');
  const interrupted = new Top(screen());
  const run = interrupted.run(endless(), Number.POSITIVE_INFINITY, 60_000);
  interrupted.press('\u0003');
  await run;
});

test('the terminal is given back when the system ends', async () => {
  const on = screen();
  const gone = { first: working(1000), ask: () => Promise.reject(new Error('the system has ended')) };
  await assert.rejects(new Top(on).run(gone, 5, 1), /has ended/);
  assert.equal(on.written.at(-1), '\u001b[?25h\u001b[?1049l');
});
