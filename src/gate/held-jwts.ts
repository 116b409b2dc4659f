/**
 * The access tokens that this worker has seen, by key, so that each can be verified again later: what is
 * known of one holds until then, and ends when the provider's key is gone. Bounded; never logged.
 */
import type { BearerAnswer, FindToken, VerifyBearer } from './ports.ts';

const MOST = 10_000;
const KEY = /^bearer:/;

export interface HeldJwt {
  readonly key: string;
  readonly provider: string;
  readonly token: string;
}

export interface HeldJwts {
  readonly hold: (jwt: HeldJwt) => void;
  /** Finds a bearer by key, whichever kind of token it came with. */
  readonly find: (key: string) => Promise<BearerAnswer>;
  /** Forgets all and answers their keys. */
  readonly clear: () => readonly string[];
}

export function createHeldJwts(verify: VerifyBearer, findToken: FindToken): HeldJwts {
  const held = new Map<string, HeldJwt>();
  return {
    hold(jwt) {
      if (held.has(jwt.key)) return;
      if (held.size >= MOST) held.delete(held.keys().next().value as string);
      held.set(jwt.key, jwt);
    },
    find(key) {
      if (!KEY.test(key)) return findToken(key);
      const jwt = held.get(key);
      // Pushed out by others: nothing is known of it, and nobody is refused for that.
      if (jwt === undefined) return Promise.resolve({ kind: 'unavailable' });
      return verify(jwt.provider, jwt.token).then((answer) => {
        // Whoever makes tokens up must not push out those that open connections ride on.
        if (answer.kind === 'absent') held.delete(key);
        return answer;
      });
    },
    clear() {
      const keys = [...held.keys()];
      held.clear();
      return keys;
    },
  };
}
