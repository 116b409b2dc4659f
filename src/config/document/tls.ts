/** Certificates of hosts, and what clients are held to by them. */
import type { Path } from './path.ts';

export interface GlobalTls {
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  /** For hosts that say nothing themselves. `automatic`: where it cannot lock anybody out. */
  readonly hsts: Hsts | 'automatic' | null;
  /** Of the sign-in host. */
  readonly signInHsts: Hsts | null;
  /** Certificates for whatever names they cover. */
  readonly certificates: readonly CertificateFiles[];
  readonly deployTo: readonly DeployTo[];
}

/** Strict-Transport-Security (RFC 6797). */
export interface Hsts {
  readonly maxAgeMs: number;
  readonly includeSubdomains: boolean;
  readonly preload: boolean;
}

export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
  readonly at: Path;
}

/** Files of another program that get a host's certificate. */
export interface DeployTo {
  readonly name: string;
  readonly certificate: string;
  /** Null: in the same file, behind the chain. */
  readonly key: string | null;
  /** Null: the ECDSA one where there are two. */
  readonly keyType: 'ecdsa' | 'rsa' | null;
  readonly mode: number;
  readonly run: readonly string[];
  readonly timeoutMs: number;
}

export type HostTls =
  | { readonly kind: 'automatic' }
  /** Ordered from a CA; what differs for this host stands in Acme.hosts. */
  | { readonly kind: 'acme'; readonly onDemand: boolean }
  | { readonly kind: 'off' }
  | { readonly kind: 'local' }
  | { readonly kind: 'files'; readonly files: CertificateFiles };

/** Client certificates for a host: which CA, and whether a connection without one is refused. */
export interface ClientAuth {
  readonly caFile: string;
  readonly mode: 'request' | 'require';
  readonly at: Path;
}
