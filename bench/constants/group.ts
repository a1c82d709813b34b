/** The rows of the constants in a measuring process, which runs the kernel or one of its variants. */
import { actAs, formatBareKernel } from '../harness/bare-kernel.ts';
import type { BareKernel } from '../harness/bare-kernel.ts';
import { addTo, count, histogram, packed, quantileOf, totalOf } from '../harness/histogram.ts';
import { threadTime_ms } from '../harness/cpu.ts';
import { now_ms } from '../harness/interleave.ts';
import { startIpcAgent } from '../harness/ipc-agent.ts';
import type { IpcAgent } from '../harness/ipc-agent.ts';
import { byteCalls } from '../harness/ipc-bytes.ts';
import type { Context } from '../harness/job.ts';
import { asString, asWords, CROWDS, MESSAGE_BYTES, PAUSE_MS, SPIN_CROWDS, WORD_LIMITS } from './rows.ts';
import { startCrowd } from './crowd.ts';

const WORD_BYTES = 8;
/** Blocks of a crowd: it has to settle, and all its agents to have compiled their calls. */
const CROWD_BLOCKS = 20;

function measureCrowds(context: Context, kernel: BareKernel): void {
  const all: [string, readonly number[]][] = [
    ...Object.entries(CROWDS),
    ...Object.entries(SPIN_CROWDS).map(([row, clients]): [string, number[]] => [row, Array(clients).fill(0)]),
  ];
  const wanted = all.filter(([row]) => context.wants(row));
  if (wanted.length === 0) return;
  const crowd = startCrowd(kernel, Math.max(...wanted.map(([, pauses]) => pauses.length)));
  const duration_ms = context.plan.block_ms * CROWD_BLOCKS;
  for (const [row, pauses] of wanted) {
    crowd.run(pauses, duration_ms / 4);
    const cpu = process.cpuUsage();
    const times = crowd.run(pauses, duration_ms);
    const { user, system } = process.cpuUsage(cpu);
    // The greedy client is the first of its crowd, and what it gets is told apart.
    const isGreedy = pauses[0] !== pauses[1];
    const judged = isGreedy ? times.slice(1) : times;
    const sum = histogram();
    for (const counts of judged) addTo(sum, counts);
    const calls = times.reduce((made, counts) => made + totalOf(counts), 0);
    context.find(row, {
      ...packed(sum),
      served: judged.map(totalOf),
      greedy: isGreedy ? totalOf(times[0] as Float64Array) : 0,
      each_ns: (duration_ms * 1e6) / calls,
      cpu_ns: ((user + system) * 1e3) / calls,
    });
  }
  crowd.stop();
}

/** One call a millisecond from a caller that is busy in between. */
function measureSparse(context: Context, kernel: BareKernel, ipc: IpcAgent): void {
  if (!context.wants('spin.millisecond')) return;
  const { client, server } = kernel.pair();
  actAs(client);
  const once = ipc.conversation(client, server);
  const counts = histogram();
  let work_ms = 0;
  const cpu = process.cpuUsage();
  for (const end_ms = now_ms() + context.plan.block_ms * CROWD_BLOCKS; now_ms() < end_ms;) {
    const used_ms = threadTime_ms();
    for (const gapEnd_ms = now_ms() + PAUSE_MS; now_ms() < gapEnd_ms;);
    work_ms += threadTime_ms() - used_ms;
    const before_ms = now_ms();
    once.call();
    count(counts, now_ms() - before_ms);
  }
  const { user, system } = process.cpuUsage(cpu);
  once.end();
  const cpu_ns = ((user + system) * 1e3 - work_ms * 1e6) / totalOf(counts);
  context.find('spin.millisecond', { ...packed(counts), each_ns: quantileOf(counts, 0.5), cpu_ns });
}

async function measureMessages(context: Context, kernel: BareKernel, ipc: IpcAgent): Promise<void> {
  for (let placement = 0; placement < context.plan.placements; placement++) {
    const { client, server } = kernel.pair();
    const floor = ipc.cacheline(client, server);
    const dense = ipc.calls(client, server);
    if (context.wants('spin.dense')) await context.measure('spin.dense', dense, floor);
    for (const words of WORD_LIMITS) {
      const row = asWords(words * WORD_BYTES);
      if (context.wants(row)) await context.measure(row, ipc.calls(client, server, words), floor);
    }
    for (const bytes of MESSAGE_BYTES) {
      const row = asString(bytes);
      if (context.wants(row)) await context.measure(row, byteCalls(ipc.agent, client, server, bytes), floor);
    }
  }
}

export async function run(context: Context): Promise<void> {
  const kernel = formatBareKernel(true);
  const ipc = startIpcAgent();
  await measureMessages(context, kernel, ipc);
  measureSparse(context, kernel, ipc);
  ipc.agent.stop();
  measureCrowds(context, kernel);
}
