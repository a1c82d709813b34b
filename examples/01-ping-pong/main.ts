/**
 * The paper's experiment (section 6): two threads in two address spaces, ping uses `call`, pong `reply & receive next`,
 * 10,000 rounds. Ping is this thread, pong a task in a worker. `--time` prints what one round trip took here.
 */
import { boot } from 'l3kernel';
import { call, makeTag, message, OK } from 'l3kernel/ipc';

const METHOD_PING = 1;
const METHOD_STOP = 2;
const ROUNDS = 10_000;

const system = await boot();
const pong = await system.spawn<typeof import('./pong.ts')>(new URL('./pong.ts', import.meta.url));

// From here to STOP the task's thread is inside serve(), and takes bare messages.
const served = pong.async.serve();

const began_ms = performance.now();
let value = 0;
for (let round = 0; round < ROUNDS; round++) {
  message[0] = value;
  const result = call(pong.id, makeTag(1, 0, METHOD_PING));
  if (result !== OK) throw new Error(`call ended with result ${result}`);
  value = message[0];
}
const elapsed_ms = performance.now() - began_ms;
call(pong.id, makeTag(0, 0, METHOD_STOP));

console.log(`${ROUNDS} rounds, the last answer was ${value}`);
console.log(`pong served ${await served} pings`);
if (process.argv.includes('--time')) console.log(`${((elapsed_ms * 1000) / ROUNDS).toFixed(2)} us a round trip`);
await system.shutdown();
