/**
 * The stubs between a module and its imports, for threads with stacks of their own: a module of wasm, made for the
 * types of what is imported, so that nothing but frames of wasm lies between the task and the function that suspends
 * it. Each stub calls the plain function; if that says by a global that it must block, the stub blocks and then asks
 * for the result. To suspend costs some hundred nanoseconds, and a call that need not only a load more.
 *
 *   (func $stub (param …) (result …)
 *     local.get…  call $try
 *     if (global.get $blocked)  drop  (call $resumed (call $block))  end)
 *
 * A module names its imports, and one name may stand for several types: `numbered` renames each to its number.
 */
import type { FunctionType, Import, ValueType } from './shape.ts';

/** Names in the stub module: the plain functions, those that ask for the result, the global, the one that blocks. */
export const TRY = 't';
export const RESUMED = 'r';
export const OWN = 'k';

const CODES: Record<Exclude<ValueType, 'other'>, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c };
const codesOf = (types: readonly ValueType[]): number[] => types.map((type) => CODES[type as 'i32']);

/** Bytes of the module whose export `i` stands for import `i`; null for those that are no functions. */
export function stubModule(types: readonly (FunctionType | null)[]): Uint8Array<ArrayBuffer> {
  const functions = types.flatMap((type, i) => (type === null ? [] : [{ type, i }]));
  const count = functions.length;
  // Type 0 is the blocker's; then two a function: its own, and (i32) -> its results.
  const typeSection = [...number(1 + 2 * count), 0x60, 0, 1, 0x7f];
  const importSection = [...number(2 + 2 * count), ...name(OWN), ...name('block'), 0, 0];
  importSection.push(...name(OWN), ...name('blocked'), 3, 0x7f, 1);
  const functionSection = number(count);
  const exportSection = number(count);
  const codeSection = number(count);
  functions.forEach(({ type, i }, at) => {
    const results = vector(codesOf(type.results));
    typeSection.push(0x60, ...vector(codesOf(type.params)), ...results, 0x60, 1, 0x7f, ...results);
    importSection.push(...name(TRY), ...name(String(i)), 0, ...number(1 + 2 * at));
    importSection.push(...name(RESUMED), ...name(String(i)), 0, ...number(2 + 2 * at));
    functionSection.push(...number(1 + 2 * at));
    exportSection.push(...name(String(i)), 0, ...number(1 + 2 * count + at));
    codeSection.push(...sized(bodyOf(type, 1 + 2 * at)));
  });
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, typeSection),
    ...section(2, importSection),
    ...section(3, functionSection),
    ...section(7, exportSection),
    ...section(10, codeSection),
  ]);
}

/** `plain` is the index of the plain function; the one that asks follows it. */
function bodyOf({ params, results }: FunctionType, plain: number): number[] {
  const hasResult = results.length === 1;
  const result = number(params.length);
  const body = hasResult ? [1, 1, ...codesOf(results)] : [0];
  params.forEach((_, i) => body.push(0x20, ...number(i)));
  body.push(0x10, ...number(plain));
  if (hasResult) body.push(0x21, ...result);
  // global.get blocked; if; call block; call resumed; end
  body.push(0x23, 0, 0x04, 0x40, 0x10, 0, 0x10, ...number(plain + 1));
  if (hasResult) body.push(0x21, ...result);
  body.push(0x0b);
  if (hasResult) body.push(0x20, ...result);
  body.push(0x0b);
  return body;
}

/** The section of imports with each named by its number. */
export function numbered(bytes: Uint8Array, imports: readonly Import[]): number[] {
  const body = number(imports.length);
  imports.forEach(({ from, end }, i) => body.push(...name(''), ...name(String(i)), ...bytes.subarray(from, end)));
  return section(2, body);
}

const section = (id: number, content: readonly number[]): number[] => [id, ...sized(content)];
const sized = (content: readonly number[]): number[] => [...number(content.length), ...content];
const vector = sized;
/** Names here are ASCII. */
const name = (text: string): number[] => sized(Array.from(text, (letter) => letter.charCodeAt(0)));

/** Unsigned LEB128. */
function number(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 128; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  bytes.push(value);
  return bytes;
}
