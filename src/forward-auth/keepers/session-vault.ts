/**
 * What the keeper of opaque cookies needs of the place where sessions are. A vault never sees a cookie's
 * value but to seal with it, and knows a session by the SHA-256 of it.
 */
import type { AuthSession } from '../auth-session.ts';

export interface SessionId {
  /** The cookie's value: 256 random bits. */
  readonly token: string;
  /** Its SHA-256, in hex. */
  readonly key: string;
}

export type VaultAnswer =
  | { readonly kind: 'found'; readonly session: AuthSession }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unavailable' };

export interface SessionVault {
  /** Never rejects. */
  find(id: SessionId): Promise<VaultAnswer>;
  /** A new id for it, once it is kept; rejects where it cannot be. */
  add(session: AuthSession, expiresAt: number): Promise<SessionId>;
  /** False: it was ended meanwhile, and stays so. */
  replace(id: SessionId, session: AuthSession, expiresAt: number): Promise<boolean>;
  /** Resolves when nobody can use it any more. */
  remove(key: string): Promise<void>;
  /** Runs the work once for all who ask for this key now, wherever they are. */
  once<T>(key: string, work: () => Promise<T>): Promise<T>;
  /** How long what was found may be served without asking again; 0: not at all. */
  trustMs(now: number): number;
  /** Somebody used it; said about once a minute. */
  noteUse(key: string, now: number): void;
  /** Calls for each session that changed or ended; null: it may have been any. Returns the way to stop. */
  onChange(listener: (key: string | null) => void): () => void;
  isReady(): Promise<boolean>;
  close(): Promise<void>;
}
