/**
 * When a certificate is renewed and when a failed order is tried again. Pure: the same certificate and the
 * same answer of the CA give the same time, also after a restart.
 */
import { createHash } from 'node:crypto';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const SHORT_LIFE_MS = 10 * DAY;
/** Spread of the renewals of certificates that were issued at once, as a part of their life. */
const SPREAD = 0.05;
/** So near to the end nobody waits for what the CA would like. */
const EMERGENCY = 1 / 20;
const IN_A_WINDOW = 3;
const RETRIES_MS = [1, 2, 5, 10, 20, 30, 60, 120, 180, 360].map((minutes) => minutes * MINUTE);
/**
 * Let's Encrypt takes five failed validations of a name in an hour, and one round may fail by two challenges. Who is
 * refused for more is told of the limit, and no longer of what is wrong.
 */
const VALIDATIONS_MS = [1, 12, 24, 48, 120, 180, 360].map((minutes) => minutes * MINUTE);
const ASK_EVERY_MS = 6 * HOUR;
const ASK_SOONEST_MS = 10 * MINUTE;
const ASK_LATEST_MS = DAY;

export interface Life {
  readonly id: string;
  readonly notBefore: number;
  readonly notAfter: number;
  /** By the clock of this machine. */
  readonly issuedAt: number;
}

/** What the CA said about a renewal (RFC 9773), and what came of it. */
export interface RenewalAdvice {
  readonly start: number;
  readonly end: number;
  /** Uniformly random in the window, chosen once for each window (section 4.2). */
  readonly chosenAt: number;
  readonly explanation: string | null;
}

export function renewalTime({ id, notBefore, notAfter, issuedAt }: Life, advice: RenewalAdvice | null): number {
  const life = notAfter - notBefore;
  const latest = notAfter - life * EMERGENCY;
  if (advice !== null) return Math.min(advice.chosenAt, latest);
  const part = life < SHORT_LIFE_MS ? 1 / 2 : 2 / 3;
  const usual = notBefore + life * (part - SPREAD * fractionOf(id));
  // A clock that runs two months ahead would renew what came just now.
  return Math.max(usual, Math.min(issuedAt + life * EMERGENCY, latest));
}

/**
 * What came a moment ago is not renewed again, and again, where the clock runs ahead or a CA says "now" of whatever it
 * issues: three by the schedule in a day, or in a tenth of a shorter life. `issuedAt`: of those, the newest last.
 */
export function brakeUntil(
  { notBefore, notAfter }: Pick<Life, 'notBefore' | 'notAfter'>,
  issuedAt: readonly number[],
  now: number,
): number {
  const window = Math.min(DAY, (notAfter - notBefore) / 10);
  const third = issuedAt.at(-IN_A_WINDOW);
  // A clock that was set back must not make it last.
  return third === undefined ? 0 : Math.min(third, now) + window;
}

/** The advice for a window: a time that was chosen stays while the window stays. */
export function adviceFor(
  window: { readonly start: number; readonly end: number; readonly explanation: string | null },
  before: RenewalAdvice | null,
  random: () => number,
): RenewalAdvice {
  const { start, end, explanation } = window;
  if (before !== null && before.start === start && before.end === end) return { ...before, explanation };
  return { start, end, explanation, chosenAt: Math.round(start + random() * (end - start)) };
}

/** When to ask the CA again; it may wish so, within limits (section 4.3). */
export function askAgainTime(now: number, wished: number | null): number {
  const wait = wished === null ? ASK_EVERY_MS : wished - now;
  return now + Math.min(Math.max(wait, ASK_SOONEST_MS), ASK_LATEST_MS);
}

/** Longer with each failure, and never all at the same moment. */
// oxlint-disable-next-line max-params -- what there was, and the dice
export function retryTime(now: number, failures: number, random: () => number, isValidation = false): number {
  const pauses = isValidation ? VALIDATIONS_MS : RETRIES_MS;
  const base = pauses[Math.min(Math.max(failures, 1), pauses.length) - 1] ?? HOUR;
  return Math.round(now + base * (0.8 + 0.4 * random()));
}

/** From 0 to 1, the same for the same certificate. */
function fractionOf(id: string): number {
  return createHash('sha256').update(id).digest().readUInt32BE(0) / 0xffff_ffff;
}
