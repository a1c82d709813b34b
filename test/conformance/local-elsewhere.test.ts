/** A local task and other agents: ended by what its own handler does; answering later. */
import assert from 'node:assert/strict';
import { fixture, rejectionOf, systemTest } from './support.ts';

const module = fixture('calls.ts');

systemTest('local: a task that its own upcall kills is dead, for callers here and elsewhere', async (system) => {
  for (const isElsewhere of [false, true]) {
    const t = await system.spawn(module, { kind: 'local', name: 'victim', host: { end: () => void t.kill() } });
    const w = await system.spawn(module);
    if (isElsewhere)
      assert.equal((await rejectionOf(w.async.ask('victim', 'askHost', 'end'))).code, 'ERR_IPC_PEER_GONE');
    else t.sync.askHost('end');
    assert.equal(t.alive, false);
    await w.kill();
  }
});

systemTest('local: an asynchronous handler answers a blocked worker, each time', async (system) => {
  await system.spawn(module, { kind: 'local', name: 'later' });
  const w = await system.spawn<any>(module);
  for (let round = 0; round < 300; round++)
    assert.equal(await w.async.ask('later', 'addSlowly', round, 1, 1), round + 1);
});
