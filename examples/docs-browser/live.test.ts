/** What the picture of `/system` says, from accounts whose numbers are known. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openLive } from './live.ts';
import { openAccount } from './walls/account.ts';
import type { Inside, TaskLine, Walls } from './walls/walls.ts';

function task(name: string, id: number, state = 'receiving', partner?: string): TaskLine {
  return { name, id, kind: 'worker', state, partner, sent: 0, bytes: 0, parks: 0, restarts: 0 };
}

function openPicture(tasks: TaskLine[]) {
  const account = openAccount();
  const inside: Pick<Inside, 'tasks' | 'edges'> = { tasks: () => tasks, edges: () => account.edges() };
  const walls = { name: 'l3kernel', inside } as unknown as Walls;
  return { account, ...openLive(walls, () => ({ visitors: false, breaking: null, broken: [] })) };
}

test('calls and their mean time are told by arrow and by task', () => {
  const { account, picture } = openPicture([task('main', 1), task('a', 2), task('b', 3)]);
  account.note('main', 'b', 1000, 5);
  account.note('a', 'b', 500, 10);
  const { tasks, edges } = picture();
  assert.deepEqual(
    edges.map(({ from, to, calls, mean_us }) => [from, to, calls, mean_us]),
    [
      ['main', 'b', 1000, 5],
      ['a', 'b', 500, 20],
    ],
  );
  assert.deepEqual(
    tasks.map(({ served }) => served),
    [0, 0, 1500],
  );
});

test('a ring of waiting tasks is seen where nobody ever called', () => {
  const { picture } = openPicture([
    task('a', 1, 'waiting', 'b'),
    task('b', 2, 'waiting', 'c'),
    task('c', 3, 'polling', 'a'),
    task('d', 4, 'receiving', 'a'),
  ]);
  assert.deepEqual(
    picture().edges.map(({ from, to, waiting }) => `${from}${to}${waiting}`),
    ['abtrue', 'bctrue', 'catrue'],
  );
});

test('the rate is of the last second, the total of always', async () => {
  const { account, picture } = openPicture([task('main', 1), task('a', 2)]);
  account.note('main', 'a', 5000, 1);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  assert.ok((picture().edges[0]?.calls_per_second ?? 0) > 0);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const [edge] = picture().edges;
  assert.deepEqual([edge?.calls, edge?.calls_per_second], [5000, 0]);
});

test('an account notes calls that fail, and those that are awaited', async () => {
  const account = openAccount();
  assert.throws(() =>
    account.timed('a', 1, () => {
      throw new Error('broken');
    }),
  );
  await assert.rejects(account.timed('a', 2, () => Promise.reject(new Error('broken'))));
  assert.equal(await account.timed('a', 3, () => Promise.resolve('x')), 'x');
  assert.equal(account.edges()[0]?.calls, 6);
});
