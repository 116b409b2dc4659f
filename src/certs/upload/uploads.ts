/**
 * What operators uploaded, as it is used: keys unsealed. One object in the control thread. A certificate whose
 * key cannot be unsealed is told of and not used.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { namesOf } from '../names.ts';
import { certificateId, type Seal } from '../issuance/issued.ts';
import type { CertificateEntry } from '../certificate-set.ts';
import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/log.ts';
import type { StoredUpload, UploadStore } from '../../core/upload-store.ts';

export const UPLOAD_PURPOSE = 'uploaded-certificate-key';

export interface Upload {
  readonly entry: CertificateEntry;
  readonly addedAt: number;
}

export interface UploadsOptions {
  readonly store: UploadStore;
  readonly seal: Seal;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Added {
  readonly upload: Upload;
  /** Serial numbers of those that it takes the place of. */
  readonly replaced: readonly string[];
  /** It was there already. */
  readonly isKnown: boolean;
}

export class Uploads {
  readonly #options: UploadsOptions;
  #all: readonly Upload[] = [];

  constructor(options: UploadsOptions) {
    this.#options = options;
  }

  /** Newest first. */
  get all(): readonly Upload[] {
    return this.#all;
  }

  get entries(): readonly CertificateEntry[] {
    return this.#all.map(({ entry }) => entry);
  }

  async load(): Promise<void> {
    const { store, seal, logger } = this.#options;
    const found: Upload[] = [];
    for (const stored of await store.listUploads()) {
      const upload = openUpload(stored, seal);
      if (upload !== null) found.push(upload);
      else
        logger.error(
          { code: 'TLS_BAD_CERTIFICATE', serial: new X509Certificate(stored.chain).serialNumber.toLowerCase() },
          'Cannot use an uploaded certificate: its key was sealed with another key file; upload it again',
        );
    }
    this.#all = found;
  }

  /** Takes the place of earlier ones for the same names with the same kind of key. */
  async add({ chain, keyPem }: { readonly chain: string; readonly keyPem: string }): Promise<Added> {
    const { store, seal, clock } = this.#options;
    const entry = entryOf(chain, keyPem);
    const known = this.#all.find((one) => one.entry.id === entry.id);
    if (known !== undefined) return { upload: known, replaced: [], isKnown: true };
    const before = this.#all.filter((one) => isSameKind(one.entry, entry));
    const upload = { entry, addedAt: clock.now() };
    const stored = { id: entry.id, chain, sealedKey: seal.seal(UPLOAD_PURPOSE, keyPem), addedAt: upload.addedAt };
    await store.addUpload(
      stored,
      before.map((one) => one.entry.id),
    );
    this.#all = [upload, ...this.#all.filter((one) => !before.includes(one))];
    return { upload, replaced: before.map((one) => serialOf(one.entry)), isKnown: false };
  }

  async remove(id: string): Promise<void> {
    await this.#options.store.deleteUpload(id);
    this.#all = this.#all.filter((one) => one.entry.id !== id);
  }
}

export function serialOf(entry: CertificateEntry): string {
  return new X509Certificate(entry.certificatePem).serialNumber.toLowerCase();
}

function openUpload(stored: StoredUpload, seal: Seal): Upload | null {
  const keyPem = seal.unseal(UPLOAD_PURPOSE, stored.sealedKey);
  if (keyPem === null || !new X509Certificate(stored.chain).checkPrivateKey(createPrivateKey(keyPem))) return null;
  return { entry: entryOf(stored.chain, keyPem), addedAt: stored.addedAt };
}

/** `keyPem` may be "" where the entry is only looked at. */
export function entryOf(chain: string, keyPem: string): CertificateEntry {
  const leaf = new X509Certificate(chain);
  const kind = leaf.publicKey.asymmetricKeyType;
  return {
    id: certificateId(chain),
    names: namesOf(leaf),
    certificatePem: chain,
    keyPem,
    keyType: kind === 'rsa' || kind === 'ec' ? kind : 'other',
    notAfter: leaf.validToDate.getTime(),
    source: 'uploaded',
  };
}

function isSameKind(a: CertificateEntry, b: CertificateEntry): boolean {
  return a.keyType === b.keyType && a.names.toSorted().join(' ') === b.names.toSorted().join(' ');
}
