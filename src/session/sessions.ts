/**
 * The control thread's side of sessions. One sign-in session a browser and person; a child for each
 * app host hangs on it, so revocation, lifetime and idle time flow through the parent.
 * Tokens leave here once; what is kept is their hash and sealed values.
 */
import { setImmediate } from 'node:timers/promises';
import { createCodes } from './codes.ts';
import { createGrants, sealGrant, type Grants } from './grants.ts';
import { sealJson, unsealJson } from './seal.ts';
import { keyOfToken, mintToken } from './token.ts';
import { createSingleUse, type SingleUse } from './single-use.ts';
import { endByFactor, type GoneFactor, type PersonId } from './by-factor.ts';
import { endSurplus } from './surplus.ts';
import { sweep } from './sweep.ts';
import { createTouches, type Touches } from './touches.ts';
import type { Clock } from '../core/clock.ts';
import type { Person } from '../core/person.ts';
import type { FoundSession, SessionStore, SignInSelector, SignInTree, StoredSignIn } from '../core/session-store.ts';
import type {
  OpenedSession,
  SessionAnswer,
  SessionChange,
  SessionView,
  SignInOptions,
  SignInRenewal,
  SignInSummary,
  TokenBasis,
} from './record.ts';
import type { SealKey } from './seal.ts';

/** Lists are for people to read. */
const LIST_LIMIT = 10_000;
/** Some 5 ms of unsealing. */
const PAGE = 100;

export interface SessionLimits {
  readonly lifetimeMs: number;
  readonly idleMs: number;
  /** Sign-ins of one person at a time: the oldest give way. Left out: as many as come. */
  readonly mostPerPerson?: number;
  /** Sessions by one link, which may be anybody's who has it. */
  readonly mostPerLink?: number;
}

export interface SessionsDeps {
  readonly store: SessionStore;
  readonly clock: Clock;
  readonly sealKey: SealKey;
  /** Another key for grants: people can be listed without it, and nobody enters. Left out: the same. */
  readonly grantKey?: SealKey;
  /** Read at each use, so that a reload changes it. */
  readonly limits: () => SessionLimits;
}

export interface Sessions extends Grants, SingleUse {
  /** A new sign-in on the sign-in host. Revoke the browser's old session first: ids never carry over. */
  openSignIn(person: Person, host: string, options?: SignInOptions): Promise<OpenedSession>;
  /** A cookie for an app host; null where the parent is gone. `parentKey` is the key of the sign-in session. */
  openChild(parentKey: string, host: string): Promise<OpenedSession | null>;
  /** The same sign-in with new attributes and a new end, no later than the limits have it; false where it is gone. */
  renewSignIn(key: string, renewal: SignInRenewal): Promise<boolean>;
  /** What a refresh would have brought, fetched by the browser; false unless it is of the same person and the same session of the provider. */
  renewTokens(key: string, person: Person, basis: TokenBasis): Promise<boolean>;
  /** Never rejects: a store that fails is `unavailable`. */
  find(key: string): Promise<SessionAnswer>;
  /** Reports of last use by the workers, by the keys of sign-ins: `parent` of a view. */
  touch(seen: readonly (readonly [key: string, at: number])[]): void;
  /** Ends the whole tree that a cookie's key belongs to; resolves, with the number of keys, when durable. */
  revoke(key: string): Promise<number>;
  revokeByPerson(provider: string, subject: string): Promise<number>;
  revokeByProviderSession(provider: string, providerSession: string): Promise<number>;
  /** Those of a person of which the provider did not say its own session. */
  revokeUnnamed(provider: string, subject: string): Promise<number>;
  /** Ends the sign-ins of providers that are gone, or that are others by now; `isKnown` says which are left. */
  revokeStrangers(isKnown: (provider: string, authority: string) => boolean): Promise<number>;
  /** Those of a person that showed a second factor which is theirs no more, all but `except`. */
  revokeByFactor(person: PersonId, factor: GoneFactor, except: string): Promise<number>;
  /** Sign-ins that are alive, newest first. */
  list(person?: { readonly provider: string; readonly subject: string }): Promise<readonly SignInSummary[]>;
  /** Subjects of those who are signed in under a name, however many others are. */
  subjectsNamed(provider: string, name: string): Promise<readonly string[]>;
  /** Keys of sign-ins that begin so, at most two: whoever types one means one. */
  keysBeginning(prefix: string): Promise<readonly string[]>;
  /**
   * Gives live sessions of this (provider, subject) the new attributes; each keeps its own amr. Those that `authority`
   * vouched for ("": Postern itself): while a reload makes the id another issuer, the same subject is two people.
   */
  refreshPerson(person: Person, authority?: string): Promise<void>;
  /** Deletes what has expired, codes too. Call it about every 30 s. */
  sweep(): Promise<void>;
  /** A one-time secret that stands for `payload`, e.g. the hand-off code. Resolves when durable. */
  mintCode(payload: unknown, ttlMs: number): Promise<string>;
  /** The payload for the first caller in time, null for everybody else. */
  redeemCode(code: string): Promise<unknown>;
  /** Writes what the store has not been told yet; never rejects. Call it before the store closes. */
  flush(): Promise<void>;
  /** Told of each change after it is durable and before its promise resolves. Returns the way to stop. */
  onChange(listener: (change: SessionChange) => void): () => void;
}

export function createSessions(deps: SessionsDeps): Sessions {
  const { store, clock } = deps;
  const listeners = new Set<(change: SessionChange) => void>();
  const touches = createTouches(store, () => deps.limits().idleMs);
  const tell = (change: SessionChange): void => {
    for (const listener of listeners) listener(change);
  };
  const end = async (selector: SignInSelector): Promise<number> => {
    const keys = await store.deleteSignIns(selector);
    touches.forget(keys);
    if (keys.length > 0) tell({ kind: 'revoked', keys });
    return keys.length;
  };

  const grants = createGrants(
    { ...deps, onRenewed: (key) => tell({ kind: 'tokens', keys: [key] }) },
    (signIn) => personOf(deps, signIn),
    touches,
  );

  return {
    ...createCodes(deps),
    ...createSingleUse(store, clock),
    ...grants,
    async renewTokens(key, person, basis) {
      const isTaken = (await isOfSame(deps, key, person, basis)) && (await grants.renewGrant(key, basis.grant));
      if (isTaken) await refreshPerson(deps, { person, authority: basis.authority }, tell);
      return isTaken;
    },
    async openSignIn(person, host, options) {
      const opened = await openSignIn(deps, person, host, options ?? {});
      await endSurplus(deps, opened, end);
      return opened;
    },
    openChild: (parentKey, host) => openChild(deps, { parentKey, host, usedAt: touches.lastSeen(parentKey) }, tell),
    renewSignIn: (key, renewal) => renewSignIn(deps, key, renewal, tell),
    find: (key) => find(deps, touches, key),
    touch(seen) {
      const now = clock.now();
      for (const [key, at] of seen) touches.add(key, Math.min(at, now));
    },
    ...createRevocations(store, end),
    revokeByFactor: (person, factor, except) =>
      endByFactor({ store, personOf: (signIn) => personOf(deps, signIn), end }, person, { factor, except }),
    list: (person) => list(deps, touches, person),
    ...createSearch(deps),
    refreshPerson: (person, authority = '') => refreshPerson(deps, { person, authority }, tell),
    flush: () => touches.flushAll(),
    sweep: () => sweep({ store, clock, limits: deps.limits, touches, end }),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function createSearch(deps: SessionsDeps): Pick<Sessions, 'subjectsNamed' | 'keysBeginning'> {
  return {
    subjectsNamed: (provider, name) => subjectsNamed(deps, provider, name),
    keysBeginning: (prefix) => keysBeginning(deps.store, prefix),
  };
}

async function subjectsNamed(deps: SessionsDeps, provider: string, name: string): Promise<readonly string[]> {
  const found = new Set<string>();
  let after = '';
  for (;;) {
    const page = await deps.store.pageSignIns(null, after, PAGE);
    for (const signIn of page)
      if (signIn.provider === provider && personOf(deps, signIn)?.name === name) found.add(signIn.subject);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return [...found];
    after = last.key;
    await setImmediate();
  }
}

async function keysBeginning(store: SessionStore, prefix: string): Promise<readonly string[]> {
  const exact = await store.findSession(prefix);
  if (exact !== null) return exact.signIn.key === prefix ? [prefix] : [];
  const page = await store.pageSignIns(null, prefix, 2);
  return page.map(({ key }) => key).filter((key) => key.startsWith(prefix));
}

async function isOfSame({ store }: SessionsDeps, key: string, person: Person, basis: TokenBasis): Promise<boolean> {
  const signIn = (await store.findSession(key))?.signIn;
  const isPersons = signIn?.provider === person.provider && signIn.subject === person.subject;
  // Another session there would end there without this one being heard of.
  const isThere = signIn?.authority === basis.authority && signIn.providerSession === basis.providerSession;
  return signIn?.key === key && isPersons && isThere;
}

async function list(
  deps: SessionsDeps,
  touches: Touches,
  person: { readonly provider: string; readonly subject: string } | undefined,
): Promise<readonly SignInSummary[]> {
  const selector: SignInSelector = person === undefined ? { by: 'everything' } : { by: 'person', ...person };
  const trees = await deps.store.listSignIns(selector, LIST_LIMIT);
  return trees.flatMap((tree) => summaryOf(deps, tree, touches.lastSeen(tree.signIn.key)) ?? []);
}

async function find(deps: SessionsDeps, touches: Touches, key: string): Promise<SessionAnswer> {
  try {
    const found = await deps.store.findSession(key);
    if (found?.awaitsUse === false) touches.seed(found.signIn.key, found.signIn.lastSeenAt);
    const view = found === null ? null : viewOf(deps, found, touches.lastSeen(found.signIn.key));
    return view === null ? { kind: 'absent' } : { kind: 'found', session: view };
  } catch {
    return { kind: 'unavailable' };
  }
}

function createRevocations(
  store: SessionStore,
  end: (selector: SignInSelector) => Promise<number>,
): Pick<Sessions, 'revoke' | 'revokeByPerson' | 'revokeByProviderSession' | 'revokeUnnamed' | 'revokeStrangers'> {
  return {
    revoke: (key) => end({ by: 'cookie', key }),
    revokeByPerson: (provider, subject) => end({ by: 'person', provider, subject }),
    revokeByProviderSession: (provider, providerSession) => end({ by: 'provider-session', provider, providerSession }),
    revokeUnnamed: (provider, subject) => end({ by: 'unnamed-session', provider, subject }),
    async revokeStrangers(isKnown) {
      let count = 0;
      for (const { provider, authority } of await store.listAuthorities()) {
        if (!isKnown(provider, authority)) count += await end({ by: 'authority', provider, authority });
      }
      return count;
    },
  };
}

async function openSignIn(
  deps: SessionsDeps,
  person: Person,
  host: string,
  options: SignInOptions,
): Promise<OpenedSession> {
  const token = mintToken();
  const key = keyOfToken(token);
  const now = deps.clock.now();
  const { provider, subject } = person;
  const value = sealJson(deps.sealKey, purposeOf(key), person);
  const { authority = '', providerSession = null, grant = null, expiresAt = now + deps.limits().lifetimeMs } = options;
  const times = { createdAt: now, expiresAt, lastSeenAt: now };
  const stored = { key, provider, subject, authority, providerSession, value, ...times };
  await deps.store.putSignIn(
    stored,
    host,
    grant === null ? null : sealGrant(deps.grantKey ?? deps.sealKey, key, grant),
  );
  const view = { key, parent: key, host, person, expiresAt: times.expiresAt, lastSeenAt: now };
  return { token, view };
}

async function openChild(
  deps: SessionsDeps,
  { parentKey, host, usedAt }: { readonly parentKey: string; readonly host: string; readonly usedAt: number },
  tell: (change: SessionChange) => void,
): Promise<OpenedSession | null> {
  const parent = await deps.store.findSession(parentKey);
  // Only the sign-in's own cookie may have children: a child's key must never stand in for it.
  if (parent === null || parent.signIn.key !== parentKey || viewOf(deps, parent, usedAt) === null) return null;
  const token = mintToken();
  const key = keyOfToken(token);
  const { added, replaced } = await deps.store.putCookie(parentKey, key, host);
  if (replaced.length > 0) tell({ kind: 'revoked', keys: replaced });
  if (!added) return null;
  // Read again: the person may have changed, or the sign-in ended, while the cookie was written.
  const found = await deps.store.findSession(key);
  const view = found === null ? null : viewOf(deps, found, usedAt);
  return view === null ? null : { token, view };
}

async function renewSignIn(
  deps: SessionsDeps,
  key: string,
  { person, grant, expiresAt }: SignInRenewal,
  tell: (change: SessionChange) => void,
): Promise<boolean> {
  const value = sealJson(deps.sealKey, purposeOf(key), person);
  const sealed = grant === null ? null : sealGrant(deps.grantKey ?? deps.sealKey, key, grant);
  const isThere = await deps.store.renewSignIn(key, { value, grant: sealed, expiresAt });
  if (isThere) tell({ kind: 'person', keys: [key], person });
  return isThere;
}

/** Page by page: whoever has ten thousand sessions, or a start that looks at all of them, holds up nobody else. */
async function refreshPerson(
  deps: SessionsDeps,
  { person, authority }: { readonly person: Person; readonly authority: string },
  tell: (change: SessionChange) => void,
): Promise<void> {
  let after = '';
  for (;;) {
    const page = await deps.store.pageSignIns(person, after, PAGE);
    const own = page.filter((signIn) => signIn.authority === authority);
    await refreshAll(deps, own, person, tell);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    after = last.key;
    await setImmediate();
  }
}

async function refreshAll(
  deps: SessionsDeps,
  signIns: readonly StoredSignIn[],
  person: Person,
  tell: (change: SessionChange) => void,
): Promise<void> {
  const changes = signIns.flatMap(({ key, value }) => {
    const old = unsealJson(deps.sealKey, purposeOf(key), value) as Person | undefined;
    if (old === undefined) return [];
    const fresh = { ...person, ...signInOf(old) };
    return isSamePerson(old, fresh) ? [] : [{ key, person: fresh }];
  });
  if (changes.length === 0) return;
  await deps.store.replaceValues(
    changes.map(({ key, person: fresh }) => ({ key, value: sealJson(deps.sealKey, purposeOf(key), fresh) })),
  );
  for (const { key, person: fresh } of changes) {
    const trees = await deps.store.listSignIns({ by: 'cookie', key }, 1);
    for (const { cookies } of trees) tell({ kind: 'person', keys: cookies.map((it) => it.key), person: fresh });
  }
}

type SignInFacts = Pick<Person, 'amr' | 'factor' | 'acr' | 'authenticatedAt'>;

/** How and when they signed in is of each session, not of the person. */
function signInOf({ amr, factor, acr, authenticatedAt }: Person): SignInFacts {
  return {
    amr,
    ...(factor === undefined ? {} : { factor }),
    ...(acr === undefined ? {} : { acr }),
    ...(authenticatedAt === undefined ? {} : { authenticatedAt }),
  };
}

/** The session as it may be used now; null where its lifetime or idle time is over, or its value is not ours. */
function viewOf(deps: SessionsDeps, found: FoundSession, usedAt: number): SessionView | null {
  const { signIn } = found;
  const alive = lifeOf(deps, signIn, usedAt);
  const person = alive === null ? null : personOf(deps, signIn);
  if (alive === null || person === null) return null;
  return { key: found.key, parent: signIn.key, host: found.host, person, ...alive };
}

function summaryOf(deps: SessionsDeps, tree: SignInTree, usedAt: number): SignInSummary | null {
  const alive = lifeOf(deps, tree.signIn, usedAt);
  const person = alive === null ? null : personOf(deps, tree.signIn);
  if (alive === null || person === null) return null;
  const hosts = [...new Set(tree.cookies.map((it) => it.host))];
  return { key: tree.signIn.key, person, createdAt: tree.signIn.createdAt, hosts, ...alive };
}

/** A lifetime that a reload has shortened counts for sessions that are open already. */
function lifeOf(
  deps: SessionsDeps,
  signIn: StoredSignIn,
  usedAt: number,
): { readonly expiresAt: number; readonly lastSeenAt: number } | null {
  const { lifetimeMs, idleMs } = deps.limits();
  const now = deps.clock.now();
  const expiresAt = Math.min(signIn.expiresAt, signIn.createdAt + lifetimeMs);
  const lastSeenAt = Math.max(signIn.lastSeenAt, usedAt);
  return now >= expiresAt || now - lastSeenAt >= idleMs ? null : { expiresAt, lastSeenAt };
}

function personOf(deps: SessionsDeps, signIn: StoredSignIn): Person | null {
  return (unsealJson(deps.sealKey, purposeOf(signIn.key), signIn.value) ?? null) as Person | null;
}

/** Bound to its row: a value copied to another session does not open. */
function purposeOf(key: string): string {
  return `sign-in/${key}`;
}

function isSamePerson(a: Person, b: Person): boolean {
  const texts = (it: Person): string =>
    JSON.stringify([
      it.name,
      it.displayName,
      it.email,
      it.emailVerified,
      it.groups,
      it.roles,
      it.unsaid,
      it.cut,
      it.withheld,
      it.amr,
    ]);
  return texts(a) === texts(b);
}
