/** One part in a worker, exposed by Comlink. Which one, `workerData.module` says. */
import { parentPort, workerData } from 'node:worker_threads';
import { expose } from 'comlink/dist/esm/comlink.mjs';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';

const { module } = workerData as { module: string };
if (!parentPort) throw new Error('this file is a worker');
const part = (await import(module)) as object;
expose({ ...part }, nodeEndpoint(parentPort));
