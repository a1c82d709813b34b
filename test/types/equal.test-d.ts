/**
 * The assertions of the type tests. A false one is a compile error at the line that makes it.
 */

/** Identity of types: `any` equals only `any`, and a union only itself. */
export type Equal<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false;

export type Expect<T extends true> = T;
export type Not<T extends boolean> = T extends true ? false : true;
