/**
 * One-time passwords of authenticator apps (RFC 6238, with the SHA-1, 6 digits and 30 s that every app
 * knows). A code counts in its own step and its two neighbours, and each step once: a code that was
 * watched over a shoulder is worth nothing.
 */
import { randomBytes } from 'node:crypto';

const STEP_MS = 30_000;
/** RFC 4226 section 4, requirement R6: 160 bits. */
const SECRET_BYTES = 20;
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

export interface TotpState {
  /** Base32, as people type it where they cannot scan. */
  readonly secret: string;
  /** The last step whose code was taken; -1: none. */
  readonly lastStep: number;
}

export function mintTotpSecret(): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of randomBytes(SECRET_BYTES)) {
    held = ((held << 8) | byte) & 0xffff;
    for (bits += 8; bits >= 5; bits -= 5) text += BASE32[(held >> (bits - 5)) & 31];
  }
  return text;
}

/** For the QR code: the key URI that authenticator apps read. */
export async function totpUri(secret: string, issuer: string, account: string): Promise<string> {
  const { TOTP } = await import('otpauth');
  return new TOTP({ secret, issuer, label: account }).toString();
}

/** The state after the code was taken; null where it is wrong, too old, or used already. */
export async function takeTotp(state: TotpState, typed: string, now: number): Promise<TotpState | null> {
  const token = typed.replaceAll(/[\s-]/g, '');
  if (!/^\d{6}$/.test(token)) return null;
  const { TOTP } = await import('otpauth');
  const delta = new TOTP({ secret: state.secret }).validate({ token, timestamp: now, window: 1 });
  if (delta === null) return null;
  const step = Math.floor(now / STEP_MS) + delta;
  return step > state.lastStep ? { ...state, lastStep: step } : null;
}
