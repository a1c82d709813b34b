/**
 * Generator threads: a server, a client and a sleeper that share this agent, each at its own operation, and none blocks
 * it. The message words are the registers: they hold what was received last, and what is sent next.
 */
import { boot } from 'l3kernel';
import {
  call,
  makeTag,
  message,
  OK,
  operation,
  RECEIVE_TIMEOUT,
  send,
  sender,
  sequence,
  startThread,
} from 'l3kernel/ipc';

const system = await boot();

/** Adds what it is sent, until it has heard nothing for half a second. */
const adder = startThread(function* () {
  let sum = 0;
  let result = yield operation.receive(0, 500);
  while (result === OK) {
    sum += message[0]!;
    message[0] = sum;
    result = yield operation.replyAndReceive(sender(), sequence(), makeTag(1), 500);
  }
  console.log('adder: heard nothing more:', result === RECEIVE_TIMEOUT);
});

startThread(function* () {
  for (let i = 1; i <= 1000; i++) {
    message[0] = i;
    yield operation.call(adder, makeTag(1));
  }
  console.log('client:', message[0]);
});

startThread(function* () {
  for (let i = 0; i < 3; i++) {
    yield operation.sleep(10);
    console.log('sleeper: up');
  }
});

// Ordinary code may block: the threads of its agent run until the answer is there.
message[0] = 0.5;
console.log('main:', call(adder, makeTag(1)) === OK, message[0]! % 1);

// Who calls a thread that has ended is told. The process ends when no thread waits with a deadline.
setTimeout(() => {
  message[0] = 1;
  console.log('late:', send(adder, makeTag(1)) === OK);
  void system.shutdown();
}, 1000);
