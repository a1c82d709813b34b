/**
 * Tasks in workers, as the supervisor keeps them. A *service* is a task from its spawn to its final end; an
 * *incarnation* is one worker of it, with a task record of its own. A service has one present incarnation, perhaps a
 * spare, and for a short time those that are being ended.
 */
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { compareExchange, load, peek, poke } from '#atomics';
import { ABORTED } from '../../layout/message.ts';
import { cancel } from '../../kernel/fault.ts';
import {
  ANY_INDEX,
  INDEX_MASK,
  RESTARTS_PER_MINUTE,
  RESTART_PAUSE_MAX_ms,
  RESTART_PAUSE_ms,
  SHUTDOWN_GRACE_ms,
} from '../../layout/params.ts';
import {
  REPLACE_ON_TIMEOUT,
  RESTART_ALWAYS,
  RESTART_ON_FAILURE,
  TASK_ALIVE,
  TASK_DEAD,
  TASK_ID,
  TASK_REPLACED,
  TASK_RESTART,
  TASK_RESTARTS,
  TASK_SERVER,
  TASK_SPARE,
  TASK_STATE,
} from '../../layout/task.ts';
import { KIND_MASK, TCB_STATE, tcbOf, WAIT } from '../../layout/tcb.ts';
import { holder, sayEnded } from '../../user/agent.ts';
import { reasonFor, recordOf, ringRestarts, setReason } from '../../user/incarnations.ts';
import { errorToPlain } from '../../rpc/errors-codec.ts';
import { type Launch, NO_ROOM, type Notice, type Request } from '../../tasks/control.ts';
import { type Common, type Launched, launchWorker } from '../../tasks/launch.ts';
import type { First } from './first.ts';
import { find, pass, register } from '../names/server.ts';
import { bury, freeUnwritten, makeRecord, orphansOf, reveal, turnAway } from './records.ts';

/** What the services need of the agent that keeps them. */
export interface Parent {
  readonly common: Common;
  report(line: string): void;
  /** Every worker has ended, after `endAll`. */
  onEnded(): void;
}

/** Where its notices go. */
export interface NoticePort {
  postMessage(notice: Notice, transfer?: any): void;
}

/** An agent that spawns tasks: the chief of its services. */
export interface Agent {
  readonly taskId: number;
  readonly port: NoticePort;
}

interface Service {
  readonly origin: number;
  readonly chief: Agent;
  readonly launch: Launch;
  present: Incarnation;
  spare: Incarnation | null;
  /** Export list of the first incarnation; null until it is loaded. */
  names: readonly string[] | null;
  /** How many incarnations were put in place of another. */
  restarts: number;
  /** When the latest restarts after a failure were. */
  recent_ms: number[];
  /** Why it is not to be started again; null while it may be. */
  final: string | null;
}

interface Incarnation {
  readonly taskId: number;
  readonly service: Service;
  /** Null while its start is put off. */
  launched: Launched | null;
  timer: NodeJS.Timeout | null;
  /** Its side port; null for the first, whose chief made one. Each end until it is handed on. */
  readonly side: MessageChannel | null;
  isLoaded: boolean;
  /** Why it was ended from outside. */
  why: string | null;
  /** It was to be replaced at an earlier look, and nobody had asked for it. */
  isForgotten: boolean;
}

const MINUTE_ms = 60_000;

let parent: Parent;
/** The program's own agent, in whose name shared tasks are started. */
let main: Agent;
let isEnding = false;
const services = new Map<number, Service>();
const incarnations = new Map<number, Incarnation>();

/** What is known of an incarnation by its task id: its module, and the names of what it exports and was granted. */
export interface ServiceTable {
  readonly url: string;
  readonly names: readonly string[];
  readonly hostNames: readonly string[];
}

export function serviceTable(taskId: number): ServiceTable | null {
  const service = incarnations.get(taskId)?.service;
  if (service === undefined) return null;
  const { url, hostNames } = service.launch;
  return { url, names: service.names ?? [], hostNames };
}

/** Begins with the worker that was started already, or with what kept it from starting. */
export function beginFirst(given: Parent, program: Agent, launch: Launch | null, first: First): void {
  parent = given;
  main = program;
  if (launch === null || first === null) return;
  startService(main, launch, () => {
    if ('error' in first) throw first.error;
    return first.launched;
  });
}

/** What an agent asks for. */
export function hear(agent: Agent, request: Request): void {
  switch (request.kind) {
    case 'spawn':
      startService(agent, request.launch, () => launchWorker(parent.common, request.launch));
      break;
    case 'share':
      Atomics.store(request.cell, 0, share(request.launch) || NO_ROOM);
      Atomics.notify(request.cell, 0);
      break;
    case 'kill':
      endService(services.get(request.origin), 'killed');
      break;
    case 'abandon':
      abandon(services.get(request.origin));
      break;
    case 'replace':
      replace(request.taskId, `${request.timeout_ms} ms`);
      break;
    case 'loaded':
      loaded(incarnations.get(agent.taskId), request.names);
      break;
    case 'end':
      for (const service of servicesOf(agent.taskId)) endService(service, 'killed');
      break;
  }
}

/** The task of a name, started now if there is none; 0 when there is no room. Two who ask get one. */
function share(launch: Launch): number {
  const found = find(launch.name);
  if (found !== null) return peek(found + TASK_ID);
  const taskId = makeRecord({ chief: main.taskId, launch, origin: 0, restarts: 0, isSpare: false });
  if (taskId === 0) return 0;
  register(recordOf(taskId), launch.name, holder());
  const shared = { ...launch, taskId };
  startService(main, shared, () => launchWorker(parent.common, shared));
  return taskId;
}

/** A chief that is no worker of ours has ended: so do the tasks that it spawned. */
export function endChief(taskId: number, reason: string): void {
  for (const child of servicesOf(taskId)) endService(child, 'its chief has ended');
  buryWithClan(taskId, 0, reason);
  ringRestarts();
}

const servicesOf = (chief: number): Service[] =>
  [...services.values()].filter(({ chief: { taskId } }) => taskId === chief);

const makeIncarnation = (service: Service, taskId: number, side: MessageChannel | null): Incarnation => ({
  taskId,
  service,
  launched: null,
  timer: null,
  side,
  isLoaded: false,
  why: null,
  isForgotten: false,
});

function startService(chief: Agent, launch: Launch, start: () => Launched): void {
  const service = {
    origin: launch.taskId,
    chief,
    launch,
    spare: null,
    names: null,
    restarts: 0,
    recent_ms: [],
    final: isEnding ? 'the system is shutting down' : null,
  } as unknown as Service;
  service.present = makeIncarnation(service, launch.taskId, null);
  services.set(service.origin, service);
  incarnations.set(launch.taskId, service.present);
  try {
    if (isEnding) throw new Error(service.final!);
    follow(service.present, start());
  } catch (error) {
    service.final = reasonFor(1, error);
    ended(service.present, 1, error);
  }
}

/** Hears of a worker's end, and what it says. */
function follow(incarnation: Incarnation, launched: Launched): void {
  incarnation.launched = launched;
  const agent: Agent = { taskId: incarnation.taskId, port: launched.control };
  const listen = (request: Request): void => hear(agent, request);
  const onExit = (code: number): void => {
    // What it said before its end may still be in the port.
    for (;;) {
      const received = receiveMessageOnPort(launched.control) as { message: Request } | undefined;
      if (received === undefined) break;
      if (received.message.kind === 'loaded') listen(received.message);
    }
    launched.control.close();
    dying.delete(incarnation);
    sayEnded(recordOf(incarnation.taskId));
    ends.push(() => ended(incarnation, code, launched.error));
    if (dying.size === 0) hearEnds();
    else endsTimer ??= setTimeout(hearEnds, STILL_ms);
  };
  launched.control.on('message', listen);
  if (launched.code === null) launched.onExit = onExit;
  else onExit(launched.code);
}

/** Workers that were terminated and whose end has not been heard of. */
const dying = new Set<Incarnation>();
/** How long ends wait for those: a worker in native code ends later, but holds nothing of the kernel. */
const STILL_ms = 20;
/** Ends of which nobody has heard yet. */
const ends: (() => void)[] = [];
let endsTimer: NodeJS.Timeout | null = null;

/**
 * Deals with ends, in their order. Of two workers that are ended at the same time one may have been about to call the
 * other: so both ends are known before the repair of the first, which would else wait for what the other left.
 */
function hearEnds(): void {
  if (endsTimer !== null) clearTimeout(endsTimer);
  endsTimer = null;
  for (let end = ends.shift(); end !== undefined; end = ends.shift()) end();
}

function loaded(incarnation: Incarnation | undefined, names: readonly string[]): void {
  if (incarnation === undefined) return;
  const { service } = incarnation;
  incarnation.isLoaded = true;
  service.names ??= names;
  if (incarnation === service.present) prepareSpare(service);
}

/** Starts the worker of another incarnation. */
function launchAgain(incarnation: Incarnation, isSpare: boolean): void {
  const { service, side } = incarnation;
  const launch: Launch = { ...service.launch, taskId: incarnation.taskId, spawner: 0, port: side!.port2 };
  try {
    follow(incarnation, launchWorker(parent.common, launch, service.names, isSpare));
  } catch (error) {
    ended(incarnation, 1, error);
  }
}

/** Makes the record of another incarnation; null when the system has no room for it. */
function nextIncarnation(service: Service, isSpare: boolean): Incarnation | null {
  const { chief, launch, origin } = service;
  const taskId = makeRecord({ chief: chief.taskId, launch, origin, restarts: service.restarts, isSpare });
  if (taskId === 0) return null;
  const incarnation = makeIncarnation(service, taskId, new MessageChannel());
  incarnations.set(taskId, incarnation);
  return incarnation;
}

const wantsSpare = ({ final, launch, spare }: Service): boolean =>
  final === null && spare === null && (launch.restart & REPLACE_ON_TIMEOUT) !== 0;

/** A spare that cannot be had is done without: the replacement is started when it is needed. */
function prepareSpare(service: Service): void {
  if (!wantsSpare(service)) return;
  service.spare = nextIncarnation(service, true);
  if (service.spare !== null) launchAgain(service.spare, true);
}

/** A call outlived its timeout in this incarnation: another takes its place at once, and then it is ended. */
function replace(taskId: number, limit: string): void {
  const old = incarnations.get(taskId);
  if (old === undefined || old.service.present !== old || old.service.final !== null) return;
  const reason = `killed after a call took longer than ${limit}`;
  old.why = reason;
  setReason(recordOf(taskId), reason);
  const { service } = old;
  const next = succeed(service);
  if (next === null) giveUp(service, reason);
  else turnAway(peek(recordOf(taskId) + TASK_SERVER));
  // Before the next is launched: the old one keeps a processor busy.
  endIncarnation(old, reason);
  if (next !== null && next.launched === null) launchAgain(next, false);
}

/**
 * Who found that an incarnation has hung may have ended before it asked for another. And who did not know that it has
 * been replaced may stand in its queue still, while it is in native code that nothing can end.
 */
export function lookAfterReplaced(): void {
  for (const incarnation of [...incarnations.values()]) {
    const record = recordOf(incarnation.taskId);
    if (load(record + TASK_STATE) !== TASK_REPLACED) continue;
    if (incarnation.service.present !== incarnation) turnAway(peek(record + TASK_SERVER));
    else if (incarnation.isForgotten) replace(incarnation.taskId, 'its timeout');
    else incarnation.isForgotten = true;
  }
}

/** The spare, unless it has ended, of which we are about to hear. */
function readySpare({ spare }: Service): Incarnation | null {
  return spare !== null && load(recordOf(spare.taskId) + TASK_STATE) === TASK_SPARE ? spare : null;
}

/** Puts the spare in place of the present incarnation, or the record of a new one. Null: there is no room for one. */
function succeed(service: Service): Incarnation | null {
  const old = service.present;
  service.restarts++;
  const next = readySpare(service) ?? nextIncarnation(service, false);
  if (next === null) return null;
  const record = recordOf(next.taskId);
  poke(record + TASK_RESTARTS, service.restarts);
  service.present = next;
  pass(recordOf(old.taskId), record);
  // The chief has the side port before anybody can call.
  const { port1 } = next.side!;
  const notice: Notice = { kind: 'restarted', before: old.taskId, taskId: next.taskId, port: port1 };
  service.chief.port.postMessage(notice, [port1]);
  // Unless it ends at this very moment.
  if (service.spare === next) compareExchange(record + TASK_STATE, TASK_SPARE, TASK_ALIVE);
  else reveal(record, service.origin);
  service.spare = null;
  ringRestarts();
  return next;
}

/** A worker has ended, or did not start. */
function ended(incarnation: Incarnation, code: number, error: unknown): void {
  const { service, taskId } = incarnation;
  const reason = incarnation.why ?? reasonFor(code, error);
  incarnations.delete(taskId);
  for (const child of servicesOf(taskId)) endService(child, 'its chief has ended');
  if (service.present === incarnation) {
    const next = isRestarted(incarnation, code) ? restart(service, reason) : null;
    if (next === null) finish(incarnation, code, reason, error);
    else buryWithClan(taskId, code, reason);
  } else {
    buryWithClan(taskId, code, reason);
    if (service.spare === incarnation) spareEnded(service, reason);
    else prepareSpare(service);
  }
  tellOfClans();
  ringRestarts();
  if (isEnding && incarnations.size === 0) parent.onEnded();
}

/** Ends that are told when the last task of the ended one's clan has ended too, by its task id. */
const untold = new Map<number, () => void>();

function tellOfClans(): void {
  for (const [chief, tell] of untold) {
    if (hasClan(chief)) continue;
    untold.delete(chief);
    tell();
  }
}

function isRestarted({ isLoaded, service, why }: Incarnation, code: number): boolean {
  const { final, launch, names } = service;
  // A task that never was ready has not started; its spawner hears why.
  if (final !== null || names === null) return false;
  if ((launch.restart & RESTART_ALWAYS) !== 0) return true;
  return (launch.restart & RESTART_ON_FAILURE) !== 0 && (code !== 0 || why !== null || !isLoaded);
}

/** Whether one more restart is within the limit; counts it. */
function mayRestart(service: Service): boolean {
  const time_ms = performance.now();
  service.recent_ms = service.recent_ms.filter((at_ms) => time_ms - at_ms < MINUTE_ms);
  if (service.recent_ms.length >= RESTARTS_PER_MINUTE) return false;
  service.recent_ms.push(time_ms);
  return true;
}

const pauseAfter = (restarts: number): number =>
  restarts <= 1 ? 0 : Math.min(RESTART_PAUSE_MAX_ms, RESTART_PAUSE_ms * 2 ** (restarts - 2));

/** Starts the service again. The record is there at once, so that calls wait for it; the worker follows. */
function restart(service: Service, reason: string): Incarnation | null {
  if (!mayRestart(service)) {
    giveUp(service, reason);
    return null;
  }
  const next = succeed(service);
  if (next === null) {
    giveUp(service, reason);
    return null;
  }
  if (next.launched !== null) {
    prepareSpare(service);
    return next;
  }
  const start = (): void => {
    next.timer = null;
    launchAgain(next, false);
  };
  const pause_ms = pauseAfter(service.recent_ms.length);
  if (pause_ms === 0) start();
  else next.timer = setTimeout(start, pause_ms);
  return next;
}

function giveUp(service: Service, reason: string): void {
  const { launch, recent_ms } = service;
  service.final = reason;
  const many = `it has been restarted ${recent_ms.length} times within a minute`;
  const why = recent_ms.length >= RESTARTS_PER_MINUTE ? many : 'the system has no room for another';
  parent.report(`task '${launch.name}' is not restarted: ${why}; the last end: ${reason}`);
}

/** A spare that ends by itself will not do better as the present incarnation: it is tried again within the limit. */
function spareEnded(service: Service, reason: string): void {
  service.spare = null;
  if (service.final === null && mayRestart(service)) prepareSpare(service);
  else if (service.final === null) parent.report(`task '${service.launch.name}' has no spare: ${reason}`);
}

function finish(incarnation: Incarnation, code: number, reason: string, error: unknown): void {
  const { service, taskId } = incarnation;
  service.final ??= reason;
  services.delete(service.origin);
  endIncarnation(service.spare, service.final);
  // From here on whoever waits for another incarnation is told that there is none.
  poke(recordOf(taskId) + TASK_RESTART, 0);
  const tell = (): void => tellExit(service, taskId, code, reason, error);
  // The chief is told before anybody hears of the end by the repair: what it awaits of `kill()` comes before what the
  // calls that are ended by it give.
  if (hasClan(taskId)) untold.set(taskId, tell);
  else tell();
  buryWithClan(taskId, code, reason);
}

/** Whether a worker is still there that this task started. */
const hasClan = (chief: number): boolean =>
  [...incarnations.values()].some(({ service }) => service.chief.taskId === chief);

function tellExit(service: Service, taskId: number, code: number, reason: string, error: unknown): void {
  const plain = error === undefined ? undefined : errorToPlain(error);
  const notice: Notice = { kind: 'exited', origin: service.origin, taskId, code, reason, error: plain };
  service.chief.port.postMessage(notice);
}

/** Buries an incarnation and the tasks of its clan that have no worker to end. */
function buryWithClan(taskId: number, code: number, reason: string): void {
  for (const orphan of orphansOf(taskId)) {
    if (!incarnations.has(orphan)) bury(orphan, 1, 'its chief has ended');
  }
  freeUnwritten(taskId);
  bury(taskId, code, reason);
}

/** Its spawner does not wait for it any more. What ends by itself does so with its own code and reason. */
function abandon(service: Service | undefined): void {
  if (service === undefined) return;
  if (load(recordOf(service.present.taskId) + TASK_STATE) === TASK_DEAD) service.final ??= 'it was not waited for';
  else endService(service, 'it was not waited for');
}

/** Ends a service for good. */
function endService(service: Service | undefined, why: string): void {
  if (service === undefined || service.final !== null) return;
  service.final = why;
  const record = recordOf(service.present.taskId);
  if (peek(record + TASK_ID) === service.present.taskId) poke(record + TASK_RESTART, 0);
  endIncarnation(service.spare, why);
  endIncarnation(service.present, why);
}

function endIncarnation(incarnation: Incarnation | null, why: string): void {
  if (incarnation === null) return;
  incarnation.why ??= why;
  if (incarnation.timer !== null) clearTimeout(incarnation.timer);
  if (incarnation.launched === null) ended(incarnation, 1, undefined);
  else terminate(incarnation, incarnation.launched);
}

function terminate(incarnation: Incarnation, { worker, code }: Launched): void {
  if (code !== null) return;
  dying.add(incarnation);
  void worker.terminate();
}

/** Ends all: every task is told, may finish the handler that runs, and is terminated when the grace is over. */
export function endAll(): void {
  isEnding = true;
  if (incarnations.size === 0) {
    parent.onEnded();
    return;
  }
  for (const service of services.values()) service.final ??= 'the system was shut down';
  for (const incarnation of [...incarnations.values()]) tell(incarnation);
  setTimeout(() => {
    for (const incarnation of [...incarnations.values()]) endIncarnation(incarnation, 'the system was shut down');
  }, SHUTDOWN_GRACE_ms);
}

function tell(incarnation: Incarnation): void {
  incarnation.why ??= 'the system was shut down';
  const record = recordOf(incarnation.taskId);
  poke(record + TASK_RESTART, 0);
  if (incarnation.launched === null) {
    endIncarnation(incarnation, incarnation.why);
    return;
  }
  incarnation.launched.control.postMessage({ kind: 'end' } satisfies Notice);
  // A server that waits in place comes to its loop, and there to what was posted.
  const server = tcbOf(peek(record + TASK_SERVER));
  if ((load(server + TCB_STATE) & (KIND_MASK | INDEX_MASK)) === (WAIT | ANY_INDEX)) cancel(server, ABORTED, holder());
}
