/** The kernels whose constants or order of service differ from the shipped one, as edits of its text. */
import type { Edit } from '../harness/edits.ts';
import { SPIN_LOADS_BARE, SPIN_LOADS_PAUSING } from '../../src/layout/params.ts';

const IPC = 'kernel/ipc.ts';
const SLOW = 'kernel/ipc-slow.ts';
const PARAMS = 'layout/params.ts';

/**
 * The answered caller goes on first: the server opens, and looks at its queue when nobody has called it for a short
 * spin. A caller that calls again at once is then always the next.
 */
export const WITHOUT_C_BEFORE_A: readonly Edit[] = [
  {
    file: IPC,
    find: ' || peek(self + TCB_QUEUE_FIRST) !== 0) {\n    return replyAndReceiveSlow',
    replace: ') {\n    return replyAndReceiveSlow',
  },
  {
    file: IPC,
    find: '  if (load(self + TCB_QUEUE_FIRST) !== 0) return awaitOpened(self, receiveTimeout_ms);\n  if (spin(self + TCB_STATE, running(me), firstSpin) !== 0) {\n',
    replace: `  if (spin(self + TCB_STATE, running(me), ${SPIN_LOADS_PAUSING}) !== 0) {\n`,
  },
  {
    file: IPC,
    find: '  return awaitMessage(self, NEVER, receiveTimeout_ms);\n}\n',
    replace: '  return awaitOpened(self, receiveTimeout_ms);\n}\n',
  },
  { file: SLOW, find: '  const next = claimNext(self);\n', replace: '  const next = 0 as Tcb | 0;\n' },
  {
    file: SLOW,
    find: '  if (next === 0) return awaitOpened(self, receiveTimeout_ms);\n',
    replace:
      `  if (next === 0) {\n    spin(self + TCB_STATE, running(peek(self + TCB_ID)), ${SPIN_LOADS_PAUSING});\n` +
      '    return awaitOpened(self, receiveTimeout_ms);\n  }\n',
  },
];

/** Spins that are measured, in loads with a pause between two; the shipped one is SPIN_LOADS_PAUSING. */
export const SPINS: readonly number[] = [0, 50, 200, SPIN_LOADS_PAUSING, 2_000, 8_000];

/** A spin of so many loads, with a pause between two and, in the same proportion, without one. */
export const spinning = (loads: number): readonly Edit[] =>
  loads === SPIN_LOADS_PAUSING
    ? []
    : [
        {
          file: PARAMS,
          find: `export const SPIN_LOADS_PAUSING = ${SPIN_LOADS_PAUSING};`,
          replace: `export const SPIN_LOADS_PAUSING = ${loads};`,
        },
        {
          file: PARAMS,
          find: `export const SPIN_LOADS_BARE = ${SPIN_LOADS_BARE};`,
          replace: `export const SPIN_LOADS_BARE = ${Math.round((loads * SPIN_LOADS_BARE) / SPIN_LOADS_PAUSING)};`,
        },
      ];
