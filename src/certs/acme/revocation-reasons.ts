/** Reasons for a revocation (RFC 5280 section 5.3.1), as far as a subscriber may say them. */
export const REVOCATION_REASONS = {
  unspecified: 0,
  'key-compromise': 1,
  'affiliation-changed': 3,
  superseded: 4,
  'cessation-of-operation': 5,
} as const;

export type RevocationReason = keyof typeof REVOCATION_REASONS;

export const REVOCATION_REASON_NAMES: readonly string[] = Object.keys(REVOCATION_REASONS);
