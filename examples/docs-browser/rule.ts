/**
 * The page rule: JavaScript that a visitor has written, run over every page that is shown.
 *
 * There is one, for as long as the process lives. It is stored only after a trial over one page, which is made in a
 * task of its own, so that neither the rule in force nor who reads meanwhile notices. Calls are made one after the
 * other, for the time limit of a call counts from the call. Invariants: whatever a rule does, `apply` resolves, after a
 * time that is bounded; what it gives is text, which the views escape; after `failures_max` failures in a row it is
 * switched off.
 */
import { Busy } from './search.ts';
import type { Inside, RulePage, RuleTask } from './walls/walls.ts';

export const rule_length_max = 16_384;
export const note_length_max = 500;
/** A rule sees the beginning of a long page. */
export const rule_text_max = 60_000;
export const failures_max = 3;
/** A page whose turn comes later than this is shown without. */
const turn_max_ms = 1000;
const trials_waiting_max = 4;

/** Why a rule was refused, or failed on a page. */
export interface RuleFailure {
  /** The error's code, or its name when it has none. */
  code: string;
  message: string;
  /** Line of the rule's text, from 1; null when the error has none. */
  line: number | null;
}

/** What the rule did to a page. */
export interface Ruled {
  note?: string;
  hide?: boolean;
  failed?: RuleFailure;
  /** It was not asked: switched off, or busy with the pages of others. */
  skipped?: 'off' | 'busy';
}

export interface RuleState {
  text: string;
  state: 'on' | 'off';
  /** Pages that it was asked about. */
  pages: number;
  failures: number;
  failures_in_a_row: number;
  last_failure: (RuleFailure & { path: string }) | null;
}

/** The trial of a rule failed; `failure` is for its author. */
export class BadRule extends Error {
  override name = 'BadRule';
  readonly failure: RuleFailure;
  constructor(failure: RuleFailure) {
    super(failure.message);
    this.failure = failure;
  }
}

export interface PageRule {
  readonly state: RuleState | null;
  /** Stores a rule that passes its trial over `specimen`, or removes the present one when `text` is blank. Throws
   * BadRule, Busy; the present rule stays then. */
  set(text: string, specimen: RulePage): Promise<void>;
  /** What the rule says of a page, undefined when there is no rule. */
  apply(page: () => Promise<RulePage>): Promise<Ruled | undefined>;
}

export function openPageRule(inside: Pick<Inside, 'openRule'>): PageRule {
  let state: RuleState | null = null;
  /** The task of the rule in force; started by the first page, and anew after it was ended. */
  let task: RuleTask | undefined;
  let turns: Promise<unknown> = Promise.resolve();
  let trials: Promise<unknown> = Promise.resolve();
  let trialsWaiting = 0;

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = turns.then(work);
    turns = turn.catch(() => {});
    return turn;
  }

  async function endTask(): Promise<void> {
    const old = task;
    task = undefined;
    await old?.close();
  }

  async function tryOut(text: string, specimen: RulePage): Promise<void> {
    let trial: RuleTask | undefined;
    try {
      trial = await inside.openRule(text, true);
      resultOf(await trial.run(specimen));
    } catch (error) {
      throw new BadRule(describe(error));
    } finally {
      await trial?.close();
    }
  }

  async function store(text: string, specimen: RulePage): Promise<void> {
    const isRemoval = text.trim() === '';
    if (!isRemoval) await tryOut(text, specimen);
    await inTurn(async () => {
      await endTask();
      const none = { pages: 0, failures: 0, failures_in_a_row: 0, last_failure: null };
      state = isRemoval ? null : { text, state: 'on', ...none };
    });
  }

  async function ask(rule: RuleState, page: RulePage): Promise<Ruled> {
    rule.pages++;
    try {
      task ??= await inside.openRule(rule.text, false);
      const ruled = resultOf(await task.run(page));
      rule.failures_in_a_row = 0;
      return ruled;
    } catch (error) {
      const failed = describe(error);
      rule.failures++;
      rule.failures_in_a_row++;
      rule.last_failure = { ...failed, path: page.path };
      if (rule.failures_in_a_row >= failures_max) rule.state = 'off';
      // One that did not end in time may still be at it, and one that has ended does not answer again.
      if (rule.state === 'off' || endsTask.has(failed.code)) await endTask();
      return { failed };
    }
  }

  return {
    get state() {
      return state;
    },
    async set(text, specimen) {
      if (trialsWaiting >= trials_waiting_max) throw new Busy('Too many rules are waiting. Try again in a moment.');
      trialsWaiting++;
      const turn = trials.then(() => store(text, specimen));
      trials = turn.catch(() => {});
      try {
        await turn;
      } finally {
        trialsWaiting--;
      }
    },
    async apply(page) {
      if (!state) return undefined;
      if (state.state === 'off') return { skipped: 'off' };
      const seen = await page();
      const asked_ms = performance.now();
      return await inTurn(async () => {
        if (!state) return undefined;
        if (state.state === 'off') return { skipped: 'off' };
        if (performance.now() - asked_ms > turn_max_ms) return { skipped: 'busy' };
        return await ask(state, seen);
      });
    },
  };
}

const endsTask = new Set(['ERR_IPC_TIMEOUT', 'ERR_IPC_PEER_GONE']);

class WrongResult extends TypeError {
  readonly code = 'ERR_RULE_RESULT';
}

/** What a rule gave, which may be anything that can be cloned, as what it may give. Throws WrongResult. */
function resultOf(value: unknown): Ruled {
  if (value === undefined || value === null) return {};
  if (typeof value === 'string') return noteOf(value);
  if (typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype)
    throw new WrongResult(`a rule gives nothing, a text or { note, hide }, not ${kindOf(value)}`);
  const own = (name: string): unknown => Object.getOwnPropertyDescriptor(value, name)?.value;
  const [note, hide] = [own('note'), own('hide')];
  if (note !== undefined && typeof note !== 'string')
    throw new WrongResult(`note of a rule's result is a text, not ${kindOf(note)}`);
  if (hide !== undefined && typeof hide !== 'boolean')
    throw new WrongResult(`hide of a rule's result is true or false, not ${kindOf(hide)}`);
  return { ...(note === undefined ? {} : noteOf(note)), ...(hide === true ? { hide } : {}) };
}

function noteOf(text: string): Ruled {
  if (text.length > note_length_max)
    throw new WrongResult(`the note has ${text.length} characters; ${note_length_max} are the limit`);
  return text.trim() === '' ? {} : { note: text };
}

function kindOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return `a ${typeof value}`;
  return Object.prototype.toString.call(value).slice('[object '.length, -1);
}

/** An error as data. Those of the rule's own making may hold anything in any of their properties. */
function describe(error: unknown): RuleFailure {
  if (!(error instanceof Error)) return { code: 'thrown', message: `it threw ${kindOf(error)}, no error`, line: null };
  const { message, name, stack, code } = error as Partial<Record<'message' | 'name' | 'stack' | 'code', unknown>>;
  const text = clip(message, 400).replace(/^(?:task '[^']{0,99}' did not start: )+/, '');
  const place = /\btask\.js:(\d{1,6})\b/.exec(text) ?? /\btask\.js:(\d{1,6})\b/.exec(clip(stack, 4000));
  return { code: clip(code, 60) || clip(name, 60) || 'Error', message: text, line: place ? Number(place[1]) : null };
}

function clip(value: unknown, length: number): string {
  return typeof value === 'string' ? value.slice(0, length) : '';
}
