/** The far side of the stream rows. */
export function* numbers(): Generator<number> {
  for (let value = 0; ; value++) yield value;
}
