/** The page `/rule` as HTML, and what a rule says of a page. Invariant: what comes of a rule goes through `escape`. */
import { failures_max, note_length_max, rule_length_max } from './rule.ts';
import type { Ruled, RuleFailure, RuleState } from './rule.ts';
import { escape, frame } from './views.ts';

const example = `export default function (page) {
  if (page.headings.length > 40) return 'A long one.';
  if (/deprecated/i.test(page.text)) return { note: 'Deprecated.' };
}
`;

interface RuleView {
  /** Whether the walls run rules. */
  holds: boolean;
  walls: string;
  state: RuleState | null;
  /** A rule that was refused, and why. */
  draft?: { text: string; failure: RuleFailure } | undefined;
}

export function rulePage({ holds, walls, state, draft }: RuleView): string {
  const body = `<h1>Page rule</h1>
<p class="lead">A few lines of your JavaScript, run over every page that is shown. They run in QuickJS in a memory of their own and see the page and nothing else; a rule that loops, eats memory or throws costs its own note and nothing more.</p>
${holds ? `${statusOf(state)}${draft ? refusal(draft.failure) : ''}${form(draft?.text ?? state?.text ?? '')}` : `<p class="notice">These walls (${escape(walls)}) run no rules. Start with <code>--walls l3kernel</code>.</p>`}`;
  return frame({ title: 'Page rule – docs browser', kind: 'rule', body });
}

function statusOf(state: RuleState | null): string {
  if (!state) return '<p class="status" id="status">There is no rule.</p>';
  const last = state.last_failure;
  const failed = last ? ` Last on <code>${escape(last.path)}</code>: ${failureText(last)}` : '';
  if (state.state === 'off')
    return `<p class="notice" id="status">The rule is switched off: it failed on ${failures_max} pages in a row.${failed}</p>`;
  return `<p class="status" id="status">A rule is in force. Pages: ${state.pages}, failures: ${state.failures}.${failed}</p>`;
}

function refusal(failure: RuleFailure): string {
  return `<p class="notice" id="refused" role="alert">The rule below was tried on a page and not stored: ${failureText(failure)}</p>`;
}

function form(text: string): string {
  return `<form method="post" action="/rule">
<label for="rule">The rule, a module</label>
<textarea id="rule" name="rule" rows="12" maxlength="${rule_length_max}" spellcheck="false" autocomplete="off" autocapitalize="off" placeholder="${escape(example)}">
${escape(text)}</textarea>
<p class="does">It is given <code>{ path, title, text, headings: [{ level, text }] }</code> and gives nothing, a text of up to ${note_length_max} characters that is shown above the page, or <code>{ note, hide }</code>.</p>
<p class="buttons"><button type="submit">Try and store</button> <span>An empty text removes the rule.</span></p>
</form>`;
}

/** What stands above a page. */
export function ruledLines(ruled: Ruled | undefined): string {
  if (!ruled) return '';
  const { note, failed, skipped } = ruled;
  const link = '<a href="/rule">page rule</a>';
  if (failed) return `<p class="notice">The ${link} failed on this page: ${failureText(failed)}</p>\n`;
  if (skipped === 'off')
    return `<p class="notice">The ${link} is switched off: it failed on ${failures_max} pages in a row.</p>\n`;
  if (skipped === 'busy') return `<p class="notice">The ${link} was busy with other pages.</p>\n`;
  return note === undefined ? '' : `<p class="ruled">${escape(note)} <a href="/rule">page rule</a></p>\n`;
}

function failureText({ code, message, line }: RuleFailure): string {
  const place = line === null ? '' : `, line ${line}`;
  return `<code>${escape(code)}</code>${place}: ${escape(message)}`;
}
