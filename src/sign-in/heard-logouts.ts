/**
 * Logout tokens of the last minutes. One may overtake the session that it is about: the provider has given its tokens
 * out, and the session is not there yet. Whoever opens one looks here once it is written; whoever hears a token notes
 * it before sessions are ended: one of the two finds the other. A restart forgets them: what it interrupts opens no
 * session, and a provider that ended its own gives nothing for a code of it.
 */
import type { Clock } from '../core/clock.ts';
import { FLOW_LIFETIME_MS } from './flow.ts';

/** Only the provider makes them, and each ends somebody's session. */
const MOST = 50_000;

/** What a session is bound to besides the id, in case that it means another issuer by now. */
interface Vouching {
  readonly id: string;
  readonly authority: string;
}

export interface HeardLogout {
  readonly subject: string | null;
  readonly providerSession: string | null;
  /** By the provider's clock. */
  readonly issuedAt: number;
}

/** A session that was opened a moment ago. */
export interface Opening {
  readonly subject: string;
  readonly providerSession: string | null;
  /** When the person was sent to the provider. */
  readonly startedAt: number;
  /** What `count` was before the provider was asked for tokens. */
  readonly heardBefore: number;
  /** When the person signed in there, by its clock; null: not said. */
  readonly authTime: number | null;
}

export interface HeardLogouts {
  /** How many were heard: grows. */
  readonly count: number;
  readonly hear: (provider: Vouching, logout: HeardLogout) => void;
  /** Whether the provider has ended what the session stands on. */
  readonly cover: (provider: Vouching, opening: Opening) => boolean;
}

/** What is remembered of a token. */
export interface LogoutEntry {
  /** What `count` was then. */
  readonly number: number;
  readonly heardAt: number;
  readonly issuedAt: number;
}

/** What a token says of a session, and a session may be meant by. */
export type LogoutName = readonly [what: 'subject' | 'session' | 'unnamed', value: string];

export function createHeardLogouts(clock: Clock): HeardLogouts {
  /** Oldest first. */
  const heard = new Map<string, LogoutEntry>();
  let count = 0;
  return {
    get count() {
      return count;
    },
    hear(provider, logout) {
      const now = clock.now();
      count++;
      for (const name of namesOfLogout(logout)) {
        const key = keyOf(provider, name);
        // They may come in another order than they were made in.
        const issuedAt = Math.max(logout.issuedAt, heard.get(key)?.issuedAt ?? 0);
        heard.delete(key);
        heard.set(key, { number: count, heardAt: now, issuedAt });
      }
      for (const [key, { heardAt }] of heard) {
        if (now - heardAt < FLOW_LIFETIME_MS && heard.size <= MOST) break;
        heard.delete(key);
      }
    },
    cover(provider, opening) {
      return namesOfOpening(opening).some((name) => {
        const entry = heard.get(keyOf(provider, name));
        return entry !== undefined && counts(entry, opening, clock.now());
      });
    },
  };
}

/**
 * Heard while the tokens were on their way: it counts, whatever clocks say. Heard before, while the person was at the
 * provider: not where they signed in there after it. Before that: the provider knew of it when it gave a new code. So it is
 * taken to be where the clock was set back since: else nobody of those would come in until it has caught up.
 */
export function counts({ number, heardAt, issuedAt }: LogoutEntry, opening: Opening, now: number): boolean {
  const { heardBefore, startedAt, authTime } = opening;
  if (number > heardBefore) return true;
  if (heardAt > now) return false;
  return heardAt > startedAt && (authTime === null || authTime <= issuedAt);
}

export function namesOfLogout({ providerSession, subject }: HeardLogout): readonly LogoutName[] {
  if (providerSession === null) return subject === null ? [] : [['subject', subject]];
  const named: LogoutName = ['session', providerSession];
  return subject === null ? [named] : [named, ['unnamed', subject]];
}

/** As with those that are there: where the provider did not say a `sid`, any may be meant. */
export function namesOfOpening({ providerSession, subject }: Opening): readonly LogoutName[] {
  return [['subject', subject], providerSession === null ? ['unnamed', subject] : ['session', providerSession]];
}

function keyOf({ id, authority }: Vouching, name: LogoutName): string {
  return JSON.stringify([id, authority, ...name]);
}
