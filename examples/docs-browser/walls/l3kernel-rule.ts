/**
 * A page rule as a task: the text of a module that nobody vouches for, in QuickJS, with the language and nothing else.
 *
 * Its chief is a worker of its own (`kind: 'worker'`) and not the thread that answers requests. There a call would cost
 * less, but each could hold that thread for the whole of its time limit, page after page, and so could the rule's first
 * evaluation and the engine's compilation; a rule that stays just below the limit would do it for ever. In a worker it
 * costs its own reader time and nobody else, so that the limit can also be long enough for a slow machine.
 */
import type { System } from 'l3kernel';
import type { Account } from './account.ts';
import type { RulePage, RuleTask } from './walls.ts';

/** What a call may take, of which little is the rule's own: the worker may have to be woken on a busy machine. */
export const rule_time_max_ms = 250;
/** The same for the module itself, and for the first call, in which the engine is still being compiled. */
export const rule_first_time_max_ms = 1000;
const memory_MiB = 8;
/** A result has three. */
const parts_max = 100;

/** The name of the task of the rule that is stored; one that is tried has another. */
export const rule_name = 'rule';

interface RuleModule {
  default(page: RulePage): unknown;
}

/** Rejects with what kept the module from starting. */
export async function openRule(system: System, account: Account, text: string, isTrial: boolean): Promise<RuleTask> {
  const task = await system.spawn<RuleModule>(`data:text/javascript,${encodeURIComponent(text)}`, {
    ...{ engine: 'quickjs', kind: 'worker', name: isTrial ? `${rule_name} (trial)` : rule_name },
    ...{ timeout: rule_first_time_max_ms, memory: { mb: memory_MiB }, limits: { parts: parts_max }, console: 'ignore' },
  });
  let isFirst = true;
  return {
    async run(page) {
      const timeout = isFirst ? rule_first_time_max_ms : rule_time_max_ms;
      const call = (): Promise<unknown> => task.with({ timeout }).async.default(page);
      try {
        return await (isTrial ? call() : account.timed(rule_name, 1, call));
      } finally {
        isFirst = false;
      }
    },
    async close() {
      await task.kill();
    },
  };
}
