/**
 * What an ACME server says (RFC 8555 section 7.1, RFC 9773, profiles), parsed once and trusted after.
 * Unknown members pass and are ignored, as section 6.4.1 wants; a link that is not HTTPS does not, since
 * a request to it would carry what only the CA may read.
 */
import * as z from 'zod';
import { isChallengeType } from './challenge-type.ts';

export interface Directory {
  readonly newNonce: string;
  readonly newAccount: string;
  readonly newOrder: string;
  readonly revokeCert: string;
  readonly keyChange: string;
  readonly renewalInfo?: string | undefined;
  readonly meta?: DirectoryMeta | undefined;
}

export interface DirectoryMeta {
  readonly termsOfService?: string | undefined;
  readonly website?: string | undefined;
  readonly caaIdentities?: readonly string[] | undefined;
  readonly externalAccountRequired?: boolean | undefined;
  readonly profiles?: Readonly<Record<string, string>> | undefined;
}

export interface AccountAnswer {
  readonly status: 'valid' | 'deactivated' | 'revoked';
}

export interface Identifier {
  readonly type: string;
  readonly value: string;
}

export interface ProblemPart {
  readonly type?: string | undefined;
  readonly detail?: string | undefined;
  readonly identifier?: Identifier | undefined;
}

export interface ProblemAnswer extends ProblemPart {
  readonly status?: number | undefined;
  /** Of userActionRequired: a page that says what to do. */
  readonly instance?: string | undefined;
  readonly subproblems?: readonly ProblemPart[] | undefined;
}

export interface Order {
  readonly status: 'pending' | 'ready' | 'processing' | 'valid' | 'invalid';
  readonly identifiers: readonly Identifier[];
  readonly authorizations: readonly string[];
  readonly finalize: string;
  readonly certificate?: string | undefined;
  readonly error?: ProblemAnswer | undefined;
}

export interface Challenge {
  readonly type: string;
  readonly url: string;
  readonly status: 'pending' | 'processing' | 'valid' | 'invalid';
  readonly token?: string | undefined;
  /** Of dns-persist-01. */
  readonly 'issuer-domain-names'?: readonly string[] | undefined;
  readonly error?: ProblemAnswer | undefined;
}

export interface Authorization {
  readonly status: 'pending' | 'valid' | 'invalid' | 'deactivated' | 'expired' | 'revoked';
  readonly identifier: Identifier;
  readonly challenges: readonly Challenge[];
  readonly wildcard?: boolean | undefined;
}

export interface RenewalInfo {
  readonly suggestedWindow: { readonly start: string; readonly end: string };
  readonly explanationURL?: string | undefined;
}

const text = z.string().max(2000);
const link = z.string().refine((url) => URL.canParse(url) && new URL(url).protocol === 'https:', {
  error: 'an https URL',
});
const time = z.string().refine((one) => !Number.isNaN(Date.parse(one)), { error: 'a time' });
/** Names are the same in any case (RFC 4343); the document's are in small letters. */
const identifier: z.ZodType<Identifier> = z.object({ type: z.string(), value: z.string().max(255).toLowerCase() });
/** Whoever says what is wrong with one field wrong has said it all the same: `badNonce` must not be missed for that. */
const part = {
  type: z.string().optional(),
  detail: z.string().optional().catch(undefined),
  identifier: identifier.optional().catch(undefined),
};

export const directoryShape: z.ZodType<Directory> = z.object({
  newNonce: link,
  newAccount: link,
  newOrder: link,
  revokeCert: link,
  keyChange: link,
  renewalInfo: link.optional(),
  meta: z
    .object({
      termsOfService: text.optional().catch(undefined),
      website: text.optional().catch(undefined),
      caaIdentities: z.array(text).max(50).optional().catch(undefined),
      externalAccountRequired: z.boolean().optional().catch(undefined),
      profiles: z.record(z.string(), z.string()).optional().catch(undefined),
    })
    .optional()
    .catch(undefined),
});

export const accountShape: z.ZodType<AccountAnswer> = z.object({
  status: z.enum(['valid', 'deactivated', 'revoked']),
});

export const problemShape: z.ZodType<ProblemAnswer> = z.object({
  ...part,
  status: z.number().optional().catch(undefined),
  instance: z.string().max(2000).optional().catch(undefined),
  subproblems: z.array(z.object(part)).max(200).optional().catch(undefined),
});

export const orderShape: z.ZodType<Order> = z.object({
  status: z.enum(['pending', 'ready', 'processing', 'valid', 'invalid']),
  identifiers: z.array(identifier).max(1000),
  authorizations: z.array(link).max(1000),
  finalize: link,
  certificate: link.optional(),
  error: problemShape.optional().catch(undefined),
});

export const challengeShape: z.ZodType<Challenge> = z.object({
  type: z.string(),
  url: link,
  status: z.enum(['pending', 'processing', 'valid', 'invalid']),
  // RFC 8555 section 8.1: base64url, at least 128 bits.
  token: z
    .string()
    .regex(/^[A-Za-z0-9_-]{16,512}$/)
    .optional(),
  'issuer-domain-names': z.array(z.string().max(255)).max(10).optional(),
  error: problemShape.optional().catch(undefined),
});

/** A kind that nobody here knows may have other fields, or other values in these: it stands in the way of no other. */
function withoutStrange(all: unknown): unknown {
  const isKnown = (one: unknown): boolean => isChallengeType(String((one as { type?: unknown } | null)?.type));
  return Array.isArray(all) ? all.filter((one) => isKnown(one) || challengeShape.safeParse(one).success) : all;
}

export const authorizationShape: z.ZodType<Authorization> = z.object({
  status: z.enum(['pending', 'valid', 'invalid', 'deactivated', 'expired', 'revoked']),
  identifier,
  challenges: z.preprocess(withoutStrange, z.array(challengeShape).max(50)),
  wildcard: z.boolean().optional(),
});

export const renewalInfoShape: z.ZodType<RenewalInfo> = z.object({
  suggestedWindow: z.object({ start: time, end: time }),
  // The window counts, whatever is odd in what is said about it.
  explanationURL: text.optional().catch(undefined),
});
