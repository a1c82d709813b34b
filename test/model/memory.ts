/**
 * Kernel memory under the explorer: the words of the few records that a scenario uses, packed, with a log by which any
 * number of writes is taken back, a hash kept up to date, and a name for every word. An access outside of the records
 * is an error of the kernel.
 */
import { type Field, fields } from '../../src/layout/describe.ts';
import { HEADER_WORDS } from '../../src/layout/map.ts';
import { ANY_INDEX, MESSAGE_WORDS, WAKEUP_LISTS, WINDOW_SMALL_BYTES } from '../../src/layout/params.ts';
import { PROCESSOR_BASE, PROCESSOR_WORDS, TASK_BASE, TASK_WORDS, WINDOWS_BASE } from '../../src/layout/task.ts';
import { TCB_BASE, TCB_WORDS, tcbAt } from '../../src/layout/tcb.ts';

const { tcb: tcbFields, task: taskFields, processor: processorFields, header: headerFields } = fields();

export const WINDOWS_START: number = Math.ceil((WINDOWS_BASE * 4) / WINDOW_SMALL_BYTES) * WINDOW_SMALL_BYTES;
const ANYBODY = tcbAt(ANY_INDEX);
/** Words of each window that exist here. Scenarios state windows of fewer bytes. */
const WINDOW_WORDS = 16;

/**
 * Words by which no code of the kernel decides, so that states that differ in them alone are the same: counters for
 * people; and tickets, of which only the order counts, which is that of the queue's links.
 */
const COUNTERS = [
  'TCB_QUEUE_TICKET',
  'TCB_TICKET',
  'TCB_SENT',
  'TCB_BYTES',
  'TCB_SINCE',
  'TCB_PARKS',
  'PROCESSOR_INSPECTED',
  'PROCESSOR_TICKS',
];

/** Fields of more than one word. */
const LENGTHS: Readonly<Record<string, number>> = {
  TCB_WORD: 2 * MESSAGE_WORDS,
  TCB_STRING: 8,
  TCB_ACCEPT: 8,
  PROCESSOR_INBOX: 4,
  PROCESSOR_WAKEUP: WAKEUP_LISTS + 1,
};

/** Mixes two integers into one. */
export function mix(a: number, b: number): number {
  let h = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b ^ 0x27d4eb2f, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return (h ^ (h >>> 15)) | 0;
}

interface Region {
  readonly name: string;
  readonly base: number;
  readonly cell: number;
  readonly words: number;
  readonly fields: readonly Field[];
}

export class Memory {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly isCounter: Uint8Array;
  private readonly regions: Region[] = [];
  private readonly threads: number;
  private readonly tasks: number;
  private readonly windows: number;
  private readonly taskCell: number;
  private readonly processorCell: number;
  private readonly windowCell: number;
  /** Hash of all words that are no counters: two halves. */
  low = 0;
  high = 0;
  /** Cells and the values they had, oldest first. */
  private undoCells = new Int32Array(1 << 12);
  private undoValues = new Int32Array(1 << 12);
  undoLength = 0;

  /** `threads` and `tasks` are the highest indices. */
  constructor(threads: number, tasks: number, windows: number) {
    this.threads = threads;
    this.tasks = tasks;
    this.windows = windows;
    this.addRegion('header', 0, HEADER_WORDS, headerFields);
    for (let i = 0; i <= threads; i++) this.addRegion(`thread ${i}`, TCB_BASE + i * TCB_WORDS, TCB_WORDS, tcbFields);
    this.taskCell = this.end;
    for (let i = 0; i <= tasks; i++) this.addRegion(`task ${i}`, TASK_BASE + i * TASK_WORDS, TASK_WORDS, taskFields);
    this.processorCell = this.end;
    for (let i = 0; i <= tasks; i++) {
      this.addRegion(`processor ${i}`, PROCESSOR_BASE + i * PROCESSOR_WORDS, PROCESSOR_WORDS, processorFields);
    }
    this.windowCell = this.end;
    for (let i = 0; i < windows; i++) {
      this.addRegion(`window ${i}`, (WINDOWS_START + i * WINDOW_SMALL_BYTES) >> 2, WINDOW_WORDS, []);
    }
    this.words = new Int32Array(this.end);
    this.bytes = new Uint8Array(this.words.buffer);
    this.isCounter = new Uint8Array(this.end);
    for (let cell = 0; cell < this.end; cell++) if (COUNTERS.includes(this.fieldOf(cell))) this.isCounter[cell] = 1;
  }

  private get end(): number {
    const last = this.regions.at(-1);
    return last === undefined ? 0 : last.cell + last.words;
  }

  private addRegion(name: string, base: number, words: number, fields: readonly Field[]): void {
    this.regions.push({ name, base, cell: this.end, words, fields });
  }

  /** The cell of a word of kernel memory. */
  cellOf(at: number): number {
    if (at >= 0 && at < HEADER_WORDS) return at;
    if (at >= TCB_BASE && at < TCB_BASE + (this.threads + 1) * TCB_WORDS) return HEADER_WORDS + at - TCB_BASE;
    // The record of the index that stands for anybody is never used, as that of index 0 is not.
    if (at >= ANYBODY && at < TASK_BASE) return HEADER_WORDS + at - ANYBODY;
    if (at >= TASK_BASE && at < TASK_BASE + (this.tasks + 1) * TASK_WORDS) return this.taskCell + at - TASK_BASE;
    if (at >= PROCESSOR_BASE && at < PROCESSOR_BASE + (this.tasks + 1) * PROCESSOR_WORDS) {
      return this.processorCell + at - PROCESSOR_BASE;
    }
    const word = at - (WINDOWS_START >> 2);
    const window = Math.floor(word / (WINDOW_SMALL_BYTES >> 2));
    const offset = word - window * (WINDOW_SMALL_BYTES >> 2);
    if (window >= 0 && window < this.windows && offset < WINDOW_WORDS) {
      return this.windowCell + window * WINDOW_WORDS + offset;
    }
    throw new Error(`the kernel reaches word ${at}, which belongs to no record`);
  }

  /** The index in `bytes` of a byte of kernel memory. */
  byteOf(at: number): number {
    return this.cellOf(at >> 2) * 4 + (at & 3);
  }

  set(cell: number, value: number): void {
    const old = this.words[cell]!;
    if (old === (value | 0)) return;
    if (this.undoLength === this.undoCells.length) this.grow();
    this.undoCells[this.undoLength] = cell;
    this.undoValues[this.undoLength++] = old;
    this.write(cell, value | 0);
  }

  setByte(index: number, value: number): void {
    const cell = index >> 2;
    const shift = (index & 3) * 8;
    this.set(cell, (this.words[cell]! & ~(0xff << shift)) | (value << shift));
  }

  private write(cell: number, value: number): void {
    if (this.isCounter[cell] === 0) {
      const old = this.words[cell]!;
      if (old !== 0) {
        this.low ^= mix(cell, old);
        this.high ^= mix(old, cell + 0x5bd1);
      }
      if (value !== 0) {
        this.low ^= mix(cell, value);
        this.high ^= mix(value, cell + 0x5bd1);
      }
    }
    this.words[cell] = value;
  }

  private grow(): void {
    const cells = new Int32Array(this.undoCells.length * 2);
    const values = new Int32Array(cells.length);
    cells.set(this.undoCells);
    values.set(this.undoValues);
    this.undoCells = cells;
    this.undoValues = values;
  }

  /** Takes writes back until the log has this length again. */
  undoTo(length: number): void {
    while (this.undoLength > length) {
      this.undoLength--;
      this.write(this.undoCells[this.undoLength]!, this.undoValues[this.undoLength]!);
    }
  }

  private regionOf(cell: number): Region {
    return this.regions.findLast((region) => region.cell <= cell)!;
  }

  /** The name of a cell's field, as in layout/; the words of a window have none. */
  fieldOf(cell: number): string {
    const { cell: first, fields } = this.regionOf(cell);
    const field = fields.findLast(({ offset }) => offset <= cell - first);
    if (field === undefined) return '';
    return cell - first < field.offset + (LENGTHS[field.name] ?? 1) ? field.name : '';
  }

  /** What a word is, for a reader; `nameOf` gives the name of a thread. */
  describe(cell: number, nameOf: (thread: number) => string): string {
    const { name, cell: first, fields } = this.regionOf(cell);
    const field = fields.findLast(({ offset }) => offset <= cell - first);
    const within = cell - first - (field?.offset ?? 0);
    const owner = name.startsWith('thread ') ? nameOf(Number(name.slice(7))) : name;
    return `${owner}.${field?.name ?? 'word'}${within > 0 || field === undefined ? `+${within}` : ''}`;
  }
}
