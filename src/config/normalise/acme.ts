/** Reads `acme:` of the document, and what hosts say of their own under `tls.acme`. */
import { suggest } from '../did-you-mean.ts';
import type { Listen } from '../document.ts';
import type { Acme, AcmeCa, AcmePolicy } from '../document/acme.ts';
import type { Path } from '../document/path.ts';
import { parseHostName } from '../host-name.ts';
import { KNOWN_CAS } from '../presets/acme-cas.ts';
import type { DocumentInput } from '../schema.ts';
import type {
  AcmeCaInput,
  AcmeInput,
  ChallengeWord,
  EabInput,
  HostAcmeInput,
  KeyTypeWord,
  OnDemandInput,
} from '../schema/acme.ts';
import { type Context, entriesOf } from './context.ts';

/** As many names as the usual CAs take in one certificate. */
const NAMES_MAX = 100;
const EMAIL = /^[^\s@<>(),;:"]+@[^\s@<>(),;:"]+\.[^\s@<>(),;:"]+$/;
const BASE64URL = /^[A-Za-z0-9_-]{16,}={0,2}$/;

export function readAcme(input: DocumentInput, listen: Listen, context: Context): Acme | null {
  const { acme } = input;
  if (acme === undefined) {
    refuseWithoutSection(input, context);
    return null;
  }
  const fallbackTls = input.default?.tls;
  const isOfNobody = typeof fallbackTls === 'object' && fallbackTls.acme !== undefined;
  if (fallbackTls === 'acme' || (isOfNobody && fallbackTls.acme.on_demand !== true)) {
    const remedy =
      'list the hosts by name, a wildcard under "acme.certificates", or write "acme: { on_demand: true }" here';
    context.report(['default', 'tls'], 'has no name to order a certificate for', remedy);
  }
  if (listen.https.length === 0 && !context.isBroken(['listen', 'https']))
    context.warn(
      ['acme'],
      'orders certificates, but nothing listens for HTTPS',
      'add "listen.https", or remove "acme"',
    );
  const at = ['acme'];
  const names = Object.keys(input.dns ?? {});
  const { on_demand: _, ...usual } = acme;
  const policy = readPolicy(usual, at, { base: basicPolicy(names), listen, dns: names }, context);
  const fallback = [...entriesOf<AcmeCaInput>(acme.fallback, [...at, 'fallback'])].map(([one, place]) => {
    if (one.ca === undefined && !context.isBroken([...place, 'ca']))
      context.report(place, 'names no "ca"', 'write another CA than the first, such as "ca: zerossl"');
    return readCa(one, place, context);
  });
  const withFallback = { ...policy, cas: [...policy.cas, ...fallback], fallbackAfter: acme.fallback_after ?? 3 };
  return {
    email: readEmail(acme.email, [...at, 'email'], context),
    policy: withFallback,
    onDemand: readOnDemand(acme.on_demand, [...at, 'on_demand'], context),
    hosts: readHostPolicies(input, { base: withFallback, listen, dns: names }, context),
    certificates: readCertificates(acme, context),
  };
}

/** What a policy is read against. */
interface Ground {
  readonly base: AcmePolicy;
  readonly listen: Listen;
  /** Names of `dns:`. */
  readonly dns: readonly string[];
}

/** The only DNS provider there is need not be named. */
function basicPolicy(dns: readonly string[]): AcmePolicy {
  const [only = null] = dns.length === 1 ? dns : [];
  return { cas: [], fallbackAfter: 3, keyTypes: ['p256'], challenges: [], dns: only, onDemand: false };
}

/** DNS first: whoever has a provider may well be where no CA can reach. */
function usualChallenges({ http, https }: Listen, dns: string | null): ChallengeWord[] {
  const challenges: ChallengeWord[] = [];
  if (dns !== null) challenges.push('dns-01');
  if (http.length > 0) challenges.push('http-01');
  if (https.length > 0) challenges.push('tls-alpn-01');
  return challenges;
}

function readOnDemand(input: OnDemandInput | undefined, at: Path, context: Context): Acme['onDemand'] {
  if (input === undefined) return null;
  const { ask = null, per_hour: perHour = 20 } = input;
  const url = ask !== null && URL.canParse(ask) ? new URL(ask) : null;
  const path = [...at, 'ask'];
  if (ask !== null && url?.protocol !== 'http:' && url?.protocol !== 'https:')
    context.report(path, 'is not an http or https URL', 'write one such as "http://127.0.0.1:9123/ask"');
  // None would be sent.
  else if (url !== null && (url.username !== '' || url.password !== '')) {
    const wrong = 'has a user name or password in it, which is not sent';
    context.fault(path, { wrong, remedy: 'put a secret into the path or the query' }, { isSecret: true });
  }
  return { ask, perHour };
}

function readPolicy(input: HostAcmeInput, at: Path, ground: Ground, context: Context): AcmePolicy {
  const { base, listen } = ground;
  const given = [...entriesOf<ChallengeWord>(input.challenges, [...at, 'challenges'])].map(([one]) => one);
  if (Array.isArray(input.challenges) && input.challenges.length === 0)
    context.report([...at, 'challenges'], 'is an empty list', 'remove it, or name a challenge such as "http-01"');
  const [first] = base.cas;
  // What a host says about the CA adds to what the document says; another CA starts from nothing.
  const inherits = first !== undefined && input.ca === undefined;
  const own = readCa(input, at, context);
  const dns = readProviderName(input.dns, at, ground, context);
  const needy = given.find((one) => one === 'dns-01' || one === 'dns-account-01');
  if (needy !== undefined && dns === null) needProvider(needy, at, ground, context);
  const usual = base.challenges.length > 0 && dns === base.dns ? base.challenges : usualChallenges(listen, dns);
  return {
    onDemand: input.on_demand ?? false,
    cas: [inherits ? mergeCa(first, own, input) : own, ...(inherits ? base.cas.slice(1) : [])],
    fallbackAfter: base.fallbackAfter,
    keyTypes: readKeyTypes(input.key_type, { at: [...at, 'key_type'], usual: base.keyTypes }, context),
    challenges: given.length === 0 ? usual : [...new Set(given)],
    dns,
  };
}

/** ECDSA first, whatever the order in the document: it is served to whoever can verify it. */
function readKeyTypes(
  input: HostAcmeInput['key_type'],
  { at, usual }: { readonly at: Path; readonly usual: readonly KeyTypeWord[] },
  context: Context,
): readonly KeyTypeWord[] {
  const given = [...entriesOf<KeyTypeWord>(input, at)].map(([one]) => one);
  const rsa = given.filter((one) => one.startsWith('rsa'));
  const ecdsa = given.filter((one) => !one.startsWith('rsa'));
  if (Array.isArray(input) && input.length === 0)
    context.report(at, 'is an empty list', 'remove it, or write "p256", or "[p256, rsa2048]"');
  for (const [kind, all] of [
    ['ECDSA', ecdsa],
    ['RSA', rsa],
  ] as const) {
    if (all.length > 1)
      context.report(
        at,
        `names ${all.length} kinds of ${kind}`,
        'one ECDSA and one RSA certificate may stand side by side',
      );
  }
  return given.length === 0 ? usual : [...ecdsa.slice(0, 1), ...rsa.slice(0, 1)];
}

function readProviderName(text: string | undefined, at: Path, { base, dns }: Ground, context: Context): string | null {
  if (text === undefined) return base.dns;
  if (dns.includes(text) || context.isBroken(['dns'])) return text;
  const close = suggest(text, dns);
  const known = dns.length === 0 ? 'there is no "dns" section' : `known are ${dns.map((one) => `"${one}"`).join(', ')}`;
  context.report([...at, 'dns'], 'is no entry of "dns"', close === null ? known : `did you mean "${close}"?`);
  return null;
}

// oxlint-disable-next-line max-params -- what is needed, and where to say so
function needProvider(challenge: ChallengeWord, at: Path, { dns }: Ground, context: Context): void {
  if (context.isBroken(['dns']) || context.isBroken([...at, 'dns'])) return;
  context.report(
    [...at, 'challenges'],
    `names "${challenge}", but no DNS provider is chosen`,
    dns.length === 0 ? 'add a top-level "dns" with your provider' : 'add "dns" with the name of one of them',
  );
}

function mergeCa(first: AcmeCa, own: AcmeCa, input: AcmeCaInput): AcmeCa {
  return {
    ...first,
    ...(input.eab === undefined ? {} : { eab: own.eab }),
    ...(input.profile === undefined ? {} : { profile: own.profile }),
    ...(input.preferred_chain === undefined ? {} : { preferredChain: own.preferredChain }),
    ...(input.roots === undefined ? {} : { rootsFile: own.rootsFile, rootsPem: own.rootsPem }),
  };
}

function readCa(input: AcmeCaInput, at: Path, context: Context): AcmeCa {
  const { name, directory, needsEab } = readDirectory(input.ca ?? 'letsencrypt', [...at, 'ca'], context);
  if (needsEab && input.eab === undefined && !context.isBroken([...at, 'eab'])) {
    context.report(
      at,
      `has no "eab", but ${name} wants one`,
      'make a key pair at that CA, and write "eab: { key_id: …, hmac_key: … }"',
    );
  }
  const roots = input.roots === undefined ? null : readRoots(input.roots, [...at, 'roots'], context);
  return {
    name,
    directory,
    eab: input.eab === undefined ? null : readEab(input.eab, [...at, 'eab'], context),
    profile: input.profile ?? null,
    preferredChain: input.preferred_chain ?? null,
    rootsFile: input.roots === undefined ? null : context.resolvePath(input.roots),
    rootsPem: roots,
  };
}

function readDirectory(
  text: string,
  at: Path,
  context: Context,
): { readonly name: string; readonly directory: string; readonly needsEab: boolean } {
  const known = KNOWN_CAS.find((one) => one.word === text || one.directory === text);
  if (known !== undefined) return known;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol === 'https:') return { name: url.host, directory: url.href, needsEab: false };
  const words = KNOWN_CAS.map((one) => one.word);
  const close = suggest(text, words);
  if (url?.protocol === 'http:')
    context.report(at, 'is plain HTTP, which ACME does not allow', 'write its https URL (RFC 8555 section 6.1)');
  else
    context.report(
      at,
      'is neither a known CA nor the URL of a directory',
      close === null ? `known are ${words.map((word) => `"${word}"`).join(', ')}` : `did you mean "${close}"?`,
    );
  return { name: text, directory: text, needsEab: false };
}

function readRoots(file: string, at: Path, context: Context): string | null {
  const pem = context.readNamedFile(file, at);
  if (pem !== null && !pem.includes('-----BEGIN CERTIFICATE-----'))
    context.report(at, 'names a file that holds no PEM certificate');
  return pem;
}

function readEab(input: EabInput, at: Path, context: Context): AcmeCa['eab'] {
  for (const key of ['key_id', 'hmac_key'] as const) {
    if (input[key] === undefined && !context.isBroken([...at, key]))
      context.report(at, `has no "${key}"`, 'give both "key_id" and "hmac_key" as the CA hands them out');
  }
  const { key_id: keyId, hmac_key: hmacKey } = input;
  if (hmacKey !== undefined && !BASE64URL.test(hmacKey.replaceAll('+', '-').replaceAll('/', '_')))
    context.fault(
      [...at, 'hmac_key'],
      { wrong: 'is not text in base64url', remedy: 'copy it whole from the CA' },
      { isSecret: true },
    );
  return keyId === undefined || hmacKey === undefined ? null : { keyId, hmacKey };
}

function readEmail(text: string | undefined, at: Path, context: Context): string | null {
  if (text === undefined) return null;
  const email = text.replace(/^mailto:/i, '');
  if (!EMAIL.test(email)) context.report(at, 'is not an e-mail address', 'write one such as "ops@example.com"');
  return email;
}

function readHostPolicies(
  input: DocumentInput,
  ground: Ground,
  context: Context,
): Readonly<Record<string, AcmePolicy>> {
  const found: Record<string, AcmePolicy> = {};
  for (const [key, host] of Object.entries(input.hosts ?? {})) {
    const own = typeof host?.tls === 'object' ? host.tls.acme : undefined;
    const name = parseHostName(key);
    if (own === undefined || !name.ok) continue;
    const at = ['hosts', key, 'tls', 'acme'];
    found[name.value] = readPolicy(own, at, ground, context);
    if (own.on_demand === true && name.value.startsWith('*.')) needAsk(input, at, context);
  }
  const fallback = typeof input.default?.tls === 'object' ? input.default.tls.acme : undefined;
  if (fallback?.on_demand === true) {
    found['*'] = readPolicy(fallback, ['default', 'tls', 'acme'], ground, context);
    needAsk(input, ['default', 'tls', 'acme'], context);
  }
  return found;
}

/** Strangers choose such names: without a word of the operator's they would use up the limits of the CA. */
function needAsk({ acme }: DocumentInput, at: Path, context: Context): void {
  if (acme?.on_demand?.ask !== undefined || context.isBroken(['acme', 'on_demand', 'ask'])) return;
  context.report(
    [...at, 'on_demand'],
    'lets strangers choose names to order certificates for',
    'add "acme: { on_demand: { ask: URL } }" with a program that knows which names are yours',
  );
}

function readCertificates(input: AcmeInput, context: Context): Acme['certificates'] {
  const found: { names: readonly string[]; at: Path }[] = [];
  for (const [index, list] of (input.certificates ?? []).entries()) {
    if (list === undefined) continue;
    const at = ['acme', 'certificates', index];
    const names = new Set<string>();
    for (const [text, place] of entriesOf<string>(list, at)) {
      const name = parseHostName(text);
      if (name.ok) names.add(name.value);
      else context.fault(place, name);
    }
    if (list.length === 0) context.report(at, 'is an empty list', 'write the names of one certificate');
    if (names.size > NAMES_MAX)
      context.report(at, `holds ${names.size} names, at most ${NAMES_MAX} fit into a certificate`, 'make two of it');
    found.push({ names: [...names], at });
  }
  return found;
}

function refuseWithoutSection(input: DocumentInput, context: Context): void {
  if (context.isBroken(['acme'])) return;
  const remedy =
    'add a top-level "acme: { email: you@example.com }": it is your agreement to the terms of Let\'s Encrypt';
  for (const [key, host] of Object.entries(input.hosts ?? {})) {
    const tls = host?.tls;
    const wantsAcme = tls === 'acme' || (typeof tls === 'object' && (tls.mode === 'acme' || tls.acme !== undefined));
    if (wantsAcme)
      context.report(['hosts', key, 'tls'], 'wants a certificate by ACME, but there is no "acme" section', remedy);
  }
}
