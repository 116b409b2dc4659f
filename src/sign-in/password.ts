/**
 * Checks a name and a password. Unknown names take the same steps and get the same words as wrong
 * passwords. Whoever tries too often waits; a full hash queue is said, never waited for.
 */
import { canonicaliseName } from '../session/account-name.ts';
import type { SignInAccount, SignInDeps } from './ports.ts';

export const MAX_PASSWORD_BYTES = 1_000;
/** Attempts on names that nobody can have are counted together. */
const NO_NAME = '?';
const BUSY_RETRY_SECONDS = 3;

export type PasswordAnswer =
  /** `verified`: the hash that fits, as it is stored now. */
  | { readonly kind: 'ok'; readonly account: SignInAccount; readonly verified: string }
  | { readonly kind: 'wrong' | 'disabled'; readonly name: string | null }
  | { readonly kind: 'wait' | 'busy'; readonly name: string | null; readonly seconds: number };

export async function checkPassword(
  deps: SignInDeps,
  typed: string,
  password: string,
  ip: string | null,
): Promise<PasswordAnswer> {
  const name = canonicaliseName(typed);
  const counter = name ?? NO_NAME;
  const attempt = deps.attempts.begin(counter, ip);
  if (attempt.kind === 'wait')
    return { kind: 'wait', name, seconds: Math.max(1, Math.ceil(attempt.retryAfterMs / 1_000)) };
  const account = await lookUp(deps, name, counter, ip);
  // A password longer than any that can be set is wrong, at the same cost.
  const isPossible = Buffer.byteLength(password) <= MAX_PASSWORD_BYTES;
  const stored = isPossible ? (account?.passwordHash ?? null) : null;
  const verdict = await deps.hashPool.verify(stored, isPossible ? password : '', ip ?? 'unknown');
  if (verdict === 'busy') {
    deps.attempts.cancel(counter, ip);
    return { kind: 'busy', name, seconds: BUSY_RETRY_SECONDS };
  }
  if (verdict !== 'ok' || account === null || stored === null) return { kind: 'wrong', name };
  deps.attempts.succeed(counter, ip);
  if (account.disabled) return { kind: 'disabled', name };
  return { kind: 'ok', account, verified: await strengthen(deps, { account, stored, password, ip }) };
}

async function lookUp(
  deps: SignInDeps,
  name: string | null,
  counter: string,
  ip: string | null,
): Promise<SignInAccount | null> {
  try {
    return name === null ? null : await deps.accounts.findByName(name);
  } catch (error) {
    deps.attempts.cancel(counter, ip);
    throw error;
  }
}

interface Proof {
  readonly account: SignInAccount;
  readonly stored: string;
  readonly password: string;
  readonly ip: string | null;
}

/** A hash that came from elsewhere (bcrypt) becomes our own kind at the first sign-in. Answers the one that is stored now. */
async function strengthen(deps: SignInDeps, { account, stored, password, ip }: Proof): Promise<string> {
  if (stored.startsWith('$argon2id$')) return stored;
  const made = await deps.hashPool.hash(password, ip ?? 'unknown');
  if (made.kind !== 'hash') return stored;
  return (await deps.accounts.rehash(account.subject, stored, made.hash)) ? made.hash : stored;
}
