/**
 * The fields of kernel memory as data: for the checks of the layout, for `verify`, and for whoever shows kernel memory.
 * Made from the very constants that the kernel uses, so there is nothing to keep in step.
 */
import * as map from './map.ts';
import { LAYOUT_VERSION } from './params.ts';
import * as task from './task.ts';
import * as tcb from './tcb.ts';

export interface Field {
  readonly name: string;
  /** Words from the start of the record. */
  readonly offset: number;
}

function fieldsOf(
  module: Record<string, unknown>,
  prefix: string,
  words: number,
  notFields: readonly string[],
): Field[] {
  const fields: Field[] = [];
  for (const [name, offset] of Object.entries(module)) {
    if (!name.startsWith(prefix) || typeof offset !== 'number' || offset >= words) continue;
    if (!notFields.includes(name)) fields.push({ name, offset });
  }
  return fields.sort((a, b) => a.offset - b.offset);
}

/** The fields of each kind of record, in the order of their offsets. */
export interface Fields {
  readonly tcb: readonly Field[];
  readonly task: readonly Field[];
  readonly processor: readonly Field[];
  readonly header: readonly Field[];
}

const NOT_TASK_FIELDS = [
  'TASK_WORDS',
  'TASK_NAME_MAX',
  'TASK_REASON_MAX',
  'TASK_FREE',
  'TASK_STARTING',
  'TASK_ALIVE',
  'TASK_DEAD',
  'TASK_SPARE',
  'TASK_REPLACED',
  'TASK_KIND_WORKER',
  'TASK_KIND_LOCAL',
  'TASK_KIND_MAIN',
  'TASK_KIND_SUPERVISOR',
  'TASK_KIND_WASM',
  'TASK_KIND_GUEST',
];

/** Made when it is asked for: a worker that is given its memory never asks. */
export const fields = (): Fields => ({
  tcb: fieldsOf(tcb, 'TCB_', tcb.TCB_WORDS, ['TCB_BASE', 'TCB_WORDS']),
  task: fieldsOf(task, 'TASK_', task.TASK_WORDS, NOT_TASK_FIELDS),
  processor: fieldsOf(task, 'PROCESSOR_', task.PROCESSOR_WORDS, ['PROCESSOR_WORDS']),
  header: fieldsOf(map, 'HEADER_', map.HEADER_WORDS, ['HEADER_WORDS']),
});

let hash: number | undefined;

/** A number that differs when any field is elsewhere: memory of another layout is refused, never interpreted. */
export function layoutHash(): number {
  if (hash === undefined) {
    const all = fields();
    hash = [...all.tcb, ...all.task, ...all.processor, ...all.header].reduce(
      (sum, field) => (Math.imul(sum ^ field.offset, 0x01000193) + field.name.length) | 0,
      LAYOUT_VERSION,
    );
  }
  return hash;
}
