/**
 * A speller: keeps words, and finds those that are nearest to what somebody typed. Strings come as {address, length}
 * and go as the address of such a pair; the names of the functions say so, and callers see strings.
 */
import { giveString, takeString } from '../../../sdk/as/l3';

export { l3_alloc } from '../../../sdk/as/l3';

/** Words by their first letter in lower case: a typing error is seldom in it. */
const words = new Map<i32, Array<string>>();
let count: i32 = 0;

/** Adds the words of a text; gives how many are known. */
export function learn__s_n(address: usize, length: i32): i32 {
  const found = takeString(address, length).split(' ');
  for (let i = 0; i < found.length; i++) {
    const word = found[i];
    if (word.length == 0) continue;
    const letter = word.toLowerCase().charCodeAt(0);
    if (!words.has(letter)) words.set(letter, new Array<string>());
    const group = words.get(letter);
    if (group.includes(word)) continue;
    group.push(word);
    count++;
  }
  return count;
}

/** How many letters are to be added, left out, changed or swapped with their neighbour to make one word the other. */
export function distance__ss_n(a: usize, aLength: i32, b: usize, bLength: i32): i32 {
  return distance(takeString(a, aLength), takeString(b, bLength));
}

/** The known words that are at most `most` away, the nearest first, between blanks. */
export function suggest__sn_s(address: usize, length: i32, most: i32): usize {
  const typed = takeString(address, length);
  const letter = typed.length == 0 ? 0 : typed.toLowerCase().charCodeAt(0);
  if (!words.has(letter)) return giveString('');
  const group = words.get(letter);
  const found = new Array<string>();
  for (let away = 0; away <= most; away++) {
    for (let i = 0; i < group.length; i++) if (distance(typed, group[i]) == away) found.push(group[i]);
  }
  return giveString(found.join(' '));
}

/** Three rows of the table are enough: a swap looks two rows back. */
function distance(a: string, b: string): i32 {
  const width = b.length + 1;
  let before = new StaticArray<i32>(width);
  let above = new StaticArray<i32>(width);
  let row = new StaticArray<i32>(width);
  for (let j = 0; j < width; j++) above[j] = j;
  for (let i = 1; i <= a.length; i++) {
    row[0] = i;
    for (let j = 1; j < width; j++) {
      const ofA = a.charCodeAt(i - 1);
      const ofB = b.charCodeAt(j - 1);
      let least = min(min(above[j], row[j - 1]) + 1, above[j - 1] + (ofA == ofB ? 0 : 1));
      const isSwap = i > 1 && j > 1 && ofA == b.charCodeAt(j - 2) && a.charCodeAt(i - 2) == ofB;
      if (isSwap) least = min(least, before[j - 2] + 1);
      row[j] = least;
    }
    const free = before;
    before = above;
    above = row;
    row = free;
  }
  return above[width - 1];
}
