/** A bare worker that says that it is there and then waits, the least that a thread with an interpreter can be. */
import { parentPort } from 'node:worker_threads';

parentPort?.on('message', () => undefined);
parentPort?.postMessage('ready');
