/** What a sandbox may use, and the options that say so. */
import type { SpawnOptions } from '../../rpc/types.ts';

export interface Bounds {
  readonly memory_bytes: number;
  readonly stack_bytes: number;
  /** Bytes that it may print in one activation. */
  readonly output_bytes: number;
  /** Calls of host functions in one activation. */
  readonly hostCalls: number;
  /** Promise jobs in one activation. */
  readonly jobs: number;
  /** Parts of one value that it sends. */
  readonly parts: number;
}

const MIB = 1024 * 1024;
const KIB = 1024;
/** An engine that has just begun takes a quarter of a MiB. */
const MEMORY_MB_MIN = 1;
const MEMORY_MB_MAX = 2048;
const MEMORY_MB_DEFAULT = 64;
/** The binary's own stack has 1 MiB, of which half is left for frames of the engine that do not look. */
const STACK_KB_MAX = 512;
const STACK_KB_DEFAULT = 256;
const OUTPUT_DEFAULT = 64 * KIB;
const HOST_CALLS_DEFAULT = 100_000;
const JOBS_DEFAULT = 100_000;
const PARTS_DEFAULT = 1_000_000;

const KNOWN = ['stackKb', 'outputBytes', 'hostCalls', 'jobs', 'parts'];

/** Throws a TypeError or a RangeError that names the bad option. */
export function boundsOf({ memory = {}, limits = {} }: Pick<SpawnOptions, 'memory' | 'limits'>): Bounds {
  for (const name of Object.keys(memory)) {
    if (name !== 'mb') throw new TypeError(`memory.${name} is no option of a sandbox; it has memory.mb`);
  }
  for (const name of Object.keys(limits)) {
    if (!KNOWN.includes(name)) throw new TypeError(`there is no limits.${name}; the limits are ${KNOWN.join(', ')}`);
  }
  const whole = Number.MAX_SAFE_INTEGER;
  return {
    memory_bytes: within('memory.mb', memory.mb ?? MEMORY_MB_DEFAULT, MEMORY_MB_MIN, MEMORY_MB_MAX) * MIB,
    stack_bytes: within('limits.stackKb', limits.stackKb ?? STACK_KB_DEFAULT, 16, STACK_KB_MAX) * KIB,
    output_bytes: within('limits.outputBytes', limits.outputBytes ?? OUTPUT_DEFAULT, 0, whole),
    hostCalls: within('limits.hostCalls', limits.hostCalls ?? HOST_CALLS_DEFAULT, 0, whole),
    jobs: within('limits.jobs', limits.jobs ?? JOBS_DEFAULT, 0, whole),
    parts: within('limits.parts', limits.parts ?? PARTS_DEFAULT, 1, 2 ** 31 - 1),
  };
}

function within(name: string, value: number, min: number, max: number): number {
  if (typeof value === 'number' && value >= min && value <= max) return value;
  throw new RangeError(`${name} is ${String(value)}; it must be a number from ${min} to ${max}`);
}
