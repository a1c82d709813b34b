/** `verify` finds each kind of damage: one planted for each of its messages, and it says nothing once it is undone. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { peek, poke } from '../platform/atomics.ts';
import {
  HEADER_MAGIC,
  HEADER_VERSION,
  HEADER_WINDOW_FREE_SMALL,
  HEADER_WINDOW_LOCK,
  HEADER_WINDOW_NEXT,
} from '../layout/map.ts';
import { ANY_INDEX, WINDOW_BYTES } from '../layout/params.ts';
import { PROCESSOR_INBOX, PROCESSOR_READY_LAST, TASK_SERVER } from '../layout/task.ts';
import {
  homePolling,
  locked,
  open,
  polling,
  running,
  TCB_ID,
  TCB_POLL_NEXT,
  TCB_POLL_PREVIOUS,
  TCB_QUEUE_FIRST,
  TCB_QUEUE_LAST,
  TCB_QUEUE_LOCK,
  TCB_READY_LINKED,
  TCB_READY_NEXT,
  TCB_STATE,
  TCB_TAKEN,
  TCB_TASK,
  TCB_TICKET,
  TCB_TRANSFER,
  TCB_WAKEUP_LIST,
  TCB_WAKEUP_NEXT,
  TCB_WAKEUP_PREVIOUS,
  TCB_WINDOW,
  type Tcb,
  tcbAt,
  waiting,
} from '../layout/tcb.ts';
import { assertSound, idOf, indexOf, makeThread, root, THREADS } from '../../test/support/kernel.ts';
import { startSend } from './ipc-slow.ts';
import { insertReady } from './ready.ts';
import { verify } from './verify.ts';
import { setWakeup } from './wakeup.ts';
import { freeThread } from './tcb.ts';

/** A sound system with two pollers of one thread, two ready threads and two in one wakeup list. */
function populate() {
  const target = makeThread();
  const pollers = [makeThread(), makeThread()] as const;
  for (const tcb of pollers) startSend(tcb, idOf(target), ANY_INDEX, 0, -1);
  const ready = [makeThread({ home: true }), makeThread({ home: true })] as const;
  for (const tcb of ready) insertReady(root.processor, tcb);
  const sleepers = [makeThread(), makeThread()] as const;
  for (const tcb of sleepers) {
    poke(tcb + TCB_STATE, open(idOf(tcb)));
    setWakeup(root.processor, tcb, 1008, 1000);
  }
  return { target, pollers, ready, sleepers };
}

type System = ReturnType<typeof populate>;
type Damage = (system: System) => [word: number, value: number][];

const damages: [says: RegExp, damage: Damage][] = [
  [/the magic is missing/, () => [[HEADER_MAGIC, 0]]],
  [/layout of another version/, () => [[HEADER_VERSION, -1]]],
  [/is not taken but its state is not DEAD/, () => [[tcbAt(freeIndex()) + TCB_STATE, running(1)]]],
  [/has an id of thread/, ({ target }) => [[target + TCB_ID, idOf(target) + 1]]],
  [/belongs to a task that is gone/, ({ target }) => [[target + TCB_TASK, peek(target + TCB_TASK) + 0x10000]]],
  [/is in a long transfer/, ({ target }) => [[target + TCB_TRANSFER, idOf(target)]]],
  [/the polling-me queue of thread \d+ is locked by 3/, ({ target }) => [[target + TCB_QUEUE_LOCK, 3]]],
  [/the inbox of processor \d+ is locked by 3/, () => [[root.processor + PROCESSOR_INBOX, 3]]],
  [/holds thread \d+, which does not exist/, ({ target }) => [[target + TCB_QUEUE_FIRST, freeIndex()]]],
  [/polling-me queue .*: thread \d+ has a wrong back link/, ({ pollers }) => [[pollers[1] + TCB_POLL_PREVIOUS, 0]]],
  [/stands behind a later arrival/, ({ pollers }) => [[pollers[1] + TCB_TICKET, -5]]],
  [
    /stands in two polling-me queues/,
    ({ pollers, sleepers }) => [
      [sleepers[0] + TCB_QUEUE_FIRST, indexOf(pollers[0])],
      [sleepers[0] + TCB_QUEUE_LAST, indexOf(pollers[1])],
    ],
  ],
  [/polling-me queue .* has no end/, ({ pollers }) => [[pollers[1] + TCB_POLL_NEXT, indexOf(pollers[0])]]],
  [/polling-me queue .* has a wrong last entry/, ({ target }) => [[target + TCB_QUEUE_LAST, 0]]],
  [/has a server thread that is gone/, ({ target }) => [[root.task + TASK_SERVER, idOf(target) + 0x10000]]],
  [/ready queue \d+: thread \d+ is not marked/, ({ ready }) => [[ready[0] + TCB_READY_LINKED, 0]]],
  [/ready queue \d+ has no end/, ({ ready }) => [[ready[1] + TCB_READY_NEXT, indexOf(ready[0])]]],
  [/ready queue \d+ has a wrong last entry/, () => [[root.processor + PROCESSOR_READY_LAST, 0]]],
  [/wakeup list 0 .*: thread \d+ is not marked/, ({ sleepers }) => [[sleepers[0] + TCB_WAKEUP_LIST, 5]]],
  [/wakeup list 0 .* has a wrong back link/, ({ sleepers }) => [[sleepers[0] + TCB_WAKEUP_PREVIOUS, 0]]],
  [/wakeup list 0 .* has no end/, ({ sleepers }) => [[sleepers[0] + TCB_WAKEUP_NEXT, indexOf(sleepers[1])]]],
  [/has a state of another generation/, ({ target }) => [[target + TCB_STATE, running(idOf(target) + 0x10000)]]],
  [/is locked by thread/, ({ target, ready }) => [[target + TCB_STATE, locked(idOf(target), idOf(ready[0]))]]],
  [
    /waits for thread \d+, which does not exist/,
    ({ target }) => [[target + TCB_STATE, waiting(idOf(target), freeIndex())]],
  ],
  [
    /polls as a home thread/,
    ({ pollers, target }) => [[pollers[0] + TCB_STATE, homePolling(idOf(pollers[0]), idOf(target))]],
  ],
  [
    /polls but is not queued/,
    ({ sleepers, target }) => [[sleepers[0] + TCB_STATE, polling(idOf(sleepers[0]), idOf(target))]],
  ],
  [
    /has a state of no kind/,
    ({ target }) => [[target + TCB_STATE, (7 << 29) | (running(idOf(target)) & 0x0fff0000) | 1]],
  ],
  [/overlaps what lies before it/, ({ pollers }) => [[pollers[1] + TCB_WINDOW, peek(pollers[0] + TCB_WINDOW)]]],
  [/a window lies beyond what has been handed out/, () => [[HEADER_WINDOW_NEXT, 0]]],
  [/a window before the .* is lost/, ({ target }) => [[target + TCB_WINDOW, 0]]],
  [/the last window is lost/, () => [[HEADER_WINDOW_NEXT, peek(HEADER_WINDOW_NEXT) + WINDOW_BYTES]]],
  [/the window allocator is locked/, () => [[HEADER_WINDOW_LOCK, 2]]],
];

function freeIndex(): number {
  for (let index = THREADS; ; index--) if (peek(tcbAt(index) + TCB_TAKEN) === 0) return index;
}

afterEach(assertSound);

for (const [number, [says, damage]] of damages.entries()) {
  test(`VER${String(number + 10).padStart(4, '0')} verify says ${says.source}`, () => {
    const system = populate();
    assert.deepEqual(verify(), []);
    const planted = damage(system);
    const before = planted.map(([word]) => peek(word));
    for (const [word, value] of planted) poke(word, value);
    const found = verify();
    for (const [i, [word]] of planted.entries()) poke(word, before[i]!);
    assert.ok(
      found.some((sentence) => says.test(sentence)),
      found.join('; ') || 'it says nothing',
    );
    settle(system);
  });
}

test('VER0050 verify says that a list of free windows has no end', () => {
  const threads = [makeThread(), makeThread()];
  const [a, b] = threads.map((tcb) => peek(tcb + TCB_WINDOW)) as [number, number];
  for (const tcb of threads) freeThread(tcb, 1);
  const next = peek(a >> 2);
  assert.equal(peek(HEADER_WINDOW_FREE_SMALL), b);
  poke(a >> 2, b);
  assert.ok(verify().includes('a list of free windows has no end'));
  poke(a >> 2, next);
});

/** Ends the waits, so that all can be freed. */
function settle({ sleepers }: System): void {
  for (const tcb of sleepers as readonly Tcb[]) poke(tcb + TCB_STATE, running(idOf(tcb)));
}
