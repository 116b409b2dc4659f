/**
 * Sign-in by an OpenID provider (OpenID Connect Core 1.0, code flow with PKCE). openid-client speaks the
 * protocol and checks the answer, `iss` of RFC 9207 included; the signature of every ID token is checked
 * on top of that, by keys that follow the provider's rotation.
 */
import * as client from 'openid-client';
import { createNoteTeller } from '../note-teller.ts';
import type { Clock } from '../../core/clock.ts';
import type { BearerSettings, OidcProvider } from '../../config/document/providers.ts';
import { PROVIDER_PRESETS } from '../../config/presets/providers.ts';
import type { Person } from '../../core/person.ts';
import { createProviderHttp, type ProviderHttp } from '../provider-http.ts';
import type {
  Begun,
  BeginWish,
  Callback,
  Finished,
  LogoutToken,
  Provider,
  ProviderGrant,
  ProviderProblem,
  Refreshed,
  VerifiedBearer,
} from '../provider.ts';
import { createGoogleGroups, type GoogleGroups } from '../google/groups.ts';
import type { GoogleAddresses } from '../google/credentials.ts';
import { verifyBearer } from './bearer.ts';
import { addressIn, directoryGroups, gather } from './claim-sources.ts';
import type { Claims } from './claims.ts';
import { createClockWatch, withClocks } from './clock-watch.ts';
import { createDiscovery, metadataOf, type Discovery } from './discovery.ts';
import { createRenewalNote, grantOf, refreshAtOf } from './grants.ts';
import { createProviderKeys, type ProviderKeys } from './keys.ts';
import { probeProvider } from './probe.ts';
import { isMeantBy, nameIn, readLogoutToken } from './logout-token.ts';
import type { Parts } from './parts.ts';
import { isHosted, isSubject, notesOnRoles, notHosted, personFrom, saidBefore } from './person.ts';
import { endsSession, explainProblem, IdTokenError, isOfOnePerson } from './problems.ts';
import { authTimeOf, proofOf } from './proof.ts';

export interface OidcDeps {
  readonly clock: Clock;
  readonly log: (level: 'info' | 'warn', message: string, facts: Readonly<Record<string, unknown>>) => void;
  /** Keys that the provider lists no more, by their names. */
  readonly onKeysGone?: ((provider: string, kids: ReadonlySet<string>) => void) | undefined;
  /** Groups that rules name, for a directory that has to be asked about each. */
  readonly namedGroups?: (provider: string) => readonly string[];
  readonly turn?: () => Promise<void>;
  readonly breathe?: (() => Promise<unknown>) | undefined;
  /** Where Google's APIs are, for tests. */
  readonly googleAddresses?: GoogleAddresses;
}

export interface OpenIdProvider extends Provider {
  /** For bearer tokens of the same issuer. */
  readonly keys: ProviderKeys;
}

export function createOidcProvider(provider: OidcProvider, deps: OidcDeps): OpenIdProvider {
  const { internalUrl, caPem } = provider;
  const http = createProviderHttp({
    publicOrigin: new URL(provider.issuer).origin,
    internalUrl,
    caPem,
    isPatient: true,
    turn: deps.turn,
    breathe: deps.breathe,
  });
  const clockWatch = createClockWatch({
    provider,
    clock: deps.clock,
    log: (level, message) => deps.log(level, message, { provider: provider.id }),
  });
  const watched = { fetch: clockWatch.over(http.fetch), fetchFirst: clockWatch.over(http.fetchFirst) };
  const discovery = createDiscovery({
    provider,
    http: { ...http, ...watched },
    clock: deps.clock,
    ...reportTo(provider, deps),
  });
  const keys = createKeys(provider, http, discovery, deps);
  const googleGroups = googleGroupsOf(provider, http, deps);
  const parts: Parts = { provider, http, discovery, keys, clock: deps.clock, clockWatch, googleGroups };
  const withRenewalNote = createRenewalNote(provider);
  const tellNotes = createNoteTeller(deps.clock, (note) => deps.log('warn', note, { provider: provider.id }));
  return {
    id: provider.id,
    label: provider.label,
    authority: provider.issuer,
    pinsNames: PROVIDER_PRESETS[provider.preset]?.pinsNames ?? false,
    canStepUp: ({ secondFactor }) => !secondFactor || provider.secondFactor.acr.length > 0,
    keys,
    // What is down at the start is no reason not to start.
    warm: () => void discovery.get().catch(() => undefined),
    begin: (wish) => begin(parts, wish),
    finish: async (callback) => withRenewalNote(await finish(parts, callback)),
    async refresh(person, grant) {
      const refreshed = await refresh(parts, person, grant);
      if (refreshed.kind === 'known') tellNotes(person.subject, refreshed.notes);
      return refreshed;
    },
    logoutUrl: (grant, returnTo) => logoutUrl(parts, grant, returnTo),
    isMeantBy: (token) => isMeantBy(provider, token),
    readLogoutToken: (token): Promise<LogoutToken> =>
      readLogoutToken(provider, keys, deps.clock, token).then((read) => withClocks(clockWatch, read)),
    probe: (redirectUri) => probeProvider(parts, redirectUri),
    ...(provider.bearer === null ? {} : { verifyBearer: verifierOf(parts, provider.bearer) }),
    close() {
      discovery.close();
      http.close();
    },
  };
}

function googleGroupsOf({ id, directory }: OidcProvider, http: ProviderHttp, deps: OidcDeps): GoogleGroups | null {
  if (directory === null) return null;
  return createGoogleGroups(directory, {
    http,
    clock: deps.clock,
    log: (level, message, facts) => deps.log(level, message, { provider: id, ...facts }),
    named: () => deps.namedGroups?.(id) ?? [],
    ...(deps.googleAddresses === undefined ? {} : { addresses: deps.googleAddresses }),
  });
}

function verifierOf(
  { provider, keys, clockWatch }: Parts,
  bearer: BearerSettings,
): (token: string) => Promise<VerifiedBearer> {
  return async (token) => withClocks(clockWatch, await verifyBearer(provider, bearer, keys, token));
}

/** A provider that stays down is said once for each reason, and once more when it is back. */
function reportTo(
  provider: OidcProvider,
  deps: OidcDeps,
): { onFailure: (error: unknown) => void; onSuccess: () => void } {
  let said: string | null = null;
  return {
    onFailure(error) {
      const { message } = explainProblem(provider, error);
      if (message !== said)
        deps.log('warn', `${message}; it is asked again, and nobody is signed out`, { provider: provider.id });
      said = message;
    },
    onSuccess() {
      if (said !== null) deps.log('info', `Provider "${provider.id}" answers again`, { provider: provider.id });
      said = null;
    },
  };
}

function createKeys(
  provider: OidcProvider,
  http: ProviderHttp,
  discovery: Discovery,
  { clock, onKeysGone }: OidcDeps,
): ProviderKeys {
  const make = (issuer: string): ProviderKeys =>
    createProviderKeys({
      issuer,
      clock,
      onGone: (kids) => onKeysGone?.(provider.id, kids),
      async fetchKeys() {
        const { jwks_uri: uri } = metadataOf(await discovery.get());
        if (uri === undefined) throw new Error('the discovery document has no "jwks_uri"');
        const response = await http.fetchFirst(uri, { headers: { accept: 'application/json' } });
        if (response.status !== 200) throw new Error(`"${uri}" answered ${response.status}`);
        return (await response.json()) as { keys: [] };
      },
    });
  // Tokens name the issuer as the provider spells it, which may differ from the document by a last "/".
  let made: ProviderKeys | null = null;
  return {
    issuer: provider.issuer,
    async verify(token, options) {
      made ??= make(metadataOf(await discovery.get()).issuer);
      return made.verify(token, options);
    },
  };
}

async function begin({ provider, discovery }: Parts, wish: BeginWish): Promise<Begun> {
  try {
    const configuration = await discovery.confirm();
    const acrValues = levelsFor(provider, wish);
    const maxAge = maxAgeFor(provider, wish);
    // To those who say that they know it; others guess by themselves.
    const hasLocales = metadataOf(configuration)['ui_locales_supported'] !== undefined;
    const prompt = promptFor(provider, wish);
    const url = client.buildAuthorizationUrl(configuration, {
      ...provider.parameters,
      redirect_uri: wish.redirectUri,
      scope: provider.scopes.join(' '),
      state: wish.state,
      nonce: wish.nonce,
      code_challenge: await client.calculatePKCECodeChallenge(wish.codeVerifier),
      code_challenge_method: 'S256',
      ...(prompt === null ? {} : { prompt }),
      ...(maxAge === null ? {} : { max_age: String(maxAge) }),
      ...(hasLocales && wish.uiLocales.length > 0 ? { ui_locales: wish.uiLocales.join(' ') } : {}),
      ...(acrValues.length === 0 ? {} : { acr_values: acrValues.join(' ') }),
    });
    return { kind: 'go', url: url.href };
  } catch (error) {
    return { kind: 'problem', problem: explainProblem(provider, error) };
  }
}

function levelsFor(provider: OidcProvider, { stepUp }: BeginWish): readonly string[] {
  if (stepUp === null) return provider.acrValues;
  const wanted = [...stepUp.acr, ...(stepUp.secondFactor ? provider.secondFactor.acr : [])];
  return wanted.length === 0 ? provider.acrValues : [...new Set(wanted)];
}

/** A little less than the route bears, so that whoever comes back is not too late a moment later. */
const MOST_MARGIN_MS = 60_000;

function maxAgeFor(provider: OidcProvider, { stepUp }: BeginWish): number | null {
  const maxAgeMs = stepUp?.maxAgeMs ?? null;
  if (maxAgeMs === null) return provider.maxAgeSeconds;
  const seconds = Math.floor((maxAgeMs - Math.min(MOST_MARGIN_MS, maxAgeMs / 2)) / 1_000);
  return Math.min(seconds, provider.maxAgeSeconds ?? seconds);
}

function promptFor(provider: OidcProvider, { stepUp, switchAccount }: BeginWish): string | null {
  if (switchAccount) return provider.switchPrompt;
  // For those that do not heed "max_age" (Core section 3.1.2.1).
  return stepUp !== null && stepUp.insists && stepUp.maxAgeMs !== null ? 'login' : provider.prompt;
}

async function finish(parts: Parts, callback: Callback): Promise<Finished> {
  const { provider, discovery } = parts;
  try {
    const configuration = await discovery.get();
    const url = new URL(callback.redirectUri);
    url.search = callback.query.toString();
    const tokens = await client.authorizationCodeGrant(configuration, url, {
      pkceCodeVerifier: callback.codeVerifier,
      expectedState: callback.state,
      expectedNonce: callback.nonce,
      idTokenExpected: true,
      ...(provider.maxAgeSeconds === null ? {} : { maxAge: provider.maxAgeSeconds }),
    });
    const idToken = tokens.id_token ?? '';
    const claims = await verifyIdToken(parts, idToken);
    const refusal = refusalOf(provider, claims);
    if (refusal !== null) return { kind: 'problem', problem: refusal };
    const address = addressIn(claims);
    const accessToken = tokens.access_token;
    const sources = await gather(parts, configuration, claims, { accessToken, address, step: 'sign-in' });
    const { person: known, notes } = personFrom(provider, String(claims['sub']), sources, claims);
    const person = { ...known, ...proofOf(provider, claims, parts.clock.now()) };
    const grant = grantOf(parts.clock, tokens, idToken, null);
    const signedIn = { providerSession: nameIn(claims['sid']), authTime: authTimeOf(claims) };
    const refreshAt = refreshAtOf(parts, grant);
    const isSoon = refreshAt !== null && notesOnRoles(provider, sources).length > 0;
    const nextAt = isSoon ? Math.min(refreshAt, parts.clock.now() + ROLES_AGAIN_MS) : refreshAt;
    return { kind: 'known', person, notes, grant, ...signedIn, refreshAt: nextAt };
  } catch (error) {
    return { kind: 'problem', problem: problemOf(parts, error) };
  }
}

/** Userinfo may be away for a moment only. */
const ROLES_AGAIN_MS = 30_000;

function problemOf({ provider, clockWatch }: Parts, error: unknown): ProviderProblem {
  const problem = explainProblem(provider, error);
  return problem.reason === 'clock' ? withClocks(clockWatch, problem) : problem;
}

/** openid-client trusts the connection that an ID token came by (Core section 3.1.3.7, point 6): we check the signature as well. */
async function verifyIdToken({ provider, keys }: Parts, idToken: string): Promise<Claims> {
  const { clientId, clockToleranceMs } = provider;
  const { claims } = await keys.verify(idToken, { audience: clientId, clockToleranceMs, comesOnce: true });
  const { sub, azp } = claims;
  // Core section 3.1.3.7, point 5: openid-client looks at it only beside several audiences.
  if (azp !== undefined && azp !== clientId) throw new IdTokenError('"azp" is not this client');
  if (!isSubject(sub)) throw new IdTokenError('"sub" is empty, too long, or has control characters');
  return claims;
}

function refusalOf(
  provider: OidcProvider,
  claims: Claims,
): { readonly reason: 'not-admitted'; readonly message: string } | null {
  const refuse = (why: string): { readonly reason: 'not-admitted'; readonly message: string } => ({
    reason: 'not-admitted',
    message: `Sign-in by "${provider.id}" refused: ${why}`,
  });
  const { acrValues } = provider;
  // The parameter `hd` is only a wish; the claim counts.
  if (!isHosted(provider, claims)) return refuse(notHosted(provider));
  if (acrValues.length > 0 && !acrValues.some((one) => one === claims['acr']))
    return refuse(`"acr" of the token is none of "acr_values": ${acrValues.join(', ')}`);
  return null;
}

async function refresh(parts: Parts, person: Person, grant: ProviderGrant): Promise<Refreshed> {
  const { provider, discovery, clock } = parts;
  if (grant.refreshToken === null) return askDirectory(parts, person, grant);
  let fresh: ProviderGrant | null = null;
  try {
    const configuration = await discovery.get();
    const tokens = await client.refreshTokenGrant(configuration, grant.refreshToken);
    const idToken = tokens.id_token ?? null;
    fresh = grantOf(clock, tokens, null, grant);
    const claims = idToken === null ? { sub: person.subject } : await verifyIdToken(parts, idToken);
    fresh = grantOf(clock, tokens, idToken, grant);
    // Core section 12.2: the same person, or the answer counts for nothing.
    if (claims['sub'] !== person.subject) return { kind: 'ended', message: 'the provider answered for another person' };
    const refusal = idToken === null ? null : refusalOf({ ...provider, acrValues: [] }, claims);
    if (refusal !== null) return { kind: 'ended', message: refusal.message };
    const address = idToken === null ? addressOf(person) : addressIn(claims);
    const accessToken = tokens.access_token;
    const sources = await gather(parts, configuration, claims, { accessToken, address, step: 'refresh' });
    return {
      kind: 'known',
      person: refreshed(provider, person, { sources, isSilent: idToken === null, proof: claims }),
      grant: fresh,
      refreshAt: refreshAtOf(parts, fresh),
      notes: notesOnRoles(provider, sources),
    };
  } catch (error) {
    if (endsSession(error))
      return {
        kind: 'ended',
        message: `Provider "${provider.id}" ended the session: ${explainProblem(provider, error).message}`,
      };
    const { message } = problemOf(parts, error);
    const own = isOfOnePerson(provider, error, fresh !== null) ? { retryAt: nextTime(parts, fresh) } : {};
    return { kind: 'unavailable', message, ...own, ...(fresh === null ? {} : { grant: fresh }) };
  }
}

/** When a sign-in would be looked at anyway: whom the provider refuses is asked about as often as anybody. */
function nextTime(parts: Parts, fresh: ProviderGrant | null): number {
  const byToken = fresh === null ? null : refreshAtOf(parts, fresh);
  return byToken ?? parts.clock.now() + parts.provider.recheckMs;
}

/** A directory is asked by our own account: without a refresh token groups follow all the same. Google gives one at the first consent alone. */
async function askDirectory(parts: Parts, person: Person, grant: ProviderGrant): Promise<Refreshed> {
  const { provider, googleGroups } = parts;
  if (googleGroups === null)
    return { kind: 'unavailable', message: 'there is no refresh token', retryAt: nextTime(parts, null) };
  try {
    const proof = { sub: person.subject };
    const sources = [await directoryGroups(googleGroups, addressOf(person)), proof];
    const fresh = refreshed(provider, person, { sources, isSilent: true, proof });
    return { kind: 'known', person: fresh, grant, refreshAt: refreshAtOf(parts, grant), notes: [] };
  } catch (error) {
    return { kind: 'unavailable', message: problemOf(parts, error).message };
  }
}

/** Where a refresh brings no new ID token. */
function addressOf({ email, emailVerified }: Person): string | null {
  return emailVerified ? email : null;
}

/** `isSilent`: without an ID token. Where there is no userinfo either, nothing was said at all. */
function refreshed(
  provider: OidcProvider,
  before: Person,
  {
    sources,
    isSilent,
    proof,
  }: { readonly sources: readonly Claims[]; readonly isSilent: boolean; readonly proof: Claims },
): Person {
  if (isSilent && sources.length === 1) return before;
  const all = isSilent ? [...sources, saidBefore(provider, before)] : sources;
  const { person } = personFrom(provider, before.subject, all, proof);
  return { ...person, amr: person.amr.length === 0 ? before.amr : person.amr };
}

/** Longer ones do not fit into an address that servers take: the provider then asks the person. */
const LONGEST_HINT = 4_000;

/** OpenID Connect RP-Initiated Logout 1.0. Never waits for a provider that is not known yet. */
function logoutUrl({ provider, discovery }: Parts, grant: ProviderGrant, returnTo: string): Promise<string | null> {
  const configuration = discovery.known();
  if (!provider.logout || configuration === null) return Promise.resolve(null);
  if (metadataOf(configuration).end_session_endpoint === undefined) return Promise.resolve(null);
  const url = client.buildEndSessionUrl(configuration, {
    post_logout_redirect_uri: returnTo,
    ...(grant.idToken === null || grant.idToken.length > LONGEST_HINT ? {} : { id_token_hint: grant.idToken }),
  });
  return Promise.resolve(url.href);
}
