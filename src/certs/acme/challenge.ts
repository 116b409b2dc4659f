/**
 * Challenges (RFC 8555 section 8, RFC 8737, RFC 8738): what has to be shown where, and the choice among
 * those that a CA offers. Who shows it is behind the ChallengeAnswers interface.
 */
import { isIP, isIPv4 } from 'node:net';
import { keyAuthorization, sha256, type AccountKey } from './jws.ts';
import type { Authorization, Challenge, Identifier } from './messages.ts';

export const CHALLENGE_TYPES = ['http-01', 'tls-alpn-01', 'dns-01'] as const;
export type ChallengeType = (typeof CHALLENGE_TYPES)[number];

/** One thing to be shown to the CA. */
export type ChallengeTask =
  | { readonly type: 'http-01'; readonly name: string; readonly token: string; readonly keyAuthorization: string }
  | { readonly type: 'tls-alpn-01'; readonly name: string; readonly digest: Buffer }
  | { readonly type: 'dns-01'; readonly name: string; readonly record: string; readonly value: string };

export interface ChallengeAnswers {
  /** Resolves when the answer can be seen; the function it gives takes it away again. */
  readonly show: (task: ChallengeTask, signal: AbortSignal) => Promise<() => Promise<void>>;
}

/** Answers for those who use a certain DNS provider, or none. */
export interface AnswerSource {
  readonly answersBy: (dns: string | null) => ChallengeAnswers;
}

export function identifierOf(name: string): Identifier {
  return { type: isIP(name) === 0 ? 'dns' : 'ip', value: name };
}

/** What an authorisation is about, as the document writes it. */
export function nameOf({ identifier, wildcard }: Authorization): string {
  return wildcard === true ? `*.${identifier.value}` : identifier.value;
}

export function isChallengeType(text: string): text is ChallengeType {
  return (CHALLENGE_TYPES as readonly string[]).includes(text);
}

/** The first of `wanted` that is offered and has its token. */
export function chooseChallenge(
  authorization: Authorization,
  wanted: readonly ChallengeType[],
): (Challenge & { readonly type: ChallengeType; readonly token: string }) | null {
  for (const type of wanted) {
    const found = authorization.challenges.find((one) => one.type === type);
    if (found?.token !== undefined) return { ...found, type, token: found.token };
  }
  return null;
}

export function taskOf(type: ChallengeType, identifier: Identifier, token: string, key: AccountKey): ChallengeTask {
  const authorization = keyAuthorization(token, key);
  const name = identifier.value;
  if (type === 'http-01') return { type, name, token, keyAuthorization: authorization };
  if (type === 'tls-alpn-01') return { type, name, digest: sha256(authorization) };
  return { type, name, record: `_acme-challenge.${name}`, value: sha256(authorization).toString('base64url') };
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
