/**
 * Password hashing in threads of its own: argon2 and bcrypt in libuv's pool would starve disk and DNS.
 * The queue is bounded, and one address may hold only a part of it. No thread runs until the first
 * password; close() ends them all.
 */

/** Which kind of work a peer may not fill the queue with. `peer` is the client's address. */
export interface HashPool {
  /** Checks a password. A hash of null stands for an unknown name: it costs the same and is wrong. */
  verify(hash: string | null, password: string, peer: string): Promise<'ok' | 'wrong' | 'busy'>;
  /** A PHC string, argon2id. */
  hash(password: string, peer: string): Promise<{ readonly kind: 'hash'; readonly hash: string } | { readonly kind: 'busy' }>;
  close(): Promise<void>;
}
