/**
 * Compiles one principal into closures: does it match these facts, why, and could it match for some
 * person or some service if the visitor proved to be one. Whatever cannot be decided is false in an
 * allow and true in a deny, down to the parts of an `all`.
 */
import { assertNever } from '../core/assert-never.ts';
import { createIpSet } from '../core/ip-address.ts';
import { isInPlace, type LinkPlace, type Person, type Unsaid } from '../core/person.ts';
import { foldPath } from '../wire/folded-path.ts';
import { compileCel, type CelProgram, type CelVariables } from './cel.ts';
import { isCertificateMeant } from './certificate-match.ts';
import type { Facts } from './facts.ts';
import { organisationOf, PERSON_TESTS, type PersonTest, READS, verifiedEmail, whyPerson } from './person-match.ts';
import { principalText, type Principal } from './principal.ts';
import type { Lack } from './unsaid.ts';

export type List = 'allow' | 'deny';
/** Somebody whom the visitor may prove to be: any person, any service, any holder of a token. */
export type Who = 'person' | Machine;
type Machine = 'service' | 'token';
export type Judgement = 'yes' | 'no' | 'maybe';

const MACHINES: readonly Machine[] = ['service', 'token'];

export interface Matcher {
  readonly text: string;
  readonly matches: (facts: Facts) => boolean;
  /** In words, for the same facts. Holds names, never secrets. */
  readonly why: (facts: Facts) => string;
  /** For all (yes), none (no) or some (maybe) of such visitors, all other facts staying the same. Null facts: for any. */
  readonly judge: (who: Who, facts: Facts | null) => Judgement;
  /** True where only the identity counts, so that the decision holds for a whole session. */
  readonly isIdentityOnly: boolean;
  /** Whose proof of identity the rule looks at. */
  readonly asks: readonly Who[];
  readonly parts: readonly Matcher[];
  /** Whether it looks at what the person's provider keeps to itself, so that it may not match for that. */
  readonly looksAt?: (lack: Lack, facts: Facts) => boolean;
  /** What it reads of a person that means something at one provider only, where it does not look at which that is. */
  readonly unqualified?: string;
}

export interface MatcherResult {
  readonly matcher: Matcher;
  /** Why an expression in it is refused. */
  readonly refusals: readonly string[];
}

export function compileMatcher(principal: Principal, list: List): MatcherResult {
  const refusals: string[] = [];
  const matcher = build(principal, list, refusals);
  return { matcher, refusals };
}

function build(principal: Principal, list: List, refusals: string[]): Matcher {
  const text = principalText(principal);
  switch (principal.kind) {
    case 'public':
      return simple(text, { matches: () => true, why: () => 'everyone matches', judge: () => 'yes' });
    case 'signed-in':
      return signedIn(text, principal.provider);
    case 'user':
    case 'group':
    case 'role':
    case 'org':
    case 'team':
    case 'email':
    case 'email-domain':
      return ofPerson(text, principal, list);
    case 'service':
    case 'token':
      return ofMachine(text, principal.kind, principal.value);
    case 'link':
      return ofLink(text, principal.value);
    case 'ip':
      return ofAddress(text, principal.cidrs, list);
    case 'client-certificate':
      return ofCertificate(text, principal);
    case 'all':
      return all(
        text,
        principal.parts.map((part) => build(part, list, refusals)),
      );
    case 'when': {
      const compiled = compileCel(principal.expression);
      if (compiled.kind === 'program') return when(text, compiled.program, list);
      refusals.push(compiled.reason);
      return undecidable(text, list);
    }
    case 'unreadable':
      return undecidable(text, list);
    default:
      return assertNever(principal);
  }
}

type Core = Pick<Matcher, 'matches' | 'why' | 'judge'>;

function simple(text: string, core: Core, asks: readonly Who[] = [], isIdentityOnly = true): Matcher {
  return { text, ...core, isIdentityOnly, asks, parts: [] };
}

/** A rule that cannot be read: nobody is let in by it, everybody is refused by it. */
function undecidable(text: string, list: List): Matcher {
  const matches = list === 'deny';
  return simple(text, {
    matches: () => matches,
    why: () => 'the rule cannot be read',
    judge: () => (matches ? 'yes' : 'no'),
  });
}

function signedIn(text: string, provider: string | null): Matcher {
  const core: Core = {
    matches: ({ identity }) =>
      identity.kind === 'person' && (provider === null || identity.person.provider === provider),
    why: (facts) => {
      const { identity } = facts;
      if (identity.kind !== 'person') return absence(facts);
      return `signed in by "${identity.person.provider}"${provider === null ? '' : `, wanted "${provider}"`}`;
    },
    judge: (who) => {
      if (who !== 'person') return 'no';
      return provider === null ? 'yes' : 'maybe';
    },
  };
  return simple(text, core, ['person']);
}

function absence(facts: Facts): string {
  const { identity } = facts;
  const isNamed = isMachine(identity) || identity.kind === 'link';
  return isNamed ? `a ${identity.kind} ("${identity.name}") is not a person` : 'nobody is signed in';
}

function ofPerson(text: string, test: PersonTest, list: List): Matcher {
  const { value } = test;
  const has = PERSON_TESTS[list][test.kind];
  const core: Core = {
    matches: ({ identity }) =>
      identity.kind === 'person' && identity.person.provider === test.provider && has(identity.person, value),
    why: (facts) => (facts.identity.kind === 'person' ? whyPerson(test, facts.identity.person) : absence(facts)),
    judge: (who) => (who === 'person' ? 'maybe' : 'no'),
  };
  const looksAt = ({ what, name }: Lack, { identity }: Facts): boolean =>
    identity.kind === 'person' &&
    identity.person.provider === test.provider &&
    READS[test.kind].includes(what) &&
    (name === undefined || name === organisationOf(value));
  return { ...simple(text, core, ['person']), looksAt };
}

function ofMachine(text: string, kind: Machine, name: string): Matcher {
  const core: Core = {
    matches: ({ identity }) => identity.kind === kind && identity.name === name,
    why: ({ identity }) => {
      if (identity.kind === kind) return `${kind} is "${identity.name}", wanted "${name}"`;
      if (identity.kind === 'person') return `a person ("${identity.person.name}") is not a ${kind}`;
      if (isMachine(identity)) return `a ${identity.kind} ("${identity.name}") is not a ${kind}`;
      return kind === 'service' ? 'no service gave its credentials' : 'no token was given';
    },
    judge: (who) => (who === kind ? 'maybe' : 'no'),
  };
  return simple(text, core, [kind]);
}

function isMachine(identity: Facts['identity']): identity is Extract<Facts['identity'], { kind: Machine }> {
  return identity.kind === 'service' || identity.kind === 'token';
}

/** A link lets in where it leads, whatever rule of a route further up is asked. */
function ofLink(text: string, name: string | null): Matcher {
  const core: Core = {
    matches: ({ identity, request }) =>
      identity.kind === 'link' &&
      (name === null || identity.name === name) &&
      request !== null &&
      isInPlace(identity.place, request) &&
      !couldLeave(identity.place, request.path),
    why: ({ identity }) => {
      if (identity.kind !== 'link') return 'nobody came by a link';
      if (name !== null && identity.name !== name) return `link is "${identity.name}", wanted "${name}"`;
      const { place } = identity;
      return place === 'anywhere'
        ? `link is "${identity.name}"`
        : `link "${identity.name}" leads to "${place.host}${place.scope}"`;
    },
    judge: () => 'no',
  };
  return simple(text, core, [], false);
}

/** `%252e%252e` below "/docs/*" is a way out for an app that decodes twice. What is right at the end of the place is it alone. */
function couldLeave(place: LinkPlace | 'anywhere', path: string): boolean {
  if (place === 'anywhere' || !path.includes('%25') || !place.scope.endsWith('/*')) return false;
  const root = foldPath(place.scope.slice(0, -2));
  const folded = foldPath(path);
  return folded === null || !`${folded}/`.startsWith(`${root}/`);
}

function ofAddress(text: string, cidrs: readonly string[], list: List): Matcher {
  const set = createIpSet(cidrs);
  const matches = (facts: Facts): boolean => (facts.ip === null ? list === 'deny' : set.contains(facts.ip));
  return fixed(text, matches, ({ ip }) => {
    if (ip === null)
      return list === 'deny'
        ? 'the client address is unknown, which every ip: deny matches'
        : 'the client address is unknown';
    return `client address is ${ip}`;
  });
}

function ofCertificate(text: string, principal: Principal & { kind: 'client-certificate' }): Matcher {
  const matches = ({ clientCertificate }: Facts): boolean =>
    clientCertificate !== null && isCertificateMeant(principal.match, clientCertificate);
  return fixed(text, matches, ({ clientCertificate }) => {
    if (clientCertificate === null) return 'no client certificate';
    return `client certificate ${JSON.stringify(clientCertificate.commonName ?? clientCertificate.subject)} (${clientCertificate.fingerprint.slice(0, 16)}...)`;
  });
}

/** A rule on what the visitor cannot change by signing in. */
function fixed(text: string, matches: (facts: Facts) => boolean, why: (facts: Facts) => string): Matcher {
  const judge = (_who: Who, facts: Facts | null): Judgement => {
    if (facts === null) return 'maybe';
    return matches(facts) ? 'yes' : 'no';
  };
  return simple(text, { matches, why, judge }, [], false);
}

function all(text: string, parts: readonly Matcher[]): Matcher {
  return {
    text,
    matches: (facts) => parts.every((part) => part.matches(facts)),
    why: (facts) => {
      const missing = parts.find((part) => !part.matches(facts));
      return missing === undefined ? 'every part matches' : `"${missing.text}" does not match: ${missing.why(facts)}`;
    },
    judge: (who, facts) => {
      const judged = parts.map((part) => part.judge(who, facts));
      if (judged.includes('no')) return 'no';
      return judged.includes('maybe') ? 'maybe' : 'yes';
    },
    isIdentityOnly: parts.every((part) => part.isIdentityOnly),
    asks: [...new Set(parts.flatMap((part) => part.asks))],
    parts,
  };
}

const OF_PROVIDER = ['user.name', 'user.groups', 'user.roles'] as const;

function when(text: string, program: CelProgram, list: List): Matcher {
  const isIdentityOnly = !['ip', 'method', 'host', 'path'].some((name) => program.reads.has(name));
  const expression = { program, text };
  const core: Core = {
    matches: (facts) => {
      const answer = evaluate(expression, facts);
      return typeof answer === 'string' ? list === 'deny' : answer;
    },
    why: (facts) => {
      const answer = evaluate(expression, facts);
      return typeof answer === 'string' ? `the expression cannot be decided: ${answer}` : `the expression is ${answer}`;
    },
    judge: (who, facts) => judgeExpression(program, { who, facts, list }),
  };
  const asks: Who[] = [];
  if (program.reads.has('user')) asks.push('person');
  for (const machine of MACHINES) if (program.reads.has(machine)) asks.push(machine);
  const matcher = { ...simple(text, core, asks, isIdentityOnly), looksAt: readsUnsaid(program) };
  const unqualified = program.reads.has('user.provider') ? undefined : OF_PROVIDER.find((it) => program.reads.has(it));
  return unqualified === undefined ? matcher : { ...matcher, unqualified };
}

/** That somebody is in no such group cannot be said of whom not all are known. */
function evaluate({ program, text }: Expression, facts: Facts): boolean | string {
  const { cut = [], withheld = [] } = facts.identity.kind === 'person' ? facts.identity.person : NOBODY;
  const what = cut.find((one) => program.reads.has(`user.${one}`));
  if (what !== undefined) return `the ${what} of the user are not all known`;
  const variables = variablesOf(facts);
  const answer = program.evaluate(variables);
  const { user } = variables;
  if (withheld.length === 0 || user === undefined || !program.reads.has('user.groups')) return answer;
  const { groups = [] } = user;
  // Each organisation alone as well: an expression may want one of two.
  const maybe = [withheld, ...withheld.map((one) => [one])].map((some) => some.flatMap((one) => groupsOf(one, text)));
  const isSame = maybe.every(
    (more) => program.evaluate({ ...variables, user: { ...user, groups: [...groups, ...more] } }) === answer,
  );
  return isSame ? answer : `whether the user is in ${withheld.map((one) => `"${one}"`).join(' or ')} is not known`;
}

interface Expression {
  readonly program: CelProgram;
  readonly text: string;
}

const NOBODY: Pick<Person, 'cut' | 'withheld'> = {};

/** The organisation, and whatever of it the expression may mean by its words, such as "acme/platform" or "acme/". */
function groupsOf(organisation: string, text: string): readonly string[] {
  const words = [...text.matchAll(/(["'])(.*?)\1/g)].map(([, , word = '']) => word);
  return [organisation, ...words.filter((word) => word.startsWith(`${organisation}/`))];
}

const FIELDS: Partial<Record<Unsaid, 'name' | 'groups' | 'roles' | 'email'>> = {
  name: 'name',
  groups: 'groups',
  roles: 'roles',
  email: 'email',
  'verified-email': 'email',
};

/** By trying it without: what is decided then is not decided by that. */
function readsUnsaid(program: CelProgram): NonNullable<Matcher['looksAt']> {
  return ({ what }, facts) => {
    const field = FIELDS[what];
    const { user, ...others } = variablesOf(facts);
    if (field === undefined || user === undefined || !program.reads.has(`user.${field}`)) return false;
    const { [field]: _, ...rest } = user;
    return typeof program.evaluate({ ...others, user: rest }) === 'string';
  };
}

/** Leaves out what the visitor could still become: what is decided without it, no credentials change. */
function judgeExpression(program: CelProgram, asked: { who: Who; facts: Facts | null; list: List }): Judgement {
  const { who, facts, list } = asked;
  const isOpen = program.reads.has(who === 'person' ? 'user' : who);
  if (facts === null) return isOpen || program.reads.size > 0 ? 'maybe' : judgementOf(program.evaluate({}), list);
  const variables: CelVariables = { ...variablesOf(facts) };
  delete variables.user;
  for (const machine of MACHINES) variables[machine] = '';
  if (who !== 'person') delete variables[who];
  const answer = program.evaluate(variables);
  if (typeof answer === 'string' && isOpen) return 'maybe';
  return judgementOf(answer, list);
}

function judgementOf(answer: boolean | string, list: List): Judgement {
  const holds = typeof answer === 'string' ? list === 'deny' : answer;
  return holds ? 'yes' : 'no';
}

function variablesOf({ identity, ip, request }: Facts): CelVariables {
  const variables: CelVariables = { service: '', token: '' };
  if (isMachine(identity)) variables[identity.kind] = identity.name;
  if (identity.kind === 'person') {
    const { person } = identity;
    const email = verifiedEmail(person)?.text ?? '';
    const { name, groups, roles, provider } = person;
    variables.user = { name, email, groups, roles, provider };
  }
  if (ip !== null) variables.ip = ip;
  if (request !== null) {
    variables.method = request.method;
    variables.host = request.host;
    variables.path = request.path;
  }
  return variables;
}
