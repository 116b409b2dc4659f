/** Reads lists of rules as far as their shape goes; what a rule means is the business of policy. */
import type { Path } from '../document/path.ts';
import type { Rule, RuleText } from '../document/rules.ts';
import type { RuleInput, RulesInput } from '../schema/routes.ts';
import { type Context, entriesOf } from './context.ts';

/** Null where none is given. An empty list is refused: it is never what was meant. */
export function readRules(input: RulesInput | undefined, path: Path, context: Context): readonly Rule[] | null {
  if (input === undefined) return context.isBroken(path) ? [] : null;
  const rules: Rule[] = [];
  for (const [rule, at] of entriesOf<RuleInput>(input, path)) {
    if (isWhole(rule)) rules.push({ rule, at });
    else if (!context.isBroken(at))
      context.report(at, 'is not a rule', 'write one such as "signed-in", { all: [...] } or { when: "..." }');
  }
  if (Array.isArray(input) && input.length === 0) {
    const isAllow = path.at(-1) === 'allow';
    context.report(path, 'is an empty list', isAllow ? 'write "respond: 403" where nobody may come' : 'remove it');
  }
  return rules;
}

/** What was pruned as wrong, or says nothing, is no rule. */
function isWhole(rule: Partial<Record<'all' | 'when', unknown>> | string): boolean {
  if (typeof rule === 'string') return rule.trim() !== '';
  if (typeof rule.when === 'string') return rule.when.trim() !== '';
  return (
    Array.isArray(rule.all) &&
    rule.all.length > 0 &&
    rule.all.every((one) => one !== undefined && isWhole(one as RuleInput))
  );
}

const KINDS: ReadonlyMap<string, 'person' | 'other'> = new Map([
  ...['signed-in', 'user', 'email', 'email-domain', 'group', 'role', 'org', 'team'].map(
    (kind) => [kind, 'person'] as const,
  ),
  ...['public', 'service', 'token', 'link', 'ip', 'client-certificate', 'country'].map(
    (kind) => [kind, 'other'] as const,
  ),
]);

/** True where a rule can only be met by somebody who signed in. */
export function needsPerson(rule: RuleText): boolean {
  if (typeof rule === 'string') {
    const [first = '', second = ''] = rule.split(':', 2);
    return (KINDS.get(first) ?? KINDS.get(second)) === 'person';
  }
  return 'all' in rule && rule.all.some(needsPerson);
}

/** True where a rule can be met without anybody being known. */
export function isAnonymous(rule: RuleText): boolean {
  if (typeof rule === 'string') return rule === 'public' || rule.startsWith('ip:');
  return 'all' in rule && rule.all.every(isAnonymous);
}
