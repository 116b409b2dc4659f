/**
 * How problems with a DNS provider are told: what was tried, which host answered what in which step, the
 * provider's own words (on one line, shortened, without our secrets) and what to do about it.
 */
import { type ErrorCode, PosternError } from '../../core/errors.ts';
import { visible } from '../../core/log.ts';

export type DnsErrorCode = Extract<ErrorCode, `DNS_${string}`>;

export interface DnsProblem {
  readonly code: DnsErrorCode;
  /** "find the zone": completes "Cannot …". */
  readonly step: string;
  /** "Cloudflare". */
  readonly provider: string;
  /** "api.cloudflare.com answered 403". */
  readonly what: string;
  /** The other side's own words. */
  readonly words?: string | null;
  readonly remedy?: string | null;
  readonly facts?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

const LONGEST_WORDS = 300;
/** Shorter values would hide innocent text and guard nothing. */
const SHORTEST_SECRET = 4;
const MASK = '***';

export function dnsError(problem: DnsProblem): PosternError {
  const { code, step, provider, what, words = null, remedy = null, facts = {}, cause } = problem;
  const said = words === null || words === '' ? '' : `: ${quoteWords(words)}`;
  const todo = remedy === null ? '' : `; ${remedy}`;
  const message = `Cannot ${step} at ${provider}: ${what}${said}${todo}`;
  return new PosternError(code, message, { provider, step, ...facts }, cause);
}

/** Words of a stranger, fit for one line of a log or a terminal. */
export function quoteWords(words: string): string {
  const line = words.replaceAll(/\s+/g, ' ').trim();
  const short = line.length > LONGEST_WORDS ? `${line.slice(0, LONGEST_WORDS)}…` : line;
  return `"${visible(short).replaceAll('"', "'")}"`;
}

/** Some providers repeat the token they were sent. */
export function maskSecrets(text: string, secrets: readonly string[]): string {
  let masked = text;
  for (const secret of secrets) {
    if (secret.length < SHORTEST_SECRET) continue;
    for (const form of new Set([secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]))
      masked = masked.replaceAll(form, MASK);
  }
  return masked;
}

/** The reason of a failed connection: Node keeps it in the cause of fetch's "fetch failed". */
export function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof AggregateError && cause.errors.length > 0) return reasonOf(cause.errors[0]);
  return cause instanceof Error ? cause.message : String(cause);
}
