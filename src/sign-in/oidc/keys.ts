/**
 * The keys that an issuer signs with (RFC 7517). Fetched when first needed and kept; looked at again
 * now and then, so that a removed key stops counting, and at once when a token names a key that is not
 * there, so that nobody notices a rotation. Signatures by a shared secret or by none are never taken.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createLocalJWKSet, errors, jwtVerify } from 'jose';
import type {
  CryptoKey,
  FlattenedJWSInput,
  JSONWebKeySet,
  JWSHeaderParameters,
  JWTPayload,
  JWTVerifyOptions,
} from 'jose';
import type { Clock } from '../../core/clock.ts';

/** Asymmetric ones only: with HS256 whoever has the public key could sign. */
export const SIGNING_ALGORITHMS: readonly string[] =
  'RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519'.split(' ');
/** A key that is not listed any more counts no longer than this. */
const FRESH_MS = 10 * 60_000;
/** While the issuer does not answer, the keys that were there last. */
const STALE_MS = 60 * 60_000;
/** Who waits for an answer waits less than twice that long: while the issuer is slower, the keys that were there last serve. */
const SLOW_MS = 1_000;
/** Between two fetches because of an unknown key: tokens of strangers must not make us hammer. */
const UNKNOWN_KEY_MS = 1_000;
/** After a failure what is held serves, and strangers' tokens are not asked about. */
const FAILED_MS = 10_000;
/** Fewer than are verified at once. */
const MOST_STRANGERS = 16;

export interface VerifyOptions {
  /** One of these must be in `aud`; null: not looked at. */
  readonly audience: string | readonly string[] | null;
  readonly clockToleranceMs: number;
  /** `typ` of the header, such as "logout+jwt"; left out: any. */
  readonly type?: string;
  /** Fewer than all asymmetric ones. */
  readonly algorithms?: readonly string[];
  /** Anybody may have sent it: few of those wait for keys that nobody knows, so that strangers hold up nobody else. */
  readonly isOfStranger?: boolean;
  /**
   * Nobody sends it again: with a key that is not known in the second behind a look at the keys it waits for the next
   * look. Others are refused at once.
   */
  readonly comesOnce?: boolean;
  /** The caller looks at `iss` itself: one issuer that speaks for many. */
  readonly skipsIssuer?: boolean;
}

export interface VerifiedToken {
  readonly header: JWSHeaderParameters;
  readonly claims: JWTPayload;
}

/** The issuer's keys as others may use them too: for bearer tokens of machines. */
export interface ProviderKeys {
  readonly issuer: string;
  /** Claims of a token whose signature, issuer, audience and times hold. Rejects with what does not; see isKeyOutage. */
  readonly verify: (token: string, options: VerifyOptions) => Promise<VerifiedToken>;
}

export interface KeysDeps {
  /** As tokens name it. */
  readonly issuer: string;
  /** Reads `jwks_uri`. */
  readonly fetchKeys: () => Promise<JSONWebKeySet>;
  /** Told by which names keys were known that are not listed any more. */
  readonly onGone?: ((kids: ReadonlySet<string>) => void) | undefined;
  readonly clock: Clock;
  /** Sleeps for so many milliseconds. */
  readonly wait?: (ms: number) => Promise<unknown>;
}

/** No keys could be had: nothing is known of the token. */
export class KeysUnavailableError extends Error {
  constructor(issuer: string, cause: unknown) {
    super(`Cannot fetch the keys of "${issuer}": ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = 'KeysUnavailableError';
  }
}

type FindKey = (header: JWSHeaderParameters, token: FlattenedJWSInput) => Promise<CryptoKey>;

interface Held {
  readonly find: FindKey;
  readonly keys: JSONWebKeySet['keys'];
  /** The same, to be compared. */
  readonly text: string;
  readonly fetchedAt: number;
}

export function createProviderKeys(deps: KeysDeps): ProviderKeys {
  const { issuer, clock } = deps;
  const keyring = createKeyring(deps);
  return {
    issuer,
    async verify(
      token,
      { audience, clockToleranceMs, type, algorithms, skipsIssuer, isOfStranger = false, comesOnce = false },
    ) {
      const settings: JWTVerifyOptions = {
        ...(skipsIssuer === true ? {} : { issuer }),
        algorithms: SIGNING_ALGORITHMS.filter((one) => algorithms?.includes(one) ?? true),
        clockTolerance: Math.ceil(clockToleranceMs / 1_000),
        currentDate: new Date(clock.now()),
        ...(audience === null ? {} : { audience: typeof audience === 'string' ? audience : [...audience] }),
        ...(type === undefined ? {} : { typ: type }),
      };
      const find = keyring.find(isOfStranger, comesOnce);
      const before = keyring.text();
      try {
        return await verifyOnce(token, find, settings);
      } catch (error) {
        // A provider that was set up anew may give another key the name of the old one.
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
        if (!(await keyring.hasOthersThan(before, isOfStranger))) throw error;
        return verifyOnce(token, find, settings);
      }
    },
  };
}

async function verifyOnce(token: string, find: FindKey, settings: JWTVerifyOptions): Promise<VerifiedToken> {
  try {
    const { payload, protectedHeader } = await jwtVerify(token, find, settings);
    return { header: protectedHeader, claims: payload };
  } catch (error) {
    if (error instanceof errors.JWKSMultipleMatchingKeys) return tryEach(error, token, settings);
    throw error;
  }
}

/** A token that does not say which of several keys: any of them may have signed it. */
async function tryEach(
  keys: errors.JWKSMultipleMatchingKeys,
  token: string,
  settings: JWTVerifyOptions,
): Promise<VerifiedToken> {
  for await (const key of keys) {
    try {
      const { payload, protectedHeader } = await jwtVerify(token, key, settings);
      return { header: protectedHeader, claims: payload };
    } catch (error) {
      // What jose does not say is about the key, such as one that is too short: it is none of ours, and the next may be.
      const isOfToken = error instanceof errors.JOSEError && !(error instanceof errors.JWSSignatureVerificationFailed);
      if (isOfToken) throw error;
    }
  }
  throw new errors.JWSSignatureVerificationFailed();
}

interface Keyring {
  /** `mayWait`: for the next look, where the last was a moment ago. */
  readonly find: (isOfStranger: boolean, mayWait: boolean) => FindKey;
  /** The keys that are held. */
  readonly text: () => string | null;
  /** Whether there are others by now; the issuer is asked, unless that was a moment ago. */
  readonly hasOthersThan: (before: string | null, isOfStranger: boolean) => Promise<boolean>;
}

function createKeyring(deps: KeysDeps): Keyring {
  const { clock } = deps;
  const { current, held, fetchBy } = createStock(deps);
  return {
    find: (isOfStranger, mayWait) => async (header, token) => {
      const keys = await current();
      try {
        return await keys.find(header, token);
      } catch (error) {
        const isUnknown = error instanceof errors.JWKSNoMatchingKey;
        if (!isUnknown || (!mayWait && clock.now() - keys.fetchedAt < UNKNOWN_KEY_MS)) throw error;
      }
      return (await fetchBy(isOfStranger, keys)).find(header, token);
    },
    text: () => held()?.text ?? null,
    async hasOthersThan(before, isOfStranger) {
      const now = held();
      if (now === null || now.text !== before) return now !== null;
      if (clock.now() - now.fetchedAt < UNKNOWN_KEY_MS) return false;
      return fetchBy(isOfStranger, now).then(
        ({ text }) => text !== before,
        () => false,
      );
    },
  };
}

interface Stock {
  readonly held: () => Held | null;
  /** Those that count now. */
  readonly current: () => Promise<Held>;
  /** Asks the issuer, unless others than `known` are there by when it may be asked. */
  readonly fetchBy: (isOfStranger: boolean, known: Held) => Promise<Held>;
}

/** What is fetched, and for how long it serves. */
function createStock({ issuer, clock, fetchKeys, onGone, wait = sleep }: KeysDeps): Stock {
  let held: Held | null = null;
  let fetching: Promise<Held> | null = null;
  let askedAt = Number.NEGATIVE_INFINITY;
  let failedAt = Number.NEGATIVE_INFINITY;
  let strangers = 0;

  const fetchAgain = (): Promise<Held> => {
    if (fetching === null) askedAt = clock.now();
    fetching ??= fetchKeys()
      .then((set) => {
        const { keys } = set;
        const before = held?.keys ?? [];
        held = { find: createLocalJWKSet(set), keys, text: JSON.stringify(set), fetchedAt: clock.now() };
        const gone = goneOf(before, keys);
        if (gone.size > 0) onGone?.(gone);
        return held;
      })
      .catch((error: unknown) => {
        failedAt = clock.now();
        throw error;
      })
      .finally(() => (fetching = null));
    return fetching;
  };

  const hasJustFailed = (): boolean => fetching === null && Math.abs(clock.now() - failedAt) < FAILED_MS;

  const isSlow = (): boolean => fetching !== null && Math.abs(clock.now() - askedAt) >= SLOW_MS;

  const current = async (): Promise<Held> => {
    // A clock that was set back makes nothing fresher than it is: the keys are due to be looked at.
    if (held !== null && clock.now() < held.fetchedAt) held = { ...held, fetchedAt: clock.now() - FRESH_MS };
    const age = held === null ? Number.POSITIVE_INFINITY : clock.now() - held.fetchedAt;
    if (held !== null && age < FRESH_MS) return held;
    const known = held !== null && age < STALE_MS ? held : null;
    // Not each by itself waits for a provider that does not answer.
    if (known !== null && (hasJustFailed() || isSlow())) return known;
    const asked = fetchAgain();
    if (known !== null) return Promise.race([asked.catch(() => known), wait(SLOW_MS).then(() => known)]);
    return asked.catch((error: unknown) => {
      throw new KeysUnavailableError(issuer, error);
    });
  };

  /** What is not known yet: it may be a new one. */
  const fetchFor = async (known: Held): Promise<Held> => {
    const waitMs = known.fetchedAt + UNKNOWN_KEY_MS - clock.now();
    if (waitMs > 0) await wait(Math.min(waitMs, UNKNOWN_KEY_MS));
    if (held !== null && held.fetchedAt > known.fetchedAt) return held;
    return fetchAgain().catch((cause: unknown) => {
      throw new KeysUnavailableError(issuer, cause);
    });
  };

  const fetchForStranger = async (known: Held): Promise<Held> => {
    if (strangers >= MOST_STRANGERS || hasJustFailed())
      throw new KeysUnavailableError(issuer, new Error('asked too often about keys that are not known'));
    strangers++;
    try {
      return await fetchFor(known);
    } finally {
      strangers--;
    }
  };

  const fetchBy: Stock['fetchBy'] = (isOfStranger, known) => (isOfStranger ? fetchForStranger(known) : fetchFor(known));
  return { held: () => held, current, fetchBy };
}

/** Names of keys that are not there any more, or are another's now. */
function goneOf(before: JSONWebKeySet['keys'], now: JSONWebKeySet['keys']): ReadonlySet<string> {
  const there = new Set(now.map(partsOf));
  return new Set(before.flatMap((key) => (there.has(partsOf(key)) ? [] : [key.kid ?? ''])));
}

function partsOf({ kid = '', kty, n, e, crv, x, y }: JSONWebKeySet['keys'][number]): string {
  return JSON.stringify([kid, kty, n, e, crv, x, y]);
}
