/**
 * Values marked to be transferred. Each family of pools has symbols of its own, by which users write classes that are
 * movable too.
 */
import { types } from 'node:util';

export interface Symbols {
  /** Names the property with what is transferred. */
  readonly transferable: symbol;
  /** Names the property with what the receiver gets. */
  readonly value: symbol;
  readonly queueOptions: symbol;
}

type Marked = Record<symbol, unknown>;

const MOVABLE = Symbol.for('l3kernel.movable');

export const symbolsOf = (family: 'Tinypool' | 'Piscina'): Symbols => ({
  transferable: Symbol.for(`${family}.transferable`),
  value: Symbol.for(`${family}.valueOf`),
  queueOptions: Symbol.for(`${family}.queueOptions`),
});

export const isTransferable = (symbols: Symbols, value: unknown): value is Marked =>
  typeof value === 'object' && value !== null && symbols.transferable in value && symbols.value in value;

/** Marks a value; what is no object is given back as it is. */
export function markMovable(symbols: Symbols, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const isOwnKind = isTransferable(symbols, value);
  const transferred = types.isArrayBufferView(value) ? value.buffer : value;
  const marked: object = isOwnKind ? value : { [symbols.transferable]: transferred, [symbols.value]: value };
  Object.defineProperty(marked, MOVABLE, { value: true, configurable: true, writable: true });
  return marked;
}

/** A value as it is to be sent, and what of it is transferred. */
export interface Unpacked {
  readonly value: unknown;
  readonly transfers: readonly unknown[];
}

export function unpack(symbols: Symbols, value: unknown): Unpacked {
  if (!isTransferable(symbols, value) || value[MOVABLE] !== true) return { value, transfers: [] };
  return { value: value[symbols.value], transfers: [value[symbols.transferable]] };
}
