/**
 * One agent under the explorer: a program, run by the step machine, with what an agent has of its own (registers,
 * mutable variables of the modules, private buffers). Copied before each step, so that the explorer can go back.
 */
import { REGISTER_WORDS } from '../../src/layout/message.ts';
import { FRAME_HEADER, type Machine } from './compile.ts';
import { mix } from './memory.ts';

export const READY = 0;
/** Sleeps on `sleepsAt` until it is notified, or its time has come. */
export const ASLEEP = 1;
/** Was notified, and will return from its sleep. */
export const WOKEN = 2;
export const ENDED = 3;
export const KILLED = 4;

const noBuffers: readonly Uint8Array[] = [new Uint8Array(0)];

export class Agent {
  readonly machine: Machine;
  readonly number: number;
  stack: any[] = [];
  base = 0;
  /** The operation at which it stopped, with its operands. */
  operation = 0;
  a: any = 0;
  b: any = 0;
  c: any = 0;
  d: any = 0;
  result: any = 0;
  registers: number[] = new Array<number>(REGISTER_WORDS).fill(0);
  globals: any[];
  /** Private buffers, by handle; 0 is none. Replaced, never changed, as the log is. */
  buffers: readonly Uint8Array[] = noBuffers;
  log: readonly number[] = [];
  status: number = READY;
  sleepsAt = 0;
  /** Milliseconds on this agent's clock. */
  time_ms = 1;
  /** Plain accesses since its last synchronising one: cell * 2, + 1 for a write. */
  plain: number[] = [];
  low = 0;
  high = 0;

  /** A new agent, or a copy of one. */
  constructor(machine: Machine, number: number, from: Agent | null) {
    this.machine = machine;
    this.number = number;
    if (from === null) {
      this.globals = machine.freshGlobals();
      return;
    }
    this.stack = from.stack.slice();
    this.registers = from.registers.slice();
    this.globals = from.globals.slice();
    for (let i = 0; i < this.globals.length; i++) {
      if (typeof this.globals[i] === 'object') this.globals[i] = this.globals[i].slice();
    }
    this.base = from.base;
    this.operation = from.operation;
    this.a = from.a;
    this.b = from.b;
    this.c = from.c;
    this.d = from.d;
    this.result = from.result;
    this.buffers = from.buffers;
    this.log = from.log;
    this.status = from.status;
    this.sleepsAt = from.sleepsAt;
    this.time_ms = from.time_ms;
    this.plain = from.plain;
    this.low = from.low;
    this.high = from.high;
  }

  copy(): Agent {
    return new Agent(this.machine, this.number, this);
  }

  /** Called by compiled code: begins a function whose arguments lie in its frame already. */
  enter(callee: number, from: number, base: number, args: number): void {
    const { stack } = this;
    stack[base] = callee;
    stack[base + 1] = 0;
    stack[base + 2] = from;
    const end = base + this.machine.frameWords[callee]!;
    for (let i = base + FRAME_HEADER + args; i < end; i++) stack[i] = undefined;
    this.base = base;
  }

  /** Called by compiled code: an operation of the seam. */
  stop(operation: number, a: any, b: any, c: any, d: any): void {
    this.operation = operation;
    this.a = a;
    this.b = b;
    this.c = c;
    this.d = d;
  }

  /** Begins the program: the function exported under this name. */
  begin(name: string, args: readonly (number | boolean)[]): void {
    const number = this.machine.numberOf.get(name);
    if (number === undefined) throw new Error(`no program is called ${name}`);
    for (const [i, value] of args.entries()) this.stack[FRAME_HEADER + i] = value;
    this.enter(number, -1, 0, args.length);
  }

  /** Runs until the next operation, or the end of the program. */
  run(): void {
    const { code } = this.machine;
    this.operation = 0;
    while (this.operation === 0) {
      if (this.base < 0) {
        this.status = ENDED;
        return;
      }
      code[this.stack[this.base]]!(this, this.stack, this.base);
    }
  }

  /** Ends it where it is: of what it had, its log alone is left. */
  die(): void {
    this.status = KILLED;
    this.operation = 0;
    this.a = this.b = this.c = this.d = this.result = 0;
    this.sleepsAt = 0;
    this.stack = [];
    this.registers.fill(0);
    this.globals = this.machine.freshGlobals();
    this.buffers = noBuffers;
    this.plain = [];
  }

  /** Names of the functions that it is in, outermost first. */
  where(): string[] {
    const names: string[] = [];
    for (let b = this.base; b >= 0; b = this.stack[b + 2]) names.unshift(this.machine.names[this.stack[b]]!);
    return names;
  }

  /** Brings the hash up to date: everything that decides what this agent does from here on, and its log. */
  updateHash(): void {
    let low = this.number + 1;
    let high = (this.number + 1) * 77;
    const add = (value: any): void => {
      const integer = typeof value === 'number' ? value : value === true ? 0x5bd1e995 : value === undefined ? 17 : 19;
      low = Math.imul(low ^ integer, 0x9e3779b1);
      low ^= low >>> 15;
      high = Math.imul(high ^ integer, 0x85ebca77);
      high = (high << 13) | (high >>> 19);
    };
    for (const value of this.stack) add(value);
    add(this.status);
    add(this.operation);
    add(this.a);
    add(this.b);
    add(this.c);
    add(this.d);
    add(this.sleepsAt);
    add(this.time_ms);
    for (const value of this.registers) add(value);
    for (const value of this.globals) {
      if (Array.isArray(value)) {
        add(value.length);
        for (const one of value) add(one);
      } else add(value);
    }
    for (const buffer of this.buffers) for (const byte of buffer) add(byte);
    for (const value of this.log) add(value);
    for (const value of this.plain) add(value + 31);
    this.low = mix(low, high);
    this.high = mix(high, low ^ 0x3c6ef372);
  }
}
