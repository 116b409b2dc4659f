/** The words for challenges (RFC 8555 section 8, RFC 8737, and two drafts for DNS). Apart from what answers them, which a document without `acme` never loads. */
export const CHALLENGE_TYPES = ['http-01', 'tls-alpn-01', 'dns-01', 'dns-account-01', 'dns-persist-01'] as const;
export type ChallengeType = (typeof CHALLENGE_TYPES)[number];

/** The only kind that proves a wildcard (RFC 8555 section 7.1.3, and each draft). */
export function isDnsChallenge(type: ChallengeType): boolean {
  return type.startsWith('dns-');
}

export function isChallengeType(text: string): text is ChallengeType {
  return (CHALLENGE_TYPES as readonly string[]).includes(text);
}
