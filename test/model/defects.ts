/**
 * Defects that the explorer found in the kernel, as edits that bring them back: the text that stands there now, and the
 * text as it was. Each must be found again in its scenario, or the explorer has gone blind.
 */
import { type Texts, shippedText } from './bundle.ts';

export interface Defect {
  readonly about: string;
  /** From what stands there now to what stood there, by path. */
  readonly edits: readonly (readonly [path: string, now: string, before: string])[];
  readonly scenario: string;
}

const slow = 'src/kernel/ipc-slow.ts';

export const defects: readonly Defect[] = [
  {
    about: 'a sender that was taken out of a queue read in its own line whether its message goes in pieces: the answer',
    edits: [
      [
        slow,
        'const count = peek(self + TCB_OUT_PIECES);',
        'const count = inPieces(self, peek(self + TCB_TAG)) ? stringsIn(peek(self + TCB_TAG)) : 0;',
      ],
    ],
    scenario: 'pieces-back',
  },
  {
    about: 'a repair rang the words with the parked bit only, which a publication has taken away',
    edits: [
      [
        'src/kernel/fault.ts',
        'if (load(tcb + TCB_STATE) !== DEAD) wake(tcb);',
        'if ((load(tcb + TCB_STATE) & PARKED) !== 0) wake(tcb);',
      ],
    ],
    scenario: 'kill-server',
  },
  {
    about: 'a record was given back with its queue wiped, while a late sender held the lock of it',
    edits: [['src/kernel/tcb.ts', ' if ((tcb + i) >> 4 !== queueOf(tcb) >> 4)', '']],
    scenario: 'kill-server-free',
  },
  {
    about: 'the partner of a long transfer was a plain word: the sender and the repair could miss each other',
    edits: [
      ['src/kernel/fault.ts', 'load(tcb + TCB_TRANSFER)', 'peek(tcb + TCB_TRANSFER)'],
      [
        'src/kernel/transfer.ts',
        'store(self + TCB_TRANSFER, to);\n  // The repair',
        'poke(self + TCB_TRANSFER, to);\n  // The repair',
      ],
    ],
    scenario: 'pieces-kill-server',
  },
  {
    about: 'a sender that polled for a dead thread was taken by the next thread with its index',
    edits: [[slow, 'peek(sender + TCB_POLL_TARGET) === me && claim(', 'claim(']],
    scenario: 'reuse',
  },
  {
    about: 'a thread was taken for alive by an id of before and a state of after: its sender polled for ever',
    edits: [[slow, ' && ((state ^ id) & STATE_GENERATION) === 0', '']],
    scenario: 'reuse',
  },
  {
    about: 'a sender withdrew whatever its state was: a claim of it, or the answer already',
    edits: [[slow, 'withdraw(self, mine) ? notTaken', 'withdraw(self, load(self + TCB_STATE)) ? notTaken']],
    scenario: 'call-after-death',
  },
  {
    about:
      'a sender that withdrew and polled anew between its unlinking and its claim was taken, and stayed in the queue',
    edits: [[slow, '  removeFromQueue(sender, peek(self + TCB_ID) & INDEX_MASK);\n', '']],
    scenario: 'send-again',
  },
  {
    about: 'a sender to a multiplexed thread was claimed while it moved to its queue, saw that, and took itself out',
    edits: [
      [
        'src/kernel/queue.ts',
        '    else moveTo(queueOf(tcbAt(target)), inbox, sender, holder);\n  }\n  unlockQueue(inbox);\n  return target;',
        '  }\n  const sender = tcbAt(peek(inbox + FIRST));\n  unlockQueue(inbox);\n  if (target === 0) return 0;\n  const id = peek(sender + TCB_ID);\n  const me = peek(tcbAt(target) + TCB_ID);\n  if (!claim(sender, polling(id, me), locked(id, me))) return target;\n  removeFromQueue(sender, target);\n  enqueue(queueOf(tcbAt(target)), sender);\n  unclaim(sender, polling(id, me));\n  return target;',
      ],
      [
        'src/kernel/queue.ts',
        "import type { Tcb } from '../layout/tcb.ts';",
        "import { locked, polling, type Tcb } from '../layout/tcb.ts';\nimport { claim, unclaim } from './park.ts';",
      ],
    ],
    scenario: 'home-passive',
  },
  {
    about: 'a repair took a long transfer that had just begun for the one with the dead thread, and broke it off',
    edits: [
      ['src/kernel/fault.ts', 'add(at, LOOK_AGAIN);', 'store(at, -1);'],
      [
        'src/kernel/transfer.ts',
        'if (seen < 0 || (seen & (LOOK_AGAIN - 1)) >= wanted) return seen >= 0;',
        'if (seen >= wanted) return true;\n    if (seen < 0) return false;',
      ],
    ],
    scenario: 'pieces-after-death',
  },
  {
    about: 'the border of a clan was looked for in a record that changed hands: DENIED instead of PEER_GONE',
    edits: [
      [
        slow,
        '  const via = sameClan(self, tcbOf(to)) ? to : redirect(self, tcbOf(to));\n',
        '  if (checkThread(to) !== OK) return notTaken(checkThread(to));\n  const via = sameClan(self, tcbOf(to)) ? to : redirect(self, tcbOf(to));\n  if (via < 0) return -via;\n',
      ],
      [
        'src/kernel/tcb.ts',
        'for (let i = 1; i < TCB_ID; i++) if (',
        'for (let i = 1; i < TCB_TAKEN; i++) if (i !== TCB_ID && ',
      ],
    ],
    scenario: 'reuse',
  },
  {
    about: 'the window of a dead receiver was given back while a live sender wrote a piece into it',
    edits: [
      [
        'src/kernel/fault.ts',
        '  for (let index = 1; index <= threadsEnd(); index++) awaitCopy(tcbAt(index), id);\n',
        '',
      ],
    ],
    scenario: 'window-free',
  },
  {
    about: 'a window was taken out of its list before its thread had it: whoever died in between took it along',
    edits: [
      [
        'src/kernel/window.ts',
        '    poke(tcb + TCB_WINDOW, at);\n    if (free === 0) poke(HEADER_WINDOW_NEXT, at + size_bytes);\n    else poke(list, peek(at >> 2));\n  }\n  unlockQueue(HEADER_WINDOW_LOCK);\n',
        '    if (free === 0) poke(HEADER_WINDOW_NEXT, at + size_bytes);\n    else poke(list, peek(at >> 2));\n  }\n  unlockQueue(HEADER_WINDOW_LOCK);\n  if (fits) poke(tcb + TCB_WINDOW, at);\n',
      ],
    ],
    scenario: 'make-kill',
  },
  {
    about: 'a thread that was freed had its window still: whoever died then had it freed again',
    edits: [['src/kernel/window.ts', '    poke(tcb + TCB_WINDOW, 0);\n  }\n', '  }\n']],
    scenario: 'free-kill',
  },
  {
    about: 'a caller that was cancelled between its taking and its pieces never sent them: its receiver hung',
    edits: [[slow, '      if (phase === POLL && peek(self + TCB_OUT_PIECES) !== 0) continueSend(self);\n', '']],
    scenario: 'pieces-abort',
  },
];

/** The texts of the kernel with a defect in them. */
export function textsWith({ edits }: Defect): Texts {
  const texts: Record<string, string> = {};
  for (const [path, now, before] of edits) {
    const text = texts[path] ?? shippedText(path);
    if (!text.includes(now)) throw new Error(`${path} has no '${now}'`);
    texts[path] = text.replace(now, before);
  }
  return texts;
}
