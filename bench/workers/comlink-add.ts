/** The far side of the Comlink row. */
import { parentPort } from 'node:worker_threads';
import { expose } from 'comlink';
import { endpointOf } from './comlink-endpoint.ts';

if (parentPort !== null) expose({ add: (left: number, right: number) => left + right }, endpointOf(parentPort));
