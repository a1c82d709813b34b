/** No walls: the parts are modules of this thread. What the others are compared with, and what they protect from. */
import { partModules } from './walls.ts';
import type { Parts, Walls } from './walls.ts';
import { syncWalls } from './sync-walls.ts';

export async function openDirect(): Promise<Walls> {
  const modules = Object.entries(partModules).map(async ([name, url]) => [name, await import(url.href)] as const);
  return syncWalls('direct', Object.fromEntries(await Promise.all(modules)) as Parts, { callbacks: true });
}
