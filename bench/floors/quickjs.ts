/**
 * What a sandbox costs by hand: the same engine, QuickJS-ng, through quickjs-emscripten, with the calls that its
 * documents show: handles made, passed and freed, an interrupt handler set, no values but numbers.
 */
import variant from '@jitl/quickjs-ng-wasmfile-release-sync';
import {
  newQuickJSWASMModuleFromVariant,
  type QuickJSContext,
  type QuickJSHandle,
  type QuickJSSyncVariant,
} from 'quickjs-emscripten-core';
import { timed } from '../harness/interleave.ts';
import type { Side } from '../harness/interleave.ts';

/** What both sides run. */
export const MODULE = `export const add = (a, b) => a + b;
export const loop = (count) => { let sum = 0; for (let i = 0; i < count; i++) sum = host.add(sum, 1); return sum; };`;
const BARE = `globalThis.add = (a, b) => a + b;
globalThis.loop = (count) => { let sum = 0; for (let i = 0; i < count; i++) sum = host.add(sum, 1); return sum; };`;

const engine = await newQuickJSWASMModuleFromVariant(variant as unknown as QuickJSSyncVariant);

interface ByHand {
  readonly context: QuickJSContext;
  readonly add: QuickJSHandle;
  readonly loop: QuickJSHandle;
  dispose(): void;
}

function make(): ByHand {
  const runtime = engine.newRuntime();
  runtime.setMemoryLimit(64 * 1024 * 1024);
  runtime.setMaxStackSize(256 * 1024);
  runtime.setInterruptHandler(() => false);
  const context = runtime.newContext();
  const host = context.newObject();
  const fn = context.newFunction('add', (a, b) => context.newNumber(context.getNumber(a) + context.getNumber(b)));
  context.setProp(host, 'add', fn);
  context.setProp(context.global, 'host', host);
  for (const handle of [fn, host]) handle.dispose();
  context.unwrapResult(context.evalCode(BARE)).dispose();
  const add = context.getProp(context.global, 'add');
  const loop = context.getProp(context.global, 'loop');
  const dispose = (): void => {
    for (const handle of [add, loop, context, runtime]) handle.dispose();
  };
  return { context, add, loop, dispose };
}

/** A function of the guest's called with two numbers, and its result. */
export function callFloor(): Side {
  const { context, add } = make();
  return timed((count) => {
    for (let round = 0; round < count; round++) {
      const a = context.newNumber(round);
      const b = context.newNumber(2);
      const result = context.unwrapResult(context.callFunction(add, context.undefined, a, b));
      context.getNumber(result);
      for (const handle of [result, a, b]) handle.dispose();
    }
  });
}

/** A function of the host's called by the guest. */
export function hostFloor(): Side {
  const { context, loop } = make();
  return timed((count) => {
    const n = context.newNumber(count);
    context.unwrapResult(context.callFunction(loop, context.undefined, n)).dispose();
    n.dispose();
  });
}

/** A runtime and a context, the same text run in it, and both freed. */
export function freshFloor(): Side {
  return timed((count) => {
    for (let round = 0; round < count; round++) make().dispose();
  });
}
