/**
 * Judges a request by the credential of a machine. Whoever gives one that is meant for us is judged by
 * it alone: a wrong one is refused, or is nobody on a public route, and no cookie is looked at. A store
 * that is down lets no token in and refuses none.
 */
import type { Clock } from '../core/clock.ts';
import type { Identity } from '../core/person.ts';
import type { Decision } from '../policy/facts.ts';
import type { BasicAnswer, BasicVerifier } from './basic.ts';
import { decide } from './decide.ts';
import type { Asked as AskedOf } from './decide.ts';
import type { GateRoute, Judged } from './judged.ts';
import type { MachineCredential } from './machine-credential.ts';
import type { BearerView } from './ports.ts';
import type { CacheAnswer, CachedSession, SessionCache } from './session-cache.ts';
import type { HeldJwts } from './held-jwts.ts';
import type { UseReport } from './use-report.ts';

/** Last use of a token is for people to read. */
const NOTE_EVERY_MS = 60_000;
const ANONYMOUS: Identity = { kind: 'anonymous' };
const UNAVAILABLE = { kind: 'unavailable' } as const;
const BUSY = { kind: 'busy' } as const;
export const WRONG_CREDENTIAL: Decision = { kind: 'challenge', rule: '(wrong credential)' };
const WRONG_TOKEN: Decision = { kind: 'challenge', rule: '(unknown, revoked or expired token)' };
const DAMAGED_TOKEN: Decision = { kind: 'challenge', rule: '(damaged token)' };

export interface JudgeMachineDeps {
  readonly bearers: SessionCache<BearerView>;
  readonly basic: BasicVerifier;
  readonly jwts: HeldJwts;
  readonly tokenUse: UseReport;
  readonly clock: Clock;
}

type Asked = AskedOf<GateRoute>;
type Given = Exclude<MachineCredential, { kind: 'none' }>;
type GivenToken = Extract<Given, { kind: 'token' | 'jwt' }>;

/** Null: the credential is the app's, and says nothing about who comes. */
export function judgeMachine(deps: JudgeMachineDeps, asked: Asked, given: Given): Judged | Promise<Judged> | null {
  if (given.kind === 'jwt') deps.jwts.hold(given);
  if (given.kind === 'token' || given.kind === 'jwt') return judgeToken(deps, asked, given);
  const { policy } = asked.route;
  if (!given.isForUs && (policy.isPublic || !policy.acceptsServices)) return null;
  if (policy.isPublic) return judgeAs(deps, asked, given, ANONYMOUS);
  if (given.kind === 'malformed') return refuse(deps, asked, given, given.isForUs ? DAMAGED_TOKEN : WRONG_CREDENTIAL);
  // Where no service could pass none is worth a hash.
  if (!policy.acceptsServices) return refuse(deps, asked, given, WRONG_CREDENTIAL);
  const answer = deps.basic.verify(given.credential, asked.ip ?? 'unknown');
  if (answer instanceof Promise) return answer.then((late) => judgeService(deps, asked, given, late));
  return judgeService(deps, asked, given, answer);
}

function judgeService(
  deps: JudgeMachineDeps,
  asked: Asked,
  given: Extract<Given, { kind: 'basic' }>,
  answer: BasicAnswer,
): Judged {
  if (answer === 'ok') return judgeAs(deps, asked, given, { kind: 'service', name: given.credential.name });
  return refuse(deps, asked, given, answer === 'busy' ? BUSY : WRONG_CREDENTIAL);
}

function judgeToken(deps: JudgeMachineDeps, asked: Asked, given: GivenToken): Judged | Promise<Judged> {
  const answer = deps.bearers.find(given.key);
  if (answer instanceof Promise) return answer.then((late) => judgeBearer(deps, asked, given, late));
  return judgeBearer(deps, asked, given, answer);
}

function judgeBearer(deps: JudgeMachineDeps, asked: Asked, given: GivenToken, answer: CacheAnswer<BearerView>): Judged {
  if (typeof answer === 'object') return judgeEntry(deps, asked, given, answer);
  const judged = judgeAs(deps, asked, given, ANONYMOUS);
  if (asked.route.policy.isPublic) return judged;
  if (answer === 'absent') return refuse(deps, asked, given, WRONG_TOKEN);
  // Whom the rules let in without a name needs no store.
  return judged.decision.kind === 'allow' ? judged : refuse(deps, asked, given, UNAVAILABLE);
}

function judgeEntry(deps: JudgeMachineDeps, asked: Asked, given: GivenToken, entry: CachedSession<BearerView>): Judged {
  const { policy } = asked.route;
  const now = deps.clock.now();
  entry.usedAt = now;
  if (Math.abs(now - entry.notedAt) >= NOTE_EVERY_MS) {
    entry.notedAt = now;
    if (given.kind === 'token') deps.tokenUse.note(entry.view.key, now);
  }
  const holds = policy.dependsOnlyOnIdentity && policy.maxAgeMs === null;
  let decision = holds ? deps.bearers.recall(entry, policy.id) : undefined;
  if (decision === undefined) {
    decision = decide(asked, entry.identity, now);
    if (holds) deps.bearers.remember(entry, policy.id, decision);
  }
  return {
    decision,
    identity: entry.identity,
    session: null,
    bearer: entry.view,
    ip: asked.ip,
    credential: 'token',
    refused: null,
    removeAuthorization: given.removeAuthorization,
    at: now,
    epoch: deps.bearers.epoch,
  };
}

function judgeAs(deps: JudgeMachineDeps, asked: Asked, given: Given, identity: Identity): Judged {
  return {
    decision: decide(asked, identity),
    identity,
    session: null,
    bearer: null,
    ip: asked.ip,
    credential: identity.kind === 'anonymous' ? 'none' : 'basic',
    refused: null,
    removeAuthorization: given.removeAuthorization,
    at: 0,
    epoch: deps.bearers.epoch,
  };
}

function refuse(deps: JudgeMachineDeps, asked: Asked, given: Given, decision: Judged['decision']): Judged {
  return {
    decision,
    identity: ANONYMOUS,
    session: null,
    bearer: null,
    ip: asked.ip,
    credential: 'refused',
    refused: given.scheme,
    removeAuthorization: given.removeAuthorization,
    at: 0,
    epoch: deps.bearers.epoch,
  };
}
