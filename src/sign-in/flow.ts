/**
 * One sign-in on its way to a provider and back. All that finishing needs is sealed in a cookie of the
 * browser that began; the provider only sees `state`, whose first part names that cookie. So a callback
 * counts in one browser, for one provider, for ten minutes, once (RFC 9700 section 2.1).
 */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { addressBucket } from '../session/address-bucket.ts';
import { mintToken } from '../session/token.ts';
import { hostCookie, onlyCookie, purposeName, readCookies } from './cookies.ts';
import type { Context } from './context.ts';
import type { LongTickets, SignInSeal } from './ports.ts';

export const FLOW_LIFETIME_MS: number = 10 * 60_000;
/** Longer than it counts, so that whoever is late does not lose where they wanted to go. */
export const COOKIE_LIFETIME_MS: number = 20 * 60_000;
const PURPOSE = 'provider-flow';
const FLOW_ID = /^[a-z0-9]{7}[A-Za-z0-9_-]{8}$/;
/** Tabs of one browser that may be at a provider at the same time. */
const MAX_FLOWS = 6;
/**
 * Longer ones wait in the store. A browser that opens many tabs at once has the cookies of all of them at the same time, and a
 * request that is larger than the head may be (32 KiB) is refused until they have ended.
 */
export const SHORT_TICKET = 400;
/** Longer ones do not fit into a cookie at all: RFC 6265 section 6.1 promises 4096 bytes. */
export const MAX_TICKET = 2_000;

export interface Flow {
  readonly id: string;
  readonly provider: string;
  /** Whom the person was sent to (RFC 9700 section 4.4.2.2): after a reload the id may mean another. */
  readonly authority: string;
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
  readonly redirectUri: string;
  /** The ticket of the app that the person came from; null: the start page. */
  readonly ticket: string | null;
  /** How often the person went to show more than the session has shown, this time included; 0: an ordinary sign-in. */
  readonly stepUps: number;
  /** The session that only new tokens are fetched for: it goes on where they are of the same person. */
  readonly renews: string | null;
  readonly startedAt: number;
}

export function createFlow(
  context: Context,
  wish: Pick<Flow, 'provider' | 'authority' | 'redirectUri' | 'ticket' | 'stepUps' | 'renews'>,
): Flow {
  const id = newFlowId(context.now);
  return {
    ...wish,
    id,
    state: `${id}.${mintToken()}`,
    nonce: mintToken(),
    codeVerifier: randomBytes(48).toString('base64url'),
    startedAt: context.now,
  };
}

/** The flow's own cookie, and the removal of those that are too many. */
export function flowCookies(context: Context, flow: Flow): string[] {
  const { deps, url } = context;
  const { id, provider, authority, state, nonce, codeVerifier, redirectUri, ticket, stepUps, renews, startedAt } = flow;
  const sealed = deps.seal.seal(`${PURPOSE}/${id}`, [
    2,
    provider,
    authority,
    hashOf(state),
    nonce,
    codeVerifier,
    redirectUri,
    ticket,
    startedAt,
    stepUps,
    renews,
  ]);
  return [hostCookie(nameOf(context, id), sealed, url.isSecure, COOKIE_LIFETIME_MS), ...dropOld(context)];
}

export function dropFlow(context: Context, id: string): string {
  return hostCookie(nameOf(context, id), '', context.url.isSecure, 0);
}

export function flowIdOf(state: string): string | null {
  const id = state.split('.', 1)[0] ?? '';
  return state.length < 100 && FLOW_ID.test(id) ? id : null;
}

export type FoundFlow =
  | { readonly kind: 'flow'; readonly flow: Flow }
  /** It took too long. */
  | { readonly kind: 'stale'; readonly flow: Flow }
  /** Begun in another browser, or its cookie is gone. */
  | { readonly kind: 'missing' };

/** The flow that this browser began with exactly this state. */
export function findFlow(context: Context, state: string): FoundFlow {
  const id = flowIdOf(state);
  const sealed = id === null ? null : onlyCookie(context.request, nameOf(context, id));
  const flow = id === null || sealed === null ? null : openFlow(context.deps.seal, id, sealed, state);
  if (flow === null) return { kind: 'missing' };
  const age = context.now - flow.startedAt;
  return age >= 0 && age < FLOW_LIFETIME_MS ? { kind: 'flow', flow } : { kind: 'stale', flow };
}

function openFlow(seal: SignInSeal, id: string, sealed: string, state: string): Flow | null {
  const fields = seal.unseal(`${PURPOSE}/${id}`, sealed);
  if (!Array.isArray(fields) || fields.length !== 11 || fields[0] !== 2) return null;
  const [, provider, authority, stateHash, nonce, codeVerifier, redirectUri, ticket, startedAt, stepUps, renews] =
    fields as unknown[];
  const texts = [provider, authority, stateHash, nonce, codeVerifier, redirectUri];
  if (!texts.every((one) => typeof one === 'string') || typeof startedAt !== 'number') return null;
  if (typeof stepUps !== 'number') return null;
  if (ticket !== null && typeof ticket !== 'string') return null;
  if (renews !== null && typeof renews !== 'string') return null;
  if (!isSame(stateHash as string, hashOf(state))) return null;
  return {
    id,
    provider: provider as string,
    authority: authority as string,
    state,
    nonce: nonce as string,
    codeVerifier: codeVerifier as string,
    redirectUri: redirectUri as string,
    ticket,
    stepUps,
    renews,
    startedAt,
  };
}

const MOST_LONG_TICKETS = 2_000;
/** Of one address: nobody takes what others need. */
const LONG_TICKETS_SHARE = 200;

export function createLongTickets(): LongTickets {
  let kept: { readonly at: number; readonly address: string }[] = [];
  return {
    async keep(mint, ip, now) {
      kept = kept.filter(({ at }) => now - at < FLOW_LIFETIME_MS);
      const address = addressBucket(ip);
      const own = kept.filter((one) => one.address === address).length;
      if (kept.length >= MOST_LONG_TICKETS || own >= LONG_TICKETS_SHARE) return null;
      kept.push({ at: now, address });
      return mint();
    },
  };
}

function nameOf(context: Context, id: string): string {
  return purposeName(context.deps.instance, `f-${id}`, context.url.isSecure);
}

function dropOld(context: Context): string[] {
  const prefix = nameOf(context, '');
  const names = new Set(readCookies(context.request).flatMap(([name]) => (name.startsWith(prefix) ? [name] : [])));
  const flows = [...names].filter((name) => FLOW_ID.test(name.slice(prefix.length))).sort();
  return flows
    .slice(0, Math.max(0, flows.length - MAX_FLOWS + 1))
    .map((name) => hostCookie(name, '', context.url.isSecure, 0));
}

/** Sorts by time, so that the oldest go first. */
function newFlowId(now: number): string {
  const seconds = Math.floor(now / 1_000);
  return seconds.toString(36).padStart(7, '0').slice(-7) + mintToken().slice(0, 8);
}

function hashOf(state: string): string {
  return hash('sha256', `state/${state}`, 'base64url');
}

function isSame(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
