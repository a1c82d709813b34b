/**
 * A queue whose entries may leave out of turn: calls that wait for a place, and are aborted or time out meanwhile.
 *
 * A Set would do but for its price: who asks for the first of it steps over all that were first before, until the table
 * is made anew. With 100,000 calls that is most of the time.
 */

/** What an entry is in: its place, counted from the first that ever was in the queue; NOWHERE when it is in none. */
export interface Entry {
  place: number;
}

export const NOWHERE = -1;
/** Entries that have left are dropped from so many on, when they are half of all. */
const DROPPED_MIN = 1024;

export class Fifo<T extends Entry> {
  size = 0;
  private items: (T | undefined)[] = [];
  /** Place of the first item, and index of the first that may be there still. */
  private base = 0;
  private head = 0;

  add(entry: T): void {
    entry.place = this.base + this.items.length;
    this.items.push(entry);
    this.size++;
  }

  /** False: it is not in the queue. */
  delete(entry: T): boolean {
    const at = entry.place - this.base;
    if (entry.place === NOWHERE || this.items[at] !== entry) return false;
    entry.place = NOWHERE;
    this.items[at] = undefined;
    this.size--;
    return true;
  }

  first(): T | undefined {
    while (this.head < this.items.length && this.items[this.head] === undefined) this.head++;
    if (this.head >= DROPPED_MIN && 2 * this.head >= this.items.length) {
      this.items.splice(0, this.head);
      this.base += this.head;
      this.head = 0;
    }
    return this.items[this.head];
  }

  /** All that are in it, in their order. */
  all(): T[] {
    return this.items.filter((entry) => entry !== undefined);
  }
}
