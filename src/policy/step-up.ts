/**
 * What a route asks of persons whom its rules let in: a second factor, a level of authentication (`acr`),
 * a sign-in that is not too old. What is not known counts as not shown. Machines have none of it to show.
 */
import { formatDuration } from '../core/durations.ts';
import { hasSecondFactor, type Facts, type RuleTrace, type StepUp } from './facts.ts';

/** Stands in a decision where the route asks for more than a password. */
export const SECOND_FACTOR_RULE = 'require: second-factor';
/** A clock that was set back a little makes no sign-in old; one that was set back far makes all of them so. */
const AHEAD_MS = 60_000;

export function asksForSomething({ secondFactor, acr, maxAgeMs }: StepUp): boolean {
  return secondFactor || acr.length > 0 || maxAgeMs !== null;
}

/** What is missing; null: nothing. `isLocal` says whether Postern itself keeps the person's account. */
export function missingFor(wanted: StepUp, facts: Facts, isLocal: (provider: string) => boolean): StepUp | null {
  const { identity, clientCertificate } = facts;
  // Nobody in particular (a "when" on the request let them in) has nothing to show either.
  if (identity.kind === 'anonymous') return clientCertificate === null ? wanted : null;
  if (identity.kind !== 'person') return null;
  const { provider, amr, acr } = identity.person;
  // Accounts of our own have no levels: what is more than a password is a second factor.
  const asksFactor = wanted.secondFactor || (wanted.acr.length > 0 && isLocal(provider));
  const secondFactor = asksFactor && !hasSecondFactor(amr);
  const lacksLevel = !isLocal(provider) && wanted.acr.length > 0 && !wanted.acr.some((one) => one === acr);
  const maxAgeMs = isFresh(wanted, facts) ? null : wanted.maxAgeMs;
  if (!secondFactor && !lacksLevel && maxAgeMs === null) return null;
  return { secondFactor, acr: lacksLevel ? wanted.acr : [], maxAgeMs };
}

function isFresh({ maxAgeMs }: StepUp, { identity, now }: Facts): boolean {
  if (maxAgeMs === null) return true;
  const at = identity.kind === 'person' ? identity.person.authenticatedAt : null;
  if (typeof at !== 'number' || now === undefined) return false;
  return now - at < maxAgeMs && now - at > -AHEAD_MS;
}

/** `require: acr gold, max_age 15m`. */
export function ruleOf(missing: StepUp): string {
  if (missing.secondFactor && missing.acr.length === 0 && missing.maxAgeMs === null) return SECOND_FACTOR_RULE;
  const parts = [
    ...(missing.secondFactor ? ['second-factor'] : []),
    ...(missing.acr.length > 0 ? [textOfLevels(missing.acr)] : []),
    ...(missing.maxAgeMs === null ? [] : [textOfAge(missing.maxAgeMs)]),
  ];
  return `require: ${parts.join(', ')}`;
}

function textOfLevels(acr: readonly string[]): string {
  return `acr ${acr.join(' or ')}`;
}

function textOfAge(maxAgeMs: number): string {
  return `max_age ${formatDuration(maxAgeMs)}`;
}

/** One line for each thing that is asked for. */
export function tracesOf(wanted: StepUp, missing: StepUp | null, facts: Facts): readonly RuleTrace[] {
  const person = facts.identity.kind === 'person' ? facts.identity.person : null;
  const nobody = `${facts.identity.kind} has shown none`;
  const traces: RuleTrace[] = [];
  if (wanted.secondFactor || (missing?.secondFactor ?? false)) {
    const reason = person === null || person.amr.length === 0 ? nobody : `signed in by ${person.amr.join(', ')}`;
    const isShown = hasSecondFactor(person?.amr ?? []);
    traces.push(traceOf(SECOND_FACTOR_RULE, { isShown, isMissing: missing?.secondFactor ?? false, reason }));
  }
  if (wanted.acr.length > 0) {
    const acr = person?.acr ?? null;
    const isShown = acr !== null && wanted.acr.includes(acr);
    const reason = acr === null ? nobody : `signed in with acr "${acr}"`;
    const isMissing = (missing?.acr.length ?? 0) > 0;
    traces.push(traceOf(`require: ${textOfLevels(wanted.acr)}`, { isShown, isMissing, reason }));
  }
  if (wanted.maxAgeMs !== null) {
    const isShown = person !== null && isFresh(wanted, facts);
    const isMissing = (missing?.maxAgeMs ?? null) !== null;
    const reason = ageOf(facts);
    traces.push(traceOf(`require: ${textOfAge(wanted.maxAgeMs)}`, { isShown, isMissing, reason }));
  }
  return traces;
}

function ageOf({ identity, now }: Facts): string {
  if (identity.kind !== 'person') return `${identity.kind} does not sign in`;
  const at = identity.person.authenticatedAt;
  if (typeof at !== 'number' || now === undefined) return 'when they signed in is not known';
  return `signed in ${formatDuration(Math.max(0, Math.floor((now - at) / 1_000) * 1_000))} ago`;
}

function traceOf(
  rule: string,
  { isShown, isMissing, reason }: { readonly isShown: boolean; readonly isMissing: boolean; readonly reason: string },
): RuleTrace {
  const couldHelp = isMissing ? 'sign-in' : null;
  return { list: 'require', rule, matched: isShown, reason, decisive: isMissing, couldHelp, parts: [] };
}

/** For people: `a second factor and a sign-in that is at most 15m old`. */
export function describeStepUp({ secondFactor, acr, maxAgeMs }: StepUp): string {
  const parts = [
    ...(secondFactor ? ['a second factor'] : []),
    ...(acr.length > 0 ? [`acr ${acr.map((one) => `"${one}"`).join(' or ')}`] : []),
    ...(maxAgeMs === null ? [] : [`a sign-in that is less than ${formatDuration(maxAgeMs)} old`]),
  ];
  return parts.join(' and ');
}
