/**
 * Which sessions there are in Redis, of whom, and of which session at the provider: sorted sets of session keys by the end
 * of each session, which end by themselves. A session is written after its places in them, so that a crash in between
 * leaves no session that cannot be ended; what they name and is not there is passed over. Each set is one key
 * and each command about one, as clusters want it. Names of sets are keyed hashes: Redis learns of nobody.
 */
import { createHmac } from 'node:crypto';
import { PosternError } from '../../core/errors.ts';
import { isForbidden, reasonOf } from './redis-trouble.ts';
import type { Clock } from '../../core/clock.ts';
import type { SealKey } from '../../session/seal.ts';
import type { Commands, RedisLink } from './redis-link.ts';

/** Clocks of replicas differ a little. */
const SLACK_MS = 60_000;
/** Lists are for people to read. */
const LIST_LIMIT = 10_000;

/** A place in a set, and the set lasts as long as the last session in it. */
const ADD = `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
return redis.call('PEXPIRE', KEYS[1], string.format('%.0f', tonumber(last[2]) - ARGV[1] + ARGV[4]))`;

/** A set that sessions are in. */
export type IndexName =
  | { readonly of: 'all' }
  | { readonly of: 'subject' | 'provider-session' | 'unnamed'; readonly provider: string; readonly value: string };

export interface RedisIndexDeps {
  readonly link: RedisLink;
  readonly sealKey: SealKey;
  readonly clock: Clock;
  readonly prefix: string;
  /** The rights of the user in Redis do not go so far; said once. */
  readonly onForbidden: (reason: string) => void;
}

export class RedisIndex {
  readonly #deps: RedisIndexDeps;
  #isForbidden = false;

  constructor(deps: RedisIndexDeps) {
    this.#deps = deps;
  }

  /** Resolves when the session is in each of these; where that is forbidden, too. */
  async add(key: string, names: readonly IndexName[], expiresAt: number): Promise<void> {
    const now = this.#deps.clock.now();
    await Promise.all(
      names.map((name) => this.#run((redis) => redis.eval(ADD, 1, this.#nameOf(name), now, expiresAt, key, SLACK_MS))),
    );
  }

  /** Those that end last come first. */
  async keys(name: IndexName): Promise<readonly string[]> {
    const now = this.#deps.clock.now();
    const answer = await this.#run((redis) =>
      redis.zrevrangebyscore(this.#nameOf(name), '+inf', `(${now}`, 'LIMIT', 0, LIST_LIMIT),
    );
    if (answer !== null && !this.#isForbidden) return answer;
    const remedy = 'allow it (docs/forward-auth/sessions.md), start Postern again, and have people sign in anew';
    throw new PosternError('STORE_UNAVAILABLE', `Cannot find sessions in Redis: it forbids to index them; ${remedy}`);
  }

  async remove(name: IndexName, keys: readonly string[]): Promise<void> {
    if (keys.length > 0) await this.#run((redis) => redis.zrem(this.#nameOf(name), ...keys));
  }

  /** Null: it is forbidden. */
  #run<T>(command: (redis: Commands) => Promise<T>): Promise<T | null> {
    return this.#deps.link.run((redis) => command(redis).catch((error: unknown) => this.#allowForbidden(error)));
  }

  #allowForbidden(error: unknown): null {
    if (!isForbidden(error)) throw error;
    if (!this.#isForbidden) this.#deps.onForbidden(reasonOf(error));
    this.#isForbidden = true;
    return null;
  }

  #nameOf(name: IndexName): string {
    const { sealKey, prefix } = this.#deps;
    const text = JSON.stringify(name.of === 'all' ? ['all'] : [name.of, name.provider, name.value]);
    const mac = createHmac('sha256', sealKey.secret).update(`forward-auth index ${text}`).digest('base64url');
    return `${prefix}-index-${mac}`;
  }
}
