/** A worker that does nothing but post one message. */
import { parentPort } from 'node:worker_threads';

parentPort?.postMessage('ready');
