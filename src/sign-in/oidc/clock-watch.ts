/**
 * How far a provider's clock is from ours, by its own word: `iat` of ID tokens that it has just made, and `Date` of its
 * answers (RFC 9110 section 6.6.1). Said once, with the remedy, where the provider's `clock_tolerance` does not bear it.
 * Refuses nothing: what a token is worth is for whoever verifies it. A slow answer is no clock that is off.
 */
import { decodeJwt } from 'jose';
import type { Clock } from '../../core/clock.ts';
import type { OidcProvider } from '../../config/document/providers.ts';
import type { ProviderAnswer } from '../provider-answer.ts';
import type { FetchInit } from '../provider-http.ts';

type Fetch = (url: string, init?: FetchInit) => Promise<ProviderAnswer>;

export interface ClockWatch {
  /** The same, with an eye on what time the answers say. */
  readonly over: (fetch: Fetch) => Fetch;
  /** What is wrong and what to change; null: nothing, as far as is known. */
  readonly problem: () => string | null;
  /** False: the provider has said no time yet. */
  readonly hasHeard: () => boolean;
}

export interface ClockWatchDeps {
  readonly provider: Pick<OidcProvider, 'id' | 'clockToleranceMs'>;
  readonly clock: Clock;
  /** Told when the clocks come apart, and when they agree again. */
  readonly log: (level: 'info' | 'warn', message: string) => void;
}

/** Both say whole seconds, cut. */
const RESOLUTION_MS = 1_000;
/** Said anew where it has moved by so much. */
const MOVED_MS = 60_000;
/** A token endpoint's answer that is larger holds what nobody needs here. */
const MAX_ANSWER = 100_000;

export function createClockWatch({ provider, clock, log }: ClockWatchDeps): ClockWatch {
  let differenceMs: number | null = null;
  let saidMs: number | null = null;
  // `Date` may be of a proxy before the provider: once a token has said the time, only tokens do.
  let hasToken = false;

  const isApart = (): boolean => differenceMs !== null && Math.abs(differenceMs) > provider.clockToleranceMs;
  const problem = (): string | null => (isApart() ? words(provider, differenceMs as number) : null);

  const learn = (theirs: number, sentAt: number): void => {
    differenceMs = differenceOf(theirs, sentAt, clock.now());
    if (isApart()) {
      if (saidMs !== null && Math.abs(saidMs - differenceMs) < MOVED_MS) return;
      saidMs = differenceMs;
      log('warn', words(provider, differenceMs));
    } else if (saidMs !== null) {
      saidMs = null;
      log('info', `Clock of provider "${provider.id}" agrees with this machine's again`);
    }
  };

  return {
    problem,
    hasHeard: () => differenceMs !== null,
    over: (fetch) => async (url, init) => {
      const sentAt = clock.now();
      const response = await fetch(url, init);
      const issuedAt = init?.method === 'POST' ? issuedAtOf(response) : null;
      if (issuedAt !== null) hasToken = true;
      const theirs = issuedAt ?? (hasToken ? null : dateOf(response.headers));
      if (theirs !== null) learn(theirs, sentAt);
      return response;
    },
  };
}

/** The least that explains it: they looked at their clock at some time between our question and their answer. */
function differenceOf(theirs: number, sentAt: number, receivedAt: number): number {
  const [least, most] = [theirs - receivedAt, theirs + RESOLUTION_MS - sentAt];
  if (least > 0) return least;
  return most < 0 ? most : 0;
}

/** Of an ID token in the answer. Nothing is verified: it came from the provider by its own connection. */
function issuedAtOf(response: ProviderAnswer): number | null {
  if (response.status !== 200 || Number(response.headers.get('content-length') ?? 0) > MAX_ANSWER) return null;
  try {
    const { id_token: token } = JSON.parse(response.read) as { id_token?: unknown };
    const { iat } = decodeJwt(String(token));
    return typeof iat === 'number' ? iat * 1_000 : null;
  } catch {
    return null;
  }
}

/** A cache says by `Age` how long ago that was (RFC 9111 section 5.1). */
function dateOf(headers: Headers): number | null {
  const date = Date.parse(headers.get('date') ?? '');
  const age = Number(headers.get('age') ?? 0);
  return Number.isNaN(date) || !(age >= 0) ? null : date + age * 1_000;
}

function words({ id, clockToleranceMs }: ClockWatchDeps['provider'], differenceMs: number): string {
  const side = differenceMs > 0 ? 'ahead of' : 'behind';
  const tolerance = Math.round(clockToleranceMs / 1_000);
  const remedy = `set both by NTP, or raise "clock_tolerance" of "providers.${id}", which bears ${tolerance} s`;
  return `Clock of provider "${id}" is about ${about(Math.abs(differenceMs))} ${side} this machine's; ${remedy}`;
}

function about(ms: number): string {
  if (ms < 100_000) return `${Math.round(ms / 1_000)} s`;
  return ms < 100 * 60_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`;
}

/** A refusal that a clock may be the reason of. */
const TIMES_SAID = /"(?:exp|nbf|iat)"|too old/;

/** Times of a token are looked at by our clock: where it is off, that is what the log has to say. */
export function withClocks<T extends object>(watch: ClockWatch, answer: T): T {
  const apart = watch.problem();
  const message = 'message' in answer ? String(answer.message) : '';
  return apart === null || !TIMES_SAID.test(message) ? answer : { ...answer, message: `${message}; ${apart}` };
}
