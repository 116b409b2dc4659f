/**
 * The worker's side: a name from a ClientHello to the context that serves it. Contexts are made when a
 * name is first asked for and kept by content, so neither 10 000 hosts nor a swap cost anything up front.
 * An unknown name is null, and the edge refuses the handshake. Every context names its client CAs, if only
 * as "none": without that Node would let any public CA vouch for a client.
 */
import { constants } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { bareHost, coversName, nearestHost } from './names.ts';
import {
  growSet,
  idsFor,
  type CertificateEntry,
  type CertificateSet,
  type ClientAuthPolicy,
  type LateCertificate,
} from './certificate-set.ts';

/** About 40 kB each. */
const CONTEXTS_MAX = 1000;
/** ecdsa_secp256r1_sha256, ecdsa_secp384r1_sha384, ecdsa_secp521r1_sha512 and TLS 1.2's ECDSA with SHA-224. */
const ECDSA_SCHEMES = new Set([0x0403, 0x0503, 0x0603, 0x0303]);
/** Those of TLS_CIPHERS that TLS 1.2 speaks with an ECDSA certificate. */
const ECDSA_SUITES = new Set([0xc02b, 0xc02c, 0xcca9]);
const TLS_1_3 = 0x0304;
/** Suites with forward secrecy and AEAD only. A `tls.Server` must be given the same. */
export const TLS_CIPHERS: string = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** A client of TLS 1.2 may not ask for handshake after handshake: each costs us more than him (CVE-2011-1473). */
export const TLS_SERVER_OPTIONS: number = constants.SSL_OP_NO_RENEGOTIATION;

/** Key exchange that outlives quantum computers first, where the client has it too. A `tls.Server` must be given the same. */
export const TLS_GROUPS = 'X25519MLKEM768:X25519:prime256v1:secp384r1';

/**
 * Certificates are sent compressed to clients that can read it (RFC 8879). zstd and zlib cost nothing to make,
 * brotli 5 ms at OpenSSL's level: it is made for names that are asked for often only, between requests.
 */
const QUICK = ['zstd', 'zlib'] as const;
const THOROUGH = ['brotli', ...QUICK] as const;
const OFTEN = 20;

/** Handshakes by context, until it has been made anew with brotli. */
interface Held {
  readonly context: SecureContext;
  uses: number;
}

/** What a ClientHello says about the certificates that its client can verify. */
export interface ClientOffer {
  /** RFC 8446 section 4.2.3; null where it does not say. */
  readonly signatureSchemes: readonly number[] | null;
  readonly cipherSuites: readonly number[];
  readonly versions: readonly number[];
}

export interface CertificateStore {
  /**
   * The context for a name of the ClientHello, null for one without. Null: refuse the handshake.
   * Where a name has an ECDSA and an RSA certificate, the offer tells which one the client can verify; without it
   * ECDSA is served.
   */
  readonly contextFor: (serverName: string | null, offer?: ClientOffer) => SecureContext | null;
  /** False: no name asks for client certificates. */
  readonly hasClientAuth: () => boolean;
  /** Whose client certificates a name asks for. Null: nobody's. */
  readonly clientAuthFor: (serverName: string | null) => ClientAuthPolicy | null;
  /** PEM of what clients without a name are served. */
  readonly pairWithoutName: () => { readonly id: string; readonly cert: string; readonly key: string } | null;
  /** A host that has no certificate yet gets one when it is asked for. */
  readonly isOnVisit: (serverName: string) => boolean;
  /** That certificate. Nothing where the set that is in use now has no place for it. */
  readonly add: (late: LateCertificate) => void;
  /** Takes a new set at once. Connections that are open keep what they have. */
  readonly replace: (set: CertificateSet) => void;
}

export function createCertificateStore(first: CertificateSet): CertificateStore {
  let current = new Lookup(first, new Map());
  return {
    contextFor: (serverName, offer) => current.contextFor(serverName, offer),
    hasClientAuth: () => current.hasClientAuth,
    clientAuthFor: (serverName) => current.clientAuthFor(serverName),
    pairWithoutName: () => current.pairWithoutName(),
    isOnVisit: (serverName) => current.isOnVisit(serverName),
    add: (late) => current.add(late),
    replace: (set) => {
      current = new Lookup(set, current.contexts);
    },
  };
}

class Lookup {
  readonly contexts: Map<string, Held>;
  readonly #set: CertificateSet;
  readonly #entries: Map<string, CertificateEntry>;
  readonly #policies: ReadonlyMap<string, ClientAuthPolicy>;

  constructor(set: CertificateSet, before: ReadonlyMap<string, Held>) {
    this.#set = set;
    this.#entries = new Map(set.certificates.map((entry) => [entry.id, entry]));
    this.#policies = new Map(set.clientAuth.policies.map((policy) => [policy.policyId, policy]));
    this.contexts = new Map([...before].filter(([key]) => this.#isStillUsed(key)));
  }

  contextFor(serverName: string | null, offer?: ClientOffer): SecureContext | null {
    const entries = this.#entriesFor(serverName);
    if (entries.length === 0) return null;
    return this.#context(inOrderFor(offer, entries), this.clientAuthFor(serverName));
  }

  get hasClientAuth(): boolean {
    return this.#policies.size > 0;
  }

  clientAuthFor(serverName: string | null): ClientAuthPolicy | null {
    const id = this.#policyIdFor(serverName);
    if (id === null) return null;
    const policy = this.#policies.get(id);
    if (policy === undefined) throw new TypeError(`Cannot find client-auth policy "${id}" in the certificate set`);
    return policy;
  }

  isOnVisit(serverName: string): boolean {
    const { hosts, onVisit } = this.#set;
    if (onVisit.size === 0) return false;
    const name = bareHost(serverName);
    const host = nearestHost(name, hosts);
    return host !== null && onVisit.has(host) && coversName([host], name);
  }

  add(late: LateCertificate): void {
    if (growSet(this.#set, late)) this.#entries.set(late.entry.id, late.entry);
  }

  pairWithoutName(): { id: string; cert: string; key: string } | null {
    const [entry] = this.#byIds(this.#set.withoutName);
    return entry === undefined ? null : { id: entry.id, cert: entry.certificatePem, key: entry.keyPem };
  }

  #policyIdFor(serverName: string | null): string | null {
    const { hosts, others, withoutName } = this.#set.clientAuth;
    if (serverName === null) return withoutName;
    const host = nearestHost(bareHost(serverName), hosts);
    return host === null ? others : (hosts.get(host) ?? null);
  }

  #entriesFor(serverName: string | null): readonly CertificateEntry[] {
    if (serverName === null) return this.#byIds(this.#set.withoutName);
    const name = bareHost(serverName);
    return this.#byIds(idsFor(this.#set, name)).filter((entry) => coversName(entry.names, name));
  }

  #byIds(ids: readonly string[]): CertificateEntry[] {
    return ids.map((id) => this.#entries.get(id)).filter((entry) => entry !== undefined);
  }

  #context(entries: readonly CertificateEntry[], policy: ClientAuthPolicy | null): SecureContext {
    const key = contextKey(this.#set.minVersion, policy?.policyId ?? '', entries);
    const known = this.contexts.get(key);
    if (known !== undefined) {
      // Moved to the end: the first ones are the longest unused.
      this.contexts.delete(key);
      this.contexts.set(key, known);
      if (++known.uses === OFTEN) setImmediate(() => this.#compressWell(key, known, entries, policy));
      return known.context;
    }
    const context = createSecureContext({ ...this.#optionsFor(entries, policy), certificateCompression: QUICK });
    this.contexts.set(key, { context, uses: 1 });
    const [oldest] = this.contexts.keys();
    if (this.contexts.size > CONTEXTS_MAX && oldest !== undefined) this.contexts.delete(oldest);
    return context;
  }

  // oxlint-disable-next-line max-params -- what made the context makes it again
  #compressWell(key: string, known: Held, entries: readonly CertificateEntry[], policy: ClientAuthPolicy | null): void {
    if (this.contexts.get(key) !== known) return;
    const options = { ...this.#optionsFor(entries, policy), certificateCompression: THOROUGH };
    this.contexts.set(key, { context: createSecureContext(options), uses: OFTEN });
  }

  #optionsFor(entries: readonly CertificateEntry[], policy: ClientAuthPolicy | null): SecureContextOptions {
    return {
      cert: entries.map((entry) => entry.certificatePem),
      key: entries.map((entry) => entry.keyPem),
      ca: policy?.ca ?? [],
      minVersion: this.#set.minVersion,
      ciphers: TLS_CIPHERS,
      ecdhCurve: TLS_GROUPS,
      secureOptions: TLS_SERVER_OPTIONS,
    };
  }

  #isStillUsed(key: string): boolean {
    const [minVersion = '', policyId = '', ...ids] = key.split(' ');
    if (minVersion !== this.#set.minVersion || (policyId !== '' && !this.#policies.has(policyId))) return false;
    return ids.every((id) => this.#entries.has(id));
  }
}

/**
 * The one to serve comes last: from a context that SNICallback gives, Node 24 takes the certificate that
 * was added last and no other, although the context holds both.
 */
function inOrderFor(offer: ClientOffer | undefined, entries: readonly CertificateEntry[]): readonly CertificateEntry[] {
  if (entries.length === 1) return entries;
  const isEcdsaFine = offer === undefined || verifiesEcdsa(offer);
  const isServed = (entry: CertificateEntry): boolean => (entry.keyType === 'ec') === isEcdsaFine;
  return entries.toSorted((a, b) => Number(isServed(a)) - Number(isServed(b)));
}

/** In TLS 1.2 the suite names the kind of certificate: a client may know ECDSA signatures and offer RSA suites only. */
function verifiesEcdsa({ signatureSchemes, cipherSuites, versions }: ClientOffer): boolean {
  if (signatureSchemes !== null && !signatureSchemes.some((scheme) => ECDSA_SCHEMES.has(scheme))) return false;
  return versions.includes(TLS_1_3) || cipherSuites.some((suite) => ECDSA_SUITES.has(suite));
}

function contextKey(minVersion: string, policyId: string, entries: readonly CertificateEntry[]): string {
  return [minVersion, policyId, ...entries.map((entry) => entry.id)].join(' ');
}
