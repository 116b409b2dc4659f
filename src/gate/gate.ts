/**
 * Who sent a request, and whether the route's rules let it pass. On the hot path (a session that this
 * worker knows) it answers at once: one hash, one look-up, one decision made before. It fails closed,
 * but neither a broken store nor a bad cookie ever closes a public route.
 */
import { isToken, keyOfToken } from '../session/token.ts';
import { cookieValues } from '../wire/cookies.ts';
import { createBasicVerifier, findBasic } from './basic.ts';
import { LiveRegistry } from './live.ts';
import { SessionCache } from './session-cache.ts';
import { createUseReport } from './use-report.ts';
import type { Clock } from '../core/clock.ts';
import type { Identity } from '../core/person.ts';
import type { CompiledPolicy } from '../policy/compile.ts';
import type { Decision } from '../policy/facts.ts';
import type { Exchange } from '../wire/exchange.ts';
import type { HeaderBlock } from '../wire/header-block.ts';
import type { BasicAnswer, BasicVerifier, FoundCredential } from './basic.ts';
import type { LiveExchange, LiveHandle } from './live.ts';
import type { FindSession, SessionChange, SessionView, VerifyPassword } from './ports.ts';
import type { CacheAnswer, CachedSession } from './session-cache.ts';
import type { UseReport } from './use-report.ts';

/** More than one value of our cookie is odd already; more than these are an attack on the store. */
const MAX_COOKIE_VALUES = 4;
const NOTE_EVERY_MS = 1_000;
const ANONYMOUS: Identity = { kind: 'anonymous' };
const UNAVAILABLE = { kind: 'unavailable' } as const;
const BUSY = { kind: 'busy' } as const;
const WRONG_CREDENTIAL: Decision = { kind: 'challenge', rule: '(wrong credential)' };

/** The part of a compiled policy that the gate needs. */
export type GatePolicy = Pick<
  CompiledPolicy,
  'id' | 'isPublic' | 'dependsOnlyOnIdentity' | 'acceptsServices' | 'decide'
>;

export interface GateRoute {
  readonly policy: GatePolicy;
  /** The host that the request came to: cookies of other hosts do not count. */
  readonly host: string;
  /** What the visitor's browser speaks. */
  readonly scheme: 'http' | 'https';
}

export interface Judged {
  readonly decision: Decision | { readonly kind: 'unavailable' } | { readonly kind: 'busy' };
  readonly identity: Identity;
  readonly session: SessionView | null;
  /** Null: unknown. */
  readonly ip: string | null;
  /** `refused`: one was given for us and is wrong. */
  readonly credential: 'none' | 'session' | 'basic' | 'refused';
  /** True where the gate used up Authorization: the app must not see it. */
  readonly removeAuthorization: boolean;
  /** Of the rules that were asked; see track. */
  readonly epoch: number;
}

export interface GateSettings {
  readonly staleForMs: number;
  readonly idleMs: number;
  /** Cookie name that counts for a browser that speaks HTTPS, and for one that does not. */
  readonly cookieName: string;
  readonly plainCookieName: string;
  /** With cookie_domain: the sign-in host, whose cookie counts on every host of the domain; else null. */
  readonly shared: { readonly signInHost: string; readonly domain: string } | null;
  /** Changes whenever the hashes of the service do; null where there is no such service. */
  readonly serviceVersion: (service: string) => string | null;
}

export interface GateDeps {
  readonly find: FindSession;
  readonly verifyPassword: VerifyPassword;
  readonly clock: Clock;
  /** Of the running document; asked anew each time. */
  readonly settings: () => GateSettings;
  /** False: the control thread's heartbeat has been missing for a second. */
  readonly isConfirmed: () => boolean;
  /** Takes what was used since the last report, about every 5 s. */
  readonly reportUse: (seen: readonly (readonly [key: string, at: number])[]) => void;
}

export interface Gate {
  judge(exchange: Exchange, route: GateRoute, ip: string | null): Judged | Promise<Judged>;
  /** For Postern's own pages: who is signed in on this host. Decides `allow`, or `unavailable`: then nobody may be taken for signed out. */
  findSession(exchange: Exchange, host: string, scheme: 'http' | 'https'): Judged | Promise<Judged>;
  /** Keeps an allowed exchange in sight until `end`: it is closed once it is no longer allowed. */
  track(live: LiveExchange): LiveHandle;
  /** A change that the control thread tells. When it returns, no request of a revoked session passes. */
  applyChange(change: SessionChange): void;
  /** The document has been swapped: forgets decisions and decides every live exchange again. */
  redecide(): Promise<void>;
  /** Call it every 500 ms: expiry of live exchanges, reports of use. */
  tick(): void;
  readonly liveCount: number;
}

export function createGate(deps: GateDeps): Gate {
  const { clock } = deps;
  const use = createUseReport(deps.reportUse);
  const cache: SessionCache = new SessionCache({
    ...deps,
    limits: deps.settings,
    onAbsent: (key) => live.closeSessions([key]),
  });
  const serviceVersion = (service: string): string | null => deps.settings().serviceVersion(service);
  const live: LiveRegistry = new LiveRegistry({ clock, serviceVersion, cache, use });
  const basic = createBasicVerifier({ verifyPassword: deps.verifyPassword, clock, serviceVersion });
  const judge = createJudge({ cache, basic, use, clock, settings: deps.settings });
  return {
    judge,
    findSession: (exchange, host, scheme) => judge(exchange, { policy: EVERYBODY, host, scheme }, null),
    track: (it) => live.track(it),
    applyChange(change) {
      cache.apply(change);
      if (change.kind === 'revoked') live.closeSessions(change.keys);
      else live.changePerson(change.keys, change.person);
    },
    redecide() {
      cache.forgetDecisions();
      return live.redecide();
    },
    tick() {
      const now = clock.now();
      live.tick(now);
      use.flushWhenDue(now);
    },
    get liveCount() {
      return live.size;
    },
  };
}

/** Own pages: anybody may have them, and they say themselves what they do for whom. */
const EVERYBODY: GatePolicy = {
  id: '(own pages)',
  isPublic: true,
  dependsOnlyOnIdentity: true,
  acceptsServices: false,
  decide: () => OWN_PAGE,
};
const OWN_PAGE: Decision = { kind: 'allow', rule: '(own pages)' };

interface JudgeDeps {
  readonly cache: SessionCache;
  readonly basic: BasicVerifier;
  readonly use: UseReport;
  readonly clock: Clock;
  readonly settings: () => GateSettings;
}

function createJudge(deps: JudgeDeps): Gate['judge'] {
  return (exchange, route, ip) => {
    const { policy } = route;
    if (policy.acceptsServices && !policy.isPublic) {
      const found = findBasic(exchange.request.headers);
      if (found.kind !== 'none') return judgeBasic(deps, { exchange, route, ip }, found);
    }
    return judgeCookie(deps, { exchange, route, ip });
  };
}

interface Asked {
  readonly exchange: Exchange;
  readonly route: GateRoute;
  readonly ip: string | null;
}

function judgeCookie(deps: JudgeDeps, asked: Asked): Judged | Promise<Judged> {
  const settings = deps.settings();
  const { exchange, route } = asked;
  const name = route.scheme === 'https' ? settings.cookieName : settings.plainCookieName;
  const { headers } = exchange.request;
  const remembered = headers.isRemembered ? rememberedKeys.get(headers) : undefined;
  if (remembered?.name === name) return judgeKey(deps, asked, remembered.key);
  const values = cookieValues(headers, name);
  if (values.length === 0) return judgeAnonymous(deps, asked);
  if (values.length > 1) return judgeSeveral(deps, asked, values);
  const token = values[0] as string;
  if (!isToken(token)) return judgeAnonymous(deps, asked);
  const key = keyOfToken(token);
  if (headers.isRemembered) rememberedKeys.set(headers, { name, key });
  return judgeKey(deps, asked, key);
}

/** The one session key of a header block that comes again and again, so that its token is hashed once. */
const rememberedKeys = new WeakMap<HeaderBlock, { readonly name: string; readonly key: string }>();

function judgeKey(deps: JudgeDeps, asked: Asked, key: string): Judged | Promise<Judged> {
  const answer = deps.cache.find(key);
  if (answer instanceof Promise) return answer.then((late) => judgeAnswer(deps, asked, late));
  return judgeAnswer(deps, asked, answer);
}

/** Somebody planted one beside ours: exactly one may be valid here, else none counts. */
async function judgeSeveral(deps: JudgeDeps, asked: Asked, values: readonly string[]): Promise<Judged> {
  const tokens = new Set(values.filter(isToken));
  if (tokens.size === 0 || tokens.size > MAX_COOKIE_VALUES) return judgeAnonymous(deps, asked);
  const answers = await Promise.all([...tokens].map(async (token) => deps.cache.find(keyOfToken(token))));
  if (answers.includes('unavailable')) return judgeAnswer(deps, asked, 'unavailable');
  const valid = answers.filter((answer) => isEntry(answer) && isOfHost(answer.view, asked.route.host, deps.settings()));
  return judgeAnswer(deps, asked, valid.length === 1 ? (valid[0] as CacheAnswer) : 'absent');
}

function judgeAnswer(deps: JudgeDeps, asked: Asked, answer: CacheAnswer): Judged {
  if (answer === 'unavailable') {
    // Whom the rules let in without a name needs no store.
    const judged = judgeAnonymous(deps, asked);
    const isOwnPage = asked.route.policy === EVERYBODY;
    return judged.decision.kind === 'allow' && !isOwnPage ? judged : { ...judged, decision: UNAVAILABLE };
  }
  if (answer === 'absent' || !isOfHost(answer.view, asked.route.host, deps.settings()))
    return judgeAnonymous(deps, asked);
  return judgeEntry(deps, asked, answer);
}

function judgeEntry(deps: JudgeDeps, asked: Asked, entry: CachedSession): Judged {
  const { policy } = asked.route;
  const now = deps.clock.now();
  entry.usedAt = now;
  if (Math.abs(now - entry.notedAt) >= NOTE_EVERY_MS) {
    entry.notedAt = now;
    deps.use.note(entry.view.key, now);
  }
  let decision = policy.dependsOnlyOnIdentity ? deps.cache.recall(entry, policy.id) : undefined;
  if (decision === undefined) {
    decision = decide(asked, entry.identity);
    if (policy.dependsOnlyOnIdentity) deps.cache.remember(entry, policy.id, decision);
  }
  return {
    decision,
    identity: entry.identity,
    session: entry.view,
    ip: asked.ip,
    credential: 'session',
    removeAuthorization: false,
    epoch: deps.cache.epoch,
  };
}

function judgeAnonymous(deps: JudgeDeps, asked: Asked): Judged {
  return {
    decision: decide(asked, ANONYMOUS),
    identity: ANONYMOUS,
    session: null,
    ip: asked.ip,
    credential: 'none',
    removeAuthorization: false,
    epoch: deps.cache.epoch,
  };
}

function judgeBasic(
  deps: JudgeDeps,
  asked: Asked,
  found: Exclude<FoundCredential, { kind: 'none' }>,
): Judged | Promise<Judged> {
  const removeAuthorization = found.field === 'authorization';
  if (found.kind === 'malformed') return judgeService(deps, asked, 'wrong', { name: '', removeAuthorization });
  const service = { name: found.credential.name, removeAuthorization };
  const answer = deps.basic.verify(found.credential, asked.ip ?? 'unknown');
  if (answer instanceof Promise) return answer.then((late) => judgeService(deps, asked, late, service));
  return judgeService(deps, asked, answer, service);
}

function judgeService(
  deps: JudgeDeps,
  asked: Asked,
  answer: BasicAnswer,
  service: { readonly name: string; readonly removeAuthorization: boolean },
): Judged {
  const isRight = answer === 'ok';
  const identity: Identity = isRight ? { kind: 'service', name: service.name } : ANONYMOUS;
  return {
    decision: isRight ? decide(asked, identity) : refusalOf(answer),
    identity,
    session: null,
    ip: asked.ip,
    credential: isRight ? 'basic' : 'refused',
    removeAuthorization: service.removeAuthorization,
    epoch: deps.cache.epoch,
  };
}

function refusalOf(answer: 'wrong' | 'busy'): Judged['decision'] {
  return answer === 'busy' ? BUSY : WRONG_CREDENTIAL;
}

function decide(asked: Asked, identity: Identity): Decision {
  const { request, connection } = asked.exchange;
  return asked.route.policy.decide({
    identity,
    ip: asked.ip,
    clientCertificate: connection.clientCertificate,
    request,
  });
}

function isEntry(answer: CacheAnswer): answer is CachedSession {
  return typeof answer === 'object';
}

function isOfHost(view: SessionView, host: string, settings: GateSettings): boolean {
  if (view.host === host) return true;
  const { shared } = settings;
  if (shared === null || view.host !== shared.signInHost) return false;
  const domain = shared.domain.startsWith('.') ? shared.domain : `.${shared.domain}`;
  return host.endsWith(domain) || host === domain.slice(1);
}
