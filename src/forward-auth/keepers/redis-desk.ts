/** `postern sessions` where sessions are in Redis: those of all replicas, and what is ended here ends at all of them. */
import { ANY_HOST } from './session-desk.ts';
import type { Person } from '../../core/person.ts';
import type { IndexName, RedisIndex } from './redis-index.ts';
import type { ListedSession, SessionDesk } from './session-desk.ts';

/** So many questions wait for Redis at a time. */
const PAGE = 200;

/** Who a session is of. */
export interface Card {
  readonly person: Person;
  readonly createdAt: number;
  readonly expiresAt: number;
}

export interface RedisDeskDeps {
  readonly index: Pick<RedisIndex, 'keys' | 'remove'>;
  /** False: there was none. */
  readonly remove: (key: string) => Promise<boolean>;
  readonly read: (key: string) => Promise<Card | null>;
}

export function createRedisDesk({ index, remove, read }: RedisDeskDeps): SessionDesk {
  const revokeAll = async (name: IndexName): Promise<number> => {
    const keys = await index.keys(name);
    const removed = await inPages(keys, remove);
    // Last: a crash before it leaves places of what is gone, never a session without one.
    await Promise.all([index.remove(name, keys), index.remove({ of: 'all' }, keys)]);
    return removed.filter(Boolean).length;
  };
  return {
    async list() {
      const keys = await index.keys({ of: 'all' });
      const cards = await inPages(keys, read);
      const lines = keys.flatMap((key, i) => listed(key, cards[i] ?? null));
      return lines.sort((one, other) => other.createdAt - one.createdAt);
    },
    async revoke(key) {
      const isThere = await remove(key);
      await index.remove({ of: 'all' }, [key]);
      return isThere ? 1 : 0;
    },
    revokeByPerson: (provider, subject) => revokeAll({ of: 'subject', provider, value: subject }),
    revokeByProviderSession: (provider, id) => revokeAll({ of: 'provider-session', provider, value: id }),
    revokeUnnamed: (provider, subject) => revokeAll({ of: 'unnamed', provider, value: subject }),
    revokeUnseen: null,
  };
}

function listed(key: string, card: Card | null): ListedSession[] {
  return card === null ? [] : [{ ...card, key, lastSeenAt: null, hosts: [ANY_HOST] }];
}

async function inPages<T>(keys: readonly string[], ask: (key: string) => Promise<T>): Promise<readonly T[]> {
  const answers: T[] = [];
  for (let i = 0; i < keys.length; i += PAGE) answers.push(...(await Promise.all(keys.slice(i, i + PAGE).map(ask))));
  return answers;
}
