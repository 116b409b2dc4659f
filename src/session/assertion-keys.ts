/**
 * The keys that assertions are signed with (ES256). A new one is published a day before it signs, and the
 * old one a day after, so that whoever keeps the list for an hour never meets an unknown key. Private
 * halves are sealed before they are kept, and leave here only to the workers of this process.
 */
import { createHash, generateKeyPairSync } from 'node:crypto';
import { sealJson, unsealJson, type SealKey } from './seal.ts';
import type { Clock } from '../core/clock.ts';
import type { SigningKeyStore, StoredSigningKey } from '../core/signing-key-store.ts';

const DAY_MS = 86_400_000;
const SIGNS_FOR_MS = 30 * DAY_MS;
const AHEAD_MS = DAY_MS;
const KEPT_MS = DAY_MS;

/** RFC 7517, RFC 7518 section 6.2. */
export interface PublicKey {
  readonly kty: 'EC';
  readonly crv: 'P-256';
  readonly x: string;
  readonly y: string;
  readonly kid: string;
  readonly use: 'sig';
  readonly alg: 'ES256';
}

export interface SigningKey {
  readonly kid: string;
  /** PKCS #8, DER. */
  readonly privateKey: Uint8Array;
}

export interface AssertionKeys {
  /** The key that signs now; null until the first look at the store. */
  readonly current: () => SigningKey | null;
  /** Those that count, for `/.postern/jwks.json`. */
  readonly published: () => readonly PublicKey[];
  /** Makes, takes over and drops keys as time has come. Call it at start and now and then. */
  readonly tick: () => Promise<void>;
  /** At once, for a key that may be known to others: the old ones stop counting. */
  readonly rotate: () => Promise<void>;
}

export interface AssertionKeysDeps {
  readonly store: SigningKeyStore;
  readonly clock: Clock;
  readonly sealKey: SealKey;
  /** The key that signs is another one. */
  readonly onChange: (key: SigningKey) => void;
}

interface Held {
  readonly createdAt: number;
  readonly key: SigningKey;
  readonly shown: PublicKey;
}

interface SealedKey {
  readonly privateKey: string;
  readonly shown: PublicKey;
}

export function createAssertionKeys(deps: AssertionKeysDeps): AssertionKeys {
  const { store, clock, sealKey } = deps;
  let held: readonly Held[] = [];
  let current: SigningKey | null = null;

  const take = (keys: readonly Held[]): void => {
    held = keys;
    const now = signing(keys, clock.now());
    if (now === null || now.key.kid === current?.kid) return;
    current = now.key;
    deps.onChange(now.key);
  };
  const open = (stored: StoredSigningKey): readonly Held[] => {
    const value = unsealJson(sealKey, purposeOf(stored.kid), stored.value) as SealedKey | undefined;
    if (value === undefined) return [];
    const privateKey = new Uint8Array(Buffer.from(value.privateKey, 'base64url'));
    return [{ createdAt: stored.createdAt, key: { kid: stored.kid, privateKey }, shown: value.shown }];
  };
  const seal = ({ key, shown, createdAt }: Held): StoredSigningKey => {
    const value: SealedKey = { privateKey: Buffer.from(key.privateKey).toString('base64url'), shown };
    return { kid: key.kid, createdAt, value: sealJson(sealKey, purposeOf(key.kid), value) };
  };
  return {
    current: () => current,
    published: () => held.map(({ shown }) => shown),
    async tick() {
      const stored = await store.listSigningKeys();
      const known = stored.flatMap(open);
      const now = clock.now();
      const stays = known.filter((_, index) => !isOver(known, index, now));
      const newest = stays.at(-1);
      const isDue = newest === undefined || now >= newest.createdAt + SIGNS_FOR_MS;
      const fresh = isDue ? mint(now) : null;
      // What cannot be opened any more is of no use to anybody.
      const gone = stored.filter(({ kid }) => !stays.some(({ key }) => key.kid === kid)).map(({ kid }) => kid);
      if (gone.length > 0 || fresh !== null) await store.replaceSigningKeys(gone, fresh === null ? null : seal(fresh));
      take(fresh === null ? stays : [...stays, fresh]);
    },
    async rotate() {
      const fresh = mint(clock.now());
      const gone = (await store.listSigningKeys()).map(({ kid }) => kid);
      await store.replaceSigningKeys(gone, seal(fresh));
      take([fresh]);
    },
  };
}

/** The newest that was published for long enough; at the very beginning the only one. */
function signing(keys: readonly Held[], now: number): Held | null {
  return keys.findLast(({ createdAt }) => now >= createdAt + AHEAD_MS) ?? keys[0] ?? null;
}

/** Its successor has signed for a day. */
function isOver(keys: readonly Held[], index: number, now: number): boolean {
  const next = keys[index + 1];
  return next !== undefined && now >= next.createdAt + AHEAD_MS + KEPT_MS;
}

function mint(now: number): Held {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  // RFC 7638: these members, in this order.
  const kid = createHash('sha256')
    .update(JSON.stringify({ crv: 'P-256', kty: 'EC', x, y }))
    .digest('base64url');
  const shown: PublicKey = { kty: 'EC', crv: 'P-256', x, y, kid, use: 'sig', alg: 'ES256' };
  const der = new Uint8Array(privateKey.export({ format: 'der', type: 'pkcs8' }));
  return { createdAt: now, key: { kid, privateKey: der }, shown };
}

function purposeOf(kid: string): string {
  return `signing-key/${kid}`;
}
