/**
 * Passwords of the htpasswd file, for the form and for Basic credentials. bcrypt runs in the hash threads, a
 * right password is remembered for a while under a keyed hash, and an unknown name costs what a known one
 * does. Guessing is slowed down by account and by address; nobody is locked out for good.
 */
import { hash, timingSafeEqual } from 'node:crypto';
import { createBasicVerifier } from '../../gate/basic.ts';
import { createAttempts } from '../../session/attempts.ts';
import { createServicePasswords } from '../../session/service-passwords.ts';
import { NO_SESSION } from '../auth-session.ts';
import { openHtpasswdFile, SHA_PREFIX } from './htpasswd-file.ts';
import type { BasicAnswer } from '../../gate/basic.ts';
import type { Clock } from '../../core/clock.ts';
import type { HashPool } from '../../session/hash-pool.ts';
import type { AuthSession } from '../auth-session.ts';
import type { HtpasswdEvents } from './htpasswd-file.ts';
import type { HtpasswdSettings } from '../settings.ts';

export interface Htpasswd {
  /** Of each request. `ip`: the visitor's, null where it is not known. `busy`: nothing was checked. */
  readonly verify: (name: string, password: string, ip: string | null) => BasicAnswer | Promise<BasicAnswer>;
  /** The same, for whoever slows guesses down by itself: nothing is counted or remembered. */
  readonly check: (name: string, password: string, ip: string | null) => Promise<BasicAnswer>;
  /** False once the name is gone from the file. */
  readonly has: (name: string) => boolean;
  /** Who it is that gave the right password. The same object for the same name. */
  readonly sessionOf: (name: string) => AuthSession;
  readonly showsForm: boolean;
  readonly close: () => void;
}

export interface HtpasswdDeps extends HtpasswdEvents {
  readonly pool: Pick<HashPool, 'verify'>;
  readonly clock: Clock;
}

export function createHtpasswd(settings: HtpasswdSettings, deps: HtpasswdDeps): Htpasswd {
  const { clock, pool } = deps;
  const file = openHtpasswdFile(settings.file, deps);
  const attempts = createAttempts({ clock });
  const sessions = new Map<string, AuthSession>();
  const compare = createServicePasswords({ pool: { verify: verifyWith(pool) }, services: file.entries });
  const basic = createBasicVerifier({
    clock,
    serviceVersion: (name) => file.entries().get(name)?.join(' ') ?? null,
    async verifyPassword(name, password, peer) {
      const ip = peer === '' ? null : peer;
      if (attempts.begin(name, ip).kind === 'wait') return 'busy';
      const answer = await compare(name, password, peer);
      if (answer === 'ok') attempts.succeed(name, ip);
      else if (answer === 'busy') attempts.cancel(name, ip);
      return answer;
    },
  });
  return {
    verify: (name, password, ip) => basic.verify({ name, password }, ip ?? ''),
    check: (name, password, ip) => compare(name, password, ip ?? ''),
    has: (name) => file.entries().has(name),
    sessionOf(name) {
      let session = sessions.get(name);
      if (session === undefined) {
        const email = settings.namesAreEmails ? name : '';
        session = {
          ...NO_SESSION,
          createdAt: clock.now(),
          user: name,
          email,
          groups: settings.groups,
          via: 'htpasswd',
        };
        sessions.set(name, session);
      }
      return session;
    },
    showsForm: settings.showsForm,
    close: () => file.close(),
  };
}

/** `{SHA}` is quick to check and quick to guess, as with the original: bcrypt is what a new file should hold. */
function verifyWith(pool: Pick<HashPool, 'verify'>): HashPool['verify'] {
  return (stored, password, peer) => {
    if (stored === null || !stored.startsWith(SHA_PREFIX)) return pool.verify(stored, password, peer);
    const wanted = Buffer.from(stored.slice(SHA_PREFIX.length), 'base64');
    return Promise.resolve(timingSafeEqual(hash('sha1', password, 'buffer'), wanted) ? 'ok' : 'wrong');
  };
}
