/** What ten-million.ts runs at length and the gate shortly. */
import { boot } from '../../src/index.ts';
import { verify } from '../../src/kernel/verify.ts';
import { countTasks, countThreads } from '../support/records.ts';

const CLIENTS = 3;
const ROUNDS = 20;
/** What the resident set may grow over the second half: less than a byte a call leaks at full length. */
const GROWTH_MAX_MiB = 24;
/** A call takes about a microsecond; one round a thousand times longer is a hang. */
const ROUND_MIN_ms = 20_000;
const CALL_MAX_ms = 0.5;

export interface Report {
  readonly calls: number;
  readonly seconds: number;
  readonly callMean_us: number;
  readonly rss_MiB: readonly number[];
  /** What `verify` found at the end. */
  readonly verified: readonly string[];
  readonly problems: readonly string[];
}

const rss_MiB = (): number => Math.round((process.memoryUsage.rss() / 2 ** 20) * 10) / 10;

/** Sends about `calls` messages. */
export async function soak(calls: number, say: (line: string) => void = () => {}): Promise<Report> {
  const perRound = Math.ceil(calls / CLIENTS / ROUNDS);
  const samples: number[] = [];
  const problems: string[] = [];
  const system = await boot();
  const server = await system.spawn(new URL('../conformance/fixtures/busy.ts', import.meta.url), { name: 'server' });
  const url = new URL('../conformance/fixtures/client.ts', import.meta.url);
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => system.spawn(url)));
  const timeout = Math.max(ROUND_MIN_ms, perRound * CLIENTS * CALL_MAX_ms);
  const began_ms = performance.now();
  for (let round = 1; round <= ROUNDS && problems.length === 0; round++) {
    const sending = clients.map((client, i) => client.with({ timeout }).async['send']('server', i, perRound));
    for (const { status, ...outcome } of await Promise.allSettled(sending)) {
      if (status === 'rejected') problems.push(String((outcome as { reason: unknown }).reason));
      else if ((outcome as { value: number }).value !== perRound * round) problems.push('a client sent another number');
    }
    samples.push(rss_MiB());
    say(`${perRound * round * CLIENTS} calls, ${samples.at(-1)} MiB`);
  }
  const seconds = (performance.now() - began_ms) / 1000;
  const received = await server
    .with({ timeout: ROUND_MIN_ms })
    .async['received']()
    .catch((error: unknown) => [String(error)]);
  for (const count of received)
    if (count !== perRound * ROUNDS) problems.push(`the server received ${count} of a client`);
  if (received.length !== CLIENTS) problems.push(`the server knows ${received.length} clients`);
  const [middle, last] = [samples[ROUNDS / 2 - 1] ?? 0, samples.at(-1) ?? 0];
  if (last - middle > GROWTH_MAX_MiB) problems.push(`the resident set grew from ${middle} to ${last} MiB`);
  await system.shutdown();
  const verified = verify();
  problems.push(...verified);
  if (countThreads() !== 0 || countTasks() !== 0) problems.push('threads or tasks were left behind');
  const total = perRound * ROUNDS * CLIENTS;
  return { calls: total, seconds, callMean_us: (seconds / total) * 1e6, rss_MiB: samples, verified, problems };
}
