/**
 * Basic credentials of machines (RFC 7617). A right one is remembered under a keyed hash that holds
 * the version of the service's hashes, so a changed document forgets it; passwords are not kept.
 * A wrong one is just wrong: nothing else of the request is tried in its place.
 */
import { hash, randomBytes } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import type { VerifyPassword } from './ports.ts';

const REMEMBER_MS = 10 * 60_000;
const MAX_REMEMBERED = 2_000;
const MAX_CREDENTIAL = 2_048;
const SCHEME = /^basic(?: +|$)/i;
const TOKEN68 = /^[A-Za-z0-9+/]+={0,2}$/;

export type BasicAnswer = 'ok' | 'wrong' | 'busy';

export interface BasicCredential {
  readonly name: string;
  readonly password: string;
}

/** Null where it is not name, colon, password in base64 of valid UTF-8. */
export function parseBasic(value: string): BasicCredential | null {
  const found = decodeBasic(value);
  return found === null || found.name === '' ? null : found;
}

/** The same, and the name may be empty: a token needs none beside it. */
export function decodeBasic(value: string): BasicCredential | null {
  const text = value.replace(SCHEME, '').trim();
  if (text.length > MAX_CREDENTIAL || !TOKEN68.test(text)) return null;
  const bytes = Buffer.from(text, 'base64');
  const pair = bytes.toString('utf8');
  const colon = pair.indexOf(':');
  if (colon === -1 || pair.includes('\u0000') || !Buffer.from(pair, 'utf8').equals(bytes)) return null;
  return { name: pair.slice(0, colon), password: pair.slice(colon + 1) };
}

/**
 * Its bytes, one a character, however it is written: for finding what an app must not see. `isWhole`: it is base64 as it
 * should be, so what stands in it may count.
 */
export function bytesOfBasic(value: string): { readonly text: string; readonly isWhole: boolean } {
  const text = value.replace(/^basic[ \t]*/i, '').trim();
  const isWhole = SCHEME.test(value) && text.length <= MAX_CREDENTIAL && TOKEN68.test(text);
  return { text: Buffer.from(text, 'base64').toString('latin1'), isWhole };
}

export interface BasicDeps {
  readonly verifyPassword: VerifyPassword;
  readonly clock: Clock;
  /** Changes whenever the hashes of the service do; null where there is no such service. */
  readonly serviceVersion: (service: string) => string | null;
}

export interface BasicVerifier {
  verify(credential: BasicCredential, peer: string): BasicAnswer | Promise<BasicAnswer>;
}

export function createBasicVerifier(deps: BasicDeps): BasicVerifier {
  const secret = randomBytes(32).toString('hex');
  /** Keyed hash -> until when; oldest first. */
  const remembered = new Map<string, number>();
  const flights = new Map<string, Promise<BasicAnswer>>();

  function keyOf({ name, password }: BasicCredential, version: string): string {
    // Lengths first: no two credentials may share a key. The secret goes before, which is as good as an HMAC where
    // nobody sees what comes out, and a tenth of its price; made anew for each request, an HMAC cost as much as the request.
    return hash('sha256', `${secret}${version.length}:${version}${name.length}:${name}${password}`, 'base64url');
  }

  async function ask(key: string, credential: BasicCredential, peer: string): Promise<BasicAnswer> {
    try {
      const version = deps.serviceVersion(credential.name);
      const answer = await deps.verifyPassword(credential.name, credential.password, peer);
      if (answer !== 'ok') return answer;
      // The document may have changed under the check: an answer of old hashes is not an answer.
      if (version === null || deps.serviceVersion(credential.name) !== version) return 'busy';
      remembered.delete(key);
      remembered.set(key, deps.clock.now() + REMEMBER_MS);
      if (remembered.size > MAX_REMEMBERED) remembered.delete(remembered.keys().next().value as string);
      return 'ok';
    } catch {
      return 'busy';
    } finally {
      flights.delete(key);
    }
  }

  return {
    verify(credential, peer) {
      const version = deps.serviceVersion(credential.name);
      const key = keyOf(credential, version ?? '');
      const until = remembered.get(key);
      if (until !== undefined && version !== null && deps.clock.now() < until) return 'ok';
      let flight = flights.get(key);
      if (flight === undefined) {
        flight = ask(key, credential, peer);
        flights.set(key, flight);
      }
      return flight;
    },
  };
}
