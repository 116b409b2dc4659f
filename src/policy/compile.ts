/**
 * Compiles the allow and deny rules of a route into one policy: deny first, then allow, then the
 * question what could still help a visitor who is refused. Rules that cannot be read are diagnostics,
 * and fail closed. Nothing is interpreted per request.
 */
import { hash } from 'node:crypto';
import { problem, warning, type Diagnostic } from '../core/diagnostic.ts';
import type { Place, Rule } from './rule-text.ts';
import { NO_RULE, SECOND_FACTOR_RULE, hasSecondFactor, type Decision, type Facts, type RuleTrace } from './facts.ts';
import { compileMatcher, type List, type Matcher, type Who } from './matcher.ts';
import { parsePrincipal, principalText, type Principal, type PrincipalContext, type ProviderRef } from './principal.ts';

export interface CompiledPolicy {
  /** Hash of the content: identical rules share it. */
  readonly id: string;
  /** `public` without any deny: nobody's identity is needed. */
  readonly isPublic: boolean;
  /** No `ip:`, no `client-certificate:`, no `when:` on the request: a decision holds as long as the session. */
  readonly dependsOnlyOnIdentity: boolean;
  /** Some allow rule could match a service: its credentials are worth checking. */
  readonly acceptsServices: boolean;
  /** The same for a machine's token. */
  readonly acceptsTokens: boolean;
  /** Some visitor could be helped by signing in. */
  readonly couldSignIn: boolean;
  /** "github:user:alice", "github:org:acme": every person and organisation that a rule names. */
  readonly namedUsers: readonly string[];
  /** Providers whose people some allow rule could let in; null: any. */
  readonly admittedProviders: readonly string[] | null;
  readonly decide: (facts: Facts) => Decision;
  /** Every rule in the order of judgement, deny first. Agrees with `decide`. */
  readonly explain: (facts: Facts) => readonly RuleTrace[];
}

export interface PolicyInput {
  readonly allow: readonly Rule[];
  readonly routeDeny: readonly Rule[];
  readonly hostDeny: readonly Rule[];
  readonly providers: readonly ProviderRef[];
  /** Names that `service:` may use; left out: any. */
  readonly services?: readonly string[];
  /** Persons whom the rules let in must have shown a second factor too. Machines have none to show. */
  readonly require?: 'second-factor' | null;
}

export interface PolicyResult {
  readonly policy: CompiledPolicy;
  readonly diagnostics: readonly Diagnostic[];
}

export function compilePolicy(input: PolicyInput): PolicyResult {
  const diagnostics: Diagnostic[] = [];
  const context: PrincipalContext = { providers: input.providers, services: input.services ?? null };
  const deny = parseRules([...input.hostDeny, ...input.routeDeny], context, diagnostics);
  const allow = parseRules(input.allow, context, diagnostics);
  warnOfUseless(input.allow, diagnostics);
  const rules = { deny: compileRules(deny, 'deny', diagnostics), allow: compileRules(allow, 'allow', diagnostics) };
  const principals = allow.map(({ principal }) => principal);
  const about = { namedUsers: principals.flatMap(namedUsers), admittedProviders: admittedProviders(principals) };
  const policy = createPolicy(rules, hashOf(deny, allow), about);
  return { policy: input.require === 'second-factor' ? withSecondFactor(policy) : policy, diagnostics };
}

interface ParsedRule {
  readonly principal: Principal;
  readonly at: Place;
}

function parseRules(
  rules: readonly Rule[],
  context: PrincipalContext,
  diagnostics: Diagnostic[],
): readonly ParsedRule[] {
  return rules.map(({ rule, at }) => {
    const { principal, diagnostics: found } = parsePrincipal(rule, at, context);
    diagnostics.push(...found);
    return { principal, at };
  });
}

function compileRules(rules: readonly ParsedRule[], list: List, diagnostics: Diagnostic[]): readonly Matcher[] {
  return rules.map(({ principal, at }) => {
    const { matcher, refusals } = compileMatcher(principal, list);
    for (const reason of refusals) {
      const remedy =
        'Variables: user.name, user.email, user.groups, user.roles, user.provider, service, token, ip, method, host, path';
      diagnostics.push(problem(at, `Cannot compile expression of "when": ${reason}`, remedy));
    }
    return matcher;
  });
}

function warnOfUseless(allow: readonly Rule[], diagnostics: Diagnostic[]): void {
  if (!allow.some(({ rule }) => rule === 'public')) return;
  for (const { rule, at } of allow) {
    if (rule === 'public') continue;
    const shown = typeof rule === 'string' ? rule : JSON.stringify(rule);
    diagnostics.push(warning(at, `Rule "${shown}" has no effect beside "public"`, 'Remove it, or remove "public"'));
  }
}

function namedUsers(principal: Principal): readonly string[] {
  if (principal.kind === 'all') return principal.parts.flatMap(namedUsers);
  if (principal.kind === 'team') return [`${principal.provider}:org:${principal.value.split('/', 1)[0] ?? ''}`];
  const isNamed = principal.kind === 'user' || principal.kind === 'org' || principal.kind === 'group';
  return isNamed ? [principalText(principal)] : [];
}

function admittedProviders(allow: readonly Principal[]): readonly string[] | null {
  const found = allow.map(providersOf);
  return found.includes(null) ? null : [...new Set(found.flatMap((ids) => ids ?? []))];
}

/** Whose people a rule can match; null: anybody's. */
function providersOf(principal: Principal): readonly string[] | null {
  switch (principal.kind) {
    case 'service':
    case 'token':
    case 'link':
    case 'unreadable':
      return [];
    case 'signed-in':
      return principal.provider === null ? null : [principal.provider];
    case 'user':
    case 'email':
    case 'email-domain':
    case 'group':
    case 'role':
    case 'org':
    case 'team':
      return [principal.provider];
    case 'all': {
      const parts = principal.parts.map(providersOf).filter((ids) => ids !== null);
      const [first, ...rest] = parts;
      return first === undefined ? null : first.filter((id) => rest.every((ids) => ids.includes(id)));
    }
    default:
      return null;
  }
}

type About = Pick<CompiledPolicy, 'namedUsers' | 'admittedProviders'>;

function createPolicy({ deny, allow }: Rules, id: string, about: About): CompiledPolicy {
  const rules = [...deny, ...allow];
  const isAdmitting = (who: Who): boolean => allow.some((rule) => rule.judge(who, null) !== 'no');
  const accepts = (who: Who): boolean =>
    allow.some((rule) => rule.asks.includes(who) && rule.judge(who, null) !== 'no');
  const allowed = new Map(allow.map((rule) => [rule, Object.freeze({ kind: 'allow', rule: rule.text } as const)]));
  const decide = (facts: Facts): Decision => {
    for (const rule of deny) if (rule.matches(facts)) return refuse({ deny, allow }, facts, rule);
    for (const rule of allow) if (rule.matches(facts)) return allowed.get(rule) as Decision;
    return refuse({ deny, allow }, facts, null);
  };
  return {
    id,
    isPublic: deny.length === 0 && allow.some((rule) => rule.text === 'public'),
    dependsOnlyOnIdentity: rules.every((rule) => rule.isIdentityOnly),
    acceptsServices: accepts('service'),
    acceptsTokens: accepts('token'),
    ...about,
    couldSignIn: rules.some((rule) => rule.asks.includes('person')) && isAdmitting('person'),
    decide,
    explain: (facts) => explain({ deny, allow }, facts),
  };
}

const ASK_FOR_SECOND_FACTOR: Decision = Object.freeze({
  kind: 'sign-in',
  rule: SECOND_FACTOR_RULE,
  needsSecondFactor: true,
});

function withSecondFactor(policy: CompiledPolicy): CompiledPolicy {
  // Nobody in particular (a "when" on the request let them in) has nothing to show either.
  const isLacking = ({ identity, clientCertificate }: Facts): boolean =>
    identity.kind === 'person'
      ? !hasSecondFactor(identity.person.amr)
      : identity.kind === 'anonymous' && clientCertificate === null;
  return {
    ...policy,
    id: `${policy.id}+2`,
    isPublic: false,
    decide(facts) {
      const decision = policy.decide(facts);
      return decision.kind === 'allow' && isLacking(facts) ? ASK_FOR_SECOND_FACTOR : decision;
    },
    explain(facts) {
      const traces = policy.explain(facts);
      const isAllowed = policy.decide(facts).kind === 'allow';
      const isMissing = isAllowed && isLacking(facts);
      const asked = traceOfSecondFactor(facts, isMissing);
      return [...(isMissing ? traces.map((one) => ({ ...one, decisive: false })) : traces), asked];
    },
  };
}

function traceOfSecondFactor({ identity }: Facts, isMissing: boolean): RuleTrace {
  const amr = identity.kind === 'person' ? identity.person.amr : [];
  const reason = amr.length === 0 ? `${identity.kind} has shown none` : `signed in by ${amr.join(', ')}`;
  return {
    list: 'require',
    rule: SECOND_FACTOR_RULE,
    matched: hasSecondFactor(amr),
    reason,
    decisive: isMissing,
    couldHelp: isMissing ? 'sign-in' : null,
    parts: [],
  };
}

interface Rules {
  readonly deny: readonly Matcher[];
  readonly allow: readonly Matcher[];
}

function isNobodyYet({ identity }: Facts): boolean {
  return identity.kind === 'anonymous' || identity.kind === 'link';
}

/** What a refused request gets: whoever has proved an identity is refused, others may be asked for one. */
function refuse(rules: Rules, facts: Facts, denied: Matcher | null): Decision {
  // Who came by a link to somewhere else may be somebody, too.
  if (isNobodyYet(facts)) {
    const forPerson = helpful(rules, facts, 'person');
    if (forPerson !== undefined) return { kind: 'sign-in', rule: forPerson.text };
    const forMachine = helpful(rules, facts, 'service') ?? helpful(rules, facts, 'token');
    if (forMachine !== undefined) return { kind: 'challenge', rule: forMachine.text };
  }
  if (denied !== null) return { kind: 'deny', rule: denied.text, reason: denied.why(facts) };
  return { kind: 'deny', rule: NO_RULE, reason: reasonOfNoRule(rules, facts) };
}

/** The first allow rule that could match such a visitor whom no deny would refuse for certain. */
function helpful(rules: Rules, facts: Facts, who: Who): Matcher | undefined {
  if (rules.deny.some((rule) => rule.judge(who, facts) === 'yes')) return undefined;
  return rules.allow.find((rule) => rule.judge(who, facts) !== 'no');
}

function reasonOfNoRule({ allow }: Rules, facts: Facts): string {
  const only = allow[0];
  if (only === undefined) return 'no rule admits anyone';
  return allow.length === 1
    ? `"${only.text}" does not match: ${only.why(facts)}`
    : `none of ${allow.length} allow rules matches`;
}

function explain(rules: Rules, facts: Facts): readonly RuleTrace[] {
  const denied = rules.deny.find((rule) => rule.matches(facts));
  const decisive = denied ?? rules.allow.find((rule) => rule.matches(facts));
  const isRefused = denied !== undefined || decisive === undefined;
  const canAsk = isRefused && isNobodyYet(facts);
  const help = (rule: Matcher): RuleTrace['couldHelp'] => {
    if (!canAsk) return null;
    if (canHelp(rules, rule, facts, 'person')) return 'sign-in';
    const canMachine = canHelp(rules, rule, facts, 'service') || canHelp(rules, rule, facts, 'token');
    return canMachine ? 'challenge' : null;
  };
  return [
    ...rules.deny.map((rule) => trace(rule, 'deny', facts, decisive)),
    ...rules.allow.map((rule) => ({ ...trace(rule, 'allow', facts, decisive), couldHelp: help(rule) })),
  ];
}

function canHelp(rules: Rules, rule: Matcher, facts: Facts, who: Who): boolean {
  return helpful({ deny: rules.deny, allow: [rule] }, facts, who) !== undefined;
}

function trace(rule: Matcher, list: List, facts: Facts, decisive: Matcher | undefined): RuleTrace {
  return {
    list,
    rule: rule.text,
    matched: rule.matches(facts),
    reason: rule.why(facts),
    decisive: rule === decisive,
    couldHelp: null,
    parts: rule.parts.map((part) => trace(part, list, facts, decisive)),
  };
}

function hashOf(deny: readonly ParsedRule[], allow: readonly ParsedRule[]): string {
  const content = JSON.stringify([deny.map(({ principal }) => principal), allow.map(({ principal }) => principal)]);
  return hash('sha256', content, 'base64url').slice(0, 22);
}
