/** The far side of the first answer, as small as synckit's. */
export function add(left: number, right: number): number {
  return left + right;
}
