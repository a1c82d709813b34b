/** Random calls that make no ring: none is reported. */
import { fixture, systemTest } from './support.ts';

const url = fixture('rings.ts');
/** Calls of the load, more of them by the environment. The watchdog is for one part of it, and machines are crowded. */
const LOAD_CALLS = Number(process.env['L3_DEADLOCK_CALLS'] ?? 40_000);
const PART_CALLS = 10_000;
const PART_ms = 6000;

for (let part = 0; part < LOAD_CALLS / PART_CALLS; part++) {
  systemTest(`a load without rings has none: part ${part}`, async (system) => {
    const names = ['a', 'b', 'c', 'd'];
    const tasks = await Promise.all(names.map((name) => system.spawn(url, { name })));
    tasks.forEach((task, i) => task.sync.join(i, names));
    let made = 0;
    const end_ms = performance.now() + PART_ms;
    for (let seed = 1000 * part; made < PART_CALLS && performance.now() < end_ms; seed++) {
      const later = tasks.map((task, i) => task.async.spreadLater(seed * 7 + i, 4));
      made += tasks[seed % 4]!.sync.spread(seed, 20, (x: number) => x + 1);
      for (const more of await Promise.all(later)) made += more as number;
    }
  });
}
