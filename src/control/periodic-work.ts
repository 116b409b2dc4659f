/** What a running gateway does by the clock: ends idle sessions, renews grants and keys. A failure is told and tried again. */
import { randomBytes } from 'node:crypto';
import type { Logger } from '../core/log.ts';

/** Idle expiry reaches open tunnels this way; costs nothing when nothing is due. */
const SWEEP_MS = 2_000;
const REFRESH_MS = 1_000;
const TICKET_KEYS_MS = 6 * 3_600_000;
export const TICKET_KEYS_BYTES = 48;
const ASSERTION_KEYS_MS = 3_600_000;

export interface PeriodicWork {
  readonly log: Pick<Logger, 'error'>;
  readonly sessions: { readonly sweep: () => Promise<unknown> };
  readonly refresher: { readonly tick: () => Promise<unknown> };
  readonly assertionKeys: { readonly tick: () => Promise<unknown> };
  readonly pool: { readonly replaceTicketKeys: (keys: Uint8Array) => void };
}

export function sweepFailed(log: Pick<Logger, 'error'>): (error: unknown) => void {
  return (error) => log.error({ code: 'STORE_UNAVAILABLE', err: error }, 'Cannot sweep expired sessions');
}

/** Answers what stops it. */
export function startPeriodicWork({ log, sessions, refresher, assertionKeys, pool }: PeriodicWork): () => void {
  const tellOf =
    (message: string) =>
    (error: unknown): void =>
      log.error({ code: 'STORE_UNAVAILABLE', err: error }, message);
  const renewing = tellOf('Cannot look for grants to renew');
  const sweeping = sweepFailed(log);
  const signing = tellOf('Cannot look after signing keys');
  const timers = [
    setInterval(() => void refresher.tick().catch(renewing), REFRESH_MS),
    setInterval(() => void sessions.sweep().catch(sweeping), SWEEP_MS),
    setInterval(() => void assertionKeys.tick().catch(signing), ASSERTION_KEYS_MS),
    setInterval(() => pool.replaceTicketKeys(randomBytes(TICKET_KEYS_BYTES)), TICKET_KEYS_MS),
  ];
  return () => {
    for (const timer of timers) clearInterval(timer);
  };
}
