/**
 * Who sent a request, and whether the route's rules let it pass. On the hot path (a session that this
 * worker knows) it answers at once: one hash, one look-up, one decision made before. It fails closed,
 * but neither a broken store nor a bad cookie ever closes a public route.
 */
import { isToken, keyOfToken } from '../session/token.ts';
import { cookieValues } from '../wire/cookies.ts';
import { createBasicVerifier } from './basic.ts';
import { decide } from './decide.ts';
import { createHeldJwts } from './held-jwts.ts';
import type { HeldJwts } from './held-jwts.ts';
import { judgeMachine, WRONG_CREDENTIAL } from './judge-machine.ts';
import { LiveRegistry } from './live.ts';
import { NO_BEARER_ISSUERS } from './bearer-issuers.ts';
import { findMachineCredential } from './machine-credential.ts';
import type { Ours } from './machine-credential.ts';
import { SessionCache } from './session-cache.ts';
import { createUseReport } from './use-report.ts';
import type { Clock } from '../core/clock.ts';
import type { Identity } from '../core/person.ts';
import type { Decision } from '../policy/facts.ts';
import type { Exchange } from '../wire/exchange.ts';
import type { CookieLine } from '../wire/cookie-line.ts';
import type { HeaderBlock } from '../wire/header-block.ts';
import type { BasicVerifier } from './basic.ts';
import type { Asked as AskedOf } from './decide.ts';
import type { GatePolicy, GateRoute, GateSettings, Judged } from './judged.ts';
import type { LiveExchange, LiveHandle } from './live.ts';
import type {
  FindSession,
  FindToken,
  BearerView,
  SessionChange,
  SessionView,
  VerifyBearer,
  VerifyPassword,
} from './ports.ts';
import type { CacheAnswer, CachedSession } from './session-cache.ts';
import type { UseReport } from './use-report.ts';

/** More than one value of our cookie is odd already; more than these are an attack on the store. */
const MAX_COOKIE_VALUES = 4;
const ANONYMOUS: Identity = { kind: 'anonymous' };
const UNAVAILABLE = { kind: 'unavailable' } as const;

export type { GatePolicy, GateRoute, GateSettings, Judged } from './judged.ts';

export interface GateDeps {
  readonly find: FindSession;
  readonly findToken: FindToken;
  readonly verifyBearer: VerifyBearer;
  /** What tokens of this installation begin with. */
  readonly tokenPrefix: string;
  readonly verifyPassword: VerifyPassword;
  readonly clock: Clock;
  /** Of the running document; asked anew each time. */
  readonly settings: () => GateSettings;
  /** False: the control thread's heartbeat has been missing for a second. */
  readonly isConfirmed: () => boolean;
  /** Takes what was used since the last report, about every 5 s. */
  readonly reportUse: (seen: readonly (readonly [key: string, at: number])[]) => void;
  /** The same for machines' tokens. */
  readonly reportTokenUse: (seen: readonly (readonly [key: string, at: number])[]) => void;
}

export interface Gate {
  judge(exchange: Exchange, route: GateRoute, ip: string | null): Judged | Promise<Judged>;
  /** What a route's rules on trial would decide, by the credentials that they would look at. */
  tryOut(exchange: Exchange, route: GateRoute, ip: string | null): Judged['decision'] | Promise<Judged['decision']>;
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
  /** Sessions that are known here, and what became of look-ups since this was asked last: for metrics. */
  readonly cachedSessions: number;
  readonly takeLookups: () => ReturnType<SessionCache['takeLookups']>;
}

export function createGate(deps: GateDeps): Gate {
  const { clock } = deps;
  const use = createUseReport(deps.reportUse);
  const tokenUse = createUseReport(deps.reportTokenUse);
  const onAbsent = (key: string): void => live.closeSessions([key]);
  const cache: SessionCache = new SessionCache({ ...deps, limits: deps.settings, onAbsent });
  const jwts = createHeldJwts(deps.verifyBearer, deps.findToken);
  const bearers = createBearerCache(deps, jwts, onAbsent);
  const serviceVersion = (service: string): string | null => deps.settings().serviceVersion(service);
  const live: LiveRegistry = new LiveRegistry({
    clock,
    serviceVersion,
    cache,
    bearers,
    use,
    tokenUse,
    noteMs: () => deps.settings().noteMs,
  });
  const basic = createBasicVerifier({ verifyPassword: deps.verifyPassword, clock, serviceVersion });
  const judging: JudgeDeps = { cache, bearers, jwts, basic, use, tokenUse, clock, settings: deps.settings };
  const ours = createOurs(deps);
  return {
    ...createJudges(judging, { ours: ours.now, serviceVersion }),
    findSession: (exchange, host, scheme) =>
      judgeCookie(judging, { exchange, route: { policy: EVERYBODY, host, scheme }, ip: null }),
    track: (it) => live.track(it),
    applyChange(change) {
      if (change.kind === 'tokens') return;
      cache.apply(change);
      bearers.apply(change);
      if (change.kind === 'revoked') live.closeSessions(change.keys);
      else live.changePerson(change.keys, change.person);
    },
    redecide() {
      // Whoever came by a token of a provider that counts no more, or counts otherwise, has to come again.
      if (ours.isChanged()) endBearers(bearers, live, jwts.clear());
      cache.forgetDecisions();
      bearers.forgetDecisions();
      return live.redecide();
    },
    tick() {
      const now = clock.now();
      live.tick(now);
      use.flushWhenDue(now);
      tokenUse.flushWhenDue(now);
    },
    get liveCount() {
      return live.size;
    },
    get cachedSessions() {
      return cache.size;
    },
    takeLookups: () => cache.takeLookups(),
  };
}

function createJudges(
  judging: JudgeDeps,
  { ours, serviceVersion }: { readonly ours: () => Ours } & Pick<GateSettings, 'serviceVersion'>,
): Pick<Gate, 'judge' | 'tryOut'> {
  const judge: Gate['judge'] = (exchange, route, ip) => {
    const asked = { exchange, route, ip };
    const found = findMachineCredential(exchange.request.headers, ours());
    if (found.kind === 'none') return judgeCookie(judging, asked);
    return judgeMachine(judging, asked, found) ?? judgeCookie(judging, asked);
  };
  return {
    judge,
    tryOut(exchange, route, ip) {
      const found = findMachineCredential(exchange.request.headers, ours());
      // Passwords of the app's own users are worth no hash to a trial: they are many, and would hold up those that are ours.
      const isOfNobody = found.kind === 'basic' && serviceVersion(found.credential.name) === null;
      if (isOfNobody && !route.policy.isPublic && route.policy.acceptsServices) return WRONG_CREDENTIAL;
      const judged = judge(exchange, route, ip);
      return judged instanceof Promise ? judged.then(({ decision }) => decision) : judged.decision;
    },
  };
}

/** No token runs idle. */
function createBearerCache(
  deps: GateDeps,
  { find }: HeldJwts,
  onAbsent: (key: string) => void,
): SessionCache<BearerView> {
  const limits = (): { staleForMs: number; idleMs: number } => {
    return { staleForMs: deps.settings().staleForMs, idleMs: Number.POSITIVE_INFINITY };
  };
  return new SessionCache({ ...deps, find, limits, onAbsent });
}

function endBearers(bearers: SessionCache<BearerView>, live: LiveRegistry, keys: readonly string[]): void {
  bearers.apply({ kind: 'revoked', keys });
  live.closeSessions(keys);
}

/** What is ours by its form, as the running document says. */
function createOurs({ settings, tokenPrefix: prefix }: GateDeps): { now: () => Ours; isChanged: () => boolean } {
  let ours: Ours = { prefix, issuers: NO_BEARER_ISSUERS };
  let { version } = ours.issuers;
  return {
    now() {
      const { bearers: issuers } = settings();
      if (issuers !== ours.issuers) ours = { prefix, issuers };
      return ours;
    },
    isChanged() {
      const before = version;
      ({ version } = settings().bearers);
      return version !== before;
    },
  };
}

/** Own pages: anybody may have them, and they say themselves what they do for whom. */
const EVERYBODY: GatePolicy = {
  id: '(own pages)',
  isPublic: true,
  dependsOnlyOnIdentity: true,
  maxAgeMs: null,
  acceptsServices: false,
  decide: () => OWN_PAGE,
};
const OWN_PAGE: Decision = { kind: 'allow', rule: '(own pages)' };

interface JudgeDeps {
  readonly cache: SessionCache;
  readonly bearers: SessionCache<BearerView>;
  readonly jwts: HeldJwts;
  readonly basic: BasicVerifier;
  readonly use: UseReport;
  readonly tokenUse: UseReport;
  readonly clock: Clock;
  readonly settings: () => GateSettings;
}

type Asked = AskedOf<GateRoute>;

function judgeCookie(deps: JudgeDeps, asked: Asked): Judged | Promise<Judged> {
  const settings = deps.settings();
  const { exchange, route } = asked;
  const name = route.scheme === 'https' ? secureNameFor(route.host, settings) : settings.plainCookieName;
  const { headers } = exchange.request;
  const holder = headers.isRemembered ? headers : headers.cookieLine;
  const remembered = holder === null ? undefined : rememberedKeys.get(holder);
  if (remembered?.name === name) return judgeKey(deps, asked, remembered.key);
  const values = cookieValues(headers, name);
  if (values.length === 0) return judgeAnonymous(deps, asked);
  if (values.length > 1) return judgeSeveral(deps, asked, values);
  const token = values[0] as string;
  if (!isToken(token)) return judgeAnonymous(deps, asked);
  const key = keyOfToken(token);
  if (holder !== null) rememberedKeys.set(holder, { name, key });
  return judgeKey(deps, asked, key);
}

/** The one session key of a header block or a Cookie line that comes again and again, so that its token is hashed once. */
const rememberedKeys = new WeakMap<HeaderBlock | CookieLine, { readonly name: string; readonly key: string }>();

function judgeKey(deps: JudgeDeps, asked: Asked, key: string): Judged | Promise<Judged> {
  // Asking for the time is not free: once a request.
  const now = deps.clock.now();
  const answer = deps.cache.find(key, now);
  if (answer instanceof Promise) return answer.then((late) => judgeAnswer(deps, asked, late));
  return judgeAnswer(deps, asked, answer, now);
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

function judgeAnswer(deps: JudgeDeps, asked: Asked, answer: CacheAnswer, now: number = deps.clock.now()): Judged {
  if (answer === 'unavailable') {
    // Whom the rules let in without a name needs no store.
    const judged = judgeAnonymous(deps, asked);
    const isOwnPage = asked.route.policy === EVERYBODY;
    return judged.decision.kind === 'allow' && !isOwnPage ? judged : { ...judged, decision: UNAVAILABLE };
  }
  if (answer === 'absent' || !isOfHost(answer.view, asked.route.host, deps.settings()))
    return judgeAnonymous(deps, asked);
  return judgeEntry(deps, asked, answer, now);
}

function judgeEntry(deps: JudgeDeps, asked: Asked, entry: CachedSession, now: number): Judged {
  const { policy } = asked.route;
  entry.usedAt = now;
  if (Math.abs(now - entry.notedAt) >= deps.settings().noteMs) {
    entry.notedAt = now;
    deps.use.note(entry.view.parent, now);
  }
  const holds = policy.dependsOnlyOnIdentity && policy.maxAgeMs === null;
  let decision = holds ? deps.cache.recall(entry, policy.id) : undefined;
  if (decision === undefined) {
    decision = decide(asked, entry.identity, now);
    if (holds) deps.cache.remember(entry, policy.id, decision);
  }
  return {
    decision,
    identity: entry.identity,
    session: entry.view,
    bearer: null,
    ip: asked.ip,
    credential: 'session',
    refused: null,
    removeAuthorization: false,
    at: now,
    epoch: deps.cache.epoch,
  };
}

function judgeAnonymous(deps: JudgeDeps, asked: Asked): Judged {
  return {
    decision: decide(asked, ANONYMOUS),
    identity: ANONYMOUS,
    session: null,
    bearer: null,
    ip: asked.ip,
    credential: 'none',
    refused: null,
    removeAuthorization: false,
    at: 0,
    epoch: deps.cache.epoch,
  };
}

function isEntry(answer: CacheAnswer): answer is CachedSession {
  return typeof answer === 'object';
}

/** A neighbour host can plant the name of the domain, so it counts nowhere else; `__Host-` no host can plant for another. */
function secureNameFor(host: string, { shared, cookieName }: GateSettings): string {
  return shared !== null && isUnder(host, shared.domain) ? shared.cookieName : cookieName;
}

function isOfHost(view: SessionView, host: string, { shared }: GateSettings): boolean {
  if (view.host === host) return true;
  return shared !== null && view.host === shared.signInHost && isUnder(host, shared.domain);
}

/** ".example.com" holds example.com and every host below it, and never notexample.com. */
function isUnder(host: string, domain: string): boolean {
  return host.endsWith(domain) || (host.length === domain.length - 1 && domain.endsWith(host));
}
