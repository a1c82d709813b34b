/**
 * The far side of the first answer, as plain JavaScript: without types to strip, what is left is the start of the
 * worker.
 * @param {number} left
 * @param {number} right
 */
export function add(left, right) {
  return left + right;
}
