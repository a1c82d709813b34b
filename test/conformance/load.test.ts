/** Many calls, many clients, and a worker with an event loop of its own. */
import assert from 'node:assert/strict';
import { fixture, sleep, systemTest } from './support.ts';

const calls = fixture('calls.ts');
const busy = fixture('busy.ts');

systemTest('100,000 .async calls in one Promise.all', async (system) => {
  const t = await system.spawn(calls);
  const sums = await Promise.all([...Array(100_000)].map((_, i) => t.async.add(i, 1)));
  assert.ok(sums.every((sum, i) => sum === i + 1));
  const strings = await Promise.all([...Array(20_000)].map((_, i) => t.async.echo({ text: `number ${i}` })));
  assert.ok(strings.every((value, i) => value.text === `number ${i}`));
});

systemTest('.async calls are served in order, target by target', async (system) => {
  const [a, b] = [await system.spawn(busy, { name: 'a' }), await system.spawn(busy, { name: 'b' })];
  const pending: Promise<unknown>[] = [];
  // The server throws when a number is out of turn.
  for (let i = 0; i < 3000; i++) pending.push(a.async.numbered(1, i), b.async.numbered(1, i), a.async.numbered(2, i));
  await Promise.all(pending);
  assert.deepEqual(a.sync.received(), [3000, 3000]);
  assert.deepEqual(b.sync.received(), [3000]);
});

systemTest('a slow target leaves calls to the others', async (system) => {
  const [slow, quick] = [await system.spawn(calls, { concurrency: 1 }), await system.spawn(calls)];
  let answered = 0;
  const pending = [...Array(150)].map(() => slow.async.addSlowly(1, 2, 5).then(() => answered++));
  for (let i = 0; i < 20; i++) assert.equal(await quick.async.add(i, 1), i + 1);
  assert.ok(answered < 150);
  await Promise.all(pending);
});

systemTest('dense .sync calls starve nothing in the worker', async (system) => {
  const t = await system.spawn(busy);
  await t.async.begin();
  await sleep(100);
  let last = t.sync.look();
  for (let window = 0; window < 6; window++) {
    const end = performance.now() + 200;
    while (performance.now() < end) for (let i = 0; i < 50; i++) t.sync.call();
    const now = t.sync.look();
    for (const name of Object.keys(last)) assert.ok(now[name] > last[name], `${name} stood still in window ${window}`);
    last = now;
  }
  for (let window = 0; window < 3; window++) {
    const end = performance.now() + 200;
    while (performance.now() < end) await Promise.all([...Array(50)].map(() => t.async.call()));
    const now = t.sync.look();
    for (const name of Object.keys(last)) assert.ok(now[name] > last[name], `${name} stood still under .async`);
    last = now;
  }
});

systemTest('callers keep their own event loop with .async', async (system) => {
  const t = await system.spawn(calls);
  let ticks = 0;
  const timer = setInterval(() => ticks++, 2);
  const end = performance.now() + 400;
  while (performance.now() < end) await Promise.all([...Array(100)].map((_, i) => t.async.add(i, 1)));
  clearInterval(timer);
  assert.ok(ticks > 10, `${ticks} ticks`);
});

systemTest('three client tasks and this one call one server', async (system) => {
  const server = await system.spawn(busy, { name: 'server' });
  const clients = await Promise.all([1, 2, 3].map(() => system.spawn(fixture('client.ts'))));
  const sending = clients.map((client, i) => client.async.send('server', i, 5000));
  for (let i = 0; i < 500; i++) {
    assert.equal(server.sync.numbered(10, i), i);
    assert.equal(await server.async.numbered(11, i), i);
  }
  assert.deepEqual(await Promise.all(sending), [5000, 5000, 5000]);
  assert.deepEqual(
    server.sync.received().toSorted((x: number, y: number) => x - y),
    [500, 500, 5000, 5000, 5000],
  );
});

systemTest('long messages follow each other in both directions', async (system) => {
  const t = await system.spawn(calls);
  // A receiver that has the last piece may begin its next message before the sender looks again.
  for (let i = 0; i < 12; i++) {
    const sent = new Uint8Array(3_000_000 + i).fill(i);
    const back = t.sync.echo(sent) as Uint8Array;
    assert.ok(back.length === sent.length && back.at(-1) === i);
  }
  const lengths = [...Array(24)].map((_, i) => 100_000 * ((i % 8) + 1));
  const echoes = await Promise.all(lengths.map((length) => t.async.echo(new Uint8Array(length).fill(7))));
  echoes.forEach((back, i) => assert.equal((back as Uint8Array).length, lengths[i]));
});
