/**
 * The direct switch (paper 5.3.5) into a wasm task of this agent: from JavaScript, or from another wasm task through
 * one of its imports. The message is the parameters; the callee is a passive thread and runs on the caller's stack. No
 * atomic operation is on the way, for only this agent changes the states of the threads that it multiplexes.
 *
 * A switch checks that the caller runs (and was not ended further up on this stack), that the callee's thread is the
 * one meant, generation and all, that it is open (not dead, and not in an activation already: re-entry is a deadlock),
 * that no clan border is between them, and how deep the stack is. After the call it looks whether one of the two was
 * ended meanwhile. Whatever leaves the callee as an exception, a trap or the agent's own stack overflow, is the fault
 * of the callee and its end.
 *
 * Each switch is compiled from a text of its own in which all addresses and ids are literals: with them in variables
 * the same checks cost twice as much, and a function shared by all switches forgets whom it usually calls. Nothing but
 * numbers of ours goes into a text.
 *
 * The stack may be nearly used up at any point, so that any call can throw. What must happen in every case is
 * therefore written as plain stores, here in the text, before anything is called.
 */
import { compileFunction } from 'node:vm';
import { peek } from '#atomics';
import { ANY_INDEX, UPCALL_DEPTH_MAX } from '../../layout/params.ts';
import {
  homeWaiting,
  running,
  STATE_GENERATION,
  type Tcb,
  TCB_CHIEF,
  TCB_ID,
  TCB_PENDING,
  TCB_SENDER,
  TCB_SENT,
  TCB_STATE,
  TCB_TASK,
} from '../../layout/tcb.ts';
import { words } from '../../platform/memory.ts';
import { agent } from '../../user/agent.ts';
import { sameClan } from '../../kernel/clan.ts';
import { dispatch, hasBody } from '../../kernel/dispatch.ts';
import { checkThread } from '../../kernel/ipc-slow.ts';
import { DEADLOCK, DENIED, NEVER, OK } from '../../layout/message.ts';
import { failure } from '../../rpc/failure.ts';
import { IpcError } from '../../rpc/ipc-error.ts';
import { copyBetween } from './copier.ts';
import { guardedFunction } from './guard.ts';
import { gone, isGone, isOpen, type RawFunction, spend, UNLIMITED, type Slot, stack, type WasmTask } from './record.ts';
import { isSpan, type Signature } from './signature.ts';
import {
  allocate,
  bytesIn,
  checkPair,
  checkSpan,
  makePair,
  pairAddress,
  pairLength,
  putBytes,
  putString,
  type Space,
  takeBytes,
  takeString,
} from './space.ts';

/** The two sides of a switch. `from` is null for JavaScript, which calls as whatever thread is current. */
export interface Sides {
  readonly from: WasmTask | null;
  readonly to: WasmTask;
  readonly signature: Signature;
}

/** Ends what is dying; called whenever the stack is free of activations. */
type Settle = () => void;

/** Pieces of the text: what the caller passes, checks of that, and the way to the callee and back. */
interface Pieces {
  readonly params: readonly string[];
  readonly before: string;
  readonly call: string;
  readonly after: string;
}

/** Makes a switch. Both tasks are alive. */
export function makeSwitch(sides: Sides, settle: Settle): RawFunction {
  const { from, to, signature } = sides;
  const target = to.exports?.[signature.field];
  if (target === undefined) return () => refuse(from, to, signature, settle);
  const { params, before, call, after } = from === null ? fromJavaScript(signature) : fromWasm(signature);
  const self = from === null ? 'self' : String(from.tcb);
  const at = (field: number): string => (from === null ? `self + ${field}` : String(from.tcb + field));
  const me = from === null ? 'me' : String(from.id);
  // JavaScript may call on behalf of a thread that waits, in an upcall of the one it waits for.
  const runs = from === null ? 'words[self]' : String(running(from.id));
  const waits =
    from === null ? `${homeWaiting(0, to.id)} | (me & ${STATE_GENERATION})` : String(homeWaiting(from.id, to.id));
  const { tcb } = to;
  const spends = from !== null && from.bounds.messages !== UNLIMITED;
  const depthMax = from === null ? UPCALL_DEPTH_MAX : from.bounds.depth;
  // A passive activation among threads with stacks of their own is on none of them.
  const hasStacks = to.stacks !== null;
  const full = hasStacks ? '|| stacks.active >= stacks.limit' : '';
  const text = `
    return (${params.join(', ')}) => {
      ${before}
      ${spends ? 'spend(from);' : ''}
      ${from === null ? `const self = agent.current; const me = words[self + ${TCB_ID}];` : ''}
      const runs = ${runs};
      const waits = ${waits};
      if (words[${tcb + TCB_ID}] !== ${to.id} || words[${tcb + TCB_STATE}] !== ${homeWaiting(to.id, ANY_INDEX)}
        ${from === null ? '' : `|| words[${self}] !== runs`} ${full}) {
        ${from === null ? `if (!makeWay() ${full})` : ''} return refuse();
      }
      const chief = words[${tcb + TCB_CHIEF}];
      const own = words[${at(TCB_CHIEF)}];
      if (chief !== own && chief !== words[${at(TCB_TASK)}] && own !== words[${tcb + TCB_TASK}]) return refuse();
      const depth = stack.depth;
      if (depth >= ${depthMax}) return refuse();
      stack.depth = depth + 1;
      ${hasStacks ? 'stacks.inside++; const thread = stacks.current; const pointer = stacks.pointer?.value; stacks.current = null;' : ''}
      words[${self}] = waits;
      words[${tcb + TCB_STATE}] = ${running(to.id)};
      words[${tcb + TCB_SENDER}] = ${me};
      words[${at(TCB_SENT)}] = (words[${at(TCB_SENT)}] + 1) | 0;
      let result;
      try {
        ${call}
      } catch (error) {
        stack.depth = depth;
        ${hasStacks ? back : ''}
        stack.dying = true;
        to.faulted = true;
        to.fault = error;
        if (words[${self}] === waits) words[${self}] = runs;
        throw ended();
      }
      stack.depth = depth;
      ${hasStacks ? back : ''}
      if (words[${tcb + TCB_STATE}] !== ${running(to.id)} || words[${self}] !== waits) {
        if (words[${tcb + TCB_STATE}] === ${running(to.id)}) words[${tcb + TCB_STATE}] = ${homeWaiting(to.id, ANY_INDEX)};
        if (words[${self}] === waits) words[${self}] = runs;
        throw ended();
      }
      words[${tcb + TCB_STATE}] = ${homeWaiting(to.id, ANY_INDEX)};
      words[${self}] = runs;
      ${from === null ? 'if (depth === 0 && stack.dying) settle();' : ''}
      ${after}
      return result;
    };`;
  const bound = { ...HELPERS, ...boundOf(sides, target, settle), settle };
  return (compileFunction(text, Object.keys(bound)) as RawFunction)(...Object.values(bound)) as RawFunction;
}

const back = 'stacks.inside--; stacks.current = thread; if (stacks.pointer !== null) stacks.pointer.value = pointer;';

const HELPERS = {
  words,
  agent,
  stack,
  bytesIn,
  putString,
  putBytes,
  takeString,
  takeBytes,
  checkSpan,
  checkPair,
  pairAddress,
  pairLength,
  allocate,
  copyBetween,
  bringPair,
  badArgument,
  spend,
};

const boundOf = ({ from, to, signature }: Sides, f: RawFunction, settle: Settle): Record<string, unknown> => ({
  f: to.bounds.time_ms === 0 ? f : guardedFunction(to, to.bounds.time_ms, f),
  from,
  to,
  stacks: to.stacks,
  space: to.space,
  mine: from?.space,
  signature,
  name: to.target.name,
  refuse: () => refuse(from, to, signature, settle),
  makeWay: () => makeWay(to),
  ended: () => {
    // The caller's own end takes it off the stack as well. The error is made before a restart forgets the fault.
    const error = gone(from !== null && isGone(from) ? from : to, signature.name);
    settle();
    return error;
  },
});

/**
 * Serves the call of another agent that the callee has taken and not begun, which would else look as if it were being
 * called. True: it is open now.
 */
function makeWay({ tcb, id }: WasmTask): boolean {
  const open = homeWaiting(id, ANY_INDEX);
  const isPending = peek(tcb + TCB_STATE) === running(id) && peek(tcb + TCB_PENDING) !== 0;
  // A generator thread that calls is in the midst of a dispatch.
  if (isPending && stack.depth === 0 && !hasBody(agent.current)) dispatch(agent.processor, 0);
  return peek(tcb + TCB_ID) === id && peek(tcb + TCB_STATE) === open;
}

/** Says why a switch did not begin, by the checks of any ipc. */
function refuse(from: WasmTask | null, to: WasmTask, { name }: Signature, settle: Settle): never {
  settle();
  if (from !== null && isGone(from)) throw gone(from, name);
  if (isGone(to)) throw gone(to, name);
  const self: Tcb = from === null ? agent.current : from.tcb;
  const known = checkThread(to.id);
  const { target } = to;
  const calling = { task: target.name, taskId: to.taskId, method: name, timeout_ms: NEVER, began_ms: NEVER };
  if (known !== OK) throw failure(known, calling);
  if (!sameClan(self, to.tcb)) throw failure(DENIED, calling);
  const { stacks } = to;
  const isFull = stacks !== null && stacks.active >= stacks.limit;
  if (isFull || !isOpen(to)) throw failure(DEADLOCK, calling);
  const text = `${target.name}.${name}(): ${stack.depth} activations on the stack, and there may be no more`;
  throw new IpcError('ERR_IPC_LIMIT', text, { task: target.name, method: name });
}

/** Numbers as JavaScript's own interface converts them; what is none is refused before anything is called. */
function fromJavaScript({ type, params, result }: Signature): Pieces {
  const names = (params ?? type.params).map((_, i) => `p${i}`);
  const checks: string[] = [];
  const places: string[] = [];
  const args: string[] = [];
  (params ?? type.params).forEach((kind, i) => {
    const p = `p${i}`;
    if (kind === 's' || kind === 'b') {
      const check = kind === 's' ? `typeof ${p} !== 'string'` : `!(${p} instanceof Uint8Array)`;
      checks.push(`if (${check}) throw badArgument(name, signature, ${i}, ${p});`);
      checks.push(`const l${i} = ${kind === 's' ? `bytesIn(${p})` : `${p}.length`};`);
      places.push(`const t${i} = ${kind === 's' ? 'putString' : 'putBytes'}(space, ${p}, l${i});`);
      args.push(`t${i}`, `l${i}`);
    } else {
      const wanted = kind === 'i64' ? 'bigint' : 'number';
      checks.push(`if (typeof ${p} !== '${wanted}') throw badArgument(name, signature, ${i}, ${p});`);
      args.push(p);
    }
  });
  const call = `result = f(${args.join(', ')});`;
  const take =
    result === null
      ? ''
      : `checkPair(space, result); result = ${result === 's' ? 'takeString' : 'takeBytes'}(
    space, pairAddress(space, result), pairLength(space, result));`;
  return { params: names, before: checks.join('\n'), call: [...places, call, take].join('\n'), after: '' };
}

/** Between two spaces the types of both sides are the same; strings are copied from one to the other. */
function fromWasm({ type, params, result }: Signature): Pieces {
  const names = type.params.map((_, i) => `p${i}`);
  const checks: string[] = [];
  const places: string[] = [];
  const args: string[] = [];
  let at = 0;
  for (const letter of params ?? type.params.map(() => 'n' as const)) {
    if (!isSpan(letter)) {
      args.push(`p${at++}`);
      continue;
    }
    const [address, length] = [`p${at++}`, `p${at++}`];
    checks.push(`checkSpan(mine, ${address}, ${length});`);
    places.push(`const t${at} = allocate(space, ${length}); copyBetween(space, t${at}, mine, ${address}, ${length});`);
    args.push(`t${at}`, length);
  }
  const call = `result = f(${args.join(', ')});`;
  const check = result === null ? '' : 'checkPair(space, result);';
  const after = result === null ? '' : 'result = bringPair(space, result, mine);';
  return { params: names, before: checks.join('\n'), call: [...places, call, check].join('\n'), after };
}

/** Copies a result from its space into the caller's; gives the address of the pair there. */
function bringPair(from: Space, pair: number, to: Space): number {
  const length = pairLength(from, pair);
  const copy = makePair(to, length);
  // The receiver's allocator is code of the receiver: what the pair says now is what is copied.
  checkPair(from, pair);
  if (pairLength(from, pair) !== length) throw new RangeError('the result changed while it was received');
  copyBetween(to, copy + 8, from, pairAddress(from, pair), length);
  return copy;
}

/** Checks arguments as a switch from JavaScript does. */
export function checkArguments(task: string, signature: Signature, args: readonly unknown[]): void {
  (signature.params ?? signature.type.params).forEach((kind, i) => {
    const value = args[i];
    const isFine =
      kind === 's'
        ? typeof value === 'string'
        : kind === 'b'
          ? value instanceof Uint8Array
          : typeof value === (kind === 'i64' ? 'bigint' : 'number');
    if (!isFine) throw badArgument(task, signature, i, value);
  });
}

/** Puts arguments that have been checked into a space, as a switch does; gives the parameters of the function. */
export function putArguments(space: Space, { params, type }: Signature, args: readonly unknown[]): unknown[] {
  return (params ?? type.params).flatMap((kind, i) => {
    const value = args[i];
    if (kind !== 's' && kind !== 'b') return [value];
    const length = kind === 's' ? bytesIn(value as string) : (value as Uint8Array).length;
    const put = kind === 's' ? putString : putBytes;
    return [put(space, value as never, length), length];
  });
}

const MEANING = { s: 'a string', b: 'a Uint8Array', i64: 'a bigint' } as const;

export function badArgument(task: string, { name, type, params }: Signature, index: number, value: unknown): TypeError {
  const kind = (params ?? type.params)[index]!;
  const wanted = Object.hasOwn(MEANING, kind) ? MEANING[kind as keyof typeof MEANING] : 'a number';
  const found = value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value;
  return new TypeError(`${task}.${name}(): argument ${index + 1} must be ${wanted}, not ${found}`);
}

/**
 * A function to hold: it makes its switch at its first call. The indirection is compiled for each slot too, so that it
 * is no more than a jump.
 */
export function makeSlot(arity: number, make: () => RawFunction): Slot {
  const params = Array.from({ length: arity }, (_, i) => `p${i}`).join(', ');
  const text = `
    const first = (${params}) => { go = make(); return go(${params}); };
    let go = first;
    return { call: (${params}) => go(${params}), reset: () => { go = first; } };`;
  return (compileFunction(text, ['make']) as (make: () => RawFunction) => Slot)(make);
}
