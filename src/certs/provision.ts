/**
 * From the document to the certificates it needs: which one serves which host, and what is wrong.
 * `tls: files` serves that pair and nothing else; an automatic host takes what `tls.certificates` has for
 * it, then what was uploaded, then a local certificate where its name is private, or one of a CA. A host without one is told of, and its
 * handshakes are refused: never does a host get another host's certificate. What a CA issues comes in by
 * `Sources.issued`, and what has to be ordered goes out as `wanted`.
 */
import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { warning, type Diagnostic } from '../core/diagnostic.ts';
import { certificateProblem, type PairOfFiles, type ReadCertificate } from './files.ts';
import { bareHost, coversName, isLocalName, nearestHost } from './names.ts';
import { expiryWarnings } from './upload/expiry.ts';
import {
  isPublicName,
  planCertificates,
  type AcmeDocument,
  type AcmePolicy,
  type NeedyHost,
  type Wanted,
} from './issuance/wanted.ts';
import type { CertificateEntry, CertificateSet, ClientAuthPolicy } from './certificate-set.ts';
import type { CheckedClientAuth, ClientAuthSettings } from './client-auth.ts';
import type { LocalCa } from './local-ca.ts';
import type { PosternError } from '../core/errors.ts';

type Place = readonly (string | number)[];

/** What this room reads of the document. */
export interface TlsDocument {
  readonly tls: {
    readonly minVersion: CertificateSet['minVersion'];
    readonly certificates: readonly PairOfFiles[];
    /** What other programs get a copy of. */
    readonly deployTo?: readonly { readonly name: string }[];
  };
  /** Null: nothing is ordered from a CA. */
  readonly acme: AcmeDocument | null;
  readonly hosts: readonly TlsHost[];
  readonly fallback: TlsHost | null;
  readonly signIn: { readonly url: string | null };
}

export interface TlsHost {
  readonly name: string;
  readonly tls:
    | { readonly kind: 'automatic' | 'acme' | 'off' | 'local' }
    | { readonly kind: 'files'; readonly files: PairOfFiles };
  readonly clientAuth: ClientAuthSettings | null;
  readonly at: Place;
}

export interface Sources {
  readonly readCertificate: ReadCertificate;
  readonly readClientAuth: (settings: ClientAuthSettings) => CheckedClientAuth;
  /** Null: only check, issue nothing. */
  readonly localCa: LocalCa | null;
  readonly now: number;
  /** What CAs have issued for a name, wildcards included; those that suit the policy, if there are any. */
  readonly issued?: (name: string, policy: AcmePolicy) => readonly CertificateEntry[];
  /** Names that visitors ask for; those count whose host is on demand. */
  readonly demanded?: readonly string[];
  /** What operators uploaded, newest first. */
  readonly uploaded?: readonly CertificateEntry[];
  /** What a host served so far, for one that would have nothing now. Absent: a host with a problem has none. */
  readonly keep?: (host: string) => readonly CertificateEntry[];
}

export interface Provisioned {
  readonly document: TlsDocument;
  readonly set: CertificateSet;
  readonly diagnostics: readonly Diagnostic[];
  /** What CAs have to issue, or have issued already. */
  readonly wanted: readonly Wanted[];
  /** Every file that was read, for the watch. */
  readonly files: readonly string[];
}

/** Hosts between two breaths, so that the thread stays responsive while 10 000 are provisioned. */
const HOSTS_AT_ONCE = 100;
/** Local certificates that are made at once; those of further hosts when somebody visits them. */
const LOCAL_AT_ONCE = 32;
/** An uploaded certificate that nobody replaces in time: a CA is asked before it ends. */
const STEP_IN_MS = 7 * 86_400_000;

export async function provisionCertificates(document: TlsDocument, sources: Sources): Promise<Provisioned> {
  const run = new Provisioning(document, sources);
  const hosts = withSignInHost(document);
  for (const [index, host] of hosts.entries()) {
    run.addHost(host);
    if (index % HOSTS_AT_ONCE === HOSTS_AT_ONCE - 1) await setImmediate();
  }
  run.addFallback();
  run.addDemanded();
  return run.finish(hosts);
}

/** The sign-in host need not be listed: it has Postern's own pages only. */
function withSignInHost({ hosts, signIn, fallback }: TlsDocument): readonly TlsHost[] {
  if (signIn.url === null || !URL.canParse(signIn.url)) return hosts;
  const { protocol, hostname } = new URL(signIn.url);
  const name = bareHost(hostname);
  if (protocol !== 'https:' || hosts.some((host) => bareHost(host.name) === name)) return hosts;
  const tls = fallback?.tls.kind === 'files' && isIP(name) === 0 ? fallback.tls : ({ kind: 'automatic' } as const);
  return [...hosts, { name, tls, clientAuth: null, at: ['sign_in', 'url'] }];
}

class Provisioning {
  readonly #document: TlsDocument;
  readonly #sources: Sources;
  readonly #diagnostics: Diagnostic[] = [];
  readonly #files = new Set<string>();
  readonly #entries = new Map<string, CertificateEntry>();
  readonly #shared: readonly CertificateEntry[];
  readonly #needy: NeedyHost[] = [];
  readonly #hosts = new Map<string, readonly string[]>();
  readonly #onVisit = new Set<string>();
  /** Hosts that do not wait for a visitor. */
  readonly #atOnce: ReadonlySet<string>;
  #locals = 0;
  readonly #demanded = new Map<string, readonly string[]>();
  readonly #places = new Map<string, TlsHost>();
  readonly #others = new Map<string, readonly string[]>();
  readonly #policies = new Map<string, ClientAuthPolicy>();
  readonly #policyOfHost = new Map<string, string | null>();
  #policyOfOthers: string | null = null;
  #policyWithoutName: string | null = null;
  #withoutName: readonly string[] = [];

  constructor(document: TlsDocument, sources: Sources) {
    this.#document = document;
    this.#sources = sources;
    const { url } = document.signIn;
    const signInHost = url !== null && URL.canParse(url) ? [bareHost(new URL(url).hostname)] : [];
    this.#atOnce = new Set([...signInHost, ...(document.tls.deployTo ?? []).map(({ name }) => name)]);
    this.#shared = document.tls.certificates.map((files) => this.#read(files)).filter((entry) => entry !== null);
    for (const entry of this.#shared) this.#entries.set(entry.id, entry);
  }

  addHost(host: TlsHost): void {
    const name = bareHost(host.name);
    this.#places.set(name, host);
    const found = this.#entriesFor(host, name);
    const isKept = found.length === 0 && host.tls.kind !== 'off';
    const entries = isKept ? (this.#sources.keep?.(name) ?? []) : found;
    for (const entry of entries) this.#entries.set(entry.id, entry);
    this.#hosts.set(
      name,
      entries.map((entry) => entry.id),
    );
    this.#policyOfHost.set(name, this.#policyFor(host));
  }

  addFallback(): void {
    const { fallback } = this.#document;
    if (fallback !== null) this.#policyOfOthers = this.#policyFor(fallback);
    const entries = this.#entriesForOthers(fallback);
    for (const entry of entries) this.#entries.set(entry.id, entry);
    for (const name of new Set(entries.flatMap((entry) => entry.names))) {
      this.#others.set(
        name,
        bestFor(name, entries).map((entry) => entry.id),
      );
    }
    if (fallback?.tls.kind !== 'files') return;
    this.#withoutName = entries.slice(0, 1).map((entry) => entry.id);
    this.#policyWithoutName = this.#policyOfOthers;
  }

  /** A certificate of its own for each name that somebody asked for and no host lists. */
  addDemanded(): void {
    const { acme, fallback } = this.#document;
    if (acme === null) return;
    for (const name of this.#sources.demanded ?? []) {
      const place = nearestHost(name, this.#places);
      const host = place === null ? fallback : this.#places.get(place);
      if (host === null || host === undefined || place === name || host.tls.kind !== 'acme') continue;
      const policy = acme.hosts[place ?? '*'];
      if (policy?.onDemand !== true) continue;
      this.#needy.push({ name, policy, at: host.at });
      const entries = bestFor(name, this.#sources.issued?.(name, policy) ?? []);
      for (const entry of entries) this.#entries.set(entry.id, entry);
      if (entries.length > 0)
        this.#demanded.set(
          name,
          entries.map((entry) => entry.id),
        );
    }
  }

  finish(hosts: readonly TlsHost[]): Provisioned {
    const addresses = hosts.map((host) => bareHost(host.name)).filter((name) => isIP(name) !== 0);
    const [address] = addresses;
    if (this.#withoutName.length === 0 && address !== undefined && addresses.length === 1) {
      this.#withoutName = this.#hosts.get(address) ?? [];
      this.#policyWithoutName = this.#policyOfHost.get(address) ?? null;
    }
    const set: CertificateSet = {
      minVersion: this.#document.tls.minVersion,
      certificates: [...this.#entries.values()],
      hosts: this.#hosts,
      onVisit: this.#onVisit,
      demanded: this.#demanded,
      others: this.#others,
      withoutName: this.#withoutName,
      clientAuth: {
        policies: [...this.#policies.values()],
        hosts: this.#policyOfHost,
        others: this.#policyOfOthers,
        withoutName: this.#policyWithoutName,
      },
    };
    const { acme } = this.#document;
    const plan = acme === null ? null : planCertificates(this.#needy, acme);
    const expiring = expiryWarnings(this.#sources.uploaded ?? [], this.#sources.now);
    const diagnostics = [...this.#diagnostics, ...expiring, ...(plan?.diagnostics ?? [])];
    return {
      document: this.#document,
      set,
      diagnostics,
      wanted: plan?.wanted ?? [],
      files: [...this.#files],
    };
  }

  #entriesFor(host: TlsHost, name: string): CertificateEntry[] {
    const { tls } = host;
    if (tls.kind === 'off') return [];
    if (tls.kind === 'files') return this.#fromFiles(tls.files, name);
    if (tls.kind === 'local') return this.#local(host, name);
    if (tls.kind === 'acme') return this.#fromCa(host, name);
    const shared = bestFor(name, this.#shared);
    if (shared.length > 0) return shared;
    const { good, expired } = this.#fromUploads(host, name);
    if (good.length > 0) return good;
    if (isLocalName(name)) return this.#local(host, name);
    const issued = this.#mayOrder(name) ? this.#fromCa(host, name) : [];
    if (issued.length > 0) return issued;
    // Nothing better is there: visitors see that it has expired, and operators have been told.
    if (expired.length > 0 || this.#mayOrder(name)) return expired;
    this.#diagnostics.push(
      warning(
        host.at,
        `No certificate for "${name}": its visitors get a TLS error`,
        `${this.#document.acme === null && isPublicName(name) ? 'add a top-level "acme: { email: you@example.com }" to get one from Let\'s Encrypt, whose terms of service you agree to by it; or ' : ''}give tls.certificate and tls.key, list a pair under tls.certificates, or upload one by "postern cert add"; "tls: local" issues one that only your own machines trust; "tls: off" where another server in front has it`,
      ),
    );
    return [];
  }

  #mayOrder(name: string): boolean {
    return this.#document.acme !== null && isPublicName(name);
  }

  #fromUploads(host: TlsHost, name: string): { good: CertificateEntry[]; expired: CertificateEntry[] } {
    const { uploaded = [], now } = this.#sources;
    const good = newestFor(
      name,
      uploaded.filter((entry) => entry.notAfter > now),
    );
    if (good.length === 0) return { good, expired: newestFor(name, uploaded) };
    const endsSoon = good.every((entry) => entry.notAfter - now <= STEP_IN_MS);
    if (endsSoon && this.#mayOrder(name)) this.#fromCa(host, name);
    return { good, expired: [] };
  }

  /** Until the CA has issued it, handshakes are refused; whoever orders tells how it goes. */
  #fromCa(host: TlsHost, name: string): CertificateEntry[] {
    const { acme } = this.#document;
    if (acme === null) return [];
    const policy = acme.hosts[name] ?? acme.policy;
    const found = bestFor(name, this.#sources.issued?.(name, policy) ?? []);
    const isWaiting = policy.onDemand && found.length === 0 && this.#sources.demanded?.includes(name) !== true;
    // Names below a wildcard on demand have certificates of their own: see addDemanded.
    if (!isWaiting && !(policy.onDemand && name.startsWith('*.'))) this.#needy.push({ name, policy, at: host.at });
    return found;
  }

  #fromFiles(files: PairOfFiles, name: string): CertificateEntry[] {
    const entry = this.#read(files);
    if (entry === null) return [];
    if (coversName(entry.names, name)) return [entry];
    const covered = entry.names
      .slice(0, 8)
      .map((one) => `"${one}"`)
      .join(', ');
    const message = `Certificate "${files.certificate}" covers ${covered}, but not host "${name}"`;
    this.#diagnostics.push(
      certificateProblem([...files.at, 'certificate'], message, 'use a certificate with that name'),
    );
    return [];
  }

  #local(host: TlsHost, name: string): CertificateEntry[] {
    if (name.startsWith('*.') && !name.slice(2).includes('.')) {
      const message = `Many programs refuse a certificate for "${name}": its wildcard stands right below a top-level name`;
      this.#diagnostics.push(
        warning(host.at, message, 'list the hosts one by one; each gets a certificate of its own'),
      );
    }
    const { localCa } = this.#sources;
    if (localCa === null) return [];
    if (this.#mayWait(name, localCa)) {
      this.#onVisit.add(name);
      return [];
    }
    try {
      return [localEntry(localCa, name)];
    } catch (error) {
      this.#diagnostics.push({
        ...certificateProblem(host.at, (error as Error).message),
        code: (error as PosternError).code,
      });
      return [];
    }
  }

  /** Extra roots have to be there before a browser can be told to trust them, and who asks for an address names nobody. */
  #mayWait(name: string, localCa: LocalCa): boolean {
    if (this.#locals++ < LOCAL_AT_ONCE || this.#atOnce.has(name) || localCa.isAtHand(name)) return false;
    return isLocalName(name) && isIP(name) === 0;
  }

  /** `default` has no names of its own: it serves those of its pair, or of the shared ones. */
  #entriesForOthers(fallback: TlsHost | null): readonly CertificateEntry[] {
    if (fallback === null || fallback.tls.kind === 'automatic')
      return [...this.#shared, ...this.#goodUploads(), ...this.#issuedForLists()];
    if (fallback.tls.kind === 'files') return [this.#read(fallback.tls.files)].filter((entry) => entry !== null);
    if (fallback.tls.kind === 'off') return [];
    // Each name gets one of its own: see addDemanded.
    if (this.#document.acme?.hosts['*']?.onDemand === true) return this.#shared;
    const message = `"tls: ${fallback.tls.kind}" of the default host has no name to issue a certificate for`;
    this.#diagnostics.push(
      warning(fallback.at, message, 'list the hosts by name, or give tls.certificate and tls.key'),
    );
    return this.#shared;
  }

  #goodUploads(): readonly CertificateEntry[] {
    const { uploaded = [], now } = this.#sources;
    return uploaded.filter((entry) => entry.notAfter > now);
  }

  /** Lists of names stand for hosts that need not be written. */
  #issuedForLists(): readonly CertificateEntry[] {
    const { acme } = this.#document;
    const { issued } = this.#sources;
    if (acme === null || issued === undefined) return [];
    const names = acme.certificates.flatMap((list) => list.names);
    return names.flatMap((name) => bestFor(name, issued(name, acme.policy)));
  }

  #policyFor({ clientAuth }: TlsHost): string | null {
    if (clientAuth === null) return null;
    this.#files.add(clientAuth.caFile);
    const { policy, problem } = this.#sources.readClientAuth(clientAuth);
    if (problem !== null) this.#diagnostics.push(problem);
    this.#policies.set(policy.policyId, policy);
    return policy.policyId;
  }

  #read(files: PairOfFiles): CertificateEntry | null {
    this.#files.add(files.certificate).add(files.key);
    const { entry, diagnostics } = this.#sources.readCertificate(files, this.#sources.now);
    this.#diagnostics.push(...diagnostics);
    return entry;
  }
}

/** Of the certificates that cover a name: exact before wildcard, the longest good, one of each kind of key. */
function bestFor(name: string, entries: readonly CertificateEntry[]): CertificateEntry[] {
  return newestFor(
    name,
    entries.toSorted((a, b) => b.notAfter - a.notAfter),
  );
}

/** As `bestFor`, where the first of a kind is the best: whoever uploads a certificate means that one. */
function newestFor(name: string, entries: readonly CertificateEntry[]): CertificateEntry[] {
  const covering = entries.filter((entry) => coversName(entry.names, name));
  const exact = covering.filter((entry) => entry.names.includes(name));
  const best = new Map<string, CertificateEntry>();
  for (const entry of exact.length > 0 ? exact : covering) {
    if (!best.has(entry.keyType)) best.set(entry.keyType, entry);
  }
  // ECDSA first, whoever was issued first: where one of two is taken, it is always the same.
  return [...best.values()].toSorted((a, b) => Number(b.keyType === 'ec') - Number(a.keyType === 'ec'));
}

/** The local certificate of a host, as workers take it. Throws where it cannot be issued. */
export function localEntry(localCa: LocalCa, name: string): CertificateEntry {
  const { certificatePem, keyPem, notAfter } = localCa.certificateFor(name);
  const id = createHash('sha256').update(certificatePem).digest('hex').slice(0, 24);
  return { id, names: [name], certificatePem, keyPem, keyType: 'ec', notAfter, source: 'local' };
}
