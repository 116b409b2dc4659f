/**
 * Logout tokens that any replica has heard, for as long as a session that they are about may still be on its way to be
 * opened. Each name of a token is one key, and so is their count; names are keyed hashes: Redis learns of nobody.
 */
import { createHmac } from 'node:crypto';
import { counts, namesOfLogout, namesOfOpening } from '../../sign-in/heard-logouts.ts';
import { FLOW_LIFETIME_MS } from '../../sign-in/flow.ts';
import type { Clock } from '../../core/clock.ts';
import type { SealKey } from '../../session/seal.ts';
import type { LogoutEntry, LogoutName } from '../../sign-in/heard-logouts.ts';
import type { LogoutMemory } from '../ports.ts';
import type { RedisLink } from './redis-link.ts';

/** Clocks of replicas differ a little. */
const SLACK_MS = 60_000;
/** So that there is a count while there is a token of it. */
const COUNT_MS = 2 * FLOW_LIFETIME_MS;

/** The next number, above those of a count that is gone. */
const NEXT = `
local number = string.format('%.0f', math.max(tonumber(redis.call('GET', KEYS[1]) or 0), tonumber(ARGV[1])) + 1)
redis.call('SET', KEYS[1], number, 'PX', ARGV[2])
return number`;

/** Tokens may come in another order than they were made in, and numbers in another than they were given in. */
const NOTE = `
local number, issued = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) %d+ (%d+)$')
local function last(before, now) return string.format('%.0f', math.max(tonumber(before or 0), tonumber(now))) end
local entry = last(number, ARGV[1]) .. ' ' .. ARGV[2] .. ' ' .. last(issued, ARGV[3])
return redis.call('SET', KEYS[1], entry, 'PX', ARGV[4])`;

export interface RedisLogoutsDeps {
  readonly link: RedisLink;
  readonly sealKey: SealKey;
  readonly clock: Clock;
  readonly prefix: string;
}

export function createRedisLogouts({ link, sealKey, clock, prefix }: RedisLogoutsDeps): LogoutMemory {
  const countName = `${prefix}-logouts`;
  const nameOf = (name: LogoutName): string => {
    const mac = createHmac('sha256', sealKey.secret).update(`forward-auth logout ${JSON.stringify(name)}`);
    return `${prefix}-logout-${mac.digest('base64url')}`;
  };
  return {
    count: async () => Number((await link.run((redis) => redis.get(countName))) ?? 0),
    async hear(logout) {
      const now = clock.now();
      const number = await link.run((redis) => redis.eval(NEXT, 1, countName, now, COUNT_MS));
      const facts = [Number(number), now, logout.issuedAt, FLOW_LIFETIME_MS];
      await Promise.all(
        namesOfLogout(logout).map((name) => link.run((redis) => redis.eval(NOTE, 1, nameOf(name), ...facts))),
      );
    },
    async cover(opening) {
      const kept = await Promise.all(
        namesOfOpening(opening).map((name) => link.run((redis) => redis.get(nameOf(name)))),
      );
      return kept.some((text) => {
        const entry = text === null ? null : readEntry(text);
        return entry !== null && counts(entry, opening, clock.now() + SLACK_MS);
      });
    },
  };
}

function readEntry(text: string): LogoutEntry | null {
  const [, number, heardAt, issuedAt] = /^(\d+) (\d+) (\d+)$/.exec(text) ?? [];
  if (number === undefined) return null;
  return { number: Number(number), heardAt: Number(heardAt), issuedAt: Number(issuedAt) };
}
