/**
 * What boot, spawn, task and with are given, looked at before anything is done. A program in JavaScript hands over
 * anything: what is wrong is named with what would be right, and nothing has been started then.
 */
import { SHARE_ENV } from 'node:worker_threads';
import { TASKS_MAX, THREADS_MAX } from '../layout/params.ts';
import { shown } from '../rpc/shown.ts';
import type { BootOptions, SpawnOptions } from '../rpc/types.ts';

export const SPAWN_OPTIONS = [
  'kind',
  'name',
  'restart',
  'timeout',
  'onTimeout',
  'concurrency',
  'instances',
  'host',
  'args',
  'env',
  'resourceLimits',
  'execArgv',
  'thread',
  'memory',
  'limits',
  'imports',
  'wasi',
  'engine',
  'modules',
  'console',
];
const BOOT_OPTIONS = ['timeout', 'limits', 'handover', 'log', 'context'];
const LIMITS = ['tasks', 'threads', 'calls'];
const CHOICES = {
  restart: ['never', 'on-failure', 'always'],
  onTimeout: ['keep', 'kill'],
  engine: ['quickjs'],
  thread: ['passive', 'jspi', 'worker'],
} as const;
/** The least that a worker starts with. With less V8, or Node, ends the whole process. */
const RESOURCE_LIMITS: Readonly<Record<string, number>> = {
  maxOldGenerationSizeMb: 4,
  maxYoungGenerationSizeMb: 0,
  codeRangeSizeMb: 0,
  stackSizeMb: 0.5,
};

/** Throws for an option that does not exist, and for options that are no object. */
export function refuseUnknown(what: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(`${what}: the options are ${shown(options)}; they must be an object`);
  }
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw new TypeError(`${what}: there is no option '${name}'; the options are ${known.join(', ')}`);
    }
  }
}

/** Throws for a choice that is not among the possible ones. */
export function checkChoice(name: string, value: unknown, choices: readonly string[]): void {
  if (value === undefined || choices.includes(value as string)) return;
  const known = choices.map((choice) => `'${choice}'`);
  throw new TypeError(`${name} is ${shown(value)}; it must be ${known.length > 1 ? 'one of ' : ''}${known.join(', ')}`);
}

/** An object of options inside the options. */
export function checkNested(name: string, value: unknown, known: readonly string[]): void {
  if (value === undefined) return;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError(`${name} is ${shown(value)}; it must be an object with ${known.join(', ')}`);
  }
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) throw new TypeError(`there is no ${name}.${key}; there are ${known.join(', ')}`);
  }
}

/** Throws for a name that nobody could be found under. */
export function checkName(what: string, name: unknown): void {
  if (name === undefined || (typeof name === 'string' && name !== '')) return;
  throw new TypeError(`${what} is ${shown(name)}; it must be a text that is not empty`);
}

function checkList(name: string, value: unknown): void {
  if (value !== undefined && !Array.isArray(value)) {
    throw new TypeError(`${name} is ${shown(value)}; it must be an array`);
  }
}

/** What is no function in it is left out, so that a module's namespace can be granted. */
function checkHost(host: unknown): void {
  if (host === undefined) return;
  if (typeof host !== 'object' || host === null || Array.isArray(host)) {
    throw new TypeError(`host is ${shown(host)}; it must be an object of functions`);
  }
}

function checkResourceLimits(limits: SpawnOptions['resourceLimits']): void {
  checkNested('resourceLimits', limits, Object.keys(RESOURCE_LIMITS));
  for (const [name, value] of Object.entries(limits ?? {}) as [string, unknown][]) {
    const least = RESOURCE_LIMITS[name]!;
    if (value === undefined || (typeof value === 'number' && value > 0 && value >= least)) continue;
    const from = least === 0 ? 'above 0' : `from ${least}`;
    throw new RangeError(`resourceLimits.${name} is ${shown(value)}; it must be a number ${from}, in MiB`);
  }
}

function checkInstances(instances: SpawnOptions['instances']): void {
  if (typeof instances === 'object' && instances !== null) {
    checkNested('instances', instances, ['min', 'max', 'idle_ms']);
  }
}

/** What can be said of the options of a task before its kind is known. */
export function checkSpawn(options: SpawnOptions): void {
  refuseUnknown('spawn()', options, SPAWN_OPTIONS);
  const { name, concurrency, env } = options;
  checkName('name', name);
  for (const key of ['restart', 'onTimeout', 'engine', 'thread'] as const) {
    checkChoice(key, options[key], CHOICES[key]);
  }
  if (concurrency !== undefined && !(Number.isSafeInteger(concurrency) && concurrency > 0)) {
    throw new RangeError(`concurrency is ${shown(concurrency)}; it must be a whole number above 0`);
  }
  checkInstances(options.instances);
  checkHost(options.host);
  checkList('args', options.args);
  checkList('execArgv', options.execArgv);
  if (env !== undefined && env !== SHARE_ENV && (typeof env !== 'object' || env === null)) {
    throw new TypeError(`env is ${shown(env)}; it must be an object of texts, or SHARE_ENV of node:worker_threads`);
  }
  checkResourceLimits(options.resourceLimits);
}

/** The options of boot, but for timeout and context, which are looked at where they are used. */
export function checkBoot(options: BootOptions): void {
  refuseUnknown('boot()', options, BOOT_OPTIONS);
  const { limits, handover, log } = options;
  checkNested('limits', limits, LIMITS);
  for (const [name, least, most] of [
    ['tasks', 2, TASKS_MAX],
    ['threads', 2, THREADS_MAX],
    ['calls', 1, THREADS_MAX],
  ] as const) {
    const value = limits?.[name];
    if (value === undefined || (Number.isSafeInteger(value) && value >= least && value <= most)) continue;
    throw new RangeError(`limits.${name} is ${shown(value)}; it must be a whole number from ${least} to ${most}`);
  }
  if (handover !== undefined && typeof handover !== 'boolean') {
    throw new TypeError(`handover is ${shown(handover)}; it must be true or false`);
  }
  if (log !== undefined && log !== false && typeof log !== 'function') {
    throw new TypeError(`log is ${shown(log)}; it must be a function that takes a line, or false`);
  }
}
