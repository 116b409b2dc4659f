/**
 * Challenges (RFC 8555 section 8, RFC 8737, RFC 8738, and two drafts for DNS): what has to be shown where, and the choice among
 * those that a CA offers. Who shows it is behind the ChallengeAnswers interface.
 */
import { isIP, isIPv4 } from 'node:net';
import { dns01Record, dnsAccount01Record, dnsPersist01Record } from '../dns/challenge-record.ts';
import { keyAuthorization, sha256, type Signer } from './jws.ts';
import type { ChallengeType } from './challenge-type.ts';
import type { Authorization, Challenge, Identifier } from './messages.ts';

/** One thing to be shown to the CA. */
export type ChallengeTask =
  | { readonly type: 'http-01'; readonly name: string; readonly token: string; readonly keyAuthorization: string }
  | { readonly type: 'tls-alpn-01'; readonly name: string; readonly digest: Buffer }
  | {
      readonly type: 'dns-01' | 'dns-account-01';
      readonly name: string;
      readonly record: string;
      readonly value: string;
    }
  /** Its record was set once, by hand, and stays. */
  | { readonly type: 'dns-persist-01'; readonly name: string; readonly record: string; readonly value: string };

export interface ChallengeAnswers {
  /** Resolves when the answer can be seen; the function it gives takes it away again. */
  readonly show: (task: ChallengeTask, signal: AbortSignal) => Promise<() => Promise<void>>;
}

/** Answers for those who use a certain DNS provider, or none. */
export interface AnswerSource {
  readonly answersBy: (dns: string | null) => ChallengeAnswers;
  /** Another one when the settings of that provider have changed. */
  readonly fingerprintOf?: (dns: string | null) => string;
}

export function identifierOf(name: string): Identifier {
  return { type: isIP(name) === 0 ? 'dns' : 'ip', value: name };
}

/** What an authorisation is about, as the document writes it. */
export function nameOf({ identifier, wildcard }: Authorization): string {
  return wildcard === true ? `*.${identifier.value}` : identifier.value;
}

export type ChosenChallenge = Challenge & { readonly type: ChallengeType };

/** The first of `wanted` that is offered, with what it needs. */
export function chooseChallenge(
  authorization: Authorization,
  wanted: readonly ChallengeType[],
): ChosenChallenge | null {
  for (const type of wanted) {
    const found = authorization.challenges.find((one) => one.type === type);
    if (found !== undefined && (found.token !== undefined || type === 'dns-persist-01')) return { ...found, type };
  }
  return null;
}

/** Throws RangeError where the challenge cannot be answered as it is. */
export function taskOf(challenge: ChosenChallenge, authorization: Authorization, { key, kid }: Signer): ChallengeTask {
  const name = authorization.identifier.value;
  const { type } = challenge;
  if (type === 'dns-persist-01') {
    const issuerDomainNames = challenge['issuer-domain-names'] ?? [];
    const domain = nameOf(authorization);
    const wish = { domain, issuerDomainNames, accountUri: kid ?? '', coversSubdomains: false, persistUntil: null };
    const { name: record, value } = dnsPersist01Record(wish);
    return { type, name, record, value };
  }
  const token = challenge.token ?? '';
  const proof = keyAuthorization(token, key);
  if (type === 'http-01') return { type, name, token, keyAuthorization: proof };
  if (type === 'tls-alpn-01') return { type, name, digest: sha256(proof) };
  const { name: record, value } =
    type === 'dns-01' ? dns01Record(name, proof) : dnsAccount01Record(name, proof, kid ?? '');
  return { type, name, record, value };
}

/** The name that the CA's ClientHello carries (RFC 8738 section 6: an address comes as its reverse name). */
export function serverNameOf(name: string): string {
  if (isIP(name) === 0) return name;
  if (isIPv4(name)) return `${name.split('.').toReversed().join('.')}.in-addr.arpa`;
  const nibbles = expandIpv6(name).join('').split('').toReversed().join('.');
  return `${nibbles}.ip6.arpa`;
}

function expandIpv6(ip: string): string[] {
  const [head = '', tail] = ip.split('::');
  const groups = (text: string | undefined): string[] => (text === undefined || text === '' ? [] : text.split(':'));
  const before = groups(head);
  const after = groups(tail);
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after].map((group) => group.padStart(4, '0'));
}
