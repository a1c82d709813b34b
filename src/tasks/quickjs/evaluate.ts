/** The first activation of a sandbox: its globals are made, its module runs, and its exports are found. */
import { Ended, runJobs } from './activate.ts';
import { placesOf } from './engine.ts';
import { HOST_FIRST, isSettled, PRINT, resultBox, thrown } from './guest.ts';
import type { Script } from './script.ts';
import { makeFunction } from './put.ts';
import { lengthOf } from './take.ts';
import { callBoxes } from './tape.ts';
import { freeBox, isException, newString, readString, type Vm, writeText } from './vm.ts';

/** QuickJS's JS_EVAL_TYPE_MODULE: the result is a promise of the namespace. */
const EVAL_MODULE = 1;
const EXPORTS_MAX = 4096;

export function evaluate(script: Script, vm: Vm, method: string, hostNames: readonly string[]): void {
  makeGlobals(vm, hostNames);
  const { text, name } = script.source;
  const [code, length] = writeText(vm, text);
  const [file] = writeText(vm, name);
  const promise = vm.raw.qjs_eval(code, length, file, EVAL_MODULE);
  vm.raw.wasm_free(code);
  vm.raw.wasm_free(file);
  if (isException(vm, promise)) throw thrown(script, vm, method);
  runJobs(script, vm);
  if (!isSettled(vm, promise)) {
    throw new Ended(new Error('the module awaits at its top level what has not settled: a promise of the host cannot'));
  }
  const namespace = resultBox(script, vm, method, promise);
  findExports(script, vm, namespace);
  freeBox(vm, namespace);
}

function makeGlobals(vm: Vm, hostNames: readonly string[]): void {
  const { functions } = placesOf();
  const print = makeFunction(vm, PRINT);
  makeGlobal(vm, 'console', callBoxes(vm, functions.makeConsole, [print]));
  const tape = callBoxes(vm, functions.newTape, []);
  hostNames.forEach((name, index) => {
    const text = newString(vm, name);
    const fn = makeFunction(vm, HOST_FIRST + index);
    vm.raw.qjs_set_prop_uint32(tape, 2 * index, text);
    vm.raw.qjs_set_prop_uint32(tape, 2 * index + 1, fn);
    freeBox(vm, text);
    freeBox(vm, fn);
  });
  makeGlobal(vm, 'host', callBoxes(vm, functions.makeHost, [tape]));
  freeBox(vm, print);
  freeBox(vm, tape);
}

function makeGlobal(vm: Vm, name: string, value: number): void {
  const text = newString(vm, name);
  freeBox(vm, callBoxes(vm, placesOf().functions.makeGlobal, [text, value]));
  freeBox(vm, text);
  freeBox(vm, value);
}

function findExports(script: Script, vm: Vm, namespace: number): void {
  const list = callBoxes(vm, placesOf().functions.exportsOf, [namespace]);
  const length = lengthOf(vm, list);
  if (length > 2 * EXPORTS_MAX) throw new Ended(new RangeError(`it exports more than ${EXPORTS_MAX} functions`));
  for (let index = 0; index < length; index += 2) {
    const name = vm.raw.qjs_get_prop_uint32(list, index);
    script.functions.set(readString(vm, name, placesOf().out)!, vm.raw.qjs_get_prop_uint32(list, index + 1));
    freeBox(vm, name);
  }
  freeBox(vm, list);
}
