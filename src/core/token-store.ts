/**
 * The durable store as far as tokens of machines go. It knows a token's SHA-256, never the token.
 * Writes but `touchTokens` resolve when they would survive a power cut.
 */

/** What the names of machines look like, in rules and in the store. One case, so that no two look alike. */
export const TOKEN_NAME: RegExp = /^[a-z0-9][a-z0-9._-]{0,63}$/;

export interface StoredToken {
  /** Hex SHA-256 of the token. */
  readonly key: string;
  /** The machine: `token:NAME` in rules. Several tokens may stand for one, while one replaces another. */
  readonly name: string;
  readonly description: string;
  readonly createdAt: number;
  /** Null: it does not expire. */
  readonly expiresAt: number | null;
  /** Coarse; null: not used yet. */
  readonly lastUsedAt: number | null;
}

export interface TokenStore {
  insertToken(token: StoredToken): Promise<void>;
  findToken(key: string): Promise<StoredToken | null>;
  /** By name, then by age. */
  listTokens(): Promise<readonly StoredToken[]>;
  /** Answers those that were there. */
  deleteTokens(keys: readonly string[]): Promise<readonly string[]>;
  /** Last use; never moves back. May be lost in a power cut. */
  touchTokens(seen: readonly (readonly [key: string, at: number])[]): Promise<void>;
}
