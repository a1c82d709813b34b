/**
 * What a host knows of a value in the worker's module without having it.
 */

export type Information =
  | { readonly type: 'function' }
  | { readonly type: 'primitive'; readonly value: unknown }
  | {
      readonly type: 'object';
      readonly hasNullPrototype: boolean;
      /** Each with its value when that is a primitive one and no getter makes it. */
      readonly properties: ReadonlyMap<string, Information | undefined>;
    }
  | { readonly type: 'unknown' };

/** Names of properties from the module inwards. */
export type Path = readonly string[];

const isPrimitive = (value: unknown): boolean =>
  value === null || ['undefined', 'boolean', 'number', 'bigint', 'string'].includes(typeof value);

function ofProperty(object: object, name: string): Information | undefined {
  const value: unknown = Object.getOwnPropertyDescriptor(object, name)?.value;
  const isValue = Object.hasOwn(Object.getOwnPropertyDescriptor(object, name) ?? {}, 'value');
  return isValue && isPrimitive(value) ? { type: 'primitive', value } : undefined;
}

export function informationOf(value: unknown): Information {
  if (typeof value === 'function') return { type: 'function' };
  if (isPrimitive(value)) return { type: 'primitive', value };
  if (typeof value !== 'object' || value === null) return { type: 'unknown' };
  const hasNullPrototype = Object.getPrototypeOf(value) === null;
  if (!hasNullPrototype && value.constructor !== Object) return { type: 'unknown' };
  const properties = new Map(Object.keys(value).map((name) => [name, ofProperty(value, name)]));
  return { type: 'object', hasNullPrototype, properties };
}
