/** Certificates that are ordered from CAs (RFC 8555). */
import type { Path } from './path.ts';

export type KeyType = 'p256' | 'p384' | 'rsa2048' | 'rsa4096';

export interface Acme {
  readonly email: string | null;
  readonly policy: AcmePolicy;
  /** Whom to ask about names on demand, and how many in an hour; null: not said. */
  readonly onDemand: { readonly ask: string | null; readonly perHour: number } | null;
  /** By host name, for those that say something of their own; "*" for `default`. */
  readonly hosts: Readonly<Record<string, AcmePolicy>>;
  /** Names that share a certificate. */
  readonly certificates: readonly { readonly names: readonly string[]; readonly at: Path }[];
}

export interface AcmePolicy {
  /** The first is the one to use; the others step in while it fails. */
  readonly cas: readonly AcmeCa[];
  readonly fallbackAfter: number;
  /** One, or an ECDSA kind before an RSA kind: two certificates for the same names. */
  readonly keyTypes: readonly KeyType[];
  /** Best first. */
  readonly challenges: readonly ('http-01' | 'tls-alpn-01' | 'dns-01' | 'dns-account-01' | 'dns-persist-01')[];
  /** Entry of `dns` for dns-01; null: there is none. */
  readonly dns: string | null;
  /** Not before somebody asks for the name in a handshake. */
  readonly onDemand: boolean;
}

export interface AcmeCa {
  /** "Let's Encrypt", or the host of its directory. */
  readonly name: string;
  readonly directory: string;
  readonly eab: { readonly keyId: string; readonly hmacKey: string } | null;
  readonly profile: string | null;
  readonly preferredChain: string | null;
  /** PEM of roots to trust besides the usual ones, and where it was read. */
  readonly rootsFile: string | null;
  readonly rootsPem: string | null;
}
