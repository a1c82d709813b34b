/**
 * Small wrong edits of the kernel, each of which a scenario of the explorer must catch. They say what the scenarios can
 * see: a step of the kernel that has no mutant here may be one that nothing watches.
 *
 * `find` stands in its file exactly once, or the test fails: mutants keep step with the source.
 */
export interface Mutant {
  readonly name: string;
  /** Below src/. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** What a user of a kernel with this edit would have seen. */
  readonly harm: string;
  /** The scenario of the explorer that catches it, or the command sequences of ../reference. */
  readonly scenario: string;
}

/** The command sequences on the reference kernel, in one thread. */
export const REFERENCE = 'reference';

const claims: readonly Mutant[] = [
  {
    name: 'the fast path claims by an exchange',
    file: 'kernel/ipc.ts',
    find: 'if (compareExchange(partner + TCB_STATE, receptive, locked(to, me)) !== receptive) {',
    replace: 'if (exchange(partner + TCB_STATE, locked(to, me)) !== receptive) {',
    harm: 'a busy server is overwritten, and its caller and it wait for each other for ever',
    scenario: 'call-1x1',
  },
  {
    name: 'the fast path looks, then claims by a store',
    file: 'kernel/ipc.ts',
    find: 'if (compareExchange(partner + TCB_STATE, receptive, locked(to, me)) !== receptive) {',
    replace: 'if (load(partner + TCB_STATE) === receptive) poke(partner + TCB_STATE, locked(to, me));\n  else {',
    harm: 'two clients write one message line: a call with the words of another',
    scenario: 'call-2x1',
  },
  {
    name: 'a claim of a parked partner loses its parked bit',
    file: 'kernel/park.ts',
    find: 'compareExchange(tcb + TCB_STATE, asleep, next | PARKED) === asleep;',
    replace: 'compareExchange(tcb + TCB_STATE, asleep, next) === asleep;',
    harm: 'a server that slept is not woken by the call that came',
    scenario: 'call-1x1',
  },
  {
    name: 'a claim of a parked partner is a store',
    file: 'kernel/park.ts',
    find: 'seen === asleep && compareExchange(tcb + TCB_STATE, asleep, next | PARKED) === asleep;',
    replace: 'seen === asleep && exchange(tcb + TCB_STATE, next | PARKED) !== 0;',
    harm: 'two senders both believe that they have the receiver: one message is lost',
    scenario: 'send-2',
  },
  {
    name: 'a claim that is taken back loses the parked bit',
    file: 'kernel/park.ts',
    find: 'compareExchange(tcb + TCB_STATE, seen, before | (seen & PARKED)) === seen',
    replace: 'compareExchange(tcb + TCB_STATE, seen, before) === seen',
    harm: 'a caller that was taken out of a queue sleeps through its answer',
    scenario: 'call-2x1',
  },
  {
    name: 'a claim is taken back by a load and a store',
    file: 'kernel/park.ts',
    find: 'if (compareExchange(tcb + TCB_STATE, seen, before | (seen & PARKED)) === seen) return;',
    replace: 'store(tcb + TCB_STATE, before | (seen & PARKED));\n    return;',
    harm: 'a caller that falls asleep in that moment sleeps through its answer',
    scenario: 'call-2x1',
  },
  {
    name: 'a polling sender is taken by a look and a store',
    file: 'kernel/ipc-slow.ts',
    find: 'if (claimPoller(sender, id, me)) return sender;',
    replace:
      'if (peek(sender + TCB_POLL_TARGET) === me && (load(sender + TCB_STATE) & ~PARKED) === polling(id, me)) {\n      store(sender + TCB_STATE, locked(id, me));\n      return sender;\n    }',
    harm: 'a message is served though its sender was told that it timed out',
    scenario: 'send-timeout',
  },
];

const publications: readonly Mutant[] = [
  {
    name: 'the fast path publishes by a load and a store',
    file: 'kernel/ipc.ts',
    find: 'const asleep = exchange(partner + TCB_STATE, running(to)) & PARKED;',
    replace: 'const asleep = load(partner + TCB_STATE) & PARKED;\n  store(partner + TCB_STATE, running(to));',
    harm: 'a server that parks in that moment is never rung: the call hangs',
    scenario: 'call-1x1',
  },
  {
    name: 'the reply is published by a load and a store',
    file: 'kernel/ipc.ts',
    find: 'if ((exchange(partner + TCB_STATE, running(to)) & PARKED) !== 0) wake(partner);',
    replace:
      'const asleep = load(partner + TCB_STATE) & PARKED;\n  store(partner + TCB_STATE, running(to));\n  if (asleep !== 0) wake(partner);',
    harm: 'a caller that parks in that moment hangs though it was answered',
    scenario: 'call-1x1',
  },
  {
    name: 'the fast path publishes before the message is written',
    file: 'kernel/ipc.ts',
    find: 'putMessage(partner, me, tag, sequence);\n  // SYNC POINT: pairs with awaitMessage of the partner.\n  const asleep = exchange(partner + TCB_STATE, running(to)) & PARKED;',
    replace:
      'const asleep = exchange(partner + TCB_STATE, running(to)) & PARKED;\n  putMessage(partner, me, tag, sequence);',
    harm: 'the server reads the words of the message before',
    scenario: 'call-1x1',
  },
  {
    name: 'the fast path waits only after it has published',
    file: 'kernel/ipc.ts',
    find: 'poke(self + TCB_STATE, awaiting);\n  putMessage(partner, me, tag, sequence);\n  // SYNC POINT: pairs with awaitMessage of the partner.\n  const asleep = exchange(partner + TCB_STATE, running(to)) & PARKED;',
    replace:
      'putMessage(partner, me, tag, sequence);\n  const asleep = exchange(partner + TCB_STATE, running(to)) & PARKED;\n  poke(self + TCB_STATE, awaiting);',
    harm: 'a quick answer finds nobody waiting and is dropped: the call hangs',
    scenario: 'call-1x1',
  },
  {
    name: 'the slow path waits only after it has published',
    file: 'kernel/ipc-slow.ts',
    find: '  store(self + TCB_STATE, waiting(me, to));\n  // A partner that dies among the pieces shows as the answer: the wait is on, and the repair ends it.\n  publish(self, partner, to, tag);',
    replace: '  publish(self, partner, to, tag);\n  store(self + TCB_STATE, waiting(me, to));',
    harm: 'a quick answer finds nobody waiting and is dropped: the call hangs',
    scenario: 'call-1x1',
  },
  {
    name: 'the fast path does not wake a parked server',
    file: 'kernel/ipc.ts',
    find: 'if (asleep !== 0) wake(partner);\n  else if (spin(',
    replace: 'if (asleep === 0 && spin(',
    harm: 'every call to an idle server hangs',
    scenario: 'call-1x1',
  },
  {
    name: 'a wakeup does not ring the state word',
    file: 'kernel/park.ts',
    find: '  notify(tcb + TCB_STATE);\n',
    replace: '',
    harm: 'whoever sleeps sleeps on: every call to an idle server hangs',
    scenario: 'call-1x1',
  },
  {
    name: 'a sender that is taken out of the queue is not woken',
    file: 'kernel/ipc-slow.ts',
    find: 'if ((exchange(sender + TCB_STATE, running(id)) & PARKED) !== 0) wake(sender);',
    replace: 'exchange(sender + TCB_STATE, running(id));',
    harm: 'a send to a busy thread never returns',
    scenario: 'send-timeout',
  },
  {
    name: 'a polling sender goes on before its message is copied',
    file: 'kernel/ipc-slow.ts',
    find: '  pullMessage(self, sender);\n  if ((tag & TAG_KIND) !== CALL) {\n    if ((exchange(sender + TCB_STATE, running(id)) & PARKED) !== 0) wake(sender);\n    return;',
    replace:
      '  if ((tag & TAG_KIND) === CALL) pullMessage(self, sender);\n  if ((tag & TAG_KIND) !== CALL) {\n    if ((exchange(sender + TCB_STATE, running(id)) & PARKED) !== 0) wake(sender);\n    pullMessage(self, sender);\n    return;',
    harm: 'a message arrives with the words of the next one',
    scenario: 'send-timeout',
  },
  {
    name: 'the end of an upcall answers before it waits again',
    file: 'kernel/ipc-slow.ts',
    find: '  store(self + TCB_STATE, closed);\n  if (prepared === OK) publish(self, partner, to, tag);\n',
    replace: '  if (prepared === OK) publish(self, partner, to, tag);\n  store(self + TCB_STATE, closed);\n',
    harm: 'a call whose callback was quick never gets its answer',
    scenario: 'upcall',
  },
];

const looks: readonly Mutant[] = [
  {
    name: 'a sender does not look at its partner again after it queued',
    file: 'kernel/ipc-slow.ts',
    find: 'if (isHome || !isReceptive(partner, to, expect, me)) break;',
    replace: 'break;',
    harm: 'sender and receiver wait for each other, both with nothing to do',
    scenario: 'call-1x1',
  },
  {
    name: 'a receiver does not look at its queue again after it opened',
    file: 'kernel/ipc-slow.ts',
    find: 'while (firstInQueue(queueOf(self)) !== 0 && claim(self, opened, running(me))) {',
    replace: 'while (firstInQueue(queueOf(self)) === -1 && claim(self, opened, running(me))) {',
    harm: 'a call that came while the server opened is never served',
    scenario: 'call-1x1',
  },
  {
    name: 'a server does not look at its queue again after its answer',
    file: 'kernel/ipc.ts',
    find: '  if (load(self + TCB_QUEUE_FIRST) !== 0) return awaitOpened(self, receiveTimeout_ms);\n',
    replace: '',
    harm: 'a second client that queued during the answer hangs until a third calls',
    scenario: 'call-2x1',
  },
  {
    name: 'a server does not look at its queue before it opens',
    file: 'kernel/ipc.ts',
    find: '|| peek(self + TCB_QUEUE_FIRST) !== 0) {',
    replace: ') {',
    harm: 'a busy client overtakes those who stand in the queue, again and again',
    scenario: 'c-before-a',
  },
  {
    name: 'the slow answer opens without a look at the queue',
    file: 'kernel/ipc-slow.ts',
    find: 'if (next === 0) return awaitOpened(self, receiveTimeout_ms);',
    replace: 'if (next === 0) return awaitMessage(self, NEVER, receiveTimeout_ms);',
    harm: 'after a dropped answer, a client that queued meanwhile hangs',
    scenario: 'receive-timeout',
  },
  {
    name: 'the slow answer continues the caller before it takes the next',
    file: 'kernel/ipc-slow.ts',
    find: '  const next = claimNext(self);\n  if (next === 0) store(self + TCB_STATE, waiting(peek(self + TCB_ID), ANY_INDEX));\n  if (prepared === OK) publish(self, partner, to, tag);',
    replace:
      '  store(self + TCB_STATE, waiting(peek(self + TCB_ID), ANY_INDEX));\n  if (prepared === OK) publish(self, partner, to, tag);\n  const next = 0 as Tcb | 0;',
    harm: 'the answered client calls again and is served before who waits longer',
    scenario: 'c-before-a',
  },
  {
    name: 'a sender queues before it says that it polls',
    file: 'kernel/ipc-slow.ts',
    find: '    store(self + TCB_STATE, mine);\n    enqueue(pollingQueue(partner), self);',
    replace: '    enqueue(pollingQueue(partner), self);\n    store(self + TCB_STATE, mine);',
    harm: 'its receiver throws it out of the queue as one that does not poll: it hangs',
    scenario: 'call-1x1',
  },
  {
    name: 'a sender does not look whether its partner died before it queued',
    file: 'kernel/ipc-slow.ts',
    find: 'return known !== OK && withdraw(self, mine) ? notTaken(known) : NOT_YET;',
    replace: 'return NOT_YET;',
    harm: 'a call to a task that has just crashed hangs for ever',
    scenario: 'kill-server',
  },
  {
    name: 'a sender does not look whether it was cancelled before it queued',
    file: 'kernel/ipc-slow.ts',
    find: '    if (load(self + TCB_STATE) !== mine) removeFromQueue(self, me & INDEX_MASK);\n',
    replace: '',
    harm: 'the next call of an aborted caller corrupts the queue of a server',
    scenario: 'abort-again',
  },
  {
    name: 'a closed receive does not look at its partner again',
    file: 'kernel/ipc-slow.ts',
    find: 'if (known === OK && (load(tcbOf(from) + TCB_STATE) & ~PARKED) !== polls) return NOT_YET;',
    replace: 'if (known === OK) return NOT_YET;',
    harm: 'a closed receive and its partner wait for each other',
    scenario: 'closed-receive-waits',
  },
];

const answers: readonly Mutant[] = [
  {
    name: 'an answer to a thread that does not wait leaves no word',
    file: 'kernel/ipc-slow.ts',
    find: '  if (!claimed && checkThread(to) === OK) store(missedAt(partner, sequence), sequence);\n',
    replace: '',
    harm: 'a call whose callback was given up waits for ever: it was answered while the callback ran',
    scenario: 'upcall-given-up',
  },
  {
    name: 'an answer that left its word is not tried once more',
    file: 'kernel/ipc-slow.ts',
    find: 'if (!claimed && !claim(partner, awaiting, locked(to, me))) return DROPPED;',
    replace: 'if (!claimed) return DROPPED;',
    harm: 'a caller that had just come back from its callback waits for ever',
    scenario: 'upcall-given-up',
  },
  {
    name: 'a caller looks for a missed answer before it waits again',
    file: 'kernel/ipc-slow.ts',
    find: '  store(self + TCB_STATE, closed);\n  if (prepared === OK) publish(self, partner, to, tag);\n  const known = load(missedAt(self, awaited)) === awaited ? MISSED : checkThread(from);',
    replace:
      '  const known = load(missedAt(self, awaited)) === awaited ? MISSED : checkThread(from);\n  store(self + TCB_STATE, closed);\n  if (prepared === OK) publish(self, partner, to, tag);',
    harm: 'the same, when the answer comes between its look and its wait',
    scenario: 'upcall-given-up',
  },
  {
    name: 'the fast answer does not compare the call sequence',
    file: 'kernel/ipc.ts',
    find: 'if (peek(partner + TCB_SEQUENCE) !== sequence) {',
    replace: 'if (peek(partner + TCB_SEQUENCE) === 0) {',
    harm: 'after a timeout the next call gets the answer of the one before',
    scenario: REFERENCE,
  },
  {
    name: 'the slow answer does not compare the call sequence',
    file: 'kernel/ipc-slow.ts',
    find: 'if (peek(partner + TCB_SEQUENCE) !== sequence) {',
    replace: 'if (peek(partner + TCB_SEQUENCE) === 0) {',
    harm: 'after a timeout the next call gets the answer of the one before',
    scenario: REFERENCE,
  },
  {
    name: 'a late answer does not take its claim back',
    file: 'kernel/ipc-slow.ts',
    find: '    unclaim(partner, awaiting);\n    return DROPPED;',
    replace: '    return DROPPED;',
    harm: 'a caller stays locked for ever: neither its answer nor its timeout ends the call',
    scenario: REFERENCE,
  },
  {
    name: 'a call has the sequence of the one before',
    file: 'kernel/transfer.ts',
    find: 'sequence = (sequence + 1) & 0x3fffffff;',
    replace: 'sequence = 1;',
    harm: 'after a timeout the next call gets the answer of the one before',
    scenario: REFERENCE,
  },
  {
    name: 'a caller that is pushed through does not write its sequence',
    file: 'kernel/ipc-slow.ts',
    find: '  poke(self + TCB_SEQUENCE, sequence);\n  poke(self + TCB_TAG, tag);\n  store(',
    replace: '  poke(self + TCB_TAG, tag);\n  store(',
    harm: 'its answer is taken for a late one and dropped: the call hangs',
    scenario: 'call-1x1',
  },
];

const checks: readonly Mutant[] = [
  {
    name: 'a receiver takes messages out of its queue with its state open',
    file: 'kernel/ipc-slow.ts',
    find: 'while (firstInQueue(queueOf(self)) !== 0 && claim(self, opened, running(me))) {',
    replace: 'while (firstInQueue(queueOf(self)) !== 0) {',
    harm: 'two clients write the line of one server: one of them is lost',
    scenario: 'call-2x1',
  },
  {
    name: 'a thread may call itself',
    file: 'kernel/ipc-slow.ts',
    find: '  if (to === me) return DEADLOCK;\n  const via',
    replace: '  const via',
    harm: 'a task that calls itself hangs without a word',
    scenario: REFERENCE,
  },
  {
    name: 'no border of a clan is seen',
    file: 'kernel/clan.ts',
    find: 'return chiefOfA === chiefOfB || chiefOfB === peek(a + TCB_TASK) || chiefOfA === peek(b + TCB_TASK);',
    replace: 'return chiefOfA !== -1 && chiefOfB !== -1;',
    harm: 'a task reaches what its chief keeps from it',
    scenario: REFERENCE,
  },
  {
    name: 'a closed receive takes the first in the queue',
    file: 'kernel/queue.ts',
    find: 'const entry = tcbOf(wanted);',
    replace: 'const entry = tcbAt(peek(queue + FIRST));\n  wanted = peek(entry + TCB_ID);',
    harm: 'a message of another is thrown away, and its sender hangs',
    scenario: REFERENCE,
  },
  {
    name: 'a queue is served from its end',
    file: 'kernel/queue.ts',
    find: 'const first = peek(queue + FIRST);',
    replace: 'const first = peek(queue + LAST);',
    harm: 'under load who came first is served last, or never',
    scenario: REFERENCE,
  },
];

const ends: readonly Mutant[] = [
  {
    name: 'a closed receive does not look at the generation of whom it takes out of its queue',
    file: 'kernel/queue.ts',
    find: ' && peek(entry + TCB_ID) === wanted;',
    replace: ';',
    harm: 'a receive from a task that was restarted meanwhile loses a message of its successor, who hangs',
    scenario: REFERENCE,
  },
  {
    name: 'a closed receive keeps the sequence of an earlier call',
    file: 'kernel/ipc-slow.ts',
    find: '  poke(self + TCB_SEQUENCE, 0);\n',
    replace: '',
    harm: 'the late answer to a call that timed out is taken for the message that is waited for',
    scenario: REFERENCE,
  },
  {
    name: 'a wait that times out does not ask whether it was claimed',
    file: 'kernel/park.ts',
    find: 'if (compareExchange(self + TCB_STATE, state, running(me)) !== state) return false;',
    replace: 'store(self + TCB_STATE, running(me));',
    harm: 'a message that comes with the timeout is lost, or half of it is read later',
    scenario: 'receive-timeout',
  },
  {
    name: 'a timeout ends a wait that is claimed',
    file: 'kernel/ipc-slow.ts',
    find: 'if (timeout_ms !== NEVER && kind !== LOCK) {',
    replace: 'if (timeout_ms !== NEVER) {',
    harm: 'a partner writes into a thread that has gone on: words of two messages mixed',
    scenario: 'receive-timeout',
  },
  {
    name: 'a sender that gives up stays in the queue',
    file: 'kernel/park.ts',
    find: '  if ((state & KIND_MASK) === POLL) removeFromQueue(self, me & INDEX_MASK);\n',
    replace: '',
    harm: 'the next message of a sender that timed out makes a ring of the queue: its server loops',
    scenario: 'give-up-in-queue',
  },
  {
    name: 'a sender that was cancelled believes that it was taken',
    file: 'kernel/ipc-slow.ts',
    find: 'if (phase === POLL && peek(self + TCB_SENDER) === me) return',
    replace: 'if (phase === POLL) return',
    harm: 'an aborted send says OK, and nobody has the message',
    scenario: 'abort-in-queue',
  },
  {
    name: 'a cancel does not ask whether the wait was claimed',
    file: 'kernel/fault.ts',
    find: 'if (state !== mine && compareExchange(tcb + TCB_STATE, state, mine) !== state) return false;',
    replace: 'store(tcb + TCB_STATE, mine);',
    harm: 'an abort and an answer meet, and the caller gets a mixture of both',
    scenario: 'abort-1',
  },
  {
    name: 'a cancel ends a wait that is claimed',
    file: 'kernel/fault.ts',
    find: 'if (kind !== LOCK && endWait(tcb, state, code, holder)) return true;',
    replace: 'if (endWait(tcb, state, code, holder)) return true;',
    harm: 'a partner writes its answer into a thread that was aborted and has gone on',
    scenario: 'abort-1',
  },
  {
    name: 'a cancelled sender stays in the queue',
    file: 'kernel/fault.ts',
    find: '  removeFromQueue(tcb, holder);\n  putKernelError(',
    replace: '  putKernelError(',
    harm: 'the next call of an aborted caller corrupts the queue of a server',
    scenario: 'abort-again',
  },
  {
    name: 'a cancel publishes before its code is written',
    file: 'kernel/fault.ts',
    find: '  putKernelError(tcb, ERROR | 1, code);\n  // SYNC POINT: pairs with awaitMessage of the waiting thread.\n  if ((exchange(tcb + TCB_STATE, running(id)) & PARKED) !== 0) wake(tcb);',
    replace:
      '  if ((exchange(tcb + TCB_STATE, running(id)) & PARKED) !== 0) wake(tcb);\n  putKernelError(tcb, ERROR | 1, code);',
    harm: 'an aborted call returns an old message as its answer',
    scenario: 'abort-1',
  },
];

const sleeps: readonly Mutant[] = [
  {
    name: 'a thread parks on whatever its state is now',
    file: 'kernel/park.ts',
    find: 'wait(self + TCB_STATE, asleep, Math.min(timeout_ms, slice_ms))',
    replace: 'wait(self + TCB_STATE, load(self + TCB_STATE), Math.min(timeout_ms, slice_ms))',
    harm: 'a thread whose message came while it went to sleep sleeps on',
    scenario: 'call-1x1',
  },
  {
    name: 'a thread parks without its parked bit',
    file: 'kernel/park.ts',
    find: 'const asleep = state | PARKED;',
    replace: 'const asleep = state;',
    harm: 'nobody rings: every call to an idle server hangs',
    scenario: 'call-1x1',
  },
  {
    name: 'a thread sets its parked bit by a store',
    file: 'kernel/park.ts',
    find: 'if (compareExchange(self + TCB_STATE, state, asleep) !== state) return;',
    replace: 'store(self + TCB_STATE, asleep);',
    harm: 'a message that comes while its receiver goes to sleep is overwritten',
    scenario: 'call-1x1',
  },
];

const queues: readonly Mutant[] = [
  {
    name: 'the lock of a queue is taken by a look and a store',
    file: 'kernel/queue.ts',
    find: 'if (load(queue) === 0 && compareExchange(queue, 0, holder) === 0) return;',
    replace: 'if (load(queue) === 0) {\n      store(queue, holder);\n      return;\n    }',
    harm: 'two senders link themselves at once: one is lost',
    scenario: 'send-2',
  },
  {
    name: 'unlocking a queue does not ring who sleeps on the lock',
    file: 'kernel/queue.ts',
    find: 'if ((exchange(queue, 0) & QUEUE_CONTENDED) !== 0) notify(queue);',
    replace: 'store(queue, 0);',
    harm: 'a sender that met the lock loses 2 ms with every message',
    scenario: 'send-2',
  },
  {
    name: 'who takes himself out of a queue does not look again under the lock',
    file: 'kernel/queue.ts',
    find: 'if (load(entry + TCB_POLL_QUEUE) === queue) unlink(queue, entry, 0);',
    replace: 'unlink(queue, entry, 0);',
    harm: 'two take one entry out, and with it everybody behind it',
    scenario: 'send-2',
  },
  {
    name: 'a queue does not move its end when the last leaves',
    file: 'kernel/queue.ts',
    find: '  if (next === 0) poke(queue + LAST, previous);\n  else poke(tcbAt(next) + TCB_POLL_PREVIOUS, previous);\n  poke(entry + TCB_POLL_NEXT, 0);',
    replace: '  if (next !== 0) poke(tcbAt(next) + TCB_POLL_PREVIOUS, previous);\n  poke(entry + TCB_POLL_NEXT, 0);',
    harm: 'the next sender is linked behind one that has left: nobody finds it',
    scenario: 'send-timeout',
  },
];

const deaths: readonly Mutant[] = [
  {
    name: 'the repair answers before it has marked the dead',
    file: 'kernel/fault.ts',
    find: '    if (isOf(tcbAt(index), id)) markDead(tcbAt(index), id, holder);\n  }\n  for (let index = 1; index <= threadsEnd(); index++) {\n    if (peek(tcbAt(index) + TCB_TAKEN) !== 0) answer(tcbAt(index), id, holder);',
    replace:
      '    if (peek(tcbAt(index) + TCB_TAKEN) !== 0) answer(tcbAt(index), id, holder);\n  }\n  for (let index = 1; index <= threadsEnd(); index++) {\n    if (isOf(tcbAt(index), id)) markDead(tcbAt(index), id, holder);',
    harm: 'a call that begins while a task dies hangs for ever',
    scenario: 'kill-server',
  },
  {
    name: 'the repair does not wait for a live claimer',
    file: 'kernel/fault.ts',
    find: '    if ((state & KIND_MASK) === LOCK && isClaimedAlive(state, task)) continue;\n',
    replace: '',
    harm: 'a sender brings a dead thread back to life, and its callers hang',
    scenario: 'kill-server',
  },
  {
    name: 'the repair does not ring',
    file: 'kernel/fault.ts',
    find: '  ringEverybody();\n}',
    replace: '}',
    harm: 'who was answered by a thread that died before its wakeup sleeps up to a second',
    scenario: 'kill-server',
  },
  {
    name: 'the repair does not break locks',
    file: 'kernel/fault.ts',
    find: '  breakLocks(id, holder);\n',
    replace: '',
    harm: 'a task killed in a queue of the console locks every printer out',
    scenario: 'kill-client',
  },
  {
    name: 'the repair does not link a broken queue afresh',
    file: 'kernel/fault.ts',
    find: '  rebuildQueue(queue, threadsEnd());\n',
    replace: '',
    harm: 'senders behind one that died while it queued are never served',
    scenario: 'kill-in-queue',
  },
  {
    name: 'a broken queue is empty while it is linked afresh',
    file: 'kernel/queue.ts',
    find: 'store(queue + FIRST, ANY_INDEX);',
    replace: 'store(queue + FIRST, 0);',
    harm: 'a server that looks for work just then sleeps beside the senders of its queue',
    scenario: 'kill-in-queue',
  },
  {
    name: 'the dead stay in the queues',
    file: 'kernel/fault.ts',
    find: '    if (compareExchange(tcb + TCB_STATE, state, DEAD) === state) break;\n  }\n  removeFromQueue(tcb, holder);\n',
    replace: '    if (compareExchange(tcb + TCB_STATE, state, DEAD) === state) break;\n  }\n',
    harm: 'a record used again stands in the queue of a server it never called',
    scenario: 'kill-client-free',
  },
  {
    name: 'the repair marks one side of a long transfer only',
    file: 'kernel/fault.ts',
    find: 'for (const at of [live + TCB_FILLED, dead + TCB_DRAINED]) {',
    replace: 'for (const at of [live + TCB_FILLED]) {',
    harm: 'a sender of a large buffer hangs when its receiver dies',
    scenario: 'pieces-kill-server',
  },
  {
    name: 'a transfer does not ask whether its partner lives',
    file: 'kernel/transfer.ts',
    find: '    else if (isGone(partner)) return false;\n',
    replace: '',
    harm: 'a large buffer to a task that has just died hangs its sender',
    scenario: 'pieces-kill-server',
  },
  {
    name: 'a state word has no generation',
    file: 'layout/tcb.ts',
    find: 'export const STATE_GENERATION = 0x0fff << INDEX_BITS;',
    replace: 'export const STATE_GENERATION = 0 << INDEX_BITS;',
    harm: 'a call to a task that was replaced reaches a stranger',
    scenario: 'reuse',
  },
  {
    name: 'the records of the dead are given back before who waits is answered',
    file: 'kernel/fault.ts',
    find: '  breakLocks(id, holder);\n',
    replace: '  breakLocks(id, holder);\n  freeThreads(task, holder);\n',
    harm: 'a caller of a task that crashed hangs, or waits for a stranger in the same record',
    scenario: 'kill-server',
  },
  {
    name: 'the end of an upcall does not look whether its partner died',
    file: 'kernel/ipc-slow.ts',
    find: 'return known !== OK && claim(self, closed, running(me)) ? known : OK;',
    replace: 'return OK;',
    harm: 'a caller hangs whose callee crashed during a callback',
    scenario: 'upcall-kill-server',
  },
  {
    name: 'the next thread of a record has the id of the last',
    file: 'kernel/tcb.ts',
    find: 'const generation = generationOf(peek(tcb + TCB_ID)) + 1;',
    replace: 'const generation = Math.max(1, generationOf(peek(tcb + TCB_ID)));',
    harm: 'whoever knew a dead thread calls its successor without being told',
    scenario: REFERENCE,
  },
];

const records: readonly Mutant[] = [
  {
    name: 'a sender does not look whether its partner died before it sends pieces',
    file: 'kernel/transfer.ts',
    find: '  if (isGone(to)) return endTransfer(self, PEER_GONE);\n',
    replace: '',
    harm: 'bytes for a task that has died arrive in the window of another',
    scenario: 'window-free',
  },
  {
    name: 'the end of a long transfer does not ring the repair',
    file: 'kernel/transfer.ts',
    find: '  notify(self + TCB_TRANSFER);\n',
    replace: '',
    harm: 'a restart waits a quarter of a second for a copy that has ended',
    scenario: 'window-free',
  },
  {
    name: 'the repair does not settle what a dead holder of the windows had begun',
    file: 'kernel/fault.ts',
    find: '    settleWindows(threadsEnd());\n',
    replace: '',
    harm: 'two threads get one window',
    scenario: 'make-kill',
  },
  {
    name: 'a window is handed out before its thread has it',
    file: 'kernel/window.ts',
    find: '    poke(tcb + TCB_WINDOW, at);\n    if (free === 0) poke(HEADER_WINDOW_NEXT, at + size_bytes);\n    else poke(list, peek(at >> 2));\n',
    replace:
      '    if (free === 0) poke(HEADER_WINDOW_NEXT, at + size_bytes);\n    else poke(list, peek(at >> 2));\n    poke(tcb + TCB_WINDOW, at);\n',
    harm: 'each worker that is killed while it starts takes a window along',
    scenario: 'make-kill',
  },
  {
    name: 'a record is free before it is wiped',
    file: 'kernel/tcb.ts',
    find: '  for (let i = 1; i < TCB_ID; i++) if (',
    replace: '  store(tcb + TCB_TAKEN, 0);\n  for (let i = 1; i < TCB_ID; i++) if (',
    harm: 'a new thread is wiped while it runs',
    scenario: 'make-kill',
  },
];

const multiplexed: readonly Mutant[] = [
  {
    name: 'a sender to a multiplexed thread does not ring its processor',
    file: 'kernel/ipc-slow.ts',
    find: '    if (isHome) ring(doorbellOf(partner));\n',
    replace: '',
    harm: 'a call to a wasm task in an idle agent waits until that agent wakes for another reason',
    scenario: 'home-passive',
  },
  {
    name: 'a sender stands in no queue while it moves out of the inbox',
    file: 'kernel/queue.ts',
    find: '  unlink(inbox, sender, queue);\n',
    replace: '  unlink(inbox, sender, 0);\n  store(sender + TCB_POLL_QUEUE, queue);\n',
    harm: 'a caller of a wasm task that times out just then stays in its queue, and breaks it with its next call',
    scenario: 'home-timeout',
  },
  {
    name: 'a sender in the inbox is looked at without the lock',
    file: 'kernel/queue.ts',
    find: '  let target = 0;\n  lockQueue(inbox, holder);\n  for (let first = peek(inbox + FIRST); first !== 0 && target === 0; first = peek(inbox + FIRST)) {\n    const sender = tcbAt(first);\n    const state = load(sender + TCB_STATE);\n',
    replace:
      '  let target = 0;\n  const seen = load(tcbAt(load(inbox + FIRST)) + TCB_STATE);\n  lockQueue(inbox, holder);\n  for (let first = peek(inbox + FIRST); first !== 0 && target === 0; first = peek(inbox + FIRST)) {\n    const sender = tcbAt(first);\n    const state = seen;\n',
    harm: 'a caller of a wasm task that times out and calls again just then is thrown out, and hangs',
    scenario: 'home-again',
  },
  {
    name: 'a thread that waits does not take the sender that was moved to its queue',
    file: 'kernel/dispatch.ts',
    find: 'if ((state & KIND_MASK) === HOME_WAIT) takeQueued(',
    replace: 'if ((state & KIND_MASK) === 0) takeQueued(',
    harm: 'every call to an idle wasm task of another agent hangs',
    scenario: 'home-passive',
  },
  {
    name: 'an answer to another processor is not published',
    file: 'kernel/dispatch.ts',
    find: '    reply(self, to as ThreadId, registers[R_SEQUENCE]!, registers[R_TAG]!);\n',
    replace: '',
    harm: 'every call to a wasm task of another agent hangs',
    scenario: 'home-passive',
  },
  {
    name: 'a thread that waits for another processor is not marked as parked',
    file: 'kernel/dispatch.ts',
    find: 'compareExchange(at, state, state | PARKED) !== state) quiet = false;',
    replace: 'compareExchange(at, state, state) !== state) quiet = false;',
    harm: 'the answer to a local thread waits until its agent wakes for another reason',
    scenario: 'home-client',
  },
];

const pieces: readonly Mutant[] = [
  {
    name: 'a sender fills a half of the window that is not drained',
    file: 'kernel/transfer.ts',
    find: 'piece - PIECES + 1, to)',
    replace: 'piece - PIECES, to)',
    harm: 'a large buffer arrives with parts of it twice',
    scenario: 'pieces',
  },
  {
    name: 'a receiver says that a half is drained before it has copied it',
    file: 'kernel/transfer.ts',
    find: '      takeBytes(base + (piece % PIECES) * half + used, incoming[i]!, to, run);\n      to += run;\n      used += run;\n      if (used === half) {\n        announce(self + TCB_DRAINED, ++piece);\n        used = 0;\n      }',
    replace:
      '      const from = base + (piece % PIECES) * half + used;\n      used += run;\n      if (used === half) {\n        announce(self + TCB_DRAINED, ++piece);\n        used = 0;\n      }\n      takeBytes(from, incoming[i]!, to, run);\n      to += run;',
    harm: 'a large buffer arrives with later bytes in place of earlier ones',
    scenario: 'pieces',
  },
  {
    name: 'a sender says that a half is filled before it has written it',
    file: 'kernel/transfer.ts',
    find: '      putBytes(base + (piece % PIECES) * half + used, outgoing[i]!, from, run);\n      from += run;\n      used += run;\n      if (used === half) {\n        announce(target + TCB_FILLED, ++piece);\n        used = 0;\n      }',
    replace:
      '      const to = base + (piece % PIECES) * half + used;\n      used += run;\n      if (used === half) {\n        announce(target + TCB_FILLED, ++piece);\n        used = 0;\n      }\n      putBytes(to, outgoing[i]!, from, run);\n      from += run;',
    harm: 'a large buffer arrives with bytes of the message before',
    scenario: 'pieces',
  },
  {
    name: 'a piece is not announced by a ring',
    file: 'kernel/transfer.ts',
    find: '  store(at, count);\n  notify(at);\n',
    replace: '  store(at, count);\n',
    harm: 'every half megabyte of a large buffer takes a second',
    scenario: 'pieces',
  },
  {
    name: 'a caller whose message goes in pieces is not woken to send them',
    file: 'kernel/ipc-slow.ts',
    find: 'const rings = inPieces(self, tag) || ',
    replace: 'const rings = ',
    harm: 'a large buffer to a busy server waits for a second',
    scenario: 'pieces',
  },
  {
    name: 'a caller with a receive timeout is not woken when it is taken out of the queue',
    file: 'kernel/ipc-slow.ts',
    find: ' || peek(sender + TCB_RECEIVE_TIMEOUT) > 0;',
    replace: ';',
    harm: 'a call to a busy server outlives its receive timeout by up to a second',
    scenario: 'never-answered',
  },
];

export const mutants: readonly Mutant[] = [
  ...claims,
  ...publications,
  ...looks,
  ...answers,
  ...checks,
  ...ends,
  ...sleeps,
  ...queues,
  ...deaths,
  ...records,
  ...multiplexed,
  ...pieces,
];
