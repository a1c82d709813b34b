/*
 * The rendezvous between processors, as a design: claim, publication, parking, the polling-me queue, timeouts. Checked
 * by Spin for safety (asserts, no hang) and for liveness under weak fairness (each call ends). models/README.md says how
 * to run it and what is left out; scripts/model-spin.mjs holds the systems and the mutants.
 *
 * Each inline stands for the function of src/kernel/ whose name and file are above it, and has its steps in its order.
 * One atomic access there is one step here. Lines and queues are written by one thread at a time, which test/model/
 * checks on the shipped text: here such a write is one step.
 *
 * A system is made by definitions:
 *   CLIENTS, CALLS     how many clients, and how many messages each sends
 *   CALL_TIMED         bits of the clients whose calls have timeouts, for the send and for the receive
 *   SENDERS            bits of the clients that send instead of calling
 *   SERVER_TIMED       the server's receive has a timeout
 *   CHAIN              the server calls another server before it answers
 *   CLOSED             the server first waits for client 0 alone
 *   LATE               the server answers its first call when it has taken the second
 *   ENDLESS            clients never stop
 *   LIVENESS, WATCH    the calls of client WATCH end; LOCKSTEP without the exception, see below
 * Any other name is a mutant: a step left out or misplaced, which must be found.
 */
#ifndef CLIENTS
#define CLIENTS 2
#endif
#ifndef CALLS
#define CALLS 2
#endif
#ifndef CALL_TIMED
#define CALL_TIMED 0
#endif
#ifndef SENDERS
#define SENDERS 0
#endif
#ifndef SERVER_TIMED
#define SERVER_TIMED 0
#endif
#ifdef CHAIN
#define SERVERS 2
#else
#define SERVERS 1
#endif
#define THREADS (CLIENTS + SERVERS)
#define SERVER CLIENTS
#define BACK (CLIENTS + 1)

/* layout/tcb.ts: the state word is kind, parked bit and index. Nobody dies here, so there is no generation. */
#define RUN 1
#define WAIT 2
#define LOCK 3
#define POLL 4
#define PARKED 8
#define ANY 15
#define word(kind, index) ((kind) + ((index) << 4))
#define kindOf(w) ((w) & 7)
#define running word(RUN, 0)
#define NOBODY 15

mtype = { CALL, SEND, REPLY };
mtype:outcome = { NOTHING, SENT, RECEIVED, SEND_TIMEOUT, RECEIVE_TIMEOUT, REST };

byte state[THREADS] = running;
/* The ipc line. */
byte sender[THREADS] = NOBODY;
mtype tag[THREADS];
byte sequence[THREADS];
/* Who sleeps on its own state word. */
bool asleep[THREADS];
/* The polling-me queues. */
chan queue[THREADS] = [THREADS] of { byte };

/* What nobody in the system sees: the claims are checked by it. */
byte done;
bool inCall[CLIENTS];
#ifdef LIVENESS
bool aside; /* a sender withdrew for a partner that had opened, and found it closed again */
#endif
byte served[CLIENTS]; /* bits by sequence: taken by the server */
byte latest[CLIENTS]; /* the last that was taken */

/* platform/atomics.ts compareExchange: `ok` says whether it moved the word. */
inline compareExchange(t, expected, after) {
  d_step { if :: state[t] == (expected) -> state[t] = (after); ok = true :: else -> ok = false fi }
}

/* kernel/park.ts wake: notify ends every sleep on the word. */
inline wake(t) {
#ifndef NO_WAKE
  asleep[t] = false
#else
  skip
#endif
}

/* kernel/park.ts claim: expected, or expected and asleep. Says in `ok` whether it moved the word. */
inline claim(t, expected, after) {
  d_step {
    if
    :: state[t] == (expected) -> state[t] = (after); ok = true
    :: else -> ok = false; isAsleep = (state[t] == ((expected) | PARKED))
    fi
  };
  if
  :: isAsleep ->
    isAsleep = false;
#ifndef CLAIM_DROPS_BIT
    compareExchange(t, (expected) | PARKED, (after) | PARKED)
#else
    compareExchange(t, (expected) | PARKED, (after))
#endif
  :: else
  fi
}

/* kernel/park.ts unclaim. */
inline unclaim(t, before) {
  do
  ::
    old = state[t];
#ifndef UNCLAIM_DROPS_BIT
    compareExchange(t, old, (before) | (old & PARKED));
#else
    compareExchange(t, old, (before));
#endif
    if :: ok -> old = 0; break :: else fi
  od
}

/* kernel/queue.ts enqueue, removeFromQueue, dequeue: each under the lock, and so one step. */
inline enqueue(t) {
  d_step { assert(!(queue[t]??[eval(me)])); queue[t]!me }
}
inline removeFromQueue(t, entry) {
  d_step { if :: queue[t]??[eval(entry)] -> queue[t]??eval(entry) :: else fi }
}
inline dequeue(t) {
  d_step { if :: len(queue[t]) > 0 -> queue[t]?next :: else -> next = NOBODY fi }
}

/* kernel/park.ts park: the bit by compare-exchange, then a sleep on exactly that value. */
inline park(w) {
#ifndef PARK_BY_STORE
  if
  :: !((w) & PARKED) -> compareExchange(me, w, (w) | PARKED)
  :: else -> ok = true
  fi;
#else
  state[me] = (w) | PARKED; ok = true;
#endif
  if
  :: ok ->
    /* platform/wait.ts wait compares and sleeps in one step. */
#ifndef SLEEP_UNSEEN
    d_step { if :: state[me] == ((w) | PARKED) -> asleep[me] = true :: else fi };
#else
    asleep[me] = true;
#endif
    if
    :: !asleep[me]
    :: asleep[me] && timed -> d_step { asleep[me] = false; late = true }
    :: me >= CLIENTS && done == CLIENTS && state[me] == word(WAIT, ANY) + PARKED -> result = REST
    fi
  :: else
  fi;
  ok = false
}

/* kernel/park.ts withdraw. Says in `ok` whether the wait is over. */
inline withdraw(w, target) {
#ifndef WITHDRAW_BY_STORE
  compareExchange(me, w, running);
#else
  state[me] = running; ok = true;
#endif
#ifndef WITHDRAW_STAYS_QUEUED
  if :: ok && kindOf(w) == POLL -> removeFromQueue(target, me) :: else fi
#endif
}

/* kernel/transfer.ts putMessage: into a line that the writer has claimed, or its own. */
inline putMessage(t, kind, number) {
  d_step { sender[t] = me; tag[t] = kind; sequence[t] = number }
}

/* kernel/ipc-slow.ts publish. */
inline publish(t) {
#ifndef WAKE_FIRST
  d_step { old = state[t] & PARKED; state[t] = running };
  if :: old != 0 -> old = 0; wake(t) :: else fi
#else
  old = state[t] & PARKED;
  if :: old != 0 -> old = 0; wake(t) :: else fi;
  state[t] = running
#endif
}

/* kernel/ipc-slow.ts claimReceptive: open, or waiting for us alone. */
inline claimReceptive(t) {
  claim(t, word(WAIT, ANY), word(LOCK, me));
  if :: !ok -> claim(t, word(WAIT, me), word(LOCK, me)) :: else fi
}

/* kernel/ipc.ts call, kernel/ipc-slow.ts push: the partner is claimed. */
inline push(t, kind, number) {
#ifndef WAIT_AFTER_PUBLISH
  putMessage(t, kind, number);
  if :: kind == CALL -> d_step { sequence[me] = number; tag[me] = kind }; state[me] = word(WAIT, t) :: else fi;
  publish(t)
#else
  putMessage(t, kind, number);
  publish(t);
  if :: kind == CALL -> d_step { sequence[me] = number; tag[me] = kind }; state[me] = word(WAIT, t) :: else fi
#endif
}

/* kernel/ipc-slow.ts startPolling. `ok`: the message went to a partner that had opened meanwhile. */
inline startPolling(t, kind, number) {
  putMessage(me, kind, number);
  do
  ::
#ifndef ENQUEUE_FIRST
    state[me] = word(POLL, t);
    enqueue(t);
#else
    enqueue(t);
    state[me] = word(POLL, t);
#endif
#ifndef STAYS_QUEUED_WHEN_TAKEN
    /* Who met an older entry of ours has taken us already. */
    if :: state[me] != word(POLL, t) -> removeFromQueue(t, me) :: else fi;
#endif
#ifndef NO_SENDER_RECHECK
    /* isReceptive */
    old = state[t] & ~PARKED;
    if
    :: old != word(WAIT, ANY) && old != word(WAIT, me) -> old = 0; ok = false; break
    :: else -> old = 0
    fi;
    withdraw(word(POLL, t), t);
    if :: !ok -> break :: else fi;
    claimReceptive(t);
    if :: ok -> push(t, kind, number); ok = true; break :: else fi;
#ifdef LIVENESS
    aside = true; aside = false
#endif
#else
    ok = false; break
#endif
  od
}

/* kernel/ipc-slow.ts startSend, callSlow: `polls` says for awaitMessage that the message is still in the own line. */
inline startSend(t, kind, number) {
  polls = false;
  claimReceptive(t);
  if
  :: ok -> push(t, kind, number)
  :: else -> startPolling(t, kind, number); polls = !ok
  fi;
  ok = false
}

/* kernel/ipc-slow.ts awaitMessage. A clock may say "late" at any look; a sleep with a timeout may always end. */
inline awaitMessage(t, isTimed) {
  result = NOTHING; late = false; timed = isTimed;
  do
  :: result != NOTHING -> late = false; timed = false; polls = false; break
  :: else ->
    now = state[me];
    if
    :: now == running ->
      if :: polls && sender[me] == me -> result = SENT :: else -> result = RECEIVED fi
    :: else ->
      if :: kindOf(now) == WAIT && polls -> polls = false; late = false :: else fi;
      if
      :: timed && kindOf(now) != LOCK && late ->
        withdraw(now, t);
        if
        :: ok && polls -> result = SEND_TIMEOUT
        :: ok && !polls -> result = RECEIVE_TIMEOUT
        :: else
        fi;
        ok = false
      :: timed && kindOf(now) != LOCK && !late -> late = true
      :: !(timed && kindOf(now) != LOCK && late) -> park(now)
      fi
    fi;
    now = 0
  od
}

/* kernel/ipc-slow.ts claimNext: `next` is the sender that is now ours, or NOBODY. */
inline claimNext() {
  do
  :: dequeue(me);
    if
    :: next == NOBODY -> break
    :: else ->
#ifndef TAKES_UNCLAIMED
      claim(next, word(POLL, me), word(LOCK, me));
#else
      state[next] = word(LOCK, me); ok = true;
#endif
      if :: ok -> break :: else fi
    fi
  od
}

/* kernel/ipc-slow.ts pull: copies the line of a claimed sender; a caller goes on to its wait, a sender runs. */
inline pull() {
#ifndef PULL_LEAVES_QUEUED
  removeFromQueue(me, next);
#endif
  d_step { sender[me] = next; tag[me] = tag[next]; sequence[me] = sequence[next] };
  if
  :: tag[me] == CALL -> unclaim(next, word(WAIT, me))
  :: else -> publish(next)
  fi;
  next = NOBODY;
  ok = false;
  result = RECEIVED
}

/* kernel/ipc-slow.ts awaitOpened: the second look at the queue. */
inline awaitOpened() {
  result = NOTHING;
#ifndef NO_RECEIVER_RECHECK
  do
  :: len(queue[me]) == 0 -> break
  :: else ->
    claim(me, word(WAIT, ANY), running);
    if :: !ok -> break :: else fi;
    claimNext();
    if :: next != NOBODY -> pull(); break :: else -> state[me] = word(WAIT, ANY) fi
  od;
#endif
  if :: result == NOTHING -> polls = false; awaitMessage(me, SERVER_TIMED) :: else fi
}

/* kernel/ipc-slow.ts prepareReply up to the message: `prepared` says that the caller awaits this very answer. */
inline prepareReply(t, number) {
  claim(t, word(WAIT, me), word(LOCK, me));
  prepared = ok;
  ok = false;
#ifndef NO_SEQUENCE
  if
  :: prepared && sequence[t] != number -> unclaim(t, word(WAIT, me)); prepared = false; ok = false
  :: else
  fi
#endif
}

/* kernel/ipc-slow.ts receive with `from` 0, and replyAndReceiveSlow: the next sender is claimed before the answer. */
inline replyAndReceiveSlow(t, number) {
  prepared = false;
  if :: t != NOBODY -> prepareReply(t, number); if :: prepared -> putMessage(t, REPLY, number) :: else fi :: else fi;
  claimNext();
  taken = next;
  if :: taken == NOBODY -> state[me] = word(WAIT, ANY) :: else fi;
  if :: prepared -> publish(t) :: else fi;
  if :: taken == NOBODY -> awaitOpened() :: else -> next = taken; taken = NOBODY; pull() fi
}

/* kernel/ipc.ts replyAndReceive: the own state opens before the answer is published. */
inline replyAndReceive(t, number) {
  if
  :: t == NOBODY || len(queue[me]) > 0 -> replyAndReceiveSlow(t, number)
  :: else ->
    prepareReply(t, number);
    if
    :: !prepared -> replyAndReceiveSlow(NOBODY, 0)
    :: else ->
      state[me] = word(WAIT, ANY);
      putMessage(t, REPLY, number);
      publish(t);
      awaitOpened()
    fi
  fi
}

/* kernel/ipc-slow.ts receive with `from`, startReceive, pullFrom; here of client 0, which polls or will. */
inline pullFrom(from) {
  d_step {
    if :: queue[me]??[eval(from)] -> queue[me]??eval(from); next = from :: else -> next = NOBODY fi
  };
  if
  :: next != NOBODY ->
    claim(next, word(POLL, me), word(LOCK, me));
    if :: ok -> pull() :: else -> next = NOBODY fi
  :: else
  fi
}
inline receiveFrom(from) {
  result = NOTHING;
  pullFrom(from);
  do
  :: result == RECEIVED -> break
  :: else ->
    state[me] = word(WAIT, from);
#ifndef NO_CLOSED_RECHECK
    old = state[from] & ~PARKED;
    if :: old != word(POLL, me) -> old = 0; break :: else -> old = 0 fi;
    claim(me, word(WAIT, from), running);
    if :: !ok -> break :: else fi;
    pullFrom(from)
#else
    break
#endif
  od;
  if :: result == NOTHING -> polls = false; awaitMessage(me, false) :: else fi
}

proctype Client(byte me) {
  byte old, now;
  byte number, sent;
  bool ok, isAsleep, polls, late, timed, isTimed;
  mtype kind;
  mtype:outcome result;
  isTimed = (CALL_TIMED >> me) & 1;
  if :: (SENDERS >> me) & 1 -> kind = SEND :: else -> kind = CALL fi;
  do
#ifndef ENDLESS
  :: sent == CALLS -> break
  :: sent < CALLS ->
    sent++;
    number = sent;
#else
  :: true ->
    number = (number == 2 -> 1 : number + 1);
#endif
    d_step { inCall[me] = true; served[me] = served[me] & ~(1 << number) };
    startSend(SERVER, kind, number);
    if
    :: polls || kind == CALL -> awaitMessage(SERVER, isTimed)
    :: else -> result = SENT
    fi;
    atomic {
      assert(state[me] == running && !(queue[SERVER]??[eval(me)]));
      if
      :: result == SENT -> assert(kind == SEND)
      :: result == RECEIVED ->
        assert(kind == CALL && sender[me] == SERVER && tag[me] == REPLY && sequence[me] == number);
        assert(served[me] & (1 << number))
      :: result == SEND_TIMEOUT -> assert(isTimed && !(served[me] & (1 << number)))
      :: result == RECEIVE_TIMEOUT -> assert(isTimed && kind == CALL)
      fi;
      inCall[me] = false;
      /* Nobody reads them any more: fewer states. */
      sender[me] = NOBODY; tag[me] = 0; sequence[me] = 0; result = NOTHING; ok = false
    }
  od;
  done++
}

proctype Server(byte me) {
  byte old, now, next = NOBODY, taken = NOBODY;
  byte to = NOBODY, number, own;
#ifdef LATE
  byte held = NOBODY;
  bool isLate;
#endif
  bool ok, isAsleep, polls, late, timed, prepared;
  mtype:outcome result;
#ifdef CLOSED
  if
  :: me == SERVER -> receiveFrom(0); assert(result == RECEIVED && sender[me] == 0); goto serve
  :: else
  fi;
#endif
next_turn:
  replyAndReceive(to, number);
serve:
  if
  :: result == REST -> goto rest
  :: result == RECEIVE_TIMEOUT -> to = NOBODY; number = 0; goto next_turn
  :: result == RECEIVED
  fi;
  atomic {
    /* The registers: who, and which of its messages. Of a message once; none behind a later one of its sender. */
    to = sender[me];
    number = sequence[me];
    if
    :: me == SERVER ->
      assert(to < CLIENTS && tag[me] != REPLY);
      assert(!(served[to] & (1 << number)));
#ifndef ENDLESS
      assert(number > latest[to]);
      latest[to] = number;
#endif
      served[to] = served[to] | (1 << number)
    :: else
    fi;
    if :: tag[me] == SEND -> to = NOBODY; number = 0 :: else fi;
    sender[me] = NOBODY; tag[me] = 0; sequence[me] = 0; result = NOTHING; ok = false; prepared = false
  };
#ifdef LATE
  /* kernel/ipc-slow.ts reply: the first call is answered when the second has come. */
  if
  :: held == NOBODY && !isLate && to != NOBODY -> held = to; to = NOBODY; number = 0
  :: held != NOBODY && !isLate ->
    isLate = true;
    prepareReply(held, 1);
    if :: prepared -> putMessage(held, REPLY, 1); publish(held); prepared = false :: else fi;
    held = NOBODY
  :: else
  fi;
#endif
#ifdef CHAIN
  if
  :: me == SERVER && to != NOBODY ->
    own = 3 - own;
    if :: own == 3 -> own = 1 :: else fi;
    startSend(BACK, CALL, own);
    awaitMessage(BACK, false);
    assert(result == RECEIVED && sender[me] == BACK && sequence[me] == own);
    result = NOTHING; sender[me] = NOBODY
  :: else
  fi;
#endif
  goto next_turn;
rest:
  assert(len(queue[me]) == 0)
}

init {
  byte i;
  atomic {
    do :: i < CLIENTS -> run Client(i); i++ :: else -> break od;
    run Server(SERVER);
#ifdef CHAIN
    run Server(BACK)
#endif
  }
}

/*
 * Whoever has begun a call comes to its end, unless a sender and a receiver step aside for each other without end: the
 * one withdraws for a partner that opened, the other closes for a sender that queued. LOCKSTEP shows that run.
 */
#ifdef LIVENESS
#ifdef LOCKSTEP
ltl every_call_ends { [] (inCall[WATCH] -> <> !inCall[WATCH]) }
#else
ltl every_call_ends { ([] <> aside) || ([] (inCall[WATCH] -> <> !inCall[WATCH])) }
#endif
#endif
