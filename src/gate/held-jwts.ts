/**
 * The access tokens that this worker has seen, by key, so that each can be verified again later: what is
 * known of one holds until then, and ends when the provider's key is gone. Bounded; never logged.
 */
import type { BearerAnswer, FindToken, VerifyBearer } from './ports.ts';

const MOST = 10_000;
/** Of those that nobody has vouched for yet. */
const MOST_NEW = 1_000;
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
  const good = new Map<string, HeldJwt>();
  /** Whoever makes tokens up pushes out no others than these, whether or not there was time to look at them. */
  const fresh = new Map<string, HeldJwt>();
  return {
    hold(jwt) {
      if (!good.has(jwt.key) && !fresh.has(jwt.key)) put(fresh, jwt, MOST_NEW);
    },
    find(key) {
      if (!KEY.test(key)) return findToken(key);
      const jwt = good.get(key) ?? fresh.get(key);
      // Pushed out by others: nothing is known of it, and nobody is refused for that.
      if (jwt === undefined) return Promise.resolve({ kind: 'unavailable' });
      return verify(jwt.provider, jwt.token).then((answer) => {
        if (answer.kind === 'absent') good.delete(key);
        if (answer.kind !== 'unavailable' && fresh.delete(key) && answer.kind === 'found') put(good, jwt, MOST);
        return answer;
      });
    },
    clear() {
      const keys = [...good.keys(), ...fresh.keys()];
      good.clear();
      fresh.clear();
      return keys;
    },
  };
}

/** In place of the oldest where there are so many. */
function put(held: Map<string, HeldJwt>, jwt: HeldJwt, most: number): void {
  if (held.size >= most) held.delete(held.keys().next().value as string);
  held.set(jwt.key, jwt);
}
