/** No walls: the parts are modules of this thread. What the others are compared with, and what they protect from. */
import type { Parser } from '../tasks/parse.ts';
import { parser_default, partModules } from './walls.ts';
import type { Parts, WallOptions, Walls } from './walls.ts';
import { syncWalls } from './sync-walls.ts';

export async function openDirect({ parser = parser_default }: WallOptions = {}): Promise<Walls> {
  const [parse, highlight, stem, match, store] = await Promise.all([
    import(partModules(parser).parse.href) as Promise<Parser>,
    ...([import('../tasks/highlight.ts'), import('stemmer')] as const),
    ...([import('../tasks/match.ts'), import('../tasks/store.ts')] as const),
  ]);
  const parts: Parts = {
    ...{ highlight, stem, match, store },
    parse: {
      setDocuments: parse.setDocuments,
      parse: (path, markdown) => parse.parse(path, markdown, highlight.highlight),
    },
  };
  return syncWalls('direct', parts);
}
