/**
 * An OpenID provider for oauth2-proxy's surface (OpenID Connect Core 1.0, code flow). Everything about the
 * person is checked before a session is made: signature, issuer, audience, nonce, verified address. A
 * provider that is down is asked again in the background, and nobody is let in or sent away meanwhile.
 */
import { createKept } from '../../../sign-in/oidc/kept.ts';
import type { AuthSession } from '../../auth-session.ts';
import type { AuthProvider, LoginWish, RedeemWish } from '../../ports.ts';
import type { LoginParameter, ProviderSettings } from '../../settings.ts';
import { createClaimReader } from '../claims.ts';
import { isUsable, type Claims } from '../../../sign-in/oauth/json.ts';
import type { AuthProviderDeps } from '../deps.ts';
import { groupSet, isAllowed } from '../groups.ts';
import { answerOf, explainCallbackError, explainFailure } from '../failures.ts';
import { Refusal } from '../../../sign-in/oauth/failures.ts';
import { httpFor } from '../http.ts';
import { buildLoginUrl } from '../login-url.ts';
import {
  basicAuth,
  createTokenEndpoint,
  noAuth,
  postAuth,
  type ClientAuth,
} from '../../../sign-in/oauth/token-endpoint.ts';
import { validateToken } from '../validate.ts';
import { createBearerDesk } from '../bearer.ts';
import { bearerOf } from './bearer-session.ts';
import { verifyByFiles, verifyByJwks } from './id-token.ts';
import { discover, fetchJson, fixedMetadata, type Metadata } from './metadata.ts';
import { readLogoutToken } from './logout-token.ts';
import type { OidcKind, OidcParts } from './parts.ts';
import { claimsOf, refreshSession } from './refresh.ts';
import { readPersona, sessionOf } from './session.ts';
import { readProfile } from './userinfo.ts';
import { verifyIdToken } from './verify.ts';

export function createOidcAuthProvider(
  kind: OidcKind,
  settings: ProviderSettings,
  deps: AuthProviderDeps,
): AuthProvider {
  const parts = createParts(kind, settings, deps);
  const verifyBearer = createBearerDesk(parts, kind.takesBearers === false ? null : (token) => bearerOf(parts, token));
  const caution = kind.caution?.(settings) ?? null;
  if (caution !== null) deps.log.warn({ provider: settings.kind }, caution);
  // What is down at the start is no reason not to start.
  void parts.metadata.get().catch(() => undefined);
  return {
    displayName: parts.name,
    isReady: () => parts.metadata.known() !== null,
    codeChallengeMethod: () => challengeMethod(parts),
    usesNonce: !settings.oidc.skipNonce,
    loginUrl: (wish) => answerOf(parts.name, () => loginUrl(parts, wish)),
    redeem: (wish) => answerOf(parts.name, () => redeem(parts, wish)),
    refresh: (session) => answerOf(parts.name, () => refresh(parts, session)),
    validate: (session) => answerOf(parts.name, () => validateToken(parts, session)),
    authorizes: (session) => isAllowed(parts.allowedGroups, session),
    verifyBearer,
    readLogoutToken: (token) => answerOf(parts.name, () => readLogoutToken(parts, token)),
    authTimeOf: ({ idToken }) => authTimeOf(claimsOf(idToken)),
    explainCallbackError: (error, description) => explainCallbackError(parts.scope, error, description),
    close() {
      parts.metadata.close();
      parts.http.close();
    },
  };
}

function createParts(kind: OidcKind, settings: ProviderSettings, deps: AuthProviderDeps): OidcParts {
  const name = settings.displayName ?? kind.name;
  const http = httpFor(settings);
  const { oidc } = settings;
  const isFixed = oidc.skipDiscovery || (kind.endpoints !== undefined && oidc.issuer === null);
  const metadata = createKept<Metadata>({
    fetch: () =>
      isFixed
        ? Promise.resolve(fixedMetadata(settings, kind.endpoints?.(settings)))
        : discover(http, settings, kind.isIssuer),
    clock: deps.clock,
    ...reportTo(name, settings, deps),
  });
  const verify =
    oidc.publicKeyFiles.length > 0
      ? verifyByFiles(oidc.publicKeyFiles, deps.clock)
      : verifyByJwks(name, deps.clock, async () => {
          const { jwksUrl } = await metadata.get();
          if (jwksUrl === null) throw new Refusal('there are no keys to check tokens by; set "oidc-jwks-url"');
          return fetchJson(http, jwksUrl);
        });
  return {
    settings,
    kind,
    name,
    deps,
    http,
    metadata,
    verify,
    tokens: createTokenEndpoint(http, deps.clock),
    ways: waysOf(kind, settings, deps),
    scope: scopeOf(kind, settings, groupSet(deps.allowedGroups).size > 0),
    allowedGroups: groupSet(deps.allowedGroups, kind.allowedGroups?.(settings) ?? []),
  };
}

function scopeOf(kind: OidcKind, settings: ProviderSettings, areGroupsRestricted: boolean): string {
  const own = kind.scope + (kind.asksForGroups && areGroupsRestricted ? ' groups' : '');
  const scope = settings.scope === null || settings.scope === '' ? own : settings.scope;
  return kind.finalScope?.(settings, scope) ?? scope;
}

/** Basic is the default of OpenID Connect Discovery; who says nothing of it is tried. */
function waysOf(
  kind: OidcKind,
  settings: ProviderSettings,
  deps: AuthProviderDeps,
): (metadata: Metadata) => readonly ClientAuth[] {
  const { clientId, clientSecret } = settings;
  const own = kind.clientAuth?.(settings, deps);
  if (own !== undefined && own !== null) {
    const ways = [own];
    return () => ways;
  }
  if (clientSecret === null) {
    const none = [noAuth(clientId)];
    return () => none;
  }
  const secret = (): string => clientSecret.read().toString('utf8');
  const all = { client_secret_basic: basicAuth(clientId, secret), client_secret_post: postAuth(clientId, secret) };
  return ({ authMethods }) => {
    const ways = Object.entries(all).flatMap(([method, way]) => (authMethods?.includes(method) === true ? [way] : []));
    return ways.length > 0 ? ways : Object.values(all);
  };
}

/** A provider that stays down is said once for each reason, and once more when it is back. */
function reportTo(
  name: string,
  settings: ProviderSettings,
  { log }: AuthProviderDeps,
): { onFailure: (error: unknown) => void; onSuccess: () => void } {
  let said: string | null = null;
  const facts = { provider: settings.kind, issuer: settings.oidc.issuer };
  return {
    onFailure(error) {
      const { message } = explainFailure(name, error);
      if (message !== said) log.warn(facts, `${message}; it is asked again until it answers`);
      said = message;
    },
    onSuccess() {
      if (said !== null) log.info(facts, `${name} answers`);
      said = null;
    },
  };
}

function challengeMethod({ settings, metadata }: OidcParts): 'S256' | 'plain' | null {
  const { codeChallengeMethod: wanted } = settings;
  if (wanted === 'none') return null;
  if (wanted !== null) return wanted;
  return metadata.known()?.challengeMethods.includes('S256') === true ? 'S256' : null;
}

async function loginUrl(parts: OidcParts, wish: LoginWish): Promise<string> {
  const { settings, kind } = parts;
  const metadata = await parts.metadata.get();
  return buildLoginUrl(
    {
      base: metadata.loginUrl,
      clientId: settings.clientId,
      scope: settings.skipsScope === true ? null : parts.scope,
      parameters: [...defaultsOf(kind), ...settings.loginParameters],
      responseMode: settings.responseMode,
      switchPrompt: kind.switchPrompt ?? 'login',
      extra: kind.loginExtra?.(settings) ?? {},
    },
    { ...wish, state: kind.encodeState?.(wish.state) ?? wish.state },
  );
}

function defaultsOf({ loginDefaults = {} }: OidcKind): readonly LoginParameter[] {
  return Object.entries(loginDefaults).map(([name, value]) => ({ name, default: [value], allow: [] }));
}

async function redeem(parts: OidcParts, wish: RedeemWish): Promise<AuthSession> {
  const { settings, kind, deps } = parts;
  const metadata = await parts.metadata.get();
  checkAnswerer(parts, metadata, wish.issuer);
  const tokens = await parts.tokens.ask({
    url: metadata.tokenUrl,
    ways: parts.ways(metadata),
    form: {
      grant_type: 'authorization_code',
      code: wish.code,
      redirect_uri: wish.redirectUri,
      ...(wish.codeVerifier === null ? {} : { code_verifier: wish.codeVerifier }),
      ...kind.redeemExtra?.(settings),
    },
  });
  if (tokens.idToken === null) throw new Refusal('the token endpoint gave no ID token; "scope" must hold "openid"');
  const claims = await verifyIdToken(parts, metadata, tokens.idToken);
  // Fail closed: a provider that drops the nonce cannot show that the token was made for this sign-in.
  if (wish.nonce !== null && claims['nonce'] !== wish.nonce)
    throw new Refusal('"nonce" of the ID token is not the one of this sign-in');
  const subject = String(claims['sub']);
  const reader = createClaimReader(claims, () => readProfile(parts, metadata, tokens.accessToken, subject));
  const persona = await readPersona(settings, reader);
  const session: AuthSession = {
    ...sessionOf(deps.clock, persona, tokens),
    nonce: wish.nonce ?? '',
    providerSession: providerSessionOf(claims),
  };
  const enriched = await (kind.enrich?.({ parts, metadata, session, claims, step: 'redeem' }) ?? session);
  if (kind.needsEmail && settings.needsEmail !== false && enriched.email === '')
    throw new Refusal(
      'neither the ID token nor the profile has an address; ask for the scope "email", or set "oidc-email-claim"',
    );
  return enriched;
}

/** New tokens, and the word of `validate-url` on them where there is one. */
async function refresh(parts: OidcParts, session: AuthSession): Promise<AuthSession | null> {
  const fresh = await refreshSession(parts, session);
  if (fresh !== null) await validateToken(parts, fresh);
  return fresh;
}

/** RFC 9207: an answer of another provider must not be redeemed at this one. */
function checkAnswerer({ settings }: OidcParts, metadata: Metadata, issuer: string | null): void {
  if (settings.oidc.skipIssuerVerification) return;
  if (issuer === null && !metadata.namesItself) return;
  if (issuer !== metadata.issuer) throw new Refusal('"iss" of the callback is not this provider');
}

function authTimeOf({ auth_time: at }: Claims): number | null {
  return typeof at === 'number' ? at * 1_000 : null;
}

export function providerSessionOf(claims: Claims): string {
  const { sid } = claims;
  return typeof sid === 'string' && isUsable(sid) ? sid : '';
}
