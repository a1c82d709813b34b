/**
 * A module as a user writes it: the exports that the type tests call through stubs. Only its type is used.
 */

export const version = '1.0.0';
export const table: Record<string, number> = {};

export class Adder {
  sum = 0;
}

export abstract class Shape {
  abstract area(): number;
}

export interface Options {
  importer?: (url: string) => string;
  level: number;
}

export function add(a: number, b: number): number {
  return a + b;
}

export async function slow(ms: number): Promise<string> {
  return `${ms}`;
}

export function perhaps(flag: boolean): number | Promise<number> {
  return flag ? 1 : Promise.resolve(1);
}

export function greet(name: string, greeting?: string, ...rest: number[]): string {
  return `${greeting} ${name} ${rest.length}`;
}

export function identity<T>(x: T): T {
  return x;
}

export async function identityAsync<T>(x: T): Promise<T> {
  return x;
}

export function perhapsIdentity<T>(x: T): T | Promise<T> {
  return x;
}

export function first<T>(xs: readonly T[]): T | undefined {
  return xs[0];
}

export function wrap<T>(x: T): T[] {
  return [x];
}

export function pair<A, B>(a: A, b: B): [A, B] {
  return [a, b];
}

export function pick<T, K extends keyof T>(object: T, key: K): T[K] {
  return object[key];
}

export function map<T, U>(xs: T[], f: (x: T) => U): U[] {
  return xs.map(f);
}

export function count<T>(xs: T[], accept: (x: T) => boolean): number {
  return xs.filter(accept).length;
}

export function box<T>(x: T): { value: T } {
  return { value: x };
}

export function named<T extends { name: string }>(x: T): T {
  return x;
}

export function literal<T extends string>(x: T): T {
  return x;
}

export function largest<T>(...xs: T[]): T {
  return xs[0]!;
}

export function all<T extends any[]>(...xs: T): T {
  return xs;
}

export async function filterAsync<T>(xs: T[], accept: (x: T) => Promise<boolean>): Promise<T[]> {
  return (await accept(xs[0]!)) ? xs : [];
}

export async function load<T>(key: string): Promise<T> {
  return JSON.parse(key) as T;
}

export function list<T>(key: string): T[] {
  return JSON.parse(key) as T[];
}

export function format(x: string): string;
export function format(x: number, digits: number): number;
export function format(x: any): any {
  return x;
}

export function fetchOne(key: string): Promise<string>;
export function fetchOne(key: number): number;
export function fetchOne(key: any): any {
  return key;
}

export function isText(x: unknown): x is string {
  return typeof x === 'string';
}

export function area(this: { scale: number }, side: number): number {
  return side * this.scale;
}

export function visit(directory: string, accept: (file: string) => boolean): number {
  return directory.length + Number(accept(directory));
}

export async function visitAsync(directory: string, accept: (file: string) => Promise<boolean>): Promise<number> {
  return directory.length + Number(await accept(directory));
}

export function each(f: (x: number) => void): void {
  f(1);
}

export function compile(source: string, options?: Options): string {
  return source + options?.level;
}

export function parse(text: string): unknown {
  return text;
}

export function anything(x: any): any {
  return x;
}

export function bytes(x: Uint8Array, at: Date, m: Map<string, number>): Uint8Array {
  return x.subarray(at.getTime(), m.size);
}

export function fail(): never {
  throw new Error('fail');
}

export const arrow = (x: bigint): bigint => x;

export default function main(x: 1 | 2): boolean {
  return x === 1;
}

export function* rows(count: number): Generator<{ id: number }, string, boolean | undefined> {
  const more = yield { id: count };
  return `${more}`;
}

export async function* rowsLater(count: number): AsyncGenerator<number, void> {
  yield count;
}

export function* promised(): Generator<Promise<string>> {
  yield Promise.resolve('x');
}

export function* iterable(): Iterable<number> {
  yield 1;
}

export function* iterableIterator(): IterableIterator<number> {
  yield 1;
}

export async function* asyncIterable(): AsyncIterable<number> {
  yield 1;
}

export function* each2<T>(xs: readonly T[]): Generator<T> {
  yield* xs;
}

export function array(): readonly number[] {
  return [];
}

export function map2(): Map<string, number> {
  return new Map();
}
