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
    edits: [['src/kernel/tcb.ts', ' && (tcb + i) >> 4 !== queueOf(tcb) >> 4', '']],
    scenario: 'kill-server-free',
  },
  {
    about: 'the partner of a long transfer was a plain word: the sender and the repair could miss each other',
    edits: [
      ['src/kernel/fault.ts', 'load(tcb + TCB_TRANSFER)', 'peek(tcb + TCB_TRANSFER)'],
      [
        'src/kernel/transfer.ts',
        'store(self + TCB_TRANSFER, peek(target + TCB_ID))',
        'poke(self + TCB_TRANSFER, peek(target + TCB_ID))',
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
