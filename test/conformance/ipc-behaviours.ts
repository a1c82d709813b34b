/**
 * What low-level ipc does, whoever the two threads are: the rows of the table whose columns are in ipc-kinds.ts. After
 * the suites of L4 (Pistachio's l4test: ipc, ipc-string; sel4test: IPC0001-0004, IPC0010, SCHED0006), whose variants
 * between address spaces are columns here. Page faults, transfer timeouts and mappings have no counterpart.
 *
 * A cell that does not apply says why.
 */
import assert from 'node:assert/strict';
import * as ipc from '../../src/user/ipc.ts';
import { INDEX_BITS } from '../../src/layout/params.ts';
import { type Got, LIMIT_ms, put, type Sent, taken } from './fixtures/roles.ts';
import { type Kind, type Pair, type Partner, type Traits, untilPolling } from './ipc-kinds.ts';

export interface Behaviour {
  /** Stable, and never used again. */
  readonly id: string;
  readonly title: string;
  /** Why it does not apply to a kind; null where it does. */
  except?(kind: Traits): string | null;
  run(pair: Pair, kind: Kind): Promise<void>;
}

/** Message words that no two places share, with the values that are easily lost among them. */
const wordsOf = (count: number): number[] => {
  const odd = [-0, NaN, -Infinity, 2 ** 53, 5e-324];
  return Array.from({ length: count }, (_, i) => odd[i % 7] ?? i * 1.5 - count);
};
function bytesOf(length: number, seed = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = i * 7 + (i >> 8) * 13 + seed;
  return bytes;
}

/** Timeouts that shall end. */
const SHORT_ms = 5;

/** What a partner that rests waits for. */
const makeFlag = (): Int32Array => new Int32Array(new SharedArrayBuffer(4));
const raise = (flag: Int32Array): void => void Atomics.store(flag, 0, 1);

/** Runs a partner and a tester; gives what the partner says. */
async function both(
  pair: Pair,
  role: Parameters<Pair['partner']>[0],
  args: readonly unknown[],
  test: (ops: Parameters<Parameters<Pair['test']>[0]>[0], partner: number) => Generator<any, unknown, ipc.Result>,
): Promise<any> {
  const { id, end } = await pair.partner(role, pair.tester(), args);
  let isOver = false;
  const over = (): void => void (isOver = true);
  end.then(over, over);
  await pair.test(function* (ops) {
    yield* test(ops, id);
    // A generator thread is there as long as its partner: at its end it may be in the midst of being received from.
    while (!isOver) yield ops.sleep(1);
  });
  return end;
}

const notElsewhere = ({ isOneAgent, tester, partner }: Traits, cancels: 'tester' | 'partner'): string | null =>
  !isOneAgent && (cancels === 'tester' ? tester : partner) === 'generator'
    ? 'the wait of a generator thread is ended from its own agent only (CAVEATS)'
    : null;

const alike = (got: readonly Got[], sent: readonly (readonly number[])[]): void =>
  assert.deepEqual(
    got.map(({ result, words }) => ({ result, words })),
    sent.map((words) => ({ result: ipc.OK, words })),
  );

const counts = Array.from({ length: 17 }, (_, i) => i);

const messages: readonly Behaviour[] = [
  {
    id: 'CNF0001',
    title: 'a send is received, with 0 to 16 words',
    async run(pair) {
      const got = await both(pair, 'take', [counts.length], function* (ops, partner) {
        for (const count of counts) assert.equal(yield ops.send(partner, put(wordsOf(count))), ipc.OK);
      });
      alike(got, counts.map(wordsOf));
    },
  },
  {
    id: 'CNF0002',
    title: 'a call is answered by replyAndReceive, with 0 to 16 words',
    async run(pair) {
      const got = await both(pair, 'answer', [counts.length], function* (ops, partner) {
        for (const count of counts) {
          const back = taken(yield ops.call(partner, put(wordsOf(count))));
          assert.deepEqual(back, { result: ipc.OK, sender: partner, words: wordsOf(count), strings: [] });
        }
      });
      assert.equal(got.pop().result, ipc.RECEIVE_TIMEOUT);
      alike(got, counts.map(wordsOf));
    },
  },
  {
    id: 'CNF0003',
    title: 'a call is answered by a reply, and the next is received',
    except: ({ partner }) =>
      partner === 'generator' ? 'a generator thread answers by replyAndReceive and by nothing else' : null,
    async run(pair) {
      const got = await both(pair, 'answerApart', [3], function* (ops, partner) {
        for (let i = 0; i < 3; i++) {
          const { words } = taken(yield ops.call(partner, put([i, 1])));
          assert.deepEqual(words, [i, 1]);
        }
      });
      assert.deepEqual(got, [ipc.OK, ipc.OK, ipc.OK]);
    },
  },
  {
    id: 'CNF0004',
    title: 'a send with timeout 0 is taken by who waits, and by nobody else',
    except: ({ isOneAgent, partner }) =>
      !isOneAgent && partner === 'generator'
        ? 'it finds a generator thread of another agent not ready (CAVEATS)'
        : null,
    async run(pair) {
      const flag = makeFlag();
      const [got, none] = await both(pair, 'takeThenRest', [flag], function* (ops, partner) {
        assert.equal(yield ops.call(partner, put([])), ipc.OK);
        assert.equal(yield ops.send(partner, put([5]), 0), ipc.OK);
        assert.equal(yield ops.send(partner, put([6]), 0), ipc.SEND_TIMEOUT);
        assert.equal(yield ops.call(partner, put([7]), 0), ipc.SEND_TIMEOUT);
        raise(flag);
      });
      assert.deepEqual(got.words, [5]);
      assert.equal(none.result, ipc.RECEIVE_TIMEOUT);
    },
  },
  {
    id: 'CNF0005',
    title: 'a closed receive takes the messages of its partner only, and any receive tells the sender',
    async run(pair) {
      const tester = pair.tester();
      const [bystander, partner] = [
        await pair.partner('send', tester, [[1]]),
        await pair.partner('send', tester, [[2]]),
      ];
      // The queue has the bystander in front of the partner.
      await untilPolling(bystander.id);
      await untilPolling(partner.id);
      await pair.test(function* (ops) {
        const wanted = taken(yield ops.receive(partner.id));
        assert.deepEqual([wanted.sender, wanted.words], [partner.id, [2]]);
        const any = taken(yield ops.receive(0));
        assert.deepEqual([any.sender, any.words], [bystander.id, [1]]);
      });
      for (const { end } of [bystander, partner]) assert.equal(((await end) as Sent).result, ipc.OK);
    },
  },
  {
    id: 'CNF0006',
    title: 'senders are served in the order of their arrival',
    async run(pair) {
      const tester = pair.tester();
      const senders: Partner[] = [];
      for (let i = 0; i < 3; i++) {
        senders.push(await pair.partner('send', tester, [[i]]));
        await untilPolling(senders[i]!.id);
      }
      await pair.test(function* (ops) {
        for (const [i, { id }] of senders.entries()) {
          const { sender, words } = taken(yield ops.receive());
          assert.deepEqual([sender, words], [id, [i]]);
        }
      });
      await Promise.all(senders.map(({ end }) => end));
    },
  },
];

const timeouts: readonly Behaviour[] = [
  {
    id: 'CNF0020',
    title: 'a send, and a call, that nobody takes ends in time and leaves nothing behind',
    async run(pair) {
      const flag = makeFlag();
      const got = await both(pair, 'rest', [flag], function* (ops, partner) {
        assert.equal(yield ops.receive(partner), ipc.OK);
        assert.equal(yield ops.send(partner, put([1]), SHORT_ms), ipc.SEND_TIMEOUT);
        assert.equal(yield ops.call(partner, put([2]), SHORT_ms), ipc.SEND_TIMEOUT);
        assert.equal(yield ops.send(partner, put([3]), 0), ipc.SEND_TIMEOUT);
        raise(flag);
      });
      assert.equal(got[0].result, ipc.RECEIVE_TIMEOUT);
    },
  },
  {
    id: 'CNF0021',
    title: 'a receive ends in time, open or closed, with timeout 0 at once',
    async run(pair) {
      const flag = makeFlag();
      await both(pair, 'rest', [flag], function* (ops, partner) {
        assert.equal(yield ops.receive(partner), ipc.OK);
        for (const from of [0, partner]) {
          assert.equal(yield ops.receive(from, 0), ipc.RECEIVE_TIMEOUT);
          assert.equal(yield ops.receive(from, SHORT_ms), ipc.RECEIVE_TIMEOUT);
        }
        raise(flag);
      });
    },
  },
  {
    id: 'CNF0022',
    title: 'a call that is taken and not answered in time ends, and its late answer is not that of the next',
    async run(pair) {
      const flag = makeFlag();
      const got = await both(pair, 'answerLate', [flag], function* (ops, partner) {
        assert.equal(yield ops.call(partner, put([1]), LIMIT_ms, SHORT_ms), ipc.RECEIVE_TIMEOUT);
        raise(flag);
        const { result, words } = taken(yield ops.call(partner, put([2])));
        assert.deepEqual([result, words], [ipc.OK, [2]]);
      });
      alike(got, [[1], [2]]);
    },
  },
];

const cancels: readonly Behaviour[] = [
  {
    id: 'CNF0010',
    title: 'a call that is cancelled in the middle ends, its answer is dropped, and the two go on',
    except: (kind) => notElsewhere(kind, 'tester'),
    async run(pair) {
      const wasCancelled = await both(pair, 'cancelCaller', [], function* (ops, partner) {
        assert.equal(yield ops.call(partner, put([1])), ipc.ABORTED);
        const { result, words } = taken(yield ops.call(partner, put([2])));
        assert.deepEqual([result, words], [ipc.OK, [2]]);
      });
      assert.equal(wasCancelled, true);
    },
  },
  {
    id: 'CNF0030',
    title: 'a send that waits is cancelled, and is out of the queue',
    except: (kind) => notElsewhere(kind, 'partner'),
    async run(pair) {
      const result = await both(pair, 'sendInVain', [], function* (ops, partner) {
        assert.equal(yield ops.receive(partner), ipc.OK);
        const token = new ipc.CancelToken(partner as ipc.ThreadId);
        while (!token.cancel()) yield ops.sleep(1);
        assert.equal(yield ops.receive(0, 0), ipc.RECEIVE_TIMEOUT);
      });
      assert.equal(result, ipc.ABORTED);
    },
  },
  ...[false, true].map((isClosed): Behaviour => {
    return {
      id: isClosed ? 'CNF0032' : 'CNF0031',
      title: `${isClosed ? 'a closed' : 'an open'} receive is cancelled`,
      except: (kind) => notElsewhere(kind, 'partner'),
      async run(pair) {
        const result = await both(pair, 'receiveInVain', [isClosed], function* (ops, partner) {
          assert.equal(yield ops.receive(partner), ipc.OK);
          const token = new ipc.CancelToken(partner as ipc.ThreadId);
          while (!token.cancel()) yield ops.sleep(1);
        });
        assert.equal(result, ipc.ABORTED);
      },
    };
  }),
];

/** An id of the record of another, of a thread to come. */
const later = (thread: number): number => thread + (5 << INDEX_BITS);

const partners: readonly Behaviour[] = [
  {
    id: 'CNF0040',
    title: 'a partner that has ended is told from one that never was, and both from oneself',
    async run(pair) {
      const { id, end } = await pair.partner('takeAndEnd', pair.tester(), [], true);
      await pair.test(function* (ops, self) {
        assert.equal(yield ops.send(id, put([])), ipc.OK);
        yield ops.sleep(1);
        assert.equal(yield ops.send(later(id), put([])), ipc.NO_SUCH_THREAD);
        assert.equal(yield ops.call(later(id), put([])), ipc.NO_SUCH_THREAD);
        assert.equal(yield ops.receive(later(id)), ipc.NO_SUCH_THREAD);
        assert.equal(yield ops.send(self, put([])), ipc.DEADLOCK);
        assert.equal(yield ops.call(self, put([])), ipc.DEADLOCK);
      });
      await end;
      await pair.test(function* (ops) {
        // A generator ends, and is then ended, in two turns.
        yield ops.sleep(1);
        assert.equal(yield ops.send(id, put([])), ipc.NOT_TAKEN);
        assert.equal(yield ops.call(id, put([])), ipc.NOT_TAKEN);
        assert.equal(yield ops.receive(id), ipc.PEER_GONE);
      });
    },
  },
  {
    id: 'CNF0041',
    title: 'who waits for the answer of a partner that ends is told that it is gone',
    async run(pair) {
      const { id, end } = await pair.partner('takeAndEnd', pair.tester(), [], true);
      await pair.test(function* (ops) {
        assert.equal(yield ops.call(id, put([])), ipc.PEER_GONE);
      });
      await end;
    },
  },
];

interface StringCase {
  readonly id: string;
  readonly title: string;
  readonly strings: () => readonly Uint8Array[];
  /** The receiver's buffers; null: none is stated, and the strings stay in its window. */
  readonly buffers: readonly number[] | null;
  /** Whether the sender is told, too. */
  readonly cut?: true;
  /** Longer than the windows of generator threads, and of calls in flight. */
  readonly long?: true;
}

const cutOut = (from: Uint8Array, at: readonly (readonly [number, number])[]): Uint8Array[] =>
  at.map(([begin, end]) => from.subarray(begin, end));

const three = (): Uint8Array[] => [bytesOf(90, 1), bytesOf(100, 2), bytesOf(66, 3)];

const stringCases: readonly StringCase[] = [
  { id: 'CNF0050', title: 'a simple string', strings: () => [bytesOf(256)], buffers: [256] },
  { id: 'CNF0051', title: 'a substring', strings: () => cutOut(bytesOf(256), [[64, 128]]), buffers: [64] },
  {
    id: 'CNF0052',
    title: 'a compound of substrings',
    strings: () =>
      cutOut(
        bytesOf(256),
        Array.from({ length: 8 }, (_, i) => [256 - 32 * (i + 1), 256 - 32 * i]),
      ),
    buffers: null,
  },
  {
    id: 'CNF0053',
    title: 'a scatter: parts of one array into buffers',
    strings: () =>
      cutOut(bytesOf(256), [
        [0, 1],
        [1, 130],
        [130, 256],
      ]),
    buffers: [1, 129, 126],
  },
  { id: 'CNF0054', title: 'a gather: several arrays, left in the window', strings: three, buffers: null },
  {
    id: 'CNF0055',
    title: 'scatter and gather, some items empty',
    strings: () => [bytesOf(0), ...three(), bytesOf(0)],
    buffers: [0, 90, 100, 66, 8],
  },
  { id: 'CNF0056', title: 'a receive buffer that is too long', strings: three, buffers: [256, 256, 256] },
  { id: 'CNF0057', title: 'no receive buffer: a view of the window', strings: () => [bytesOf(256)], buffers: null },
  {
    id: 'CNF0058',
    title: 'a missing receive buffer: cut before its item',
    strings: three,
    buffers: [90, 100],
    cut: true,
  },
  {
    id: 'CNF0059',
    title: 'a receive buffer that is too short: cut where it ends',
    strings: () => [bytesOf(256)],
    buffers: [100],
    cut: true,
  },
  { id: 'CNF0060', title: 'a complex message, cut in the middle', strings: three, buffers: [90, 30, 66], cut: true },
  {
    id: 'CNF0061',
    title: 'long strings, in pieces, into buffers',
    strings: () => [bytesOf(700_000), bytesOf(9), bytesOf(600_000, 5)],
    buffers: [700_000, 9, 600_000],
    long: true,
  },
  {
    id: 'CNF0062',
    title: 'long strings, in pieces, into no buffer',
    strings: () => [bytesOf(3 << 20)],
    buffers: null,
    long: true,
  },
  {
    id: 'CNF0063',
    title: 'long strings, in pieces, cut',
    strings: () => [bytesOf(1_100_000), bytesOf(300_000, 5)],
    buffers: [1_060_000, 100],
    cut: true,
    long: true,
  },
];

/** What arrives of strings in these buffers. */
const fitting = (strings: readonly Uint8Array[], buffers: readonly number[] | null): Uint8Array[] =>
  strings.map((bytes, i) => bytes.slice(0, buffers === null ? bytes.length : (buffers[i] ?? 0)));

const lengthOf = (strings: readonly Uint8Array[]): number => strings.reduce((sum, { length }) => sum + length, 0);

const noStrings = ({ isOneAgent, tester, partner }: Traits): string | null =>
  isOneAgent && tester === 'generator' && partner === 'generator'
    ? 'strings do not go between generator threads of one agent, which share its heap'
    : null;

const noPieces = ({ isOneAgent, tester }: Traits): string | null =>
  isOneAgent || tester === 'generator' ? 'what a generator thread sends or is sent in its agent fits a window' : null;

/** By a send and by a call, to a receiver that waits and to one that is late. */
const strings: readonly Behaviour[] = stringCases.map(({ id, title, strings: make, buffers, cut, long }) => ({
  id,
  title,
  except: (kind) => noStrings(kind) ?? (long === true ? noPieces(kind) : null),
  async run(pair, kind) {
    const items = make();
    const arrived = fitting(items, buffers);
    const left = lengthOf(items) - lengthOf(arrived);
    const expected = left === 0 ? ipc.OK : ipc.CUT;
    assert.equal(left > 0, cut === true);
    const got: Got[] = await both(pair, 'take', [2, buffers], function* (ops, partner) {
      for (let i = 0; i < 2; i++) {
        const result = yield ops.send(partner, put([i], items));
        assert.equal(result, expected, 'the sender is told');
        if (kind.tester === 'ordinary') assert.equal(ipc.cutBytes(), left);
      }
    });
    for (const [i, message] of got.entries()) {
      assert.equal(message.result, expected, 'the receiver is told');
      assert.deepEqual([message.words, message.strings], [[i], arrived]);
    }
    if (kind.tester === 'generator' || (kind.partner === 'generator' && long === true)) return;
    const served: Got[] = await both(pair, 'answer', [1, buffers], function* (ops, partner) {
      const back = taken(yield ops.call(partner, put([7], items)));
      assert.deepEqual([back.result, back.words, back.strings], [ipc.OK, [7], arrived]);
    });
    assert.deepEqual([served[0]!.result, served[0]!.strings], [expected, arrived]);
  },
}));

export const behaviours: readonly Behaviour[] = [...messages, ...cancels, ...timeouts, ...partners, ...strings];
