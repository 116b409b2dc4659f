/**
 * Sessions in Redis or Valkey, for replicas. The key is a hash of the cookie, the value is sealed under the
 * cookie secret and the cookie itself: neither Redis nor the secret alone opens it. What ends or changes is
 * told to every Postern, so that each may keep what it knows for a while.
 */
import { PosternError } from '../../core/errors.ts';
import { sealJson, unsealJson } from '../../session/seal.ts';
import { keyOfToken, mintToken } from '../../session/token.ts';
import { withRedisLock } from './redis-lock.ts';
import { sessionFromData, sessionToData } from './session-data.ts';
import { SingleFlight } from './single-flight.ts';
import type { Clock } from '../../core/clock.ts';
import type { SealKey } from '../../session/seal.ts';
import type { AuthSession } from '../auth-session.ts';
import type { RedisLink } from './redis-link.ts';
import type { SessionId, SessionVault, VaultAnswer } from './session-vault.ts';

/** What nobody told of (a key that was evicted or deleted by hand) is seen after so long. */
const TRUST_MS = 10_000;

export interface RedisVaultDeps {
  readonly link: (onMessage: (text: string | null) => void) => RedisLink;
  readonly sealKey: SealKey;
  readonly clock: Clock;
  /** Keys begin with it, as those of oauth2-proxy do: rules of an ACL still hold. */
  readonly prefix: string;
}

interface Vault {
  readonly link: RedisLink;
  readonly sealKey: SealKey;
  readonly clock: Clock;
  readonly nameOf: (key: string) => string;
}

export function createRedisVault(deps: RedisVaultDeps): SessionVault {
  const listeners = new Set<(key: string | null) => void>();
  const changed = (key: string | null): void => {
    for (const listener of listeners) listener(key);
  };
  const link = deps.link(changed);
  const { clock, sealKey, prefix } = deps;
  const vault: Vault = { link, sealKey, clock, nameOf: (key) => `${prefix}-${key}` };
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
      await link.run((redis) => redis.del(vault.nameOf(key)));
      changed(key);
      // After it: who asks on hearing of it must not find it any more.
      await link.tell(key);
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
    isReady: () => link.isReady(),
    close: () => link.close(),
  };
}

async function find({ link, sealKey, nameOf }: Vault, { token, key }: SessionId): Promise<VaultAnswer> {
  try {
    const value = await link.run((redis) => redis.get(nameOf(key)));
    const session = value === null ? null : sessionFromData(unsealJson(sealKey, purposeOf(token), value));
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

async function write(vault: Vault, { token, key }: SessionId, { session, expiresAt, only }: Written): Promise<boolean> {
  const ttlMs = Math.max(1, expiresAt - vault.clock.now());
  const value = sealJson(vault.sealKey, purposeOf(token), sessionToData(session));
  const name = vault.nameOf(key);
  const answer = await vault.link.run<string | null>((redis) =>
    only === 'NX' ? redis.set(name, value, 'PX', ttlMs, 'NX') : redis.set(name, value, 'PX', ttlMs, 'XX'),
  );
  return answer === 'OK';
}

/** The cookie itself is part of the key that seals. */
function purposeOf(token: string): string {
  return `forward-auth redis ${token}`;
}
