/** Death and repair: whoever had a hope in a dead thread is answered, locks are broken, nothing is left. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { countThreads } from '../../test/support/records.ts';
import { LOOK_AGAIN } from './transfer.ts';
import { load, peek, poke, store } from '../platform/atomics.ts';
import { HEADER_NAME_LOCK, HEADER_WINDOW_LOCK } from '../layout/map.ts';
import {
  CALL,
  NEVER,
  NOT_YET,
  OK,
  OPEN_ONLY,
  NOT_TAKEN,
  PEER_GONE,
  type Result,
  SPIN_ONLY,
} from '../layout/message.ts';
import { ANY_INDEX } from '../layout/params.ts';
import { PROCESSOR_ENDED, PROCESSOR_INBOX } from '../layout/task.ts';
import {
  DEAD,
  homePolling,
  homeWaiting,
  locked,
  PARKED,
  polling,
  QUEUE_CONTENDED,
  type Tcb,
  TCB_DRAINED,
  TCB_FILLED,
  TCB_PENDING,
  TCB_POLL_QUEUE,
  TCB_QUEUE_FIRST,
  TCB_STATE,
  TCB_TAKEN,
  TCB_TASK,
  TCB_TRANSFER,
} from '../layout/tcb.ts';
import { assertSound, idOf, indexOf, kindOf, makeTask, makeThread, root, stateOf } from '../../test/support/kernel.ts';
import { freeThreads, repairTask } from './fault.ts';
import { call } from './ipc.ts';
import { awaitMessage, receive, send, startReceive, startSend } from './ipc-slow.ts';
import { enqueue, queueOf } from './queue.ts';
import { takeReady } from './ready.ts';
import { freeTask } from './tcb.ts';
import { verify } from './verify.ts';

const arrived = (tcb: Tcb): Result => awaitMessage(tcb, SPIN_ONLY, SPIN_ONLY);

/** A thread of ours, and one of a task that will die. */
function mortal() {
  const of = makeTask(root.id);
  const [live, dead] = [makeThread(), makeThread({ of })];
  const die = (): void => {
    repairTask(of.task, indexOf(live));
    assert.equal(stateOf(dead), DEAD);
    freeThreads(of.task, indexOf(live));
    freeTask(of.task);
    assert.deepEqual(verify(), []);
  };
  return { of, live, dead, die };
}

afterEach(assertSound);

test('FLT0010 a caller whose server dies is answered PEER_GONE', () => {
  const { live, dead, die } = mortal();
  receive(dead, 0, OPEN_ONLY);
  assert.equal(call(live, idOf(dead), ANY_INDEX, CALL, NEVER, OPEN_ONLY), NOT_YET);
  const id = idOf(dead);
  die();
  assert.equal(arrived(live), PEER_GONE);
  assert.equal(call(live, id, ANY_INDEX, CALL, NEVER, NEVER), NOT_TAKEN);
});

test('FLT0011 a sender that polls for a dead thread, and a closed receive of it, are answered', () => {
  const { live, dead, die } = mortal();
  const other = makeThread();
  assert.equal(startSend(live, idOf(dead), ANY_INDEX, 0, NEVER), NOT_YET);
  assert.equal(startReceive(other, idOf(dead)), NOT_YET);
  die();
  assert.equal(peek(live + TCB_POLL_QUEUE), 0);
  assert.equal(arrived(live), NOT_TAKEN);
  assert.equal(arrived(other), PEER_GONE);
});

test('FLT0012 an open wait goes on when somebody else dies', () => {
  const { live, die } = mortal();
  receive(live, 0, OPEN_ONLY);
  die();
  const other = makeThread();
  assert.equal(send(other, idOf(live), 0, 0), OK);
  assert.equal(arrived(live), OK);
});

test('FLT0013 a thread that a dead one had claimed is freed of it, whatever it waited for', () => {
  const { live, dead, die } = mortal();
  receive(live, 0, OPEN_ONLY);
  store(live + TCB_STATE, locked(idOf(live), idOf(dead)) | PARKED);
  die();
  assert.equal(arrived(live), PEER_GONE);
});

test('FLT0014 a dead sender is out of the queue it polled in', () => {
  const { live, dead, die } = mortal();
  const other = makeThread();
  startSend(dead, idOf(live), ANY_INDEX, 0, NEVER);
  startSend(other, idOf(live), ANY_INDEX, 0, NEVER);
  die();
  assert.equal(receive(live, 0, 0), OK);
});

test('FLT0015 both sides of a transfer are told', () => {
  const { of, live, dead, die } = mortal();
  poke(live + TCB_TRANSFER, idOf(dead));
  repairTask(of.task, indexOf(live));
  assert.equal(peek(live + TCB_FILLED), LOOK_AGAIN);
  assert.equal(peek(dead + TCB_DRAINED), LOOK_AGAIN);
  poke(live + TCB_TRANSFER, 0);
  die();
});

test('FLT0016 locks of the dead are broken: windows, names, queues, the inboxes of others', () => {
  const { live, dead, die } = mortal();
  const locks = [HEADER_WINDOW_LOCK, HEADER_NAME_LOCK, queueOf(live), root.processor + PROCESSOR_INBOX];
  for (const lock of locks) poke(lock, indexOf(dead) | QUEUE_CONTENDED);
  die();
  for (const lock of locks) assert.equal(load(lock), 0);
});

test('FLT0017 a lock of the living stays', () => {
  const { of, live } = mortal();
  poke(HEADER_WINDOW_LOCK, indexOf(live));
  repairTask(of.task, indexOf(live));
  assert.equal(load(HEADER_WINDOW_LOCK), indexOf(live));
  poke(HEADER_WINDOW_LOCK, 0);
});

test('FLT0018 a thread that dies while it queues itself neither hangs the repair nor tears the queue', () => {
  const { live, dead, die } = mortal();
  const others = [makeThread(), makeThread()];
  for (const other of others) startSend(other, idOf(live), ANY_INDEX, 0, NEVER);
  store(dead + TCB_STATE, polling(idOf(dead), idOf(live)));
  poke(queueOf(live), indexOf(dead));
  poke(dead + TCB_POLL_QUEUE, queueOf(live));
  poke(live + TCB_QUEUE_FIRST, indexOf(dead));
  die();
  assert.equal(receive(live, 0, 0), OK);
  assert.equal(receive(live, 0, 0), OK);
});

test('FLT0019 threads of a dead task that wait for each other end too', () => {
  const { of, dead, die } = mortal();
  const other = makeThread({ of });
  startSend(other, idOf(dead), ANY_INDEX, 0, NEVER);
  store(dead + TCB_STATE, locked(idOf(dead), idOf(other)));
  die();
});

test('FLT0020 a multiplexed thread whose local partner dies runs again', () => {
  const of = makeTask(root.id);
  const [keeper, live] = [makeThread(), makeThread({ home: true })];
  const dead = makeThread({ home: true, of: { ...of, processor: root.processor } });
  const second = makeThread({ home: true });
  poke(live + TCB_STATE, homeWaiting(idOf(live), idOf(dead)));
  enqueue(queueOf(dead), second);
  poke(second + TCB_STATE, homePolling(idOf(second), idOf(dead)));
  repairTask(of.task, indexOf(keeper));
  freeThreads(of.task, indexOf(keeper));
  assert.equal(peek(live + TCB_PENDING), 1);
  assert.deepEqual(
    [takeReady(root.processor), takeReady(root.processor)].sort((a, b) => a - b),
    [indexOf(live), indexOf(second)],
  );
});

test('FLT0021 repair may be done twice', () => {
  const { of, live, dead, die } = mortal();
  startSend(live, idOf(dead), ANY_INDEX, 0, NEVER);
  repairTask(of.task, indexOf(live));
  die();
  assert.equal(kindOf(live), kindOf(makeThread()));
});

test('FLT0022 a record that the dead had taken, and not yet written anything of, is given back', () => {
  const { of, live, die } = mortal();
  const half = makeThread({ of, window: false });
  store(half + TCB_STATE, DEAD);
  poke(half + TCB_TASK, 0);
  const threads = countThreads();
  die();
  assert.equal(peek(half + TCB_TAKEN), 0);
  assert.equal(countThreads(), threads - 2);
  assert.notEqual(stateOf(live), DEAD);
});

test('FLT0025 of two agents that have ended, the first to be repaired does not wait for what the second holds', () => {
  const { of, live, dead, die } = mortal();
  const second = mortal();
  receive(dead, 0, OPEN_ONLY);
  // The second died in the midst of a call to the first, and of a look at its queue.
  store(dead + TCB_STATE, locked(idOf(dead), idOf(second.dead)));
  const locks = [HEADER_WINDOW_LOCK, queueOf(dead), queueOf(live)];
  for (const lock of locks) poke(lock, indexOf(second.dead));
  for (const { processor } of [of, second.of]) poke(processor + PROCESSOR_ENDED, 1);
  die();
  for (const lock of locks) assert.equal(load(lock), 0);
  second.die();
});
