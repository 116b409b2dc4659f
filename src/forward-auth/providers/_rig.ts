/** Settings as `options` would make them, and the way of a person through a provider, for tests. */
import { hash, randomBytes } from 'node:crypto';
import type { Logger } from '../../core/log.ts';
import { startTwin, type Twin } from '../../sign-in/oidc/_twin.ts';
import type { AuthSession } from '../auth-session.ts';
import type { AuthProvider, LoginWish, ProviderAnswer } from '../ports.ts';
import type { BearerSettings, OidcSettings, ProviderSettings } from '../settings.ts';
import { settingsWith } from '../settings-fixture.ts';
import { createAuthProvider } from './create.ts';
import type { AuthProviderDeps } from './deps.ts';
import type { OidcKind } from './oidc/parts.ts';
import { createOidcAuthProvider } from './oidc/provider.ts';

export const CALLBACK = 'https://app.example.com/oauth2/callback';

export const secretOf = (text: string): { readonly read: () => Buffer } => ({ read: () => Buffer.from(text) });

export type Over = Partial<Omit<ProviderSettings, 'oidc'>> & { readonly oidc?: Partial<OidcSettings> };

export function providerSettings(over: Over = {}): ProviderSettings {
  const { oidc, ...others } = over;
  const { provider } = settingsWith({ provider: { oidc: { issuer: null, skipNonce: false } } });
  return { ...provider, clientSecret: secretOf('secret'), oidc: { ...provider.oidc, ...oidc }, ...others };
}

export interface ProviderRig {
  readonly twin: Twin;
  readonly provider: AuthProvider;
  readonly logged: string[];
}

export interface RigOptions {
  readonly settings?: Over | ((twin: Twin) => Over);
  readonly allowedGroups?: readonly string[];
  readonly bearer?: Partial<BearerSettings>;
  readonly prepare?: (twin: Twin) => void;
  readonly isDown?: boolean;
  readonly twin?: Parameters<typeof startTwin>[0];
  readonly now?: () => number;
  /** Another kind than that of the settings: one with addresses of the twin. */
  readonly kind?: (twin: Twin) => OidcKind;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Lines of the log: the message and its facts. */
export function collectingLog(logged: string[]): Pick<Logger, 'info' | 'warn'> {
  const write = (facts: object, message: string): unknown => logged.push(`${message} ${JSON.stringify(facts)}`);
  return { info: write, warn: write };
}

export async function withProvider(work: (rig: ProviderRig) => Promise<void>, options: RigOptions = {}): Promise<void> {
  const twin = await startTwin(options.twin);
  options.prepare?.(twin);
  if (options.isDown === true) await twin.stop();
  const logged: string[] = [];
  const given = typeof options.settings === 'function' ? options.settings(twin) : (options.settings ?? {});
  const settings = providerSettings({
    clientId: twin.clientId,
    clientSecret: secretOf(twin.clientSecret),
    ...given,
    oidc: { issuer: twin.issuer, ...given.oidc },
  });
  const deps: AuthProviderDeps = {
    clock: { now: options.now ?? ((): number => Date.now()) },
    log: collectingLog(logged),
    allowedGroups: options.allowedGroups ?? [],
    bearer: { accepts: false, fallsBack: true, extraIssuers: [], ...options.bearer },
    environment: options.environment ?? {},
  };
  const provider =
    options.kind === undefined
      ? createAuthProvider(settings, deps)
      : createOidcAuthProvider(options.kind(twin), settings, deps);
  try {
    await work({ twin, provider, logged });
  } finally {
    provider.close();
    await twin.stop();
  }
}

export interface Departure {
  readonly url: URL;
  readonly nonce: string | null;
  readonly codeVerifier: string | null;
}

export async function depart(
  provider: AuthProvider,
  overrides: URLSearchParams = new URLSearchParams(),
): Promise<Departure> {
  const nonce = provider.usesNonce ? randomBytes(16).toString('base64url') : null;
  // Discovery is asked for by the first one who needs it.
  await provider.loginUrl(wishOf({ nonce, codeVerifier: null, method: null, overrides }));
  const method = provider.codeChallengeMethod();
  const codeVerifier = method === null ? null : randomBytes(32).toString('base64url');
  const answer = await provider.loginUrl(wishOf({ nonce, codeVerifier, method, overrides }));
  if (answer.kind !== 'ok') throw new Error(`Cannot depart: ${answer.message}`);
  return { url: new URL(answer.value), nonce, codeVerifier };
}

function wishOf(given: {
  readonly nonce: string | null;
  readonly codeVerifier: string | null;
  readonly method: 'S256' | 'plain' | null;
  readonly overrides: URLSearchParams;
}): LoginWish {
  const { codeVerifier, method } = given;
  const challenge = method === 'S256' ? hash('sha256', codeVerifier ?? '', 'base64url') : (codeVerifier ?? '');
  return {
    redirectUri: CALLBACK,
    state: 'state:/deep?a=1',
    nonce: given.nonce,
    codeChallenge: method === null ? null : { challenge, method },
    overrides: given.overrides,
  };
}

export interface Visits {
  readonly visit: (authorizationUrl: string) => string;
}

/** The whole way: to the provider, the person there, and back with a code. */
export async function signIn(
  provider: AuthProvider,
  twin: Visits,
  change: Partial<Parameters<AuthProvider['redeem']>[0]> = {},
): Promise<ProviderAnswer<AuthSession>> {
  const { url, nonce, codeVerifier } = await depart(provider);
  const back = new URL(twin.visit(url.href)).searchParams;
  return provider.redeem({
    code: back.get('code') ?? '',
    redirectUri: CALLBACK,
    codeVerifier,
    issuer: back.get('iss'),
    nonce,
    ...change,
  });
}

/** The session of somebody who must come in. */
export async function enter(provider: AuthProvider, twin: Visits): Promise<AuthSession> {
  const answer = await signIn(provider, twin);
  if (answer.kind !== 'ok') throw new Error(`Cannot enter: ${answer.message}`);
  return answer.value;
}
