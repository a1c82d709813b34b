// A route that calls a task in place. Next bundles the route; the task's module it leaves alone, for the url is a path.
import { join } from 'node:path';
import { task } from 'l3kernel';

const adder = task(join(process.cwd(), 'tasks/adder.mjs'), { timeout: 20_000 });

export const dynamic = 'force-dynamic';
export const GET = async () =>
  Response.json({
    sum: adder.sync.add(1, 2),
    later: await adder.async.add(20, 3),
    isTask: adder.sync.id() === adder.id,
  });
