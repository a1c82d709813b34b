/**
 * `/rule`: the page rule, and the form that changes it.
 *
 * GET /rule    the page, or the rule and how it has fared as JSON
 * POST /rule   `rule=…` of a form or `{ "rule": … }` as JSON: tries the rule and stores it, a blank one removes it
 *
 * Invariant: only a page of this site can have its visitor's browser change the rule.
 */
import { BadRule, failures_max, note_length_max, rule_length_max, rule_text_max } from './rule.ts';
import type { PageRule, RuleFailure } from './rule.ts';
import type { Request, View } from './site.ts';
import { isFromElsewhere, refused } from './system.ts';
import { rulePage } from './views-rule.ts';
import type { RulePage, Walls } from './walls/walls.ts';

/** Of a character that is not ASCII a form makes nine bytes. */
const body_bytes_max = 9 * rule_length_max + 100;

export function isRulePath(url: string): boolean {
  return /^\/rule(?:\?|$)/.test(url);
}

/** `specimen` is the page that a new rule is tried on. */
export function createRulePages(walls: Walls, rule: PageRule | undefined, specimen: () => Promise<RulePage>) {
  function show(status: number, draft?: { text: string; failure: RuleFailure }): View {
    const state = rule?.state ?? null;
    const limits = { length: rule_length_max, note: note_length_max, text: rule_text_max, failures: failures_max };
    const data = draft ? { error: { status, ...draft.failure }, rule: state } : { rule: state, limits };
    return { status, data, html: () => rulePage({ holds: rule !== undefined, walls: walls.name, state, draft }) };
  }

  async function change(request: Request): Promise<View> {
    if (isFromElsewhere(request.from)) return refused(403, 'Only a page of this site may ask for that.');
    if (!rule) return refused(409, `These walls (${walls.name}) run no rules; start with --walls l3kernel.`);
    const body = await request.read?.(body_bytes_max);
    if (body === undefined) return refused(413, `The rule is too long; ${rule_length_max} characters are the limit.`);
    const text = ruleIn(body, request.type ?? '');
    if (text === undefined) return refused(400, 'There is no rule in the request: rule=… of a form, or { "rule": … }.');
    if (text.length > rule_length_max)
      return refused(413, `The rule has ${text.length} characters; ${rule_length_max} are the limit.`);
    try {
      await rule.set(text, await specimen());
    } catch (error) {
      if (error instanceof BadRule) return show(422, { text, failure: error.failure });
      throw error;
    }
    return { ...show(200), seeOther: '/rule' };
  }

  return {
    async answer(request: Request): Promise<View> {
      if (request.method === 'POST') return await change(request);
      if (request.method === 'GET' || request.method === 'HEAD') return show(200);
      return refused(405, 'Only GET, HEAD and POST are answered here.', { allow: 'GET, HEAD, POST' });
    },
  };
}

/** The text in a body. Browsers send the lines of a text area with CRLF; half a surrogate pair fits in no address. */
function ruleIn(body: string, type: string): string | undefined {
  const text = /^application\/json\b/i.test(type) ? ruleInJson(body) : new URLSearchParams(body).get('rule');
  return typeof text === 'string' ? text.replace(/\r\n?/g, '\n').toWellFormed() : undefined;
}

function ruleInJson(body: string): unknown {
  try {
    const data: unknown = JSON.parse(body);
    return typeof data === 'object' && data !== null && 'rule' in data ? data.rule : undefined;
  } catch {
    return undefined;
  }
}
