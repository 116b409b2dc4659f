/**
 * Compiles the allow and deny rules of a route into one policy: deny first, then allow, then the
 * question what could still help a visitor who is refused. Rules that cannot be read are diagnostics,
 * and fail closed. Nothing is interpreted per request.
 */
import { hash } from 'node:crypto';
import { problem, warning, type Diagnostic } from '../core/diagnostic.ts';
import type { Place, Rule } from './rule-text.ts';
import { NO_RULE, type Decision, type Facts, type RuleTrace, type StepUp } from './facts.ts';
import { asksForSomething, missingFor, ruleOf, tracesOf } from './step-up.ts';
import { compileMatcher, type List, type Matcher, type Who } from './matcher.ts';
import { parsePrincipal, principalText, type Principal, type PrincipalContext, type ProviderRef } from './principal.ts';
import { describeLacks, lacksOf, type Lack } from './unsaid.ts';

export interface CompiledPolicy {
  /** Hash of the content: identical rules share it. */
  readonly id: string;
  /** `public` without any deny: nobody's identity is needed. */
  readonly isPublic: boolean;
  /** No `ip:`, no `client-certificate:`, no `when:` on the request: a decision holds as long as the session. */
  readonly dependsOnlyOnIdentity: boolean;
  /** A sign-in may be so old; null: a decision does not depend on time. */
  readonly maxAgeMs: number | null;
  /** What the route asks for and the person has not shown, whatever the rules say. */
  readonly missing: (facts: Facts) => StepUp | null;
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
  /** What persons whom the rules let in must have shown as well. */
  readonly require?: StepUp | null;
  /** Of all policies with the same providers and services: most rules stand in many places, and are read once. */
  readonly known?: KnownRules;
}

/** Rules that were read without a problem, by their text, and what was made of them. */
export class KnownRules {
  readonly principals: Map<string, Principal> = new Map();
  readonly matchers: Readonly<Record<List, Map<Principal, Matcher>>> = { allow: new Map(), deny: new Map() };
}

export interface PolicyResult {
  readonly policy: CompiledPolicy;
  readonly diagnostics: readonly Diagnostic[];
}

export function compilePolicy(input: PolicyInput): PolicyResult {
  const diagnostics: Diagnostic[] = [];
  const context: PrincipalContext = { providers: input.providers, services: input.services ?? null };
  const { known = new KnownRules() } = input;
  const work = { context, known, diagnostics };
  const deny = parseRules([...input.hostDeny, ...input.routeDeny], work);
  const allow = parseRules(input.allow, work);
  warnOfUseless(input.allow, diagnostics);
  const rules = { deny: compileRules(deny, 'deny', work), allow: compileRules(allow, 'allow', work) };
  refuseUnqualified(allow, rules.allow, work);
  const principals = allow.map(({ principal }) => principal);
  // Those that are kept out, too: who is asked about nobody, or renamed, would not be kept out.
  const named = [...deny, ...allow].flatMap(({ principal }) => namedBy(principal));
  const about = { namedUsers: named, admittedProviders: admittedProviders(principals) };
  const policy = createPolicy(rules, hashOf(deny, allow), about);
  const { require: wanted = null } = input;
  const isAsking = wanted !== null && asksForSomething(wanted);
  return { policy: isAsking ? withStepUp(policy, wanted, input.providers) : policy, diagnostics };
}

/** Whose people such rules ask for. What looks at no person (`public`, `ip:`) may let somebody in, and asks for nobody. */
export function askedProviders(
  allow: readonly Rule[],
  { providers, services, known }: Pick<PolicyInput, 'providers'> & Required<Pick<PolicyInput, 'services' | 'known'>>,
): readonly string[] {
  const rules = parseRules(allow, { context: { providers, services }, known, diagnostics: [] });
  const all = providers.map(({ id }) => id);
  return [...new Set(rules.flatMap(({ principal }) => askedBy(principal) ?? all))];
}

/** Null: anybody's. */
function askedBy(principal: Principal): readonly string[] | null {
  switch (principal.kind) {
    case 'public':
    case 'ip':
    case 'client-certificate':
      return [];
    case 'when':
      return /\buser\b/.test(principal.expression) ? null : [];
    case 'all': {
      const asking = principal.parts.map(askedBy).filter((ids) => ids === null || ids.length > 0);
      return asking.length === 0 ? [] : inAll(asking);
    }
    default:
      return providersOf(principal);
  }
}

interface ParsedRule {
  readonly principal: Principal;
  readonly at: Place;
}

interface Work {
  readonly context: PrincipalContext;
  readonly known: KnownRules;
  readonly diagnostics: Diagnostic[];
}

function parseRules(rules: readonly Rule[], { context, known, diagnostics }: Work): readonly ParsedRule[] {
  return rules.map(({ rule, at }) => {
    const before = typeof rule === 'string' ? known.principals.get(rule) : undefined;
    if (before !== undefined) return { principal: before, at };
    const { principal, diagnostics: found } = parsePrincipal(rule, at, context);
    // With diagnostics it is read at each place again, so that each place is named.
    if (found.length === 0 && typeof rule === 'string') known.principals.set(rule, principal);
    diagnostics.push(...found);
    return { principal, at };
  });
}

function compileRules(rules: readonly ParsedRule[], list: List, { known, diagnostics }: Work): readonly Matcher[] {
  return rules.map(({ principal, at }) => {
    const before = known.matchers[list].get(principal);
    if (before !== undefined) return before;
    const { matcher, refusals } = compileMatcher(principal, list);
    for (const reason of refusals) {
      const remedy =
        'Variables: user.name, user.email, user.groups, user.roles, user.provider, service, token, ip, method, host, path';
      diagnostics.push(problem(at, `Cannot compile expression of "when": ${reason}`, remedy));
    }
    known.matchers[list].set(principal, matcher);
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

/** As a short form: "admins" of one provider may be anybody's group at another. A deny that means both is on the safe side. */
function refuseUnqualified(
  allow: readonly ParsedRule[],
  matchers: readonly Matcher[],
  { context, diagnostics }: Work,
): void {
  const ids = context.providers.map(({ id }) => id);
  for (const [index, { principal, at }] of allow.entries()) {
    const whose = providersOf(principal) ?? ids;
    const read = whose.length < 2 ? undefined : unqualifiedIn(matchers[index]);
    if (read === undefined) continue;
    const message = `Expression of "when" reads ${read}, but people of several providers may have that: ${whose.join(', ')}`;
    const remedy = `Add 'user.provider == "${whose[0]}" &&', or put it beside a rule of one provider: { all: ["${whose[0]}:signed-in", { when: … }] }`;
    diagnostics.push(problem(at, message, remedy));
  }
}

function unqualifiedIn(matcher: Matcher | undefined): string | undefined {
  if (matcher?.unqualified !== undefined) return matcher.unqualified;
  for (const part of matcher?.parts ?? []) {
    const found = unqualifiedIn(part);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The person, group or organisation that it names; of a team its organisation, which has to be asked about. */
export function namedBy(principal: Principal): readonly string[] {
  if (principal.kind === 'all') return principal.parts.flatMap(namedBy);
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
    case 'all':
      return inAll(principal.parts.map(providersOf));
    default:
      return null;
  }
}

/** Null stands for all. */
function inAll(parts: readonly (readonly string[] | null)[]): readonly string[] | null {
  const [first, ...rest] = parts.filter((ids) => ids !== null);
  return first === undefined ? null : first.filter((id) => rest.every((ids) => ids.includes(id)));
}

type About = Pick<CompiledPolicy, 'namedUsers' | 'admittedProviders'>;

function createPolicy({ deny, allow }: Rules, id: string, about: About): CompiledPolicy {
  const rules = [...deny, ...allow];
  const isAdmitting = (who: Who): boolean => allow.some((rule) => rule.judge(who, null) !== 'no');
  const accepts = (who: Who): boolean =>
    allow.some((rule) => rule.asks.includes(who) && rule.judge(who, null) !== 'no');
  const allowed = allow.map((rule) => Object.freeze({ kind: 'allow', rule: rule.text } as const));
  const decide = (facts: Facts): Decision => {
    for (const rule of deny) if (rule.matches(facts)) return refuse({ deny, allow }, facts, rule);
    for (let at = 0; at < allow.length; at++) if (allow[at]?.matches(facts) === true) return allowed[at] as Decision;
    return refuse({ deny, allow }, facts, null);
  };
  return {
    id,
    isPublic: deny.length === 0 && allow.some((rule) => rule.text === 'public'),
    dependsOnlyOnIdentity: rules.every((rule) => rule.isIdentityOnly),
    maxAgeMs: null,
    missing: () => null,
    acceptsServices: accepts('service'),
    acceptsTokens: accepts('token'),
    ...about,
    couldSignIn: rules.some((rule) => rule.asks.includes('person')) && isAdmitting('person'),
    decide,
    explain: (facts) => explain({ deny, allow }, facts),
  };
}

function withStepUp(policy: CompiledPolicy, wanted: StepUp, providers: readonly ProviderRef[]): CompiledPolicy {
  const local = new Set(providers.filter(({ type }) => type === 'local').map(({ id }) => id));
  const missing = (facts: Facts): StepUp | null => missingFor(wanted, facts, (id) => local.has(id));
  return {
    ...policy,
    id: `${policy.id}+${JSON.stringify(wanted)}`,
    isPublic: false,
    maxAgeMs: wanted.maxAgeMs,
    missing,
    decide(facts) {
      const decision = policy.decide(facts);
      const needs = decision.kind === 'allow' ? missing(facts) : null;
      return needs === null ? decision : { kind: 'sign-in', rule: ruleOf(needs), needs };
    },
    explain(facts) {
      const traces = policy.explain(facts);
      const needs = policy.decide(facts).kind === 'allow' ? missing(facts) : null;
      const asked = tracesOf(wanted, needs, facts);
      return [...(needs === null ? traces : traces.map((one) => ({ ...one, decisive: false }))), ...asked];
    },
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
  const lacks = lacksThatCount(rules, facts);
  const why = reasonOfNoRule(rules, facts);
  if (lacks.length === 0) return { kind: 'deny', rule: NO_RULE, reason: why };
  // One rule about one thing says it by itself.
  const reason = / not say |no e-mail|not verified/.test(why) ? why : `${why}; ${describeLacks(facts, lacks)}`;
  const withheld = lacks.flatMap(({ name }) => name ?? []);
  const unsaid = [...new Set(lacks.map(({ what }) => what))];
  return { kind: 'deny', rule: NO_RULE, reason, unsaid, ...(withheld.length === 0 ? {} : { withheld }) };
}

/** What some allow rule looks at, and the person's provider keeps to itself. */
function lacksThatCount({ allow }: Rules, facts: Facts): readonly Lack[] {
  const { identity } = facts;
  if (identity.kind !== 'person') return [];
  return lacksOf(identity.person).filter((lack) => allow.some((rule) => looksAt(rule, lack, facts)));
}

function looksAt(rule: Matcher, lack: Lack, facts: Facts): boolean {
  return rule.looksAt?.(lack, facts) === true || rule.parts.some((part) => looksAt(part, lack, facts));
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
