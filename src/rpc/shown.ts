/** A wrong value as an error message names it: short, and a text can be told from a number. */

const TEXT_MAX = 96;

export function shown(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return `'${value.length > TEXT_MAX ? `${value.slice(0, TEXT_MAX)}…` : value}'`;
    case 'function':
      return 'a function';
    case 'bigint':
      return `${value}n`;
    case 'object':
      return value === null ? 'null' : Array.isArray(value) ? 'an array' : 'an object';
    default:
      return String(value);
  }
}
