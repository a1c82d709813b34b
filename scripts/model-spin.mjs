/**
 * Checks models/ipc.pml with Spin and prints a table: systems that must hold, for safety and for liveness, and mutants
 * that must be found. `npm run model:spin`; needs `spin` and `gcc` (Debian: `apt-get install spin gcc`).
 *
 *     node scripts/model-spin.mjs [--short] [--keep FOLDER] [NAME…]
 *
 * `--short` leaves out what takes longer than a few seconds. Names are those of the table; `--keep` leaves verifiers
 * and trails in a folder. Exit code 1: something was not as it must be; 2: a tool is missing.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './toolchain.mjs';

/**
 * @typedef {{ name: string, about: string, with: string[], liveness?: true, long?: true, finds?: RegExp }} Run
 * `finds`: what Spin must say; without it the search must come to its end and find nothing.
 */

const twoCalls = ['CLIENTS=2', 'CALLS=1'];
const timed = [...twoCalls, 'CALL_TIMED=3'];
const senders = [...timed, 'SENDERS=3'];
const again = ['CLIENTS=1', 'CALLS=2', 'CALL_TIMED=1'];
const untimed = ['CLIENTS=1', 'CALLS=2'];

/** @type {Run[]} */
export const systems = [
  { name: 'call', about: '1 client, 3 calls', with: ['CLIENTS=1', 'CALLS=3'] },
  { name: 'call-timed', about: '1 client with timeouts, 3 calls', with: ['CLIENTS=1', 'CALLS=3', 'CALL_TIMED=1'] },
  { name: 'closed', about: 'a closed receive, then open ones; 1 client', with: ['CLIENTS=1', 'CALLS=2', 'CLOSED'] },
  { name: 'server-timed', about: '1 client, a receiver that times out', with: [...again, 'SERVER_TIMED=1'] },
  {
    name: 'late',
    about: '1 client with timeouts; its first call is answered after the second came',
    with: [...again, 'LATE'],
  },
  {
    name: 'chain',
    about: '1 client, 2 calls, to a server that calls another',
    with: ['CLIENTS=1', 'CALLS=2', 'CHAIN'],
  },
  { name: 'calls', about: '2 clients, 1 call each', with: twoCalls, long: true },
  { name: 'calls-timed', about: '2 clients with timeouts, 1 call each', with: timed, long: true },
  { name: 'senders', about: '2 senders with timeouts, 1 message each', with: senders, long: true },
  {
    name: 'closed-2',
    about: 'a closed receive of the one, while the other polls',
    with: [...twoCalls, 'CLOSED'],
    long: true,
  },
  {
    name: 'call-ends',
    about: '1 client, 2 calls: each ends',
    with: ['CLIENTS=1', 'CALLS=2', 'WATCH=0'],
    liveness: true,
  },
  {
    name: 'timed-call-ends',
    about: '1 client with timeouts, 2 calls: each ends',
    with: [...again, 'WATCH=0'],
    liveness: true,
  },
  {
    name: 'endless-calls-end',
    about: '1 client that never stops: each of its calls ends',
    with: ['CLIENTS=1', 'ENDLESS', 'WATCH=0'],
    liveness: true,
  },
  {
    name: 'calls-end',
    about: '2 clients, 1 call each: that of the first ends',
    with: [...twoCalls, 'WATCH=0'],
    liveness: true,
    long: true,
  },
  {
    name: 'lockstep',
    about: 'a sender and a receiver that step aside for each other without end: seen (CAVEATS)',
    with: ['CLIENTS=1', 'CALLS=1', 'WATCH=0', 'LOCKSTEP'],
    liveness: true,
    finds: /acceptance cycle/,
  },
];

const hang = /invalid end state/;
const claimBroken = /assertion violated/;
const any = /assertion violated|invalid end state/;

/** @type {Run[]} */
export const mutants = [
  {
    name: 'NO_SENDER_RECHECK',
    about: 'a sender does not look at its partner after it has queued',
    with: untimed,
    finds: hang,
  },
  {
    name: 'NO_RECEIVER_RECHECK',
    about: 'a receiver does not look at its queue after it has opened',
    with: untimed,
    finds: hang,
  },
  {
    name: 'NO_CLOSED_RECHECK',
    about: 'nor after it waits for one',
    with: ['CLIENTS=1', 'CALLS=1', 'CLOSED'],
    finds: hang,
  },
  { name: 'ENQUEUE_FIRST', about: 'a sender queues before its state says that it polls', with: untimed, finds: any },
  {
    name: 'STAYS_QUEUED_WHEN_TAKEN',
    about: 'a sender that was taken while it queued stays there',
    with: twoCalls,
    finds: claimBroken,
  },
  { name: 'WITHDRAW_BY_STORE', about: 'a wait is ended by a store', with: again, finds: any },
  { name: 'WITHDRAW_STAYS_QUEUED', about: 'who withdraws stays in the queue', with: again, finds: claimBroken },
  { name: 'TAKES_UNCLAIMED', about: 'a sender is taken out of the queue without a claim', with: again, finds: any },
  {
    name: 'PULL_LEAVES_QUEUED',
    about: 'a sender that has polled anew is taken and left in the queue',
    with: again,
    finds: any,
  },
  { name: 'CLAIM_DROPS_BIT', about: 'a claim loses the parked bit', with: twoCalls, finds: hang },
  { name: 'UNCLAIM_DROPS_BIT', about: 'who takes a claim back loses the parked bit', with: twoCalls, finds: hang },
  { name: 'PARK_BY_STORE', about: 'the parked bit is set by a store', with: twoCalls, finds: any },
  { name: 'SLEEP_UNSEEN', about: 'a thread sleeps without a look at the word', with: twoCalls, finds: hang },
  { name: 'NO_WAKE', about: 'nobody is rung', with: twoCalls, finds: hang },
  { name: 'WAKE_FIRST', about: 'who is parked is rung before the publication', with: twoCalls, finds: hang },
  { name: 'WAIT_AFTER_PUBLISH', about: 'a caller waits after it has published its call', with: twoCalls, finds: any },
  {
    name: 'NO_SEQUENCE',
    about: 'an answer goes to whatever call its caller awaits',
    with: [...again, 'LATE'],
    finds: claimBroken,
  },
];

/** @param {string} tool @param {string} flag */
const isMissing = (tool, flag) => spawnSync(tool, [flag], { stdio: 'ignore' }).error !== undefined;

/** The tools that are not there. */
export const missing = () =>
  [
    ['spin', '-V'],
    ['gcc', '--version'],
  ]
    .filter(([tool, flag]) => isMissing(tool, flag))
    .map(([tool]) => tool);

/** @param {string} tool @param {string[]} args @param {string} cwd */
function must(tool, args, cwd) {
  const { status, stdout, stderr } = spawnSync(tool, args, { cwd, encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(`${tool} ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

/**
 * Generates, compiles and runs one verifier in a folder.
 * @param {Run} run @param {string} folder
 */
export function check(run, folder) {
  const definitions = [
    ...run.with,
    ...(mutants.includes(run) ? [run.name] : []),
    ...(run.liveness ? ['LIVENESS'] : []),
  ];
  const clients = Number(/CLIENTS=(\d)/.exec(definitions.join(' '))?.[1] ?? 2);
  mkdirSync(folder, { recursive: true });
  must('spin', [...definitions.map((text) => `-D${text}`), '-a', join(root, 'models/ipc.pml')], folder);
  // Weak fairness wants a bound of its own: the number of processes, with init.
  const kind = run.liveness ? [`-DNFAIR=${clients + 2}`] : ['-DSAFETY'];
  // Compiling takes longer than finding a mutant.
  const speed = run.finds === undefined ? '-O1' : '-O0';
  must('gcc', ['-w', speed, '-DCOLLAPSE', '-DMEMLIM=3000', ...kind, '-o', 'pan', 'pan.c'], folder);
  const text = must('./pan', ['-m2000000', ...(run.liveness ? ['-a', '-f'] : []), '-n'], folder);
  const told = /pan:1: (.*?)(?: \(at depth|\n)/.exec(text)?.[1] ?? '';
  const isComplete = !/Search not completed|max search depth too small|out of memory|memory limit/.test(text);
  return {
    states: Number(/([\d.e+]+) states, stored/.exec(text)?.[1] ?? 0),
    depth: Number(/depth reached (\d+)/.exec(text)?.[1] ?? 0),
    seconds: Number(/elapsed time ([\d.e+-]+)/.exec(text)?.[1] ?? 0),
    told,
    passes: run.finds === undefined ? told === '' && isComplete : run.finds.test(told),
  };
}

/** @param {Run} run @param {ReturnType<typeof check>} outcome */
function rowOf(run, { states, depth, seconds, told, passes }) {
  const verdict = passes ? told || 'holds' : `FAILED: ${told || (run.finds ? 'not found' : 'not complete')}`;
  const figures = [String(states).padStart(9), String(depth).padStart(7), seconds.toFixed(1).padStart(7)];
  return `${run.name.padEnd(24)} ${figures.join(' ')}  ${verdict.slice(0, 60).padEnd(40)} ${run.about}`;
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { short: { type: 'boolean' }, keep: { type: 'string' } },
  });
  const absent = missing();
  if (absent.length > 0) {
    process.stderr.write(`${absent.join(' and ')} cannot be run; on Debian: apt-get install spin gcc\n`);
    process.exit(2);
  }
  const all = [...systems, ...mutants];
  const runs = all.filter(({ name, long }) =>
    positionals.length === 0 ? !(values.short && long) : positionals.includes(name),
  );
  if (runs.length === 0) {
    process.stderr.write(`the names are: ${all.map(({ name }) => name).join(', ')}\n`);
    process.exit(2);
  }
  const folder = values.keep ?? mkdtempSync(join(tmpdir(), 'l3-spin-'));
  console.log(`${'system'.padEnd(24)}    states   depth seconds  verdict`);
  try {
    for (const run of runs) {
      const outcome = check(run, join(folder, run.name));
      if (!outcome.passes) process.exitCode = 1;
      console.log(rowOf(run, outcome));
    }
  } finally {
    if (values.keep === undefined && existsSync(folder)) rmSync(folder, { recursive: true });
  }
}
