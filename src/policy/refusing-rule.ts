/** What somebody who may know is told of a refusal: the rule that refused, or those that let nobody like them in. */
import { NO_RULE, type RuleTrace } from './facts.ts';

export interface RefusingRule {
  readonly rule: string;
  readonly reason: string;
  /** Where no rule refused by itself: those that could have let somebody in, and why each did not. */
  readonly tried?: readonly TriedRule[];
}

export interface TriedRule {
  readonly rule: string;
  readonly reason: string;
}

/** As many as a page takes; `postern explain` prints all. */
const MOST_TRIED = 20;

/** The traces are asked for only where they say more than the decision. */
export function refusingRule(
  { rule, reason }: Pick<RefusingRule, 'rule' | 'reason'>,
  explain: () => readonly RuleTrace[],
): RefusingRule {
  if (rule !== NO_RULE) return { rule, reason };
  const allow = explain().filter(({ list, matched }) => list === 'allow' && !matched);
  const tried = allow.slice(0, MOST_TRIED).map((one) => ({ rule: one.rule, reason: one.reason }));
  return tried.length === 0 ? { rule, reason } : { rule, reason, tried };
}
