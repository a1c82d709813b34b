/** A client of the rows of use, by `postMessage`: told so by its parent it calls for so long and gives its times. */
import { MessagePort, parentPort } from 'node:worker_threads';
import { count, histogram } from '../harness/histogram.ts';

let server: MessagePort | undefined;

function run(port: MessagePort, duration_ms: number): void {
  const counts = histogram();
  let before_ms = performance.now();
  const end_ms = before_ms + duration_ms;
  const onAnswer = (): void => {
    const now_ms = performance.now();
    count(counts, now_ms - before_ms);
    before_ms = now_ms;
    if (now_ms < end_ms) return port.postMessage([0, 1, 2]);
    port.off('message', onAnswer);
    parentPort?.postMessage(counts);
  };
  port.on('message', onAnswer);
  port.postMessage([0, 1, 2]);
}

parentPort?.on('message', (message: MessagePort | number) => {
  if (message instanceof MessagePort) server = message;
  else if (server !== undefined) run(server, message);
});
