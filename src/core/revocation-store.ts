/** What a store keeps of sessions that it does not keep itself: which of them count no more. */

export interface StoredRevocation {
  /** What is revoked: `session`, `provider-session`, `unnamed`, `subject`, `name`, as whoever keeps sessions says. */
  readonly kind: string;
  /** Whose. */
  readonly name: string;
  /** Who signed in no later than this. */
  readonly signedInBy: number;
  /** From then on nobody would take such a session anyway. */
  readonly until: number;
}

export interface RevocationStore {
  /** Those that still count. */
  listRevocations(now: number): Promise<readonly StoredRevocation[]>;
  /** Resolves when it is durable; of one kind and name the last one counts. */
  putRevocation(revocation: StoredRevocation): Promise<void>;
  deleteRevocation(kind: string, name: string): Promise<void>;
  deleteRevocationsUntil(now: number): Promise<void>;
}
