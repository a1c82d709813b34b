/** A task that has work to be done: it hands requests out, a number at a time, and takes the answers. */
let next = 2_147_483_640;
const last = 2_147_483_647;
const answers = new Map<number, number>();

/** The next request, or -1 when there are no more. */
export function take(): number {
  return next <= last ? next++ : -1;
}

export function answer(request: number, factor: number): void {
  answers.set(request, factor);
}

export function all(): [request: number, factor: number][] {
  return [...answers];
}
