/**
 * The durable store as far as uploaded certificates go. Keys arrive here sealed. Every write resolves when it
 * would survive a power cut; a failing store rejects with STORE_UNAVAILABLE.
 */

export interface StoredUpload {
  /** Hash of the chain. */
  readonly id: string;
  /** PEM, leaf first. */
  readonly chain: string;
  readonly sealedKey: string;
  readonly addedAt: number;
}

export interface UploadStore {
  /** Newest first. */
  listUploads(): Promise<readonly StoredUpload[]>;
  /** In one step with the removal of those that it takes the place of. */
  addUpload(upload: StoredUpload, replaced: readonly string[]): Promise<void>;
  deleteUpload(id: string): Promise<boolean>;
}
