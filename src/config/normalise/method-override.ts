/**
 * Many frameworks take the method of a request from a field such as X-HTTP-Method-Override. Where a host tells
 * methods apart, by `methods` or in an expression, such an app would do what no rule has judged: there these
 * fields do not reach it. A method in a form or a query is the app's own, and nobody else can see it.
 */
import type { HeaderEdits, Route } from '../document/hosts.ts';
import type { Rule, RuleText } from '../document/rules.ts';

const OVERRIDES = ['x-http-method-override', 'x-http-method', 'x-method-override'];

/** The routes of one host. */
export function withoutOverrides(routes: readonly Route[], hostDeny: readonly Rule[]): readonly Route[] {
  if (!routes.some(tellsMethods) && !hostDeny.some(asksForMethod)) return routes;
  return routes.map((route) => ({ ...route, requestHeaders: dropping(route.requestHeaders) }));
}

function tellsMethods({ methods, allow, deny }: Route): boolean {
  return methods.length > 0 || allow.some(asksForMethod) || deny.some(asksForMethod);
}

function asksForMethod({ rule }: Rule): boolean {
  return mentionsMethod(rule);
}

function mentionsMethod(rule: RuleText): boolean {
  if (typeof rule === 'string') return false;
  return 'all' in rule ? rule.all.some(mentionsMethod) : /\bmethod\b/.test(rule.when);
}

/** Routes with the same edits share one object: what is compiled of them is kept by it. */
const dropped = new WeakMap<HeaderEdits, HeaderEdits>();

function dropping(edits: HeaderEdits): HeaderEdits {
  const known = dropped.get(edits);
  if (known !== undefined) return known;
  const made = { ...edits, remove: [...new Set([...edits.remove, ...OVERRIDES])] };
  dropped.set(edits, made);
  return made;
}
