/**
 * What goes wrong on the way to a certificate: one class, told apart by `kind`, with the CA's own words
 * (RFC 8555 section 6.7) made safe for terminals and logs. The remedy is found in one table.
 */
import { PosternError } from '../../core/errors.ts';
import { visible } from '../../core/log.ts';
import type { ProblemAnswer } from './messages.ts';

export type FailureKind =
  /** The CA cannot be reached, or answers 5xx: nothing is wrong with what was asked. */
  | 'unreachable'
  /** What it answers is not ACME. */
  | 'malformed'
  | 'rate-limited'
  /** It looked for the answer to a challenge and did not like what it found. */
  | 'challenge'
  | 'refused'
  /** It did not come to an end in time; the order goes on. */
  | 'timeout';

export interface Problem {
  /** "rateLimited" of "urn:ietf:params:acme:error:rateLimited"; the whole type where it is another's. */
  readonly type: string;
  readonly detail: string;
  readonly status: number;
  readonly identifier: string | null;
  /** A page of the CA's that says what people have to do. */
  readonly instance: string | null;
  readonly subproblems: readonly ProblemPart[];
}

type ProblemPart = Omit<Problem, 'subproblems' | 'status' | 'instance'>;

export interface FailureDetails {
  readonly kind: FailureKind;
  /** What was done, as in "Cannot ORDER": "create an account", "validate \"a.example\" by http-01". */
  readonly step: string;
  readonly problem?: Problem | null;
  /** What happened, where there is no problem document. */
  readonly because?: string;
  /** Not before this time, as the CA says. */
  readonly retryAt?: number | null;
  readonly remedy?: string | null;
  readonly cause?: unknown;
}

const URN = 'urn:ietf:params:acme:error:';
const LONGEST = 400;

export class AcmeFailure extends PosternError {
  readonly kind: FailureKind;
  readonly step: string;
  readonly problem: Problem | null;
  readonly retryAt: number | null;
  readonly remedy: string | null;

  constructor(details: FailureDetails) {
    const { kind, step, problem = null, because = '', retryAt = null, cause } = details;
    const remedy = details.remedy ?? (problem === null ? (REMEDIES[kind] ?? null) : remedyFor(problem, kind));
    const why = problem === null ? because : describeProblem(problem);
    const until = retryAt === null ? '' : `; not again before ${new Date(retryAt).toISOString().slice(0, 16)}Z`;
    super(
      'ACME_FAILED',
      `Cannot ${step}: ${why}${until}${remedy === null ? '' : ` (${remedy})`}`,
      { kind, problem: problem?.type },
      cause,
    );
    this.kind = kind;
    this.step = step;
    this.problem = problem;
    this.retryAt = retryAt;
    this.remedy = remedy;
  }
}

/** Somebody else's words: one line, no control characters, not endless. */
export function quoteWords(text: string): string {
  const flat = visible(text.replaceAll(/\s+/g, ' ').trim());
  return `"${flat.length > LONGEST ? `${flat.slice(0, LONGEST)}…` : flat}"`;
}

export function problemOf(answer: ProblemAnswer, status: number): Problem {
  return {
    ...part(answer),
    status: answer.status ?? status,
    instance: answer.instance === undefined ? null : visible(answer.instance),
    subproblems: (answer.subproblems ?? []).map(part),
  };
}

function part(answer: Pick<ProblemAnswer, 'type' | 'detail' | 'identifier'>): ProblemPart {
  const type = answer.type ?? 'about:blank';
  return {
    type: visible(type.startsWith(URN) ? type.slice(URN.length) : type).slice(0, 100),
    detail: answer.detail ?? '',
    identifier: answer.identifier === undefined ? null : visible(answer.identifier.value),
  };
}

function describeProblem({ type, detail, subproblems, instance }: Problem): string {
  const inner = subproblems
    .slice(0, 5)
    .map((one) => `; ${one.identifier === null ? '' : `"${one.identifier}": `}${one.type} ${quoteWords(one.detail)}`);
  const page = instance === null || type !== 'userActionRequired' ? '' : `; see ${quoteWords(instance)}`;
  return `the CA says ${type} ${quoteWords(detail)}${inner.join('')}${page}`;
}

/** Problem types of RFC 8555 section 6.7 and kinds of ours -> what to do about it. */
const REMEDIES: Readonly<Record<string, string>> = {
  accountDoesNotExist: 'a new account is made at the next try',
  badCSR: 'another key is made for the next try; where it stays so, choose another key_type',
  badPublicKey: 'another key is made for the next try',
  caa: 'the CAA records of the name allow other CAs only: add this one, or choose another under acme.ca',
  compound: 'see what it says about each name',
  connection:
    'the CA must reach this machine: let the name point here, and ports 80 and 443 through firewall and router',
  dns: 'the name must resolve in public DNS and lead here',
  externalAccountRequired: 'this CA wants an account of its own first: give acme.eab with the key that it hands out',
  incorrectResponse: 'something else answers for this name: a proxy or CDN in front, or another machine',
  invalidContact: 'check acme.email',
  invalidProfile: 'name one of the profiles that the CA offers, or leave acme.profile out',
  malformed: 'check that acme.ca is the address of an ACME directory',
  rateLimited: 'it is tried again by itself then',
  rejectedIdentifier: 'the CA does not certify this name: choose another CA, or "tls: local"',
  serverInternal: 'it is tried again by itself',
  tls: 'something else answers on port 443 of this name',
  unauthorized: 'what answers for this name is not this Postern, or it is not reached from outside',
  unreachable: 'it is tried again by itself; check the way out to the internet where it lasts',
  unsupportedContact: 'check acme.email',
  unsupportedIdentifier: 'the CA does not certify such names; an IP address needs a profile such as "shortlived"',
  userActionRequired: "the CA's terms have changed: read them, and do there what it asks for",
  forbidden: 'the CA does not let this account have it: see there what it may order, or choose another under acme.ca',
  dead: 'this account is at its end: "postern cert account deactivate" forgets it, and the next order makes another one',
};

function remedyFor({ type, detail }: Problem, kind: FailureKind): string | null {
  // It speaks ACME, and does not take what it was asked for.
  if (type === 'malformed') return null;
  if (type !== 'unauthorized' || kind === 'challenge') return REMEDIES[type] ?? null;
  if (/profile/i.test(detail)) return REMEDIES['invalidProfile'] ?? null;
  return REMEDIES[isDeadAccount(detail) ? 'dead' : 'forbidden'] ?? null;
}

/** RFC 8555 section 7.3.6: a deactivated account is answered "unauthorized" whatever it asks for; so is a revoked one. */
export function isDeadAccount(detail: string): boolean {
  return /account/i.test(detail) && /deactivated|revoked|not active|invalid status|is not .?valid/i.test(detail);
}
