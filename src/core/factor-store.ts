/**
 * The durable store as far as second factors of local accounts go: authenticator apps, passkeys and
 * recovery codes. Every write resolves when it would survive a power cut; a failing store rejects
 * with STORE_UNAVAILABLE.
 */
export interface StoredFactor {
  readonly id: string;
  readonly subject: string;
  readonly kind: 'totp' | 'passkey' | 'recovery';
  /** Of a credential id, a recovery code, the secret of an app: a hash, unique among all accounts. Null for apps of old. */
  readonly handle: string | null;
  /** What the person calls it. */
  readonly name: string;
  /** Sealed; the store does not know what it holds. */
  readonly value: string;
  readonly createdAt: number;
  readonly lastUsedAt: number | null;
}

export interface FactorStore {
  /**
   * False where the handle is taken, the account is gone, or it has as many second factors as `most`. With the first one
   * the recovery codes go that were there without any.
   */
  insertFactor(factor: StoredFactor, most: number): Promise<boolean>;
  /** Oldest first. */
  listFactors(subject: string): Promise<readonly StoredFactor[]>;
  /** True where any account has one of the kind. */
  hasFactors(kind: StoredFactor['kind']): Promise<boolean>;
  findFactorByHandle(handle: string): Promise<StoredFactor | null>;
  /** Compare and swap: false where the value is no longer `expected`, so that of two uses at once one counts. */
  useFactor(id: string, expected: string, value: string, usedAt: number): Promise<boolean>;
  /** True for the one caller that deleted it. With the last second factor the recovery codes go, in the same step. */
  deleteFactor(subject: string, id: string): Promise<boolean>;
  deleteFactorsOf(subject: string): Promise<number>;
  /**
   * Drops the recovery codes of an account and puts these in their place, in one step. False, and nothing is changed,
   * where it has no second factor that they could stand in for, or, with `onlyMissing`, where a code is left.
   */
  replaceRecovery(subject: string, codes: readonly StoredFactor[], onlyMissing: boolean): Promise<boolean>;
}
