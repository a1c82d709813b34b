/**
 * A compiler from a subset of JavaScript to step machines: each function that can reach the seam becomes a function
 * over an explicit stack of frames, which stops at every access to shared memory and can be resumed, copied and
 * compared. So a state of the system is data: the explorer hashes it, forgets it, goes back to it.
 *
 * A frame on the stack of an agent is   function number | block | base of the caller's frame | slots.
 * Slots are parameters, locals and temporaries. A slot that no later code reads is cleared wherever the function stops:
 * otherwise states would differ by what nobody will look at. Functions that touch neither the seam nor what belongs to
 * one agent stay as they are. What the compiler does not know it refuses, by name and line.
 */
import { compileFunction } from 'node:vm';
import { parseSync } from 'rolldown/utils';

/** A node of the syntax tree, as ESTree has it. */
type Node = { type: string; start: number; end: number; [key: string]: any };

/** What runs a compiled function, one stretch at a time; see agent.ts for `A`. */
export type Code = (A: any, S: any[], b: number) => void;

export interface Machine {
  /** By function number; 0 is none. */
  readonly code: readonly (Code | null)[];
  readonly names: readonly string[];
  /** Slots and header of a frame, by function number. */
  readonly frameWords: readonly number[];
  /** Number of the function that is exported under a name. */
  readonly numberOf: ReadonlyMap<string, number>;
  /** Fresh values of what each agent has of its own: the mutable variables of the modules. */
  readonly freshGlobals: () => any[];
  /** The names of those, in order. */
  readonly globals: readonly string[];
}

/** Words of a frame before its slots. */
export const FRAME_HEADER = 3;

/** Seam functions at which a compiled function stops, with their operation numbers. */
export const operations: readonly string[] = [
  '',
  'load',
  'store',
  'compareExchange',
  'exchange',
  'add',
  'peek',
  'poke',
  'spin',
  'putBytes',
  'takeBytes',
  'moveBytes',
  'allocateBytes',
  'wait',
  'notify',
  'now_ms',
  'note',
  'claimThat',
  'awaitEnd',
  'awaitDeath',
  'makeBuffer',
  'holdsPattern',
];
const operationOf = new Map(operations.map((name, i) => [name, i]));

/** Programs that stand for the code of multiplexed threads: of a generator, of a passive one. */
const RESUME = 'resumeBody';
const SERVE = 'servePassively';

type Stopping = ({ callee: number } | { operation: number }) & { args: Node[] };

interface Expression {
  js: string;
  reads: number[];
  /** Nothing that runs before it is used can change it. */
  stable: boolean;
}

type Instruction =
  | { kind: 'do'; js: string; reads: number[]; writes: number; dead?: number[] }
  | { kind: 'call'; callee: number; args: string[]; reads: number[]; writes: number; dead?: number[] }
  | { kind: 'stop'; operation: number; args: string[]; reads: number[]; writes: number; dead?: number[] }
  | { kind: 'branch'; js: string; reads: number[]; yes: number; no: number }
  | { kind: 'jump'; to: number }
  | { kind: 'return'; js: string; reads: number[] }
  | { kind: 'label'; label: number };

function* walk(value: any): Generator<Node> {
  if (value === null || typeof value !== 'object') return;
  if (Array.isArray(value)) {
    for (const item of value) yield* walk(item);
    return;
  }
  if (typeof value.type === 'string') yield value;
  for (const child of Object.values(value)) yield* walk(child);
}

const isFunction = (node: Node | null | undefined): boolean =>
  node?.type === 'ArrowFunctionExpression' || node?.type === 'FunctionExpression';

/** The text as a module's top level: what it imports, its functions, constants and variables. */
class Unit {
  readonly text: string;
  private readonly program: Node;
  readonly functions = new Map<string, Node>();
  readonly constants: Node[] = [];
  /** Initial values of the variables that belong to an agent. */
  readonly globals = new Map<string, string>();
  readonly exported = new Map<string, string>();
  readonly imported = new Set<string>();
  readonly compiled = new Map<string, number>();
  readonly closures: string[] = [];

  constructor(text: string, roots: readonly string[]) {
    this.text = text;
    const parsed = parseSync('kernel.js', text);
    if (parsed.errors.length > 0) throw new Error(parsed.errors[0]!.message);
    this.program = parsed.program as unknown as Node;
    for (const node of this.program.body) this.readTop(node);
    this.findCompiled(roots);
  }

  source(node: Node): string {
    return this.text.slice(node.start, node.end);
  }

  refuse(node: Node): never {
    const line = this.text.slice(0, node.start).split('\n').length;
    throw new Error(`the explorer cannot compile ${node.type} in line ${line}: ${this.source(node).slice(0, 120)}`);
  }

  private readTop(node: Node): void {
    if (node.type === 'ImportDeclaration') {
      for (const specifier of node.specifiers) this.imported.add(specifier.local.name);
    } else if (node.type === 'FunctionDeclaration') this.functions.set(node.id.name, node);
    else if (node.type === 'VariableDeclaration') for (const one of node.declarations) this.readVariable(node, one);
    else if (node.type === 'ExportNamedDeclaration') {
      for (const { local, exported } of node.specifiers) this.exported.set(exported.name, local.name);
    } else this.refuse(node);
  }

  private readVariable(declaration: Node, one: Node): void {
    const { name } = one.id;
    if (isFunction(one.init)) this.functions.set(name, one.init);
    else if (declaration.kind !== 'const' || one.init.type === 'ArrayExpression') {
      this.globals.set(name, this.source(one.init));
    } else this.constants.push(one);
  }

  /**
   * Which functions must be able to stop: those that the programs reach and that reach the seam, or an agent's own
   * variables, by any way.
   */
  private findCompiled(roots: readonly string[]): void {
    const names = new Map<string, Set<string>>();
    for (const [name, node] of this.functions) {
      const used = new Set<string>();
      for (const inner of walk(node)) if (inner.type === 'Identifier') used.add(inner.name);
      names.set(name, used);
    }
    const touching = new Set([...operations.slice(1), 'registers', ...this.globals.keys()]);
    for (let grown = true; grown;) {
      grown = false;
      for (const [name, used] of names) {
        if (touching.has(name) || ![...used].some((other) => touching.has(other))) continue;
        touching.add(name);
        grown = true;
      }
    }
    const left = roots.map((name) => this.exported.get(name) ?? name);
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      if (this.compiled.has(name) || !this.functions.has(name) || !touching.has(name)) continue;
      this.compiled.set(name, this.compiled.size + 1);
      left.push(...names.get(name)!);
    }
    for (const name of this.functions.keys()) {
      if (touching.has(name) && !this.compiled.has(name)) this.functions.delete(name);
    }
  }
}

class FunctionCompiler {
  private readonly unit: Unit;
  private readonly node: Node;
  private readonly instructions: Instruction[] = [];
  private readonly scopes: Map<string, number>[] = [new Map()];
  private readonly assigned = new Set<string>();
  private slots = 0;
  private labels = 0;
  private readonly breaks: number[] = [];
  private readonly continues: number[] = [];

  constructor(unit: Unit, node: Node) {
    this.unit = unit;
    this.node = node;
    for (const inner of walk(node.body)) {
      if (inner.type === 'AssignmentExpression' && inner['left'].type === 'Identifier')
        this.assigned.add(inner['left'].name);
      if (inner.type === 'UpdateExpression' && inner['argument'].type === 'Identifier')
        this.assigned.add(inner['argument'].name);
    }
  }

  compile(): { js: string; words: number } {
    const { node } = this;
    const defaults: [number, Node][] = [];
    for (const param of node['params']) {
      if (param.type === 'Identifier') this.newLocal(param.name);
      else if (param.type === 'AssignmentPattern' && param.left.type === 'Identifier') {
        defaults.push([this.newLocal(param.left.name), param.right]);
      } else this.unit.refuse(param);
    }
    for (const [slot, value] of defaults) {
      const js = `if (S[b+${slot}] === undefined) S[b+${slot}] = ${this.pure(value).js}`;
      this.instructions.push({ kind: 'do', js, reads: [slot], writes: -1 });
    }
    if (node['body'].type === 'BlockStatement') this.statement(node['body']);
    else this.returnValue(node['body']);
    this.instructions.push({ kind: 'return', js: 'undefined', reads: [] });
    this.findDead();
    return { js: this.emit(), words: FRAME_HEADER + this.slots };
  }

  private newLocal(name: string): number {
    const slot = this.temporary();
    this.scopes.at(-1)!.set(name, slot);
    return slot;
  }

  private temporary(): number {
    return FRAME_HEADER + this.slots++;
  }

  private label(): number {
    return ++this.labels;
  }

  private place(label: number): void {
    this.instructions.push({ kind: 'label', label });
  }

  private jump(to: number): void {
    this.instructions.push({ kind: 'jump', to });
  }

  private slotOf(name: string): number | undefined {
    for (let i = this.scopes.length - 1; i >= 0; i--) {
      const slot = this.scopes[i]!.get(name);
      if (slot !== undefined) return slot;
    }
    return undefined;
  }

  /** The call in `node` that stops, if it is one: the number of a compiled function or of an operation. */
  private stopping(node: Node): Stopping | null {
    if (node.type !== 'CallExpression') return null;
    const code = this.calledCode(node);
    if (code !== null) return { callee: code.callee, args: [code.token, ...node['arguments']] };
    if (node['callee'].type !== 'Identifier') return null;
    const { name } = node['callee'];
    if (this.slotOf(name) !== undefined) return null;
    const callee = this.unit.compiled.get(name);
    const args = node['arguments'];
    if (callee !== undefined) return { callee, args };
    const operation = operationOf.get(name);
    return operation !== undefined && this.unit.imported.has(name) ? { operation, args } : null;
  }

  /**
   * A call of what a variable holds, or of its `next`: the code of a multiplexed thread. Here it is a number, and the
   * program of that name does what it does.
   */
  private calledCode({ callee }: Node): { callee: number; token: Node } | null {
    const isNext = callee.type === 'MemberExpression' && callee.property.name === 'next';
    const token = isNext ? callee.object : callee;
    if (token.type !== 'Identifier' || this.slotOf(token.name) === undefined) return null;
    return { callee: this.unit.compiled.get(isNext ? RESUME : SERVE)!, token };
  }

  private stops(node: Node): boolean {
    for (const inner of walk(node)) if (this.stopping(inner) !== null) return true;
    return false;
  }

  // Statements.

  private statement(node: Node): void {
    switch (node.type) {
      case 'BlockStatement':
        this.scopes.push(new Map());
        for (const one of node['body']) this.statement(one);
        this.scopes.pop();
        return;
      case 'VariableDeclaration':
        for (const one of node['declarations']) this.variable(one);
        return;
      case 'ExpressionStatement':
        return this.effect(node['expression']);
      case 'ReturnStatement':
        return this.returnValue(node['argument']);
      case 'IfStatement':
        return this.ifStatement(node);
      case 'ForStatement':
        this.scopes.push(new Map());
        if (node['init']?.type === 'VariableDeclaration') this.statement(node['init']);
        else if (node['init']) this.effect(node['init']);
        this.loop(node['test'], node['update'], node['body']);
        this.scopes.pop();
        return;
      case 'ForOfStatement':
        return this.unroll(node);
      case 'WhileStatement':
        return this.loop(node['test'], null, node['body']);
      case 'BreakStatement':
        return node['label'] ? this.unit.refuse(node) : this.jump(this.breaks.at(-1)!);
      case 'ContinueStatement':
        return node['label'] ? this.unit.refuse(node) : this.jump(this.continues.at(-1)!);
      case 'EmptyStatement':
        return;
      default:
        this.unit.refuse(node);
    }
  }

  private variable(one: Node): void {
    if (one['id'].type !== 'Identifier') this.unit.refuse(one);
    const value = one['init'] ? this.expression(one['init']) : { js: 'undefined', reads: [] };
    const slot = this.newLocal(one['id'].name);
    this.instructions.push({ kind: 'do', js: `S[b+${slot}] = ${value.js}`, reads: value.reads, writes: slot });
  }

  private returnValue(node: Node | null): void {
    const value = node ? this.expression(node) : { js: 'undefined', reads: [] };
    this.instructions.push({ kind: 'return', js: value.js, reads: value.reads });
  }

  private effect(node: Node): void {
    if (node.type === 'UnaryExpression' && node['operator'] === 'void') return this.effect(node['argument']);
    const stopping = this.stopping(node);
    if (stopping !== null) {
      this.call(stopping, -1);
      return;
    }
    const target =
      node.type === 'AssignmentExpression' && node['left'].type === 'Identifier' ? node['left'].name : null;
    const slot = target === null ? undefined : this.slotOf(target);
    if (slot !== undefined && node['operator'] === '=') {
      const value = this.expression(node['right']);
      this.instructions.push({ kind: 'do', js: `S[b+${slot}] = ${value.js}`, reads: value.reads, writes: slot });
      return;
    }
    const { js, reads } = this.expression(node);
    this.instructions.push({ kind: 'do', js, reads, writes: -1 });
  }

  private ifStatement(node: Node): void {
    const then = this.label();
    const otherwise = this.label();
    const end = this.label();
    this.condition(node['test'], then, otherwise);
    this.place(then);
    this.statement(node['consequent']);
    this.jump(end);
    this.place(otherwise);
    if (node['alternate']) this.statement(node['alternate']);
    this.place(end);
  }

  private loop(test: Node | null, update: Node | null, body: Node): void {
    const [begin, inside, next, end] = [this.label(), this.label(), this.label(), this.label()];
    this.place(begin);
    if (test) this.condition(test, inside, end);
    this.place(inside);
    this.breaks.push(end);
    this.continues.push(next);
    this.statement(body);
    this.breaks.pop();
    this.continues.pop();
    this.place(next);
    if (update) this.effect(update);
    this.jump(begin);
    this.place(end);
  }

  /** A loop over an array that is written out: the body once for each element, so that no array lies on the stack. */
  private unroll(node: Node): void {
    if (node['right'].type !== 'ArrayExpression' || node['left'].type !== 'VariableDeclaration') this.unit.refuse(node);
    const end = this.label();
    const values = this.list(node['right'].elements).map((value) => this.pin(value));
    for (const value of values) {
      const next = this.label();
      this.scopes.push(new Map());
      const slot = this.newLocal(node['left'].declarations[0].id.name);
      this.instructions.push({ kind: 'do', js: `S[b+${slot}] = ${value.js}`, reads: value.reads, writes: slot });
      this.breaks.push(end);
      this.continues.push(next);
      this.statement(node['body']);
      this.breaks.pop();
      this.continues.pop();
      this.scopes.pop();
      this.place(next);
    }
    this.place(end);
  }

  /** Jumps by the truth of an expression; `&&`, `||` and `!` become jumps themselves. */
  private condition(node: Node, then: number, otherwise: number): void {
    if (node.type === 'LogicalExpression' && node['operator'] !== '??' && this.stops(node)) {
      const middle = this.label();
      if (node['operator'] === '&&') this.condition(node['left'], middle, otherwise);
      else this.condition(node['left'], then, middle);
      this.place(middle);
      this.condition(node['right'], then, otherwise);
    } else if (node.type === 'UnaryExpression' && node['operator'] === '!') {
      this.condition(node['argument'], otherwise, then);
    } else if (node.type === 'ParenthesizedExpression') {
      this.condition(node['expression'], then, otherwise);
    } else {
      const { js, reads } = this.expression(node);
      this.instructions.push({ kind: 'branch', js, reads, yes: then, no: otherwise });
    }
  }

  // Expressions.

  /** Keeps a value over what stops after it. */
  private pin(value: Expression): Expression {
    if (value.stable) return value;
    const slot = this.temporary();
    this.instructions.push({ kind: 'do', js: `S[b+${slot}] = ${value.js}`, reads: value.reads, writes: slot });
    return { js: `S[b+${slot}]`, reads: [slot], stable: true };
  }

  private pure(node: Node): Expression {
    if (this.stops(node)) this.unit.refuse(node);
    return this.expression(node);
  }

  /** Values in order of evaluation, each kept if a later one stops. */
  private list(nodes: readonly Node[]): Expression[] {
    return nodes.map((node, i) => {
      const value = this.expression(node);
      return nodes.slice(i + 1).some((later) => this.stops(later)) ? this.pin(value) : value;
    });
  }

  private call(target: Stopping, writes: number): void {
    const values = this.list(target.args);
    const args = values.map(({ js }) => js);
    const reads = values.flatMap((value) => value.reads);
    if ('callee' in target) this.instructions.push({ kind: 'call', callee: target.callee, args, reads, writes });
    else this.instructions.push({ kind: 'stop', operation: target.operation, args, reads, writes });
  }

  private expression(node: Node): Expression {
    const stopping = this.stopping(node);
    if (stopping !== null) {
      const slot = this.temporary();
      this.call(stopping, slot);
      return { js: `S[b+${slot}]`, reads: [slot], stable: true };
    }
    switch (node.type) {
      case 'Literal':
        return { js: this.unit.source(node), reads: [], stable: true };
      case 'ParenthesizedExpression':
        return this.expression(node['expression']);
      case 'Identifier':
        return this.identifier(node);
      case 'BinaryExpression':
        return this.join(this.list([node['left'], node['right']]), ([a, b]) => `(${a} ${node['operator']} ${b})`);
      case 'UnaryExpression':
        return this.join([this.expression(node['argument'])], ([a]) => `(${node['operator']} ${a})`);
      case 'LogicalExpression':
      case 'ConditionalExpression':
        return this.choice(node);
      case 'MemberExpression':
        return this.member(node);
      case 'CallExpression':
        return this.nativeCall(node);
      case 'AssignmentExpression':
        return this.assignment(node);
      case 'UpdateExpression':
        return this.update(node);
      case 'ArrowFunctionExpression':
        return this.closure(node);
      default:
        return this.unit.refuse(node);
    }
  }

  private join(values: Expression[], js: (parts: string[]) => string): Expression {
    return {
      js: js(values.map((value) => value.js)),
      reads: values.flatMap(({ reads }) => reads),
      stable: values.every(({ stable }) => stable),
    };
  }

  private identifier(node: Node): Expression {
    const { name } = node as unknown as { name: string };
    const slot = this.slotOf(name);
    if (slot !== undefined) return { js: `S[b+${slot}]`, reads: [slot], stable: !this.assigned.has(name) };
    if (name === 'registers') return { js: 'A.registers', reads: [], stable: true };
    const global = [...this.unit.globals.keys()].indexOf(name);
    if (global >= 0) return { js: `A.globals[${global}]`, reads: [], stable: false };
    return { js: name, reads: [], stable: true };
  }

  private choice(node: Node): Expression {
    const parts: Node[] =
      node.type === 'LogicalExpression'
        ? [node['left'], node['right']]
        : [node['test'], node['consequent'], node['alternate']];
    if (!parts.slice(1).some((part) => this.stops(part))) {
      const values = parts.map((part) => this.expression(part));
      const joined = this.join(values, (js) =>
        js.length === 2 ? `(${js[0]} ${node['operator']} ${js[1]})` : `(${js[0]} ? ${js[1]} : ${js[2]})`,
      );
      return joined;
    }
    const slot = this.temporary();
    const set = (part: Node): void => {
      const { js, reads } = this.expression(part);
      this.instructions.push({ kind: 'do', js: `S[b+${slot}] = ${js}`, reads, writes: slot });
    };
    const [then, otherwise, end] = [this.label(), this.label(), this.label()];
    if (node.type === 'ConditionalExpression') this.condition(parts[0]!, then, otherwise);
    else {
      set(parts[0]!);
      const reads = [slot];
      const [yes, no] = node['operator'] === '&&' ? [then, end] : [end, then];
      const js = node['operator'] === '??' ? `S[b+${slot}] != null` : `S[b+${slot}]`;
      this.instructions.push({ kind: 'branch', js, reads, yes: yes!, no: no! });
    }
    this.place(then);
    set(parts[1]!);
    this.jump(end);
    this.place(otherwise);
    if (parts[2]) set(parts[2]);
    this.place(end);
    return { js: `S[b+${slot}]`, reads: [slot], stable: true };
  }

  private member(node: Node): Expression {
    const object = this.expression(node['object']);
    if (!node['computed']) return { js: `${object.js}.${node['property'].name}`, reads: object.reads, stable: false };
    const property = this.pure(node['property']);
    return { js: `${object.js}[${property.js}]`, reads: [...object.reads, ...property.reads], stable: false };
  }

  private nativeCall(node: Node): Expression {
    const { callee } = node as unknown as { callee: Node };
    const target = callee.type === 'MemberExpression' ? this.member(callee) : this.identifier(callee);
    const values = this.list(node['arguments']);
    return {
      js: `${target.js}(${values.map(({ js }) => js).join(', ')})`,
      reads: [...target.reads, ...values.flatMap(({ reads }) => reads)],
      stable: false,
    };
  }

  private assignment(node: Node): Expression {
    const { left, right, operator } = node as unknown as { left: Node; right: Node; operator: string };
    // A compound assignment reads its target before the right side runs; only a local stays what it was meanwhile.
    const isLocal = left.type === 'Identifier' && this.slotOf(left['name']) !== undefined;
    if (operator !== '=' && !isLocal && this.stops(right)) this.unit.refuse(node);
    const value = this.expression(right);
    const target = left.type === 'Identifier' ? this.identifier(left) : this.member(left);
    return { js: `(${target.js} ${operator} ${value.js})`, reads: [...target.reads, ...value.reads], stable: false };
  }

  private update(node: Node): Expression {
    const target = this.identifier(node['argument']);
    const { operator, prefix } = node as unknown as { operator: string; prefix: boolean };
    if (operator === '--' && this.countsDown(node['argument'].name)) {
      return { js: `(${target.js} > -1 ? ${target.js}-- : 0)`, reads: target.reads, stable: false };
    }
    return {
      js: prefix ? `(${operator}${target.js})` : `(${target.js}${operator})`,
      reads: target.reads,
      stable: false,
    };
  }

  /**
   * Whether a local is only counted down, set, and compared with 0: all values below 0 are one, or a loop that waits
   * would be in another state each time round.
   */
  private countsDown(name: string): boolean {
    let uses = 0;
    let known = 0;
    const is = (node: Node | null): number => (node?.type === 'Identifier' && node['name'] === name ? 1 : 0);
    for (const node of walk(this.node)) {
      uses += is(node);
      if (node.type === 'VariableDeclarator') known += is(node['id']);
      else if (node.type === 'AssignmentExpression') known += is(node['left']);
      else if (node.type === 'UpdateExpression' && node['operator'] === '--') known += is(node['argument']);
      else if (
        node.type === 'BinaryExpression' &&
        node['right'].raw === '0' &&
        ['>', '<='].includes(node['operator'])
      ) {
        known += is(node['left']);
      }
    }
    return uses === known;
  }

  /** A function value stays native: it may use its parameters and constants only. */
  private closure(node: Node): Expression {
    for (const inner of walk(node['body'])) {
      if (inner.type === 'Identifier' && this.slotOf(inner['name']) !== undefined) this.unit.refuse(node);
    }
    if (this.stops(node['body'])) this.unit.refuse(node);
    // One function value for all agents, so that equal states stay equal.
    const number = this.unit.closures.push(this.unit.source(node)) - 1;
    return { js: `closures[${number}]`, reads: [], stable: true };
  }

  // Liveness: what no later instruction reads is cleared where the function stops.

  private findDead(): void {
    const { instructions } = this;
    const at = new Map<number, number>();
    for (const [i, one] of instructions.entries()) if (one.kind === 'label') at.set(one.label, i);
    const live: Set<number>[] = instructions.map(() => new Set());
    const after = (i: number): Set<number> => {
      const one = instructions[i]!;
      if (one.kind === 'return') return new Set();
      if (one.kind === 'jump') return live[at.get(one.to)!]!;
      if (one.kind === 'branch') return new Set([...live[at.get(one.yes)!]!, ...live[at.get(one.no)!]!]);
      return live[i + 1] ?? new Set();
    };
    for (let changed = true; changed;) {
      changed = false;
      for (let i = instructions.length - 1; i >= 0; i--) {
        const one = instructions[i]!;
        const now = new Set(after(i));
        if ('writes' in one) now.delete(one.writes);
        if ('reads' in one) for (const slot of one.reads) now.add(slot);
        if (now.size !== live[i]!.size) {
          live[i] = now;
          changed = true;
        }
      }
    }
    for (const [i, one] of instructions.entries()) {
      if (one.kind !== 'call' && one.kind !== 'stop') continue;
      const kept = after(i);
      one.dead = [];
      for (let slot = FRAME_HEADER; slot < FRAME_HEADER + this.slots; slot++) {
        if (slot === one.writes || !kept.has(slot)) one.dead.push(slot);
      }
    }
  }

  // Text: one case a block, a block begins at each label and behind each stop.

  private emit(): string {
    const lines: string[] = ['let k = S[b+1]; for (;;) switch (k) { case 0:'];
    const words = FRAME_HEADER + this.slots;
    const block = (label: number): number => label;
    let next = this.labels;
    for (const one of this.instructions) {
      if (one.kind === 'do') lines.push(`${one.js};`);
      else if (one.kind === 'label') lines.push(`case ${block(one.label)}:`);
      else if (one.kind === 'jump') lines.push(`k = ${block(one.to)}; continue;`);
      else if (one.kind === 'branch') {
        lines.push(`k = (${one.js}) ? ${block(one.yes)} : ${block(one.no)}; continue;`);
      } else if (one.kind === 'return') {
        lines.push(`A.result = ${one.js}; A.base = S[b+2]; S.length = b; return;`);
      } else {
        const resume = ++next;
        lines.push(this.leave(one, words), ...one.dead!.map((slot) => `S[b+${slot}] = 0;`));
        lines.push(`S[b+1] = ${resume}; return; case ${resume}:`);
        if (one.writes >= 0) lines.push(`S[b+${one.writes}] = A.result;`);
      }
    }
    lines.push('}');
    return lines.join('\n');
  }

  private leave(one: Instruction & { kind: 'call' | 'stop' }, words: number): string {
    if (one.kind === 'stop') {
      const [a = '0', b = '0', c = '0', d = '0'] = one.args;
      return `A.stop(${one.operation}, ${a}, ${b}, ${c}, ${d});`;
    }
    const args = one.args.map((js, i) => `S[b+${words + FRAME_HEADER + i}] = ${js};`).join(' ');
    return `${args} A.enter(${one.callee}, b, b + ${words}, ${one.args.length});`;
  }
}

/**
 * Compiles of a module that `bundleKernel` made the functions exported as `roots`, and all that they reach. `seam`
 * gives the values of what the module imports and does not stop at.
 */
export function compileMachine(
  text: string,
  seam: Readonly<Record<string, unknown>>,
  roots: readonly string[],
): Machine {
  const unit = new Unit(text, roots);
  const names = [''];
  const frameWords = [0];
  const bodies: string[] = [];
  for (const [name, number] of unit.compiled) {
    const { js, words } = new FunctionCompiler(unit, unit.functions.get(name)!).compile();
    names[number] = name;
    frameWords[number] = words;
    bodies.push(`code[${number}] = function ${name}(A, S, b) { ${js} };`);
  }
  const natives = [...unit.functions]
    .filter(([name]) => !unit.compiled.has(name))
    .map(([name, node]) =>
      node.type === 'FunctionDeclaration' ? unit.source(node) : `const ${name} = ${unit.source(node)};`,
    );
  const constants = unit.constants.map((one) => `const ${unit.source(one)};`);
  const wanted = [...unit.imported].filter((name) => name in seam);
  const js = `'use strict';
const { ${wanted.join(', ')} } = seam;
const code = [null];
${natives.join('\n')}
${constants.join('\n')}
const closures = [${unit.closures.join(', ')}];
${bodies.join('\n')}
return { code, freshGlobals: () => [${[...unit.globals.values()].join(', ')}] };`;
  const made = compileFunction(js, ['seam'])(seam) as Pick<Machine, 'code' | 'freshGlobals'>;
  const numberOf = new Map<string, number>();
  for (const [exported, local] of unit.exported) {
    const number = unit.compiled.get(local);
    if (number !== undefined) numberOf.set(exported, number);
  }
  return { ...made, names, frameWords, numberOf, globals: [...unit.globals.keys()] };
}

/** The same module run natively, over a seam that answers at once: for setting up and for `verify`. */
export function runNatively(text: string, seam: Readonly<Record<string, unknown>>): Record<string, any> {
  const { program } = parseSync('kernel.js', text) as unknown as { program: Node };
  let js = text;
  const exports: string[] = [];
  const imports: string[] = [];
  for (const node of [...program['body']].reverse() as Node[]) {
    if (node.type === 'ImportDeclaration') {
      imports.push(...node['specifiers'].map((one: Node) => one['local'].name));
    } else if (node.type === 'ExportNamedDeclaration') {
      exports.push(...node['specifiers'].map((one: Node) => `${one['exported'].name}: ${one['local'].name}`));
    } else continue;
    js = js.slice(0, node.start) + js.slice(node.end);
  }
  const wrapped = `'use strict'; const { ${imports.join(', ')} } = seam;\n${js}\nreturn { ${exports.join(', ')} };`;
  return compileFunction(wrapped, ['seam'])(seam) as Record<string, any>;
}
