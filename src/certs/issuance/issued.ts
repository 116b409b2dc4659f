/**
 * What CAs have issued, as it is used: keys unsealed, names looked up, with what is known of the renewal.
 * A certificate whose key cannot be unsealed, or that is not the key's, is told of and not used.
 */
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import * as z from 'zod';
import { coversName, namesOf, wildcardFor } from '../names.ts';
import { keyTypeOf } from './key-type.ts';
import { isRsa, nameSetOf, subjectOf, type AcmePolicy, type KeyType, type Wanted } from './wanted.ts';
import type { CertificateEntry } from '../certificate-set.ts';
import type { StoredCertificate } from '../../core/issuance-store.ts';
import type { RenewalAdvice } from './schedule.ts';

/** Seals a text for one purpose; whoever has the data folder's key file gives it. */
export interface Seal {
  readonly seal: (purpose: string, text: string) => string;
  readonly unseal: (purpose: string, sealed: string) => string | null;
}

export const KEY_PURPOSE = 'certificate-key';

export interface RenewalState {
  readonly advice: RenewalAdvice | null;
  readonly askAgainAt: number;
  /** What convinced the CA; tried first at the renewal. */
  readonly challenge: string | null;
  readonly caName: string;
  readonly profile: string | null;
  /** Another client ordered it: it is good until its renewal, whatever the document says of CA and kind of key. */
  readonly isImported: boolean;
}

export interface Issued {
  readonly stored: StoredCertificate;
  readonly entry: CertificateEntry;
  readonly notBefore: number;
  readonly keyType: KeyType | 'other';
  readonly serial: string;
  readonly issuer: string;
  readonly renewal: RenewalState;
}

const renewalShape: z.ZodType<RenewalState> = z.object({
  advice: z
    .object({ start: z.number(), end: z.number(), chosenAt: z.number(), explanation: z.string().nullable() })
    .nullable(),
  askAgainAt: z.number(),
  challenge: z.string().nullable(),
  caName: z.string(),
  profile: z.string().nullable(),
  isImported: z.boolean().default(false),
});

/** Null where it cannot be used: sealed with another key file, or not what it should be. */
export function openIssued(stored: StoredCertificate, seal: Seal): Issued | null {
  try {
    return open(stored, seal);
  } catch {
    return null;
  }
}

function open(stored: StoredCertificate, seal: Seal): Issued | null {
  const keyPem = seal.unseal(KEY_PURPOSE, stored.sealedKey);
  if (keyPem === null) return null;
  const leaf = new X509Certificate(stored.chain);
  if (!leaf.checkPrivateKey(createPrivateKey(keyPem))) return null;
  const kind = leaf.publicKey.asymmetricKeyType;
  return {
    stored,
    entry: {
      id: stored.id,
      names: namesOf(leaf),
      certificatePem: stored.chain,
      keyPem,
      keyType: kind === 'rsa' || kind === 'ec' ? kind : 'other',
      notAfter: leaf.validToDate.getTime(),
      source: 'acme',
    },
    notBefore: leaf.validFromDate.getTime(),
    keyType: keyTypeOf(leaf.publicKey),
    serial: leaf.serialNumber.toLowerCase(),
    issuer: /(?:^|\n)CN=(.*)/.exec(leaf.issuer)?.[1] ?? leaf.issuer.replaceAll('\n', ', '),
    renewal: parseRenewal(stored.renewal),
  };
}

export function certificateId(chain: string): string {
  return createHash('sha256').update(chain).digest('hex').slice(0, 24);
}

function parseRenewal(text: string | null): RenewalState {
  const none = { advice: null, askAgainAt: 0, challenge: null, caName: '', profile: null, isImported: false };
  if (text === null) return none;
  try {
    const parsed = renewalShape.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : none;
  } catch {
    return none;
  }
}

/** The subject of a certificate as it is: rows of the time before RSA stood beside ECDSA do not tell. */
export function subjectFor(stored: StoredCertificate, keyType: CertificateEntry['keyType']): string {
  return subjectOf(nameSetOf(stored.subject).split(' '), keyType === 'rsa');
}

/** True where the certificate is what the document asks for: of one of its CAs, with its kind of key, not revoked. */
export function suits(issued: Issued, { keyType, policy }: Pick<Wanted, 'keyType' | 'policy'>, now: number): boolean {
  const { stored, entry, renewal } = issued;
  if (stored.revokedAt !== null || entry.notAfter <= now) return false;
  if (renewal.isImported) return policy.keyTypes.length === 1 || isRsa(keyType) === (entry.keyType === 'rsa');
  if (issued.keyType !== keyType) return false;
  return policy.cas.some((ca) => ca.directory === stored.directory);
}

/** All that is issued, by subject and by each of its names. */
export class IssuedIndex {
  readonly #bySubject = new Map<string, Issued>();
  readonly #byName = new Map<string, Set<string>>();

  get all(): readonly Issued[] {
    return [...this.#bySubject.values()];
  }

  /**
   * As `get`; where there is none, an imported one that covers all the names, as other clients put many in one. Where
   * both kinds of key are wanted it is of the one that is asked for, else of whatever kind.
   */
  holding({ subject, names, keyType, policy }: Wanted): Issued | null {
    const exact = this.get(subject);
    if (exact !== null) return exact;
    const [first = ''] = names;
    const nearby = new Set([...this.#subjectsOf(first), ...this.#subjectsOf(wildcardFor(first) ?? '')]);
    const covering = [...nearby]
      .flatMap((one) => this.#bySubject.get(one) ?? [])
      .filter(({ entry, renewal }) => renewal.isImported && names.every((name) => coversName(entry.names, name)))
      .filter(({ entry }) => policy.keyTypes.length === 1 || isRsa(keyType) === (entry.keyType === 'rsa'));
    return covering.toSorted((a, b) => b.entry.notAfter - a.entry.notAfter)[0] ?? null;
  }

  get(subject: string): Issued | null {
    return this.#bySubject.get(subject) ?? null;
  }

  put(issued: Issued): void {
    const { subject } = issued.stored;
    this.remove(subject);
    this.#bySubject.set(subject, issued);
    for (const name of issued.entry.names) {
      const subjects = this.#byName.get(name) ?? new Set();
      this.#byName.set(name, subjects.add(subject));
    }
  }

  remove(subject: string): void {
    const before = this.#bySubject.get(subject);
    this.#bySubject.delete(subject);
    for (const name of before?.entry.names ?? []) this.#byName.get(name)?.delete(subject);
  }

  /** For a name, wildcards included: those that suit; where none does, whatever still covers it. */
  entriesFor(name: string, policy: AcmePolicy, now: number): readonly CertificateEntry[] {
    const subjects = new Set([...this.#subjectsOf(name), ...this.#subjectsOf(wildcardFor(name) ?? '')]);
    const found = [...subjects].map((subject) => this.#bySubject.get(subject)).filter((one) => one !== undefined);
    const suiting = found.filter((one) => policy.keyTypes.some((keyType) => suits(one, { keyType, policy }, now)));
    // An imported one of another kind of key is good as long as there is none of the kind that is wanted.
    const kinds = new Set(policy.keyTypes.map(isRsa));
    const ofKind = suiting.filter(({ entry }) => kinds.has(entry.keyType === 'rsa'));
    const best = [ofKind, suiting].find((some) => some.length > 0) ?? found;
    return best.map((one) => one.entry);
  }

  #subjectsOf(name: string): Iterable<string> {
    return this.#byName.get(name) ?? [];
  }
}
