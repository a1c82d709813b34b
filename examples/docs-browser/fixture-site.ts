/** What the tests of the running site share: a folder indexed and served in this process. */
import { findDocuments } from './find-documents.ts';
import { parser } from './fixture.ts';
import { indexDocuments } from './indexer.ts';
import { createSite } from './site.ts';
import type { Site } from './site.ts';
import { openWalls } from './walls/walls.ts';
import type { WallName, Walls } from './walls/walls.ts';
import { takePort } from './web.ts';

export interface OpenSite {
  site: Site;
  walls: Walls;
  /** Where the site is served on 127.0.0.1. */
  port: number;
  close(): Promise<void>;
}

export async function openSite(folder: string, name: WallName): Promise<OpenSite> {
  const walls = await openWalls(name, { parser });
  const { documents } = await findDocuments(folder);
  await walls.open(':memory:');
  await walls.begin();
  await indexDocuments(walls, documents, new Set(documents.map(({ path }) => path)));
  await walls.finish('test');
  const site = await createSite(walls, { rows: [], measured: '' });
  const web = await takePort(0);
  web.serve(site);
  return {
    ...{ site, walls, port: web.port },
    async close() {
      site.close();
      await web.close();
      await walls.close();
    },
  };
}
