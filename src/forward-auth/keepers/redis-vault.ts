/**
 * Sessions in Redis or Valkey, for replicas. The key is a hash of the cookie, the value is sealed under the
 * cookie secret and the cookie itself: neither Redis nor the secret alone opens it. Before it stands who it is of, sealed
 * under the secret alone, for `postern sessions`. What ends or changes is told to every Postern, so that each may
 * keep what it knows for a while.
 */
import { hash } from 'node:crypto';
import { PosternError } from '../../core/errors.ts';
import { sealJson, unsealJson } from '../../session/seal.ts';
import { keyOfToken, mintToken } from '../../session/token.ts';
import { listedPerson } from './listed-person.ts';
import { createRedisDesk } from './redis-desk.ts';
import { RedisIndex } from './redis-index.ts';
import { withRedisLock } from './redis-lock.ts';
import { createRedisLogouts } from './redis-logouts.ts';
import { sessionFromData, sessionToData } from './session-data.ts';
import { SingleFlight } from './single-flight.ts';
import type { Clock } from '../../core/clock.ts';
import type { SealKey } from '../../session/seal.ts';
import type { AuthSession } from '../auth-session.ts';
import type { LogoutMemory } from '../ports.ts';
import type { Card } from './redis-desk.ts';
import type { IndexName } from './redis-index.ts';
import type { RedisLink } from './redis-link.ts';
import type { SessionDesk } from './session-desk.ts';
import type { SessionId, SessionVault, VaultAnswer } from './session-vault.ts';

/** What nobody told of (a key that was evicted or deleted by hand) is seen after so long. */
const TRUST_MS = 10_000;
/** Of what anybody with the cookie secret may read, and what needs the cookie; sealed texts have none. */
const DIVIDER = '.';

export interface RedisVaultDeps {
  readonly link: (onMessage: (text: string | null) => void) => RedisLink;
  readonly sealKey: SealKey;
  readonly clock: Clock;
  /** Keys begin with it, as those of oauth2-proxy do: rules of an ACL still hold. */
  readonly prefix: string;
  /** The kind of the provider. */
  readonly provider: string;
  /** Sessions cannot be listed, nor ended from outside. */
  readonly onForbidden: (reason: string) => void;
}

interface Vault {
  readonly link: RedisLink;
  readonly sealKey: SealKey;
  readonly clock: Clock;
  readonly provider: string;
  readonly index: RedisIndex;
  readonly nameOf: (key: string) => string;
}

export interface RedisVault extends SessionVault {
  readonly desk: SessionDesk;
  readonly logouts: LogoutMemory;
}

export function createRedisVault(deps: RedisVaultDeps): RedisVault {
  const listeners = new Set<(key: string | null) => void>();
  const changed = (key: string | null): void => {
    for (const listener of listeners) listener(key);
  };
  const link = deps.link(changed);
  const { clock, sealKey, prefix, provider, onForbidden } = deps;
  const index = new RedisIndex({ link, sealKey, clock, prefix, onForbidden });
  const vault: Vault = { link, sealKey, clock, provider, index, nameOf: (key) => `${prefix}-${key}` };
  const remove = async (key: string): Promise<boolean> => {
    const count = await link.run((redis) => redis.del(vault.nameOf(key)));
    changed(key);
    // After it: who asks on hearing of it must not find it any more.
    await link.tell(key);
    return count > 0;
  };
  const flights = new SingleFlight();
  return {
    find: (id) => find(vault, id),
    add: (session, expiresAt) => add(vault, session, expiresAt),
    async replace(id, session, expiresAt) {
      const isThere = await write(vault, id, { session, expiresAt, only: 'XX' });
      changed(id.key);
      if (isThere) await link.tell(id.key);
      return isThere;
    },
    async remove(key) {
      if (await remove(key)) await index.remove({ of: 'all' }, [key]);
    },
    once: (key, work) =>
      flights.run(key, () =>
        withRedisLock(link, `${vault.nameOf(key)}.lock`, () => {
          // Whoever held the lock before may have changed it, and told of it just now.
          changed(key);
          return work();
        }),
      ),
    trustMs: () => (link.hears() ? TRUST_MS : 0),
    noteUse: () => {},
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    logouts: createRedisLogouts({ link, sealKey, clock, prefix }),
    desk: createRedisDesk({ index, remove, read: (key) => readCard(vault, key) }),
    isReady: () => link.isReady(),
    close: () => link.close(),
  };
}

async function find({ link, sealKey, nameOf }: Vault, { token, key }: SessionId): Promise<VaultAnswer> {
  try {
    const value = await link.run((redis) => redis.get(nameOf(key)));
    const [card = '', sealed = ''] = value?.split(DIVIDER) ?? [];
    const session = sessionFromData(unsealJson(sealKey, purposeOf(token, card), sealed));
    return session === null ? { kind: 'absent' } : { kind: 'found', session };
  } catch {
    return { kind: 'unavailable' };
  }
}

async function add(vault: Vault, session: AuthSession, expiresAt: number): Promise<SessionId> {
  const token = mintToken();
  const id = { token, key: keyOfToken(token) };
  if (await write(vault, id, { session, expiresAt, only: 'NX' })) return id;
  throw new PosternError('STORE_UNAVAILABLE', 'Cannot keep the session: Redis holds another under a new id');
}

interface Written {
  readonly session: AuthSession;
  readonly expiresAt: number;
  /** NX: only where there is none yet; XX: only where there is one. */
  readonly only: 'NX' | 'XX';
}

async function write(vault: Vault, { token, key }: SessionId, written: Written): Promise<boolean> {
  const { session, expiresAt, only } = written;
  // A renewal changes nothing of when they signed in.
  const before = only === 'XX' ? await readCard(vault, key) : null;
  const card = cardOf(vault, session, expiresAt, before);
  await vault.index.add(key, placesOf(card, session), expiresAt);
  const ttlMs = Math.max(1, expiresAt - vault.clock.now());
  const front = sealJson(vault.sealKey, cardPurposeOf(key), card);
  const value = `${front}${DIVIDER}${sealJson(vault.sealKey, purposeOf(token, front), sessionToData(session))}`;
  const name = vault.nameOf(key);
  const answer = await vault.link.run<string | null>((redis) =>
    only === 'NX' ? redis.set(name, value, 'PX', ttlMs, 'NX') : redis.set(name, value, 'PX', ttlMs, 'XX'),
  );
  return answer === 'OK';
}

// oxlint-disable-next-line max-params -- what a card says
function cardOf({ provider }: Vault, session: AuthSession, expiresAt: number, before: Card | null): Card {
  return { person: listedPerson(provider, session), createdAt: before?.createdAt ?? session.createdAt, expiresAt };
}

function placesOf({ person: { provider, subject } }: Card, { providerSession }: AuthSession): readonly IndexName[] {
  const named: IndexName =
    providerSession === ''
      ? { of: 'unnamed', provider, value: subject }
      : { of: 'provider-session', provider, value: providerSession };
  return [{ of: 'all' }, { of: 'subject', provider, value: subject }, named];
}

/** Null: it is over, or of another secret. */
async function readCard({ link, sealKey, nameOf }: Vault, key: string): Promise<Card | null> {
  const value = await link.run((redis) => redis.get(nameOf(key)));
  const [front = ''] = value?.split(DIVIDER, 1) ?? [];
  return (unsealJson(sealKey, cardPurposeOf(key), front) ?? null) as Card | null;
}

/** The cookie itself is part of the key that seals, and what stands before it: neither can be exchanged. */
function purposeOf(token: string, card: string): string {
  return `forward-auth redis ${token} ${hash('sha256', card, 'base64url')}`;
}

function cardPurposeOf(key: string): string {
  return `forward-auth redis card ${key}`;
}
