/**
 * A provider that speaks OAuth 2.0 and says by an API of its own who somebody is. What the API said is asked
 * again at every refresh, so that who was taken out of a team loses it although such tokens rarely expire.
 */
import type { AuthSession } from '../../auth-session.ts';
import type { AuthProvider, LoginWish, RedeemWish } from '../../ports.ts';
import type { ProviderSettings } from '../../settings.ts';
import { isUsable } from '../../../sign-in/oauth/json.ts';
import { createBearerDesk } from '../bearer.ts';
import type { AuthProviderDeps } from '../deps.ts';
import { answerOf, explainCallbackError } from '../failures.ts';
import { Refusal } from '../../../sign-in/oauth/failures.ts';
import { groupSet, isAllowed } from '../groups.ts';
import { httpFor } from '../http.ts';
import { askApiFor } from '../../../sign-in/oauth/api.ts';
import { buildLoginUrl } from '../login-url.ts';
import { sessionOf, type Persona } from '../oidc/session.ts';
import {
  createTokenEndpoint,
  noAuth,
  postAuth,
  type TokenEndpoint,
  type ClientAuth,
} from '../../../sign-in/oauth/token-endpoint.ts';
import { validateToken } from '../validate.ts';
import type { ProviderHttp } from '../../../sign-in/provider-http.ts';
import type { Inquiry, PlainKind, PlainUrls } from './kind.ts';

interface PlainParts {
  readonly kind: PlainKind;
  readonly settings: ProviderSettings;
  readonly deps: AuthProviderDeps;
  readonly http: ProviderHttp;
  readonly urls: PlainUrls;
  readonly scope: string;
  readonly tokens: TokenEndpoint;
  readonly ways: readonly ClientAuth[];
}

export function createPlainAuthProvider(
  kind: PlainKind,
  settings: ProviderSettings,
  deps: AuthProviderDeps,
): AuthProvider {
  const name = settings.displayName ?? kind.name;
  const parts = createParts(kind, settings, deps);
  const allowed = groupSet(deps.allowedGroups, kind.allowedGroups?.(settings) ?? []);
  const judge = kind.authorizes?.(settings) ?? ((): boolean => true);
  return {
    displayName: name,
    isReady: () => true,
    codeChallengeMethod: () => challengeMethod(parts),
    usesNonce: false,
    loginUrl: (wish) => answerOf(name, () => Promise.resolve(loginUrl(parts, wish))),
    redeem: (wish) => answerOf(name, () => redeem(parts, wish)),
    refresh: (session) => answerOf(name, () => refresh(parts, session)),
    validate: (session) => answerOf(name, () => validateToken(validationOf(parts), session)),
    // Who came by a password file is none of the provider's people.
    authorizes: (session) => isAllowed(allowed, session) && (session.via !== 'provider' || judge(session)),
    verifyBearer: createBearerDesk({ name, settings, deps, http: parts.http }, null),
    explainCallbackError: (error, description) => explainCallbackError(parts.scope, error, description),
    close: parts.http.close,
  };
}

function createParts(kind: PlainKind, settings: ProviderSettings, deps: AuthProviderDeps): PlainParts {
  const http = httpFor(settings);
  const { clientId, clientSecret } = settings;
  const scope = settings.scope === null || settings.scope === '' ? kind.scope : settings.scope;
  return {
    kind,
    settings,
    deps,
    http,
    urls: {
      login: settings.loginUrl ?? kind.urls.login,
      redeem: settings.redeemUrl ?? kind.urls.redeem,
      profile: settings.profileUrl ?? kind.urls.profile,
      validate: settings.validateUrl ?? kind.urls.validate,
    },
    scope: kind.finalScope?.(settings, scope) ?? scope,
    tokens: createTokenEndpoint(http, deps.clock),
    ways: [clientSecret === null ? noAuth(clientId) : postAuth(clientId, () => clientSecret.read().toString('utf8'))],
  };
}

function validationOf({ http, urls }: PlainParts): Parameters<typeof validateToken>[0] {
  return { http, settings: { validateUrl: urls.validate } };
}

function challengeMethod({ kind, settings }: PlainParts): 'S256' | 'plain' | null {
  const { codeChallengeMethod: wanted } = settings;
  if (wanted === 'none') return null;
  return wanted ?? (kind.takesPkce ? 'S256' : null);
}

function loginUrl({ settings, urls, scope }: PlainParts, wish: LoginWish): string {
  return buildLoginUrl(
    {
      base: urls.login,
      clientId: settings.clientId,
      scope,
      parameters: settings.loginParameters,
      responseMode: settings.responseMode,
    },
    { ...wish, nonce: null },
  );
}

async function redeem(parts: PlainParts, wish: RedeemWish): Promise<AuthSession> {
  const { settings, urls, tokens, ways, deps } = parts;
  const given = await tokens.ask({
    url: urls.redeem,
    ways,
    form: {
      grant_type: 'authorization_code',
      code: wish.code,
      redirect_uri: wish.redirectUri,
      ...(wish.codeVerifier === null ? {} : { code_verifier: wish.codeVerifier }),
      ...(settings.resource === null ? {} : { resource: settings.resource }),
    },
  });
  const session = sessionOf(deps.clock, await readPerson(parts, given.accessToken), given);
  // Nobody has checked it, so nobody may rely on it.
  return { ...session, idToken: '' };
}

async function readPerson(parts: PlainParts, accessToken: string): Promise<Persona> {
  const { kind, settings, http, urls } = parts;
  const inquiry: Inquiry = {
    settings,
    http,
    urls,
    accessToken,
    ask: (url, request) => askApiFor(http, { url, accessToken, ...request }),
  };
  const persona = await kind.read(inquiry);
  if (persona.email !== '' && !isUsable(persona.email)) throw new Refusal('the address of the person is none');
  return persona;
}

async function refresh(parts: PlainParts, session: AuthSession): Promise<AuthSession | null> {
  const { deps, urls, tokens, ways } = parts;
  if (session.accessToken === '' && session.refreshToken === '') return null;
  const isOld = session.expiresOn !== null && session.expiresOn <= deps.clock.now() + 60_000;
  const renewed =
    session.refreshToken !== '' && (isOld || session.accessToken === '')
      ? await tokens.ask({
          url: urls.redeem,
          ways,
          form: { grant_type: 'refresh_token', refresh_token: session.refreshToken },
        })
      : null;
  const persona = await readPerson(parts, renewed?.accessToken ?? session.accessToken);
  if (persona.user !== session.user || (persona.user === '' && persona.email !== session.email))
    throw new Refusal('the token is of another person');
  return {
    ...session,
    ...persona,
    createdAt: deps.clock.now(),
    ...(renewed === null
      ? {}
      : {
          accessToken: renewed.accessToken,
          refreshToken: renewed.refreshToken ?? session.refreshToken,
          expiresOn: renewed.expiresOn,
        }),
  };
}
