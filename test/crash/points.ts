/**
 * Deaths at every point: a real worker runs a short scenario of the shipped kernel and is terminated before its n-th
 * write to shared memory, notify or sleep, for every n. Then its task is repaired. What the other one was told must
 * follow from what had happened, and nothing may be left of the dead.
 *
 * It is the explorer's `kill` on real threads and real memory, for one schedule a point; test/model/ has all schedules.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { rolldown } from 'rolldown';
import { freeThreads, repairTask } from '../../src/kernel/fault.ts';
import { send } from '../../src/kernel/ipc-slow.ts';
import { freeTask } from '../../src/kernel/tcb.ts';
import { verify } from '../../src/kernel/verify.ts';
import { HEADER_WINDOW_FREE_LARGE, HEADER_WINDOW_FREE_SMALL, HEADER_WINDOW_NEXT } from '../../src/layout/map.ts';
import { NOT_TAKEN, OK, PEER_GONE, type Result } from '../../src/layout/message.ts';
import { KIND_MASK, RUN, type Tcb } from '../../src/layout/tcb.ts';
import { peek } from '../../src/platform/atomics.ts';
import { memory } from '../../src/platform/memory.ts';
import { idOf, indexOf, makeTask, makeThread, root, stateOf } from '../support/kernel.ts';
import { countTasks, countThreads } from '../support/records.ts';
import {
  type Agent,
  CONTROL_WORDS,
  DONE,
  ENDED,
  ORDER,
  PARTNER,
  QUIT,
  RESULT,
  SCENARIO,
  type Scenario,
  SCENARIOS,
  STOPPED,
  VICTIM,
  VICTIM_PARTNER,
  WRITES,
} from './points-table.ts';

/** No step takes a hundredth of it; a crowded machine takes its time to start a worker. */
const STEP_ms = 30_000;

/** The agent with the kernel's sources, its seams put in place, as one script. */
export async function bundleAgent(): Promise<string> {
  const here = (name: string): string => join(import.meta.dirname, name);
  const seams: Record<string, string> = { '#atomics': here('points-seam.ts'), '#wait': here('points-wait.ts') };
  const bundle = await rolldown({
    input: here('points-agent.ts'),
    platform: 'node',
    plugins: [{ name: 'seams', resolveId: (id: string) => seams[id] ?? null }],
  });
  const { output } = await bundle.generate({ format: 'cjs', codeSplitting: false });
  await bundle.close();
  return output[0].code;
}

/** What the kernel has given away. */
const given = (): Record<string, number> => ({
  tasks: countTasks(),
  threads: countThreads(),
  windowEnd: peek(HEADER_WINDOW_NEXT),
  smallWindows: peek(HEADER_WINDOW_FREE_SMALL),
  largeWindows: peek(HEADER_WINDOW_FREE_LARGE),
});

export interface Swept {
  /** Deaths, one a point. */
  readonly points: number;
  /** How the survivor's operations ended, by result. */
  readonly results: ReadonlyMap<Result, number>;
}

/** One survivor, and the victims that die beside it. */
export class Field {
  private readonly text: string;
  private readonly control: Int32Array<SharedArrayBuffer> = new Int32Array(new SharedArrayBuffer(CONTROL_WORDS * 4));
  private readonly main: Tcb = makeThread({ window: false });
  private readonly survivor: Tcb = makeThread({ of: makeTask(root.id) });
  private readonly worker: Worker;

  constructor(text: string) {
    this.text = text;
    this.worker = this.start(this.survivor, false);
  }

  private start(self: Tcb, isVictim: boolean): Worker {
    const agent: Agent = { control: this.control, isVictim, self, scenarios: SCENARIOS };
    return new Worker(this.text, { eval: true, execArgv: [], workerData: { l3kernel: { memory }, agent } });
  }

  /** Waits until a word is no longer `value`; says where it hangs when that does not come. */
  private async changed(word: number, value: number, where: string, victim: Tcb): Promise<void> {
    const { async: isAsync, value: outcome } = Atomics.waitAsync(this.control, word, value, STEP_ms);
    if (!isAsync || (await outcome) !== 'timed-out') return;
    const states = [this.survivor, victim].map((tcb) => (stateOf(tcb) >>> 0).toString(16));
    assert.fail(`${where} hangs; the survivor's state word is ${states[0]}, the victim's ${states[1]}`);
  }

  /** Lets a victim die before its n-th write. Null: it has fewer. */
  private async die(number: number, writes: number): Promise<Result | null> {
    const scenario: Scenario = SCENARIOS[number]!;
    const where = `${scenario.name} dies before write ${writes}`;
    const before = given();
    const task = makeTask(root.id);
    const victim = makeThread({ of: task });
    const { control } = this;
    control[SCENARIO] = number;
    control[PARTNER] = idOf(victim);
    control[VICTIM_PARTNER] = idOf(this.survivor);
    control[WRITES] = writes;
    Atomics.store(control, VICTIM, 0);
    const ended = Atomics.load(control, ENDED);
    Atomics.add(control, ORDER, 1);
    Atomics.notify(control, ORDER);
    const worker = this.start(victim, true);
    await this.changed(VICTIM, 0, where, victim);
    await worker.terminate();
    repairTask(task.task, indexOf(this.main));
    if (scenario.victim === 'client') assert.equal(send(this.main, idOf(this.survivor), QUIT, STEP_ms), OK, where);
    await this.changed(ENDED, ended, where, victim);
    assert.equal(stateOf(this.survivor) & KIND_MASK, RUN, where);
    freeThreads(task.task, indexOf(this.main));
    freeTask(task.task);
    assert.deepEqual(verify(), [], where);
    const after = given();
    // The first victims cut their windows off; the list of free ones then begins with the one that was given back.
    if (before.windowEnd === after.windowEnd) assert.deepEqual(after, before, where);
    const how = Atomics.load(control, VICTIM);
    assert.ok(how === STOPPED || how === DONE, where);
    const result = control[RESULT]!;
    const allowed = how === DONE ? [OK] : scenario.victim === 'client' ? [OK] : [OK, PEER_GONE, NOT_TAKEN];
    assert.ok(allowed.includes(result), `${where}: the other one is told ${result}`);
    return how === DONE ? null : result;
  }

  /** Every death of a scenario. */
  async sweep(number: number): Promise<Swept> {
    const results = new Map<Result, number>();
    for (let writes = 1; ; writes++) {
      const result = await this.die(number, writes);
      if (result === null) return { points: writes - 1, results };
      results.set(result, (results.get(result) ?? 0) + 1);
    }
  }

  async end(): Promise<void> {
    await this.worker.terminate();
  }
}
