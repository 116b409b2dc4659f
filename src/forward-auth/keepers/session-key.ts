/**
 * The key that seals sessions, derived (HKDF-SHA256, RFC 5869) from the cookie secret, the cookie's name and
 * the provider. Another secret, also one that comes while this runs, ends every session, as people expect of
 * it; so does another provider: what one vouched for says nothing of the other's people.
 */
import { createSecretKey, hkdfSync } from 'node:crypto';
import { SEAL_KEY_BYTES } from '../../session/seal.ts';
import type { KeyObject } from 'node:crypto';
import type { SealKey } from '../../session/seal.ts';
import type { Settings } from '../settings.ts';

/** How often the secret is looked at. */
const FOLLOW_MS = 1_000;

export interface SessionKey extends SealKey {
  /** Looks for another secret now and then; true where there is one since the last time. */
  readonly follow: (now: number) => boolean;
}

export type KeySettings = Pick<Settings, 'cookie' | 'provider'>;

/** `salt`: of the store that the sessions are in, so that the secret alone opens nothing of it. */
export function createSessionKey({ cookie, provider }: KeySettings, salt: Uint8Array): SessionKey {
  const info = JSON.stringify(['forward-auth session', cookie.name, provider.kind, authorityOf(provider)]);
  const derive = (secret: Buffer): KeyObject =>
    createSecretKey(Buffer.from(hkdfSync('sha256', secret, salt, info, SEAL_KEY_BYTES)));
  let bytes = Buffer.from(cookie.secret.read());
  let key = derive(bytes);
  let lookAt = 0;
  return {
    get secret() {
      return key;
    },
    follow(now) {
      if (now < lookAt && now >= lookAt - FOLLOW_MS) return false;
      lookAt = now + FOLLOW_MS;
      const fresh = readOr(cookie.secret, bytes);
      if (fresh.equals(bytes)) return false;
      bytes = Buffer.from(fresh);
      key = derive(bytes);
      return true;
    },
  };
}

/** A file that is being replaced is there again a moment later. */
function readOr(secret: { readonly read: () => Buffer }, before: Buffer): Buffer {
  try {
    return secret.read();
  } catch {
    return before;
  }
}

/** Who vouches for people: the issuer, or where they are sent to sign in. */
export function authorityOf(provider: Settings['provider']): string {
  return provider.oidc.issuer ?? provider.loginUrl ?? '';
}
