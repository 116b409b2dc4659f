/**
 * Hands a worker the tokens of a person's provider for a route that asks for them, fresh: what is about to
 * end is renewed first, once however many ask. While the provider is away what there is serves to its
 * end; then nothing is handed out, and nobody is signed out. What no refresh renews is "expired": the person
 * has to go to the provider again. Tokens are in no message and no log.
 */
import { readGrant, type ProviderGrant } from '../sign-in/provider.ts';
import type { Clock } from '../core/clock.ts';
import type { TokenKind } from '../config/document/identity-headers.ts';
import type { TokenWish } from '../edge/passed-tokens.ts';
import type { RoutingTable } from '../route/table.ts';
import type { SessionAnswer, TokenAnswer } from '../session/record.ts';
import type { Renewal } from '../sign-in/refresher.ts';

/** A token with less left could end on its way to the app. */
const LEAST_LIFE_MS = 5_000;
/** Nothing is believed for ever. */
const LONGEST_HOLD_MS = 300_000;
/** While a provider is away what is left of a token is looked at again so often. */
const OUTAGE_HOLD_MS = 1_000;
/** A provider that gives no new token of a kind is not asked for it again for so long. */
const IN_VAIN_MS = 60_000;
const MAX_IN_VAIN = 10_000;
/** RFC 6750 section 2.1, and what a header field may hold. */
const TOKEN = /^[\x21-\x7e]{1,16384}$/;

export interface TokenDeskDeps {
  readonly sessions: {
    readonly find: (key: string) => Promise<SessionAnswer>;
    readonly findGrant: (key: string) => Promise<unknown>;
  };
  readonly renew: (key: string) => Promise<Renewal>;
  readonly table: () => RoutingTable;
  readonly clock: Clock;
  readonly warn: (message: string, facts: Readonly<Record<string, unknown>>) => void;
}

export interface TokenDesk {
  readonly find: (wish: TokenWish) => Promise<TokenAnswer>;
  /** Whether the sign-in has had such a token, which has ended for good. */
  readonly hasEnded: (parent: string, tokens: readonly TokenKind[]) => Promise<boolean>;
}

export function createTokenDesk(deps: TokenDeskDeps): TokenDesk {
  const { clock, sessions } = deps;
  const inVain = new Map<string, number>();
  const said = new Set<string>();

  /** Also says why, once for each provider and kind. */
  const missing = (provider: string, kind: TokenKind, why: string): void => {
    const key = `${provider} ${kind}`;
    if (said.has(key)) return;
    said.add(key);
    deps.warn(
      `Provider "${provider}" ${why}: once it has expired, apps that ask for "${kind}" send people to sign in again`,
      { provider },
    );
  };

  const mayRenew = (parent: string, { refreshToken }: ProviderGrant): boolean =>
    refreshToken !== null && clock.now() >= (inVain.get(parent) ?? 0);

  const renewIfDue = async (parent: string, grant: ProviderGrant, tokens: readonly TokenKind[]): Promise<Renewal> => {
    const now = clock.now();
    const isDue = tokens.some((kind) => tokenOf(grant, kind) !== null && endOf(grant, kind) - now < LEAST_LIFE_MS);
    return isDue && mayRenew(parent, grant) ? deps.renew(parent) : 'renewed';
  };

  const hasEnded: TokenDesk['hasEnded'] = async (parent, tokens) => {
    const grant = readGrant(await sessions.findGrant(parent));
    return grant !== null && !mayRenew(parent, grant) && expiredOf(grant, tokens, clock.now()).length > 0;
  };

  const find: TokenDesk['find'] = async (wish) => {
    const answer = await sessions.find(wish.key);
    if (answer.kind !== 'found') return { kind: answer.kind };
    const { parent, person } = answer.session;
    const tokens = wish.tokens.filter((kind) => asks(deps.table(), wish.host, kind));
    let grant = readGrant(await sessions.findGrant(parent));
    if (grant === null || tokens.length === 0) return nothing(clock.now());
    const renewal = await renewIfDue(parent, grant, tokens);
    if (renewal === 'ended') return { kind: 'absent' };
    grant = readGrant(await sessions.findGrant(parent));
    if (grant === null) return { kind: 'absent' };
    const now = clock.now();
    const expired = expiredOf(grant, tokens, now);
    if (expired.length === 0) return found(grant, tokens, now);
    if (renewal === 'unavailable') return { kind: 'unavailable' };
    for (const kind of expired) {
      missing(person.provider, kind, grant.refreshToken === null ? 'gave no refresh token' : 'renews no such token');
      if (inVain.size >= MAX_IN_VAIN) inVain.clear();
      inVain.set(parent, now + IN_VAIN_MS);
    }
    return { kind: 'expired' };
  };
  return { find, hasEnded };
}

function expiredOf(grant: ProviderGrant, tokens: readonly TokenKind[], now: number): readonly TokenKind[] {
  return tokens.filter((kind) => tokenOf(grant, kind) !== null && endOf(grant, kind) <= now);
}

/** A worker asks only for what its document asks for; here that is looked at once more. */
function asks(table: RoutingTable, host: string, kind: TokenKind): boolean {
  const found = table.findHost(host);
  return found?.routes.some(({ config }) => config.identityHeaders.tokens.some((one) => one.token === kind)) ?? false;
}

/** Changes are told, so that nothing new is missed meanwhile. */
function nothing(now: number): TokenAnswer {
  return { kind: 'found', accessToken: null, idToken: null, until: now + IN_VAIN_MS };
}

function found(grant: ProviderGrant, tokens: readonly TokenKind[], now: number): TokenAnswer {
  const given = tokens.filter((kind) => tokenOf(grant, kind) !== null);
  if (given.length === 0) return nothing(now);
  const until = Math.min(...given.map((kind) => holdUntil(endOf(grant, kind), now)));
  const give = (kind: TokenKind): string | null => (given.includes(kind) ? tokenOf(grant, kind) : null);
  return { kind: 'found', accessToken: give('access_token'), idToken: give('id_token'), until };
}

/** Asked again before it ends; while it could not be renewed, every moment. */
function holdUntil(end: number, now: number): number {
  return end - now < LEAST_LIFE_MS
    ? Math.min(end, now + OUTAGE_HOLD_MS)
    : Math.min(end - LEAST_LIFE_MS, now + LONGEST_HOLD_MS);
}

function tokenOf(grant: ProviderGrant, kind: TokenKind): string | null {
  const token = kind === 'id_token' ? grant.idToken : grant.accessToken;
  return token !== null && TOKEN.test(token) ? token : null;
}

function endOf(grant: ProviderGrant, kind: TokenKind): number {
  return (kind === 'id_token' ? grant.idTokenExpiresAt : grant.expiresAt) ?? Number.POSITIVE_INFINITY;
}
