/** The durable store as far as keys go that Postern signs assertions with. Values are sealed. */

export interface StoredSigningKey {
  readonly kid: string;
  readonly value: string;
  readonly createdAt: number;
}

export interface SigningKeyStore {
  /** Oldest first. */
  listSigningKeys(): Promise<readonly StoredSigningKey[]>;
  /** Takes some out and puts one in, in one step. */
  replaceSigningKeys(gone: readonly string[], added: StoredSigningKey | null): Promise<void>;
}
