/**
 * Entries by the time when they are due: the wakeup lists of the paper (5.3.3) for a server's own use. An entry due at
 * time t stands in list t mod n, unordered, so that a tick goes through k/n of k entries.
 */
import { WAKEUP_LISTS } from '../../layout/params.ts';

export class Wheel<T extends { readonly due_ms: number }> {
  private readonly lists: readonly Set<T>[] = Array.from({ length: WAKEUP_LISTS }, () => new Set<T>());
  /** Entries looked at since the beginning. */
  inspected = 0;

  private listAt(time_ms: number): Set<T> {
    return this.lists[time_ms % WAKEUP_LISTS]!;
  }

  add(entry: T): void {
    this.listAt(entry.due_ms).add(entry);
  }

  delete(entry: T): void {
    this.listAt(entry.due_ms).delete(entry);
  }

  /** Takes out what is due in (since_ms, time_ms]. */
  take(since_ms: number, time_ms: number): T[] {
    const due: T[] = [];
    const first_ms = Math.max(since_ms + 1, time_ms - WAKEUP_LISTS + 1);
    for (let at_ms = first_ms; at_ms <= time_ms; at_ms++) {
      for (const entry of this.listAt(at_ms)) {
        this.inspected++;
        if (entry.due_ms <= time_ms) due.push(entry);
      }
    }
    for (const entry of due) this.delete(entry);
    return due;
  }

  /** When the first of those that are due after `time_ms` is; infinite when there is none. */
  next(time_ms: number): number {
    let due_ms = Number.POSITIVE_INFINITY;
    // No later list can hold an earlier one than the millisecond that it begins with.
    for (let i = 1; i <= WAKEUP_LISTS && due_ms >= time_ms + i; i++) {
      for (const entry of this.listAt(time_ms + i)) {
        this.inspected++;
        due_ms = Math.min(due_ms, entry.due_ms);
      }
    }
    return due_ms;
  }
}
