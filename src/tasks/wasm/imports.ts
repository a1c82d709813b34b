/**
 * What a module imports, found or refused: the kernel's functions, WASI when it was granted, functions and tasks of the
 * chief's `imports` and `host`, and memories and tables, which are made here with their bounds. Everything that is not
 * granted is named in one error before anything of the module has run.
 */
import { agent } from '../../user/agent.ts';
import { IpcError } from '../../rpc/ipc-error.ts';
import { isThenable, promiseToBlocked } from '../../rpc/serve.ts';
import type { SpawnOptions, Task } from '../../rpc/types.ts';
import { type Capability, isKernelImport, kernelImports } from './l3.ts';
import { enter, leave } from './guard.ts';
import { checkDepth, gone, isGone, type RawFunction, spend, UNLIMITED, wasmTasks, type WasmTask } from './record.ts';
import { type Bounds, type FunctionType, type Import, sameType, type Shape, typeText } from './shape.ts';
import { isSpan, isWords, type Signature, signatureOf } from './signature.ts';
import { bytesIn, makePair, takeBytes, takeString, viewOf } from './space.ts';
import { needRoom } from './room.ts';
import { backTo, blockerOf, type Outcome, resumed, type Stacks, suspend } from './stacks.ts';
import { OWN, RESUMED, TRY } from './stacks-stub.ts';
import { makeSlot, makeSwitch } from './switch.ts';
import { WASI_MODULE, wasiImports } from './wasi.ts';

export type Granted = Pick<SpawnOptions, 'imports' | 'host' | 'wasi'>;

/** Module name of the kernel's functions, and of those in `host`. */
const KERNEL_MODULE = 'l3';
const HOST_MODULE = 'host';

export type Found = RawFunction | WebAssembly.Memory | WebAssembly.Table;
type ImportObject = Record<string, Record<string, Found>>;

/**
 * Makes what the instance of `task` imports, in the order of the module. Throws ERR_IPC_SPAWN_FAILED with the list of
 * what was not granted.
 */
export function importsFor(
  task: WasmTask,
  shape: Shape,
  granted: Granted,
  bounds: Bounds,
  settle: () => void,
): Found[] {
  const found: Found[] = [];
  const missing: string[] = [];
  const kernel = kernelImports(task, capabilitiesOf(task, granted, settle));
  const wasi = (granted.wasi ?? 'none') === 'none' ? {} : wasiImports(task);
  // A name may be imported several times with several types: the first is made, the others must be like it.
  const types = new Map<string, FunctionType>();
  for (const wanted of shape.imports) {
    const { module, name, kind, type } = wanted;
    const first = types.get(`${module}\0${name}`);
    const isAgain = first !== undefined && module !== KERNEL_MODULE && (type === null || !sameType(first, type));
    if (type !== null) types.set(`${module}\0${name}`, type);
    const answer = isAgain
      ? 'it is imported with two types'
      : kind === 'function'
        ? functionFor(task, wanted, kernel, wasi, granted, settle)
        : regionFor(wanted, bounds);
    if (typeof answer === 'string') missing.push(`${module}.${name} (${answer})`);
    else found.push(answer);
  }
  if (missing.length === 0) return found;
  throw new IpcError('ERR_IPC_SPAWN_FAILED', `imports that were not granted: ${missing.join('; ')}`, {
    phase: 'spawn',
    task: task.target.name,
  });
}

const emptyObject = (): any => Object.create(null);

/** What is imported, as an instance takes it. */
export function byName({ imports }: Shape, found: readonly Found[]): ImportObject {
  const all = emptyObject() as ImportObject;
  imports.forEach(({ module, name }, i) => {
    (all[module] ??= emptyObject() as Record<string, Found>)[name] = found[i]!;
  });
  return all;
}

/**
 * The same for a module with numbered imports, whose functions are called through stubs that can suspend their stack.
 */
export function throughStubs(stacks: Stacks, stubs: WebAssembly.Module, found: readonly Found[]): ImportObject {
  const [tries, asks, named] = [emptyObject(), emptyObject(), emptyObject()] as Record<string, Found>[];
  const ask = resumed(stacks);
  found.forEach((one, i) => {
    if (typeof one === 'function') [tries![i], asks![i]] = [one, ask];
    else named![i] = one;
  });
  const own = { block: blockerOf(stacks), blocked: stacks.blocked };
  const made = new WebAssembly.Instance(stubs, { [TRY]: tries!, [RESUMED]: asks!, [OWN]: own } as WebAssembly.Imports);
  return { '': Object.assign(named!, made.exports) as Record<string, Found> };
}

/** The function for an import, or why there is none. */
function functionFor(
  task: WasmTask,
  { module, name, type }: Import,
  kernel: Record<string, RawFunction>,
  wasi: Record<string, RawFunction>,
  granted: Granted,
  settle: () => void,
): RawFunction | string {
  if (type === null) return 'a function of no known type';
  if (module === KERNEL_MODULE)
    return isKernelImport(name, type) ? kernel[name]! : `no kernel function ${typeText(type)}`;
  if (module === WASI_MODULE && Object.hasOwn(wasi, name)) return wasi[name]!;
  const signature = signatureOf(name, type);
  const source = grantOf(granted, module);
  if (source === null) return `a function ${typeText(type)}`;
  if (isTask(source)) return linkTo(task, source, signature, settle);
  const fn = Object.hasOwn(source, name)
    ? source[name]
    : Object.hasOwn(source, signature.name)
      ? source[signature.name]
      : null;
  if (typeof fn !== 'function') return `a function ${typeText(type)}`;
  if (type.params.includes('other') || type.results.includes('other') || type.results.length > 1) {
    return `no function ${typeText(type)} can cross the border`;
  }
  const what = `${module}.${signature.name}`;
  return callOut(task, reach(task, fn as RawFunction, null, what, signature), signature, what);
}

function grantOf({ imports, host }: Granted, module: string): Record<string, unknown> | Task | null {
  const source =
    imports !== undefined && Object.hasOwn(imports, module) ? imports[module] : module === HOST_MODULE ? host : null;
  return typeof source === 'object' && source !== null ? (source as Record<string, unknown> | Task) : null;
}

export const isTask = (value: unknown): value is Task =>
  typeof value === 'object' && value !== null && typeof (value as Task).id === 'number' && 'sync' in value;

/** A memory or table to import, bounded, or why there is none. */
function regionFor({ kind, limits }: Import, { pages, elements }: Bounds): Found | string {
  if (limits === null || (kind !== 'memory' && kind !== 'table')) return `a ${kind}`;
  const bound = kind === 'memory' ? pages : elements;
  const descriptor = { initial: limits.min, maximum: Math.min(limits.max ?? bound, bound) };
  if (kind === 'memory') return new WebAssembly.Memory(descriptor);
  return new WebAssembly.Table({ element: 'anyfunc', ...descriptor });
}

/** An import that is an export of another task. */
function linkTo(task: WasmTask, other: Task, wanted: Signature, settle: () => void): RawFunction | string {
  const to = wasmTasks.get(other.id);
  if (to === undefined) return linkAcross(task, other, wanted);
  const exported = to.signatures.find(({ name }) => name === wanted.name);
  if (exported === undefined) return `task '${other.name}' has no function '${wanted.name}'`;
  const fits =
    sameType(exported.type, wanted.type) &&
    String(exported.params) === String(wanted.params) &&
    exported.result === wanted.result;
  if (!fits)
    return `'${wanted.field}' ${typeText(wanted.type)} here, '${exported.field}' ${typeText(exported.type)} there`;
  if ([...wanted.type.params, ...wanted.type.results].includes('i64')) return 'no i64 goes between tasks';
  // Its thread is not the one that is on the stack: it calls as from JavaScript.
  return task.stacks === null ? linkWithin(task, to, exported, settle) : linkAcross(task, other, wanted);
}

/** The function of another task in another agent, or of another kind. */
function linkAcross(task: WasmTask, other: Task, wanted: Signature): RawFunction | string {
  if (!Object.hasOwn(other.sync as object, wanted.name)) {
    return `task '${other.name}' has no function '${wanted.name}'`;
  }
  return callOut(task, reachTask(task, other, wanted.name, wanted), wanted, `${other.name}.${wanted.name}`);
}

/** A function of another task, called by this one. On a stack of its own it waits, and not the agent. */
function reachTask(task: WasmTask, other: Task, name: string, signature: Signature | null): RawFunction {
  const [here, later] = [other.sync, other.async] as Record<string, RawFunction>[];
  return reach(task, here![name]!, later![name]!, `${other.name}.${name}`, signature);
}

function linkWithin(task: WasmTask, to: WasmTask, signature: Signature, settle: () => void): RawFunction {
  const slot = makeSlot(signature.type.params.length, () => makeSwitch({ from: task, to, signature }, settle));
  to.slots.add(slot);
  task.links.push({ to, slot });
  return slot.call;
}

/** The tasks among the grants, as `l3.task` names them. */
function capabilitiesOf(task: WasmTask, { imports = {} }: Granted, settle: () => void): Capability[] {
  return Object.entries(imports)
    .filter(([, value]) => isTask(value))
    .map(([name, value]) => ({ name, methods: methodsOf(task, value as Task, settle) }));
}

function methodsOf(task: WasmTask, other: Task, settle: () => void): Capability['methods'] {
  const to = wasmTasks.get(other.id);
  if (to !== undefined && task.stacks === null) {
    return to.signatures
      .filter(({ type, params, result }) => isWords(type) && params === null && result === null)
      .map((signature) => {
        const { name, type } = signature;
        return { name, arity: type.params.length, call: linkWithin(task, to, signature, settle) };
      });
  }
  return Object.keys(other.sync as object).map((name) => ({
    name,
    arity: undefined,
    call: reachTask(task, other, name, null),
  }));
}

/**
 * A call of a JavaScript function by a wasm task. A function of the chief runs as an upcall, on the chief's thread; the
 * stubs of another task, `fn` and `later`, call as the task itself. What the function throws goes through the task's
 * frames. A promise is given as it is on a stack that can wait for it, and refused elsewhere.
 *
 * A dead task may go on in its frames, and its next instance has the same record: `born` tells the two apart.
 */
function reach(
  task: WasmTask,
  fn: RawFunction,
  later: RawFunction | null,
  what: string,
  signature: Signature | null,
): RawFunction {
  const { id: born, stacks } = task;
  const isCounted = task.bounds.messages !== UNLIMITED;
  return (...words: unknown[]) => {
    if (isGone(task) || task.id !== born) throw gone(task, what);
    const isInside = leave();
    const thread = stacks === null ? null : stacks.current;
    const pointer = stacks?.pointer?.value;
    const outer = agent.current;
    agent.current = later === null ? agent.caller : thread === null ? task.tcb : thread.tcb;
    let result: unknown;
    try {
      needRoom();
      if (isCounted) spend(task);
      checkDepth(task);
      const args = signature?.params == null ? words : valuesOf(task, signature, words as number[]);
      result = (later !== null && thread !== null ? later : fn)(...args);
    } finally {
      agent.current = outer;
      if (stacks !== null) backTo(stacks, thread, pointer);
      if (isInside) enter();
    }
    if (isThenable(result) && thread === null) throw promiseToBlocked(result);
    if (isGone(task) || task.id !== born) throw gone(task, what);
    return result;
  };
}

/** The import that calls what `reach` gives: values of the task's in, a value of the import's type out. */
function callOut(task: WasmTask, call: RawFunction, signature: Signature, what: string): RawFunction {
  const { stacks } = task;
  const zero = signature.type.results[0] === 'i64' ? 0n : 0;
  return (...words: unknown[]) => {
    const result: unknown = call(...words);
    if (!isThenable(result)) return resultOf(task, signature, result, what);
    const finish = ({ failed, value }: Outcome): unknown => {
      if (failed) throw value;
      return resultOf(task, signature, value, what);
    };
    return suspend(stacks!, result, finish, zero);
  };
}

function valuesOf({ space }: WasmTask, { params }: Signature, words: readonly number[]): unknown[] {
  let at = 0;
  return params!.map((letter) => {
    if (!isSpan(letter)) return words[at++];
    const address = words[at++]!;
    const length = words[at++]!;
    return letter === 's' ? takeString(space, address, length) : takeBytes(space, address, length);
  });
}

function resultOf({ space }: WasmTask, { type, result: letter }: Signature, result: unknown, what: string): unknown {
  if (type.results.length === 0) return undefined;
  if (letter === 's' && typeof result === 'string') {
    const length = bytesIn(result);
    const pair = makePair(space, length);
    viewOf(space).write(result, pair + 8, length);
    return pair;
  }
  if (letter === 'b' && result instanceof Uint8Array) {
    const { length } = result;
    const pair = makePair(space, length);
    viewOf(space).set(result.subarray(0, length), pair + 8);
    return pair;
  }
  const isFine = letter === null && typeof result === (type.results[0] === 'i64' ? 'bigint' : 'number');
  if (isFine) return result;
  const wanted = letter === 's' ? 'a string' : letter === 'b' ? 'a Uint8Array' : `a value of type ${type.results[0]}`;
  throw new TypeError(`${what}: it must give ${wanted}, and gave ${result === null ? 'null' : typeof result}`);
}
