/** Joins the sign-in room to what it needs, and speaks Request and Response on its behalf with the workers. */
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../core/clock.ts';
import { letOthersRun } from '../core/let-others-run.ts';
import { TurnPace } from '../core/turn-pace.ts';
import { createAttempts } from '../session/attempts.ts';
import { sealJson, unsealJson } from '../session/seal.ts';
import { createAdmission } from '../sign-in/admission.ts';
import { createProviderRegistry, type ProviderRegistry } from '../sign-in/provider-registry.ts';
import { refusedEntryOf } from '../sign-in/refused-entries.ts';
import { RefreshPace } from '../sign-in/refresh-pace.ts';
import { createRefresher, type Refresher } from '../sign-in/refresher.ts';
import { refusingRule } from '../policy/refusing-rule.ts';
import { unsaidClaims } from '../sign-in/pages/unsaid.ts';
import { createSignIn } from '../sign-in/router.ts';
import type { Provider } from '../config/document/providers.ts';
import type { TokenKind } from '../config/document/identity-headers.ts';
import type { Logger } from '../core/log.ts';
import type { InternalRequest, InternalResponse } from '../edge/control-port.ts';
import type { CompiledHost, CompiledRoute, RoutingTable } from '../route/table.ts';
import { identityOfPerson } from '../core/person.ts';
import type { Links } from '../session/links.ts';
import type { Accounts } from '../session/accounts.ts';
import type { Factors } from '../session/factors.ts';
import type { HashPool } from '../session/hash-pool.ts';
import type { SealKey } from '../session/seal.ts';
import type { Sessions } from '../session/sessions.ts';
import type { AppLink, EntryDecision, EntryFacts, SignInEvent, SignInSettings } from '../sign-in/ports.ts';
import type { Prepared } from './prepare.ts';
import { explainRequest } from '../route/explain-request.ts';
import type { Explanation } from '../route/explain-request.ts';
import { HeaderBlock } from '../wire/header-block.ts';

/** More links than anybody reads. */
const MOST_APPS = 200;
const STRANGERS_MS_A_TURN = 0.3;
const NO_FIELDS = new HeaderBlock();

export interface DeskDeps {
  readonly sessions: Sessions;
  readonly accounts: Accounts;
  readonly links: Links;
  readonly factors: Factors;
  readonly hashPool: HashPool;
  readonly sealKey: SealKey;
  readonly instance: string;
  readonly log: Logger;
  readonly prepared: () => Prepared;
  readonly onPasswordSet: () => void;
  /** Keys that a provider signed with and lists no more. */
  readonly onKeysGone: (provider: string, kids: ReadonlySet<string>) => void;
  /** Whether a sign-in's tokens have ended for good. */
  readonly hasEndedTokens: (parent: string, tokens: readonly TokenKind[]) => Promise<boolean>;
  /** Public keys of assertions. */
  readonly jwks: () => readonly object[];
}

export interface SignInDesk {
  readonly providers: ProviderRegistry;
  readonly refresher: Refresher;
  readonly handle: (request: InternalRequest) => Promise<InternalResponse>;
  readonly begin: (request: InternalRequest) => Promise<InternalResponse>;
  /** Waits for what providers answer to refresh tokens, which are taken once; for three seconds. */
  readonly close: () => Promise<void>;
}

const LAST_ANSWERS_MS = 3_000;

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

export function createSignInDesk(deps: DeskDeps): SignInDesk {
  const { sessions, accounts, factors, hashPool, sealKey, instance } = deps;
  // Requests of visitors and answers of providers, some each turn: in between, a worker on the same core has it.
  const strangers = new TurnPace({ budgetMs: STRANGERS_MS_A_TURN, rest: letOthersRun });
  const say = (level: 'info' | 'warn', message: string, facts: Readonly<Record<string, unknown>>): void =>
    deps.log[level](level === 'warn' ? { code: 'PROVIDER_UNAVAILABLE', ...facts } : facts, message);
  const pace = new RefreshPace({ rest: (ms) => sleep(ms, undefined, { ref: false }), cpuMs: threadCpuMs });
  const providers = createProviderRegistry({
    clock: systemClock,
    log: say,
    turn: () => strangers.turn(),
    onKeysGone: deps.onKeysGone,
    breathe: () => pace.breathe(),
    namedOrganisations: (provider) => namedIn(deps.prepared().table, `${provider}:org:`),
    namedGroups: (provider) => namedIn(deps.prepared().table, `${provider}:group:`),
  });
  const admit = createAdmission(sessions, () => deps.prepared().table.namedUsers);
  const refresher = createRefresher({ sessions, providers, clock: systemClock, admit, log: say, pace });
  const signIn = createSignIn({
    providers,
    admit,
    sessions,
    links: {
      peek: (value) => deps.links.peek(value),
      open: (value) => deps.links.open(value),
      isThere: (key) => deps.links.isThere(key),
      isOpenTo: (facts) => wouldLetIn(deps.prepared().table, facts),
    },
    accounts,
    factors,
    hashPool,
    instance,
    attempts: createAttempts({ clock: systemClock }),
    seal: {
      seal: (purpose, value) => sealJson(sealKey, purpose, value),
      unseal: (purpose, sealed) => unsealJson(sealKey, purpose, sealed),
    },
    clock: systemClock,
    settings: () => settingsOf(deps.prepared()),
    isListedHost: (host) => deps.prepared().table.isKnownHost(host),
    jwks: deps.jwks,
    providerFor: (host, path) => signInProviderOf(deps.prepared().table, host, path),
    mayEnter: (facts) => mayEnter(deps.prepared().table, facts, deps.prepared().document.providers),
    lacksTokens(key, place) {
      const tokens = tokensAskedBy(deps.prepared().table, place);
      return tokens.length === 0 ? Promise.resolve(false) : deps.hasEndedTokens(key, tokens);
    },
    appsFor: (person, ip) => appsFor(deps.prepared(), person, ip),
    report(event) {
      if (event.kind === 'password-set') deps.onPasswordSet();
      report(deps.log, event);
    },
  });
  return {
    providers,
    refresher,
    handle: (request) => strangers.turn().then(async () => toInternal(await signIn.handle(request))),
    begin: (request) => strangers.turn().then(async () => toInternal(await signIn.beginSignIn(request))),
    close: () => close(providers, refresher),
  };
}

async function close(providers: ProviderRegistry, refresher: Refresher): Promise<void> {
  // It holds the process meanwhile: pauses between the pieces of a question do not.
  const atLast = new AbortController();
  await Promise.race([refresher.end(), sleep(LAST_ANSWERS_MS, undefined, { signal: atLast.signal })]);
  atLast.abort();
  providers.close();
}

function settingsOf({ document }: Prepared): SignInSettings {
  const { signIn, session } = document;
  return {
    signInUrl: signIn.url === null ? '' : new URL(signIn.url).origin,
    lifetimeMs: session.lifetimeMs,
    cookieDomain: session.cookieDomain,
    brand: signIn.branding,
    hasLocalAccounts: document.providers.some((provider) => provider.type === 'local'),
    keepsFragment: signIn.keepsFragment,
    provider: signIn.provider,
  };
}

/** Asked as for a GET of what the person wanted to open: the rules that the edge will apply in a moment. */
function explainEntry(table: RoutingTable, facts: EntryFacts): Explanation {
  const url = `https://${facts.host}${facts.path}${facts.query}`;
  return explainRequest(table, {
    url,
    method: 'GET',
    identity: identityOfPerson(facts.person),
    ip: facts.ip,
    now: systemClock.now(),
  });
}

/** As far as can be told from here. */
function wouldLetIn(table: RoutingTable, facts: EntryFacts): boolean {
  const explanation = explainEntry(table, facts);
  return explanation.kind === 'route' && explanation.decision.kind === 'allow';
}

/** The same for the list of apps, of a host's first page. Not by an explanation: it is asked of every host. */
function letsIn(table: RoutingTable, name: string, { person, ip }: Pick<EntryFacts, 'person' | 'ip'>): boolean {
  const host = table.findHost(name);
  const route = host === null ? null : table.findRoute(host, '/', 'GET', NO_FIELDS);
  const request = { method: 'GET', host: name, path: '/', query: '' };
  const facts = { identity: { kind: 'person', person }, ip, clientCertificate: null, request } as const;
  if (route === null || name === table.signInHost) return false;
  const decision = route.policy.decide(facts);
  // What it asks for besides is shown on the way.
  return decision.kind === 'allow' || (decision.kind === 'sign-in' && decision.needs !== undefined);
}

/** Whether to hand this person on to the app host. */
export function mayEnter(table: RoutingTable, facts: EntryFacts, providers: readonly Provider[] = []): EntryDecision {
  const explanation = explainEntry(table, facts);
  // What is not a matter of rules (no such route) the app host says by itself.
  if (explanation.kind !== 'route') return { kind: 'allow' };
  const { decision, route, shadow } = explanation;
  const identity = identityOfPerson(facts.person);
  if (needsMoreThanPerson(explanation.host, route)) {
    const asked = { identity, ip: facts.ip, clientCertificate: null, request: null, now: systemClock.now() };
    const needs = route.policy.missing(asked);
    return needs === null ? { kind: 'allow' } : { kind: 'sign-in', needs };
  }
  const mayKnow = table.mayKnowRules({ identity, ip: facts.ip, clientCertificate: null, request: null });
  const trial = shadow === null || shadow.kind === decision.kind ? null : { kind: shadow.kind, rule: shadow.rule };
  const judged = { route: route.label, rule: decision.rule, shadow: trial };
  if (decision.kind !== 'deny') return { ...decision, judged };
  const unsaid = unsaidClaims(providers, facts.person, decision);
  const refusedBy = mayKnow ? { refusedBy: refusingRule(decision, () => explanation.traces) } : {};
  return { kind: 'deny', unsaid, judged, ...refusedBy };
}

/** Only the app host sees its connection: the client certificate, the address it comes from there, the fields that choose a route. It decides anyway. */
function needsMoreThanPerson(host: CompiledHost, route: CompiledRoute): boolean {
  if (!route.policy.dependsOnlyOnIdentity) return true;
  return host.routes.some(({ config }) => Object.keys(config.matchHeaders).length > 0);
}

/** Groups, or organisations of GitHub, that rules name: by themselves, or before a team. */
function namedIn(table: RoutingTable, prefix: string): readonly string[] {
  return [...table.namedUsers].flatMap((text) => (text.startsWith(prefix) ? [text.slice(prefix.length)] : []));
}

/** What the route says that takes a GET of the path. */
function signInProviderOf(table: RoutingTable, host: string, path: string): string | null {
  const found = table.findHost(host);
  return found === null
    ? null
    : (table.findRoute(found, path, 'GET', new HeaderBlock())?.config.signInProvider ?? null);
}

/** What the route, or one that it chooses by who comes, passes on to its app. */
function tokensAskedBy(table: RoutingTable, { host, path }: Pick<EntryFacts, 'host' | 'path'>): readonly TokenKind[] {
  const found = table.findHost(host);
  const route = found === null ? null : table.findRoute(found, path, 'GET', NO_FIELDS);
  const routes = route === null ? [] : [route, ...route.choices.map((choice) => choice.route)];
  return routes.flatMap(({ config }) => config.identityHeaders.tokens.map(({ token }) => token));
}

/** Exact hosts whose first page this person may open. */
function appsFor({ document, table }: Prepared, person: EntryFacts['person'], ip: string | null): readonly AppLink[] {
  const suffix = document.listen.publicHttpsPort === 443 ? '' : `:${document.listen.publicHttpsPort}`;
  const links: AppLink[] = [];
  for (const { name, config } of table.hosts) {
    if (name.includes('*') || !letsIn(table, name, { person, ip })) continue;
    const scheme = config.tls.kind === 'off' ? 'http' : 'https';
    links.push({ name, url: `${scheme}://${name}${scheme === 'https' ? suffix : ''}/` });
    if (links.length === MOST_APPS) break;
  }
  return links;
}

export function report(log: Pick<Logger, 'info' | 'warn' | 'error'>, event: SignInEvent): void {
  if (event.kind === 'failed') {
    log.error({ code: 'INTERNAL', requestId: event.requestId, err: event.error }, 'Own page failed');
    return;
  }
  if (event.kind === 'provider-problem') {
    const { kind, reason, message, isAnybodys, ...facts } = event;
    const code = reason === 'unavailable' ? 'PROVIDER_UNAVAILABLE' : 'SIGN_IN_REFUSED';
    // Nothing that an operator is to be woken for.
    log[isAnybodys === true ? 'info' : 'warn']({ code, event: kind, reason, ...facts }, message);
    return;
  }
  if (event.kind === 'back-channel-logout') {
    const { kind, refusal, ...facts } = event;
    if (refusal === null) log.info({ ...facts, event: kind }, 'Sign-in: signed out by the provider');
    else log.warn({ ...facts, code: 'SIGN_IN_REFUSED', event: kind }, `Back-channel logout refused: ${refusal}`);
    return;
  }
  const { kind, ...facts } = event;
  log.info({ ...facts, event: kind }, `Sign-in: ${kind}`);
}

async function toInternal(response: Response): Promise<InternalResponse> {
  const headers = [...response.headers].filter(([name]) => name !== 'set-cookie');
  const cookies = response.headers.getSetCookie().map((value) => ['set-cookie', value] as [string, string]);
  const refused = refusedEntryOf(response);
  return {
    status: response.status,
    headers: [...headers, ...cookies],
    body: new Uint8Array(await response.arrayBuffer()),
    ...(refused === null ? {} : { refused }),
  };
}
