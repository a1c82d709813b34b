/**
 * The kernel as it is meant: threads, ipc and death in plain objects, one thread of control, no parking, no races. What
 * an operation gives and what it leaves behind is to be the same here and in src/kernel/.
 */
import {
  ABORTED,
  DEADLOCK,
  DENIED,
  DROPPED,
  NO_SUCH_THREAD,
  NOT_TAKEN,
  NOT_YET,
  OK,
  PEER_GONE,
  RECEIVE_TIMEOUT,
  type Result,
  SEND_TIMEOUT,
} from '../../../src/layout/message.ts';

export interface Message {
  readonly from: number;
  readonly kind: 'send' | 'call' | 'reply';
  /** Number of the call: an answer has that of the call it answers. */
  readonly sequence: number;
  readonly word: number;
}

export interface Answer {
  readonly code: Result;
  readonly message?: Message;
}

export interface Task {
  readonly id: number;
  readonly chief: number;
}

export interface Thread {
  readonly id: number;
  readonly task: Task;
  state: 'runs' | 'waits' | 'polls' | 'dead';
  /** Whom it waits or polls for; null: anybody. */
  partner: Thread | null;
  /** The call that it waits to see answered; 0 in a plain receive. */
  sequence: number;
  /** What it wants to send while it polls. */
  outgoing: Message | null;
  /** Who polls for it, in order of arrival. */
  readonly queue: Thread[];
  /** How its last operation ended, which it has not looked at yet. */
  news: Answer | null;
}

/** What a sender says: whether it waits for an answer, for how long, and whether it waits to be taken. */
export interface Sending {
  readonly kind: 'send' | 'call';
  readonly word: number;
  readonly waitsToSend: boolean;
  readonly waitsForAnswer: boolean;
}

const sameClan = (a: Task, b: Task): boolean => a.chief === b.chief || a.chief === b.id || b.chief === a.id;

export class ReferenceKernel {
  /** Every thread that ever was. */
  readonly threads: Thread[] = [];
  /** Number of the last message that was begun. */
  sequence: number = 0;

  add(id: number, task: Task): Thread {
    const thread: Thread = {
      id,
      task,
      state: 'runs',
      partner: null,
      sequence: 0,
      outgoing: null,
      queue: [],
      news: null,
    };
    this.threads.push(thread);
    return thread;
  }

  send(self: Thread, to: number, { kind, word, waitsToSend, waitsForAnswer }: Sending): Answer {
    const partner = this.threads.find(({ id }) => id === to);
    if (partner === self) return { code: DEADLOCK };
    if (partner === undefined) return { code: NO_SUCH_THREAD };
    if (partner.state === 'dead') return { code: NOT_TAKEN };
    if (!sameClan(self.task, partner.task)) return { code: DENIED };
    const message: Message = { from: self.id, kind, sequence: ++this.sequence, word };
    if (partner.state === 'waits' && (partner.partner === null || partner.partner === self)) {
      end(partner, { code: OK, message });
      if (kind === 'send') return { code: OK };
      return this.wait(self, partner, message.sequence, waitsForAnswer);
    }
    if (!waitsToSend) return { code: SEND_TIMEOUT };
    self.state = 'polls';
    self.partner = partner;
    self.outgoing = message;
    partner.queue.push(self);
    return { code: NOT_YET };
  }

  /** Waits for `partner`, or anybody. */
  private wait(self: Thread, partner: Thread | null, sequence: number, patient: boolean): Answer {
    if (!patient) return { code: RECEIVE_TIMEOUT };
    self.state = 'waits';
    self.partner = partner;
    self.sequence = sequence;
    return { code: NOT_YET };
  }

  /** Receives from anybody (`from` 0) or from one thread. */
  receive(self: Thread, from: number, patient: boolean): Answer {
    if (from === self.id) return { code: DEADLOCK };
    const sender = self.queue.find(({ id }) => from === 0 || id === from);
    if (sender !== undefined) return this.take(self, sender);
    if (from === 0) return this.wait(self, null, 0, patient);
    const partner = this.threads.find(({ id }) => id === from);
    if (partner === undefined) return { code: NO_SUCH_THREAD };
    if (partner.state === 'dead') return { code: PEER_GONE };
    return this.wait(self, partner, 0, patient);
  }

  private take(self: Thread, sender: Thread): Answer {
    const message = sender.outgoing!;
    if (message.kind === 'send') end(sender, { code: OK });
    else {
      leaveQueue(sender);
      this.wait(sender, self, message.sequence, true);
    }
    return { code: OK, message };
  }

  /** Answers a call, if its caller still waits for that. */
  reply(self: Thread, to: number, sequence: number, word: number): Answer {
    const caller = this.threads.find(({ id }) => id === to);
    if (caller?.state !== 'waits' || caller.partner !== self || caller.sequence !== sequence) return { code: DROPPED };
    end(caller, { code: OK, message: { from: self.id, kind: 'reply', sequence, word } });
    return { code: OK };
  }

  replyAndReceive(self: Thread, to: number, sequence: number, word: number, patient: boolean): Answer {
    this.reply(self, to, sequence, word);
    return this.receive(self, 0, patient);
  }

  /** How the operation under way ended; one that has not ended goes on, or is given up. */
  look(self: Thread, patient: boolean): Answer {
    const { news, state } = self;
    if (news === null && patient) return { code: NOT_YET };
    end(self, null);
    return news ?? { code: state === 'polls' ? SEND_TIMEOUT : RECEIVE_TIMEOUT };
  }

  /** Whether there was something to cancel. */
  cancel(other: Thread): boolean {
    if (other.state !== 'waits' && other.state !== 'polls') return false;
    end(other, { code: ABORTED });
    return true;
  }

  /** Ends a task: nobody goes on waiting for one of its threads. */
  kill(task: Task): void {
    for (const thread of this.threads.filter((one) => one.task === task)) {
      end(thread, null);
      thread.state = 'dead';
    }
    for (const thread of this.threads) {
      if (thread.partner?.state !== 'dead') continue;
      end(thread, { code: thread.state === 'polls' ? NOT_TAKEN : PEER_GONE });
    }
  }
}

function leaveQueue(thread: Thread): void {
  const queue = thread.partner?.queue ?? [];
  if (queue.includes(thread)) queue.splice(queue.indexOf(thread), 1);
  thread.outgoing = null;
}

/** Ends the operation of a thread. */
function end(thread: Thread, news: Answer | null): void {
  leaveQueue(thread);
  thread.state = 'runs';
  thread.partner = null;
  thread.news = news;
}
