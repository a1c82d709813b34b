/** The other side of the rows of use, by `postMessage`: adds, for its parent and for every port that it is sent. */
import { MessagePort, parentPort } from 'node:worker_threads';

type Request = readonly [id: number, left: number, right: number];

function serve(port: MessagePort): void {
  port.on('message', (message: Request | MessagePort) => {
    if (message instanceof MessagePort) serve(message);
    else port.postMessage([message[0], message[1] + message[2]]);
  });
}

if (parentPort !== null) serve(parentPort);
