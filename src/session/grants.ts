/**
 * What providers gave for sign-ins: sealed tokens, renewed before they are too old. Sessions that nobody
 * uses are not renewed. Pinned and kept names: a login belongs to whom had it first.
 */
import { sealJson, unsealJson, type SealKey } from './seal.ts';
import type { Clock } from '../core/clock.ts';
import type { Person } from '../core/person.ts';
import type { SessionStore, StoredGrant, StoredSignIn } from '../core/session-store.ts';
import type { DueGrant, Grant, OpenedGrant } from './record.ts';
import type { Touches } from './touches.ts';

export interface Grants {
  /** The grant of a sign-in, undefined where there is none. */
  findGrant(key: string): Promise<unknown>;
  /** With whom it is of, to renew it now; null where there is none. */
  openGrant(key: string): Promise<DueGrant | null>;
  /** Grants of the provider to be renewed now, at most `limit`, without those that are being renewed. What nobody used since it was renewed is put off until somebody does. */
  dueGrants(provider: string, limit: number, except?: ReadonlySet<string>): Promise<readonly DueGrant[]>;
  /** Keeps a renewed grant; false where the sign-in is gone. */
  renewGrant(key: string, grant: Grant): Promise<boolean>;
  /** Looks at the grant again later; null: when the sign-in is used again. */
  deferGrant(key: string, refreshAt: number | null): Promise<void>;
  /** The clock was set back by so much: what was to be looked at later is not put off by it. */
  setGrantsBack(ms: number): Promise<void>;
  /** The subject that the name is pinned to from now on: whoever came first. */
  pinName(provider: string, name: string, subject: string): Promise<string>;
  findPinnedName(provider: string, subject: string): Promise<string | null>;
  /** The subject that alone may come under the name: whoever came first. It may have several, and is known by none of them for that. */
  keepName(provider: string, name: string, subject: string): Promise<string>;
  /** The same without taking it for anybody; null: nobody has come under it. */
  findKeptName(provider: string, name: string): Promise<string | null>;
  /** How many names a provider has of people, and at which server they are; "": where a number is all that is said. */
  countNames(): Promise<readonly NameCount[]>;
  /** Gives up both; false where it was neither. */
  unpinName(provider: string, name: string): Promise<boolean>;
}

export interface NameCount {
  readonly provider: string;
  readonly at: string;
  readonly names: number;
}

export interface GrantsDeps {
  readonly store: SessionStore;
  readonly clock: Clock;
  readonly sealKey: SealKey;
  /** Told after a renewed grant is durable, before its promise resolves. */
  readonly onRenewed: (key: string) => void;
  /** Another key for what providers gave; left out: the same. */
  readonly grantKey?: SealKey;
}

const KEPT = '/kept';
const NONE: ReadonlySet<string> = new Set();

export function createGrants(
  deps: GrantsDeps,
  personOf: (signIn: StoredSignIn) => Person | null,
  touches: Pick<Touches, 'lastSeen' | 'awaitUse'>,
): Grants {
  const { store, clock, grantKey: sealKey = deps.sealKey } = deps;
  const dueOf = (signIn: StoredSignIn, value: string): DueGrant => {
    const { key, provider, subject, authority } = signIn;
    const open = (): OpenedGrant | null => {
      const person = personOf(signIn);
      return person === null ? null : { person, value: unsealJson(sealKey, purposeOf(key), value) };
    };
    return { key, provider, subject, authority, open };
  };
  return {
    async findGrant(key) {
      const value = await store.findGrant(key);
      return value === null ? undefined : unsealJson(sealKey, purposeOf(key), value);
    },
    async openGrant(key) {
      const value = await store.findGrant(key);
      const found = value === null ? null : await store.findSession(key);
      return value === null || found === null ? null : dueOf(found.signIn, value);
    },
    async dueGrants(provider, limit, except = NONE) {
      const due = await store.listDueGrants(provider, clock.now(), limit + except.size);
      const asleep: [string, null][] = [];
      const found: DueGrant[] = [];
      for (const { signIn, value, refreshedAt } of due) {
        if (except.has(signIn.key) || found.length >= limit) continue;
        const usedAt = Math.max(signIn.lastSeenAt, touches.lastSeen(signIn.key));
        if (usedAt <= refreshedAt) asleep.push([signIn.key, null]);
        else found.push(dueOf(signIn, value));
      }
      if (asleep.length > 0) {
        await store.deferGrants(asleep);
        touches.awaitUse(asleep.map(([key]) => key));
      }
      return found;
    },
    async renewGrant(key, grant) {
      const isThere = await store.putGrant(key, sealGrant(sealKey, key, grant), clock.now());
      if (isThere) deps.onRenewed(key);
      return isThere;
    },
    deferGrant: (key, refreshAt) => store.deferGrants([[key, refreshAt]]),
    setGrantsBack: (ms) => store.setGrantsBack(ms),
    ...createNames(store, clock),
  };
}

type Names = Pick<Grants, 'pinName' | 'findPinnedName' | 'keepName' | 'findKeptName' | 'countNames' | 'unpinName'>;

function createNames(store: SessionStore, clock: Clock): Names {
  return {
    pinName: (provider, name, subject) => store.pinName(provider, name, subject, clock.now()),
    findPinnedName: (provider, subject) => store.findPinnedName(provider, subject),
    keepName: (provider, name, subject) => store.pinName(keptBy(provider), name, subject, clock.now()),
    findKeptName: (provider, name) => store.findPin(keptBy(provider), name),
    async countNames() {
      const counts = await store.countPins();
      // Whoever has a pinned name has it as a kept one, too, but for those of old.
      return counts.flatMap(({ provider, at, names }) => {
        const id = provider.endsWith(KEPT) ? provider.slice(0, -KEPT.length) : provider;
        const isDouble = id === provider && counts.some((one) => one.provider === keptBy(id) && one.at === at);
        return isDouble ? [] : [{ provider: id, at, names }];
      });
    },
    async unpinName(provider, name) {
      const wasPinned = await store.unpinName(provider, name);
      return (await store.unpinName(keptBy(provider), name)) || wasPinned;
    },
  };
}

export function sealGrant(sealKey: SealKey, key: string, grant: Grant): StoredGrant {
  return { value: sealJson(sealKey, purposeOf(key), grant.value), refreshAt: grant.refreshAt };
}

/** Kept names stand beside the pinned ones: no id of a provider has a slash. */
function keptBy(provider: string): string {
  return provider + KEPT;
}

/** Bound to its row, as the person is. */
function purposeOf(key: string): string {
  return `grant/${key}`;
}
