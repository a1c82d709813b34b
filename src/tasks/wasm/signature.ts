/**
 * Strings and bytes through numbers. The name of a function states what its parameters and its result mean, one letter
 * each, behind two underscores: `upper__s_s` takes a string and gives one, `put__sb` takes a string and bytes and gives
 * nothing, `name___s` takes nothing and gives a string. Callers use the name before the underscores.
 *
 *   s  a string in UTF-8        two i32 parameters, address and length; as a result the i32 address of such a pair
 *   b  bytes                    the same
 *   n  a number                 one parameter of type i32, f32 or f64
 *
 * Identifiers of every language can carry this; a custom section cannot be written in most. A name whose letters do not
 * fit its type is an ordinary name.
 */
import type { FunctionType, ValueType } from './shape.ts';

export type Letter = 's' | 'b' | 'n';

/** How a function of a module is called. */
export interface Signature {
  /** What callers call it. */
  readonly name: string;
  /** The name in the module. */
  readonly field: string;
  readonly type: FunctionType;
  /** Null: numbers only, by their own types. */
  readonly params: readonly Letter[] | null;
  /** Letter of the result; null for a plain number or nothing. */
  readonly result: Letter | null;
}

const TYPED = /^(.+?)__([sbn]*)(?:_([sbn]))?$/;
const NUMBERS: readonly ValueType[] = ['i32', 'f32', 'f64'];

export function signatureOf(field: string, type: FunctionType): Signature {
  const [, name, letters = '', result] = TYPED.exec(field) ?? [];
  const params = letters.split('') as Letter[];
  if (name !== undefined && fits(type, params, (result as Letter | undefined) ?? null)) {
    const isPlain = !params.some(isSpan) && (result === undefined || result === 'n');
    return isPlain
      ? { name, field, type, params: null, result: null }
      : { name, field, type, params, result: result === undefined || result === 'n' ? null : (result as Letter) };
  }
  return { name: field, field, type, params: null, result: null };
}

/** Whether a letter stands for a place in memory. */
export const isSpan = (letter: Letter): boolean => letter !== 'n';

function fits({ params, results }: FunctionType, letters: readonly Letter[], result: Letter | null): boolean {
  let at = 0;
  for (const letter of letters) {
    if (isSpan(letter) && (params[at++] !== 'i32' || params[at++] !== 'i32')) return false;
    if (!isSpan(letter) && !NUMBERS.includes(params[at++]!)) return false;
  }
  if (at !== params.length) return false;
  if (result === null) return results.length === 0;
  return results.length === 1 && (isSpan(result) ? results[0] === 'i32' : NUMBERS.includes(results[0]!));
}

/** Whether a function with these types can be called from outside its module at all. */
export const isCallable = ({ params, results }: FunctionType): boolean =>
  results.length <= 1 && !params.includes('other') && !results.includes('other');

/** Whether it can be called with message words: numbers of at most 64 bits that JavaScript keeps unboxed. */
export const isWords = ({ params, results }: FunctionType): boolean =>
  params.every((type) => NUMBERS.includes(type)) && results.every((type) => NUMBERS.includes(type));
