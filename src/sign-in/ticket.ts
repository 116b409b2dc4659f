/**
 * The sealed ticket that an app host sends a visitor to the sign-in host with: which host, where to
 * return, the hash of the tab's nonce. A ticket that is too old still says where to begin again.
 */
import { hash } from 'node:crypto';
import { safeReturnPath, splitUrl } from './return-path.ts';
import type { SignInSeal } from './ports.ts';

export const TICKET_LIFETIME_MS: number = 15 * 60_000;
const PURPOSE = 'sign-in-ticket';
const MAX_LENGTH = 12_000;
const FLOW = /^[A-Za-z0-9_-]{6,32}$/;

export interface Ticket {
  readonly origin: string;
  readonly returnTo: string;
  /** Which nonce cookie of the app host belongs to it; null where one cookie serves the domain. */
  readonly flow: string | null;
  readonly nonceHash: string | null;
  readonly issuedAt: number;
  /** The visitor asked for another account. */
  readonly switchAccount: boolean;
}

export function hashNonce(nonce: string): string {
  return hash('sha256', `nonce/${nonce}`, 'base64url');
}

export function isFlowId(text: string): boolean {
  return FLOW.test(text);
}

export function sealTicket(seal: SignInSeal, ticket: Ticket): string {
  const { origin, returnTo, flow, nonceHash, issuedAt, switchAccount } = ticket;
  return seal.seal(PURPOSE, [1, origin, returnTo, flow, nonceHash, issuedAt, switchAccount ? 1 : 0]);
}

/** The ticket, its return path validated again; null for whatever is none of ours. */
export function openTicket(seal: SignInSeal, text: string): Ticket | null {
  if (text.length > MAX_LENGTH) return null;
  const fields = seal.unseal(PURPOSE, text);
  if (!Array.isArray(fields) || fields.length !== 7 || fields[0] !== 1) return null;
  const [, origin, returnTo, flow, nonceHash, issuedAt, switchAccount] = fields as unknown[];
  if (typeof origin !== 'string' || typeof returnTo !== 'string' || typeof issuedAt !== 'number') return null;
  if (splitUrl(origin).origin !== origin || safeReturnPath(returnTo, origin) === null) return null;
  const isBound = typeof flow === 'string' && typeof nonceHash === 'string' && isFlowId(flow);
  if (!isBound && (flow !== null || nonceHash !== null)) return null;
  return {
    origin,
    returnTo,
    flow: isBound ? flow : null,
    nonceHash: isBound ? nonceHash : null,
    issuedAt,
    switchAccount: switchAccount === 1,
  };
}

export function isFresh(ticket: Ticket, now: number): boolean {
  return now < ticket.issuedAt + TICKET_LIFETIME_MS && ticket.issuedAt <= now + 60_000;
}
