/**
 * The control thread's side of machines' tokens: made, found, listed, revoked. A token leaves here once,
 * after its hash is durable; what is kept cannot be turned back into it.
 */
import { TOKEN_NAME } from '../core/token-store.ts';
import { mintServiceToken, serviceTokenPrefix } from './service-token.ts';
import { keyOfToken } from './token.ts';
import type { AccountStore } from '../core/account-store.ts';
import type { Clock } from '../core/clock.ts';
import type { StoredToken, TokenStore } from '../core/token-store.ts';
import type { BearerAnswer, BearerView } from './record.ts';

/** Last use is for people to read: to the minute is enough, and spares the disk. */
const TOUCH_EVERY_MS = 60_000;
const SHORTEST_MS = 1_000;
/** A century: longer is a slip of the pen, and no table shows it whole. What is meant to stay is "never". */
const LONGEST_MS = 36_500 * 86_400_000;
const MOST_DESCRIPTION = 200;
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

export interface NewToken {
  readonly name: string;
  readonly description: string;
  /** Null: never. */
  readonly lifetimeMs: number | null;
}

export type CreateToken =
  | { readonly kind: 'created'; readonly token: string; readonly stored: StoredToken }
  | { readonly kind: 'invalid'; readonly message: string };

export interface ServiceTokens {
  create(token: NewToken, actor: string): Promise<CreateToken>;
  list(): Promise<readonly StoredToken[]>;
  /** Answers those that were there; resolves when durable and told to everybody. */
  revoke(keys: readonly string[], actor: string): Promise<readonly string[]>;
  /** Never rejects: a store that fails is `unavailable`. */
  find(key: string): Promise<BearerAnswer>;
  touch(seen: readonly (readonly [key: string, at: number])[]): void;
  /** Told which are revoked, after it is durable. Returns the way to stop. */
  onRevoked(listener: (keys: readonly string[]) => Promise<unknown>): () => void;
}

export interface ServiceTokensDeps {
  readonly store: TokenStore;
  readonly audit: Pick<AccountStore, 'appendAudit'>;
  readonly clock: Clock;
  /** Names this installation: part of each token. */
  readonly instance: string;
}

export function createServiceTokens(deps: ServiceTokensDeps): ServiceTokens {
  const { store, clock } = deps;
  const prefix = serviceTokenPrefix(deps.instance);
  const listeners = new Set<(keys: readonly string[]) => Promise<unknown>>();
  const touches = createCoarseTouches(store);
  const audit = (actor: string, action: string, { name, key }: { name: string; key: string }): Promise<void> =>
    deps.audit.appendAudit({ at: clock.now(), actor, action, target: `token:${name} ${shortTokenId(key)}` });
  return {
    async create(fresh, actor) {
      const message = refusalOf(fresh);
      if (message !== null) return { kind: 'invalid', message };
      const token = mintServiceToken(prefix);
      const createdAt = clock.now();
      const expiresAt = fresh.lifetimeMs === null ? null : createdAt + fresh.lifetimeMs;
      const { name, description } = fresh;
      const stored = { key: keyOfToken(token), name, description, createdAt, expiresAt, lastUsedAt: null };
      await store.insertToken(stored);
      await audit(actor, 'token.create', stored);
      return { kind: 'created', token, stored };
    },
    list: () => store.listTokens(),
    async revoke(keys, actor) {
      const known = new Map((await store.listTokens()).map((one) => [one.key, one]));
      const gone = await store.deleteTokens(keys);
      await Promise.all([...listeners].map((listener) => listener(gone)));
      for (const key of gone) await audit(actor, 'token.revoke', known.get(key) ?? { name: '', key });
      return gone;
    },
    async find(key) {
      try {
        const found = await store.findToken(key);
        const view = found === null ? null : viewOf(found, clock.now());
        return view === null ? { kind: 'absent' } : { kind: 'found', session: view };
      } catch {
        return { kind: 'unavailable' };
      }
    },
    touch: (seen) => touches(seen, clock.now()),
    onRevoked(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** Enough to tell them apart, and to revoke one by. */
export function shortTokenId(key: string): string {
  return key.slice(0, 12);
}

function viewOf({ key, name, expiresAt, lastUsedAt }: StoredToken, now: number): BearerView | null {
  if (expiresAt !== null && now >= expiresAt) return null;
  return {
    key,
    identity: { kind: 'token', name },
    expiresAt: expiresAt ?? Number.MAX_SAFE_INTEGER,
    lastSeenAt: lastUsedAt ?? 0,
  };
}

function refusalOf({ name, description, lifetimeMs }: NewToken): string | null {
  const quoted = JSON.stringify(name);
  if (!TOKEN_NAME.test(name))
    return `Cannot create token for ${quoted}: write 1 to 64 of a-z, 0-9, ".", "_" and "-", beginning with a letter or digit`;
  if (description.length > MOST_DESCRIPTION || CONTROL.test(description))
    return `Cannot create token for ${quoted}: the description has control characters or more than ${MOST_DESCRIPTION} characters`;
  if (lifetimeMs !== null && !(lifetimeMs >= SHORTEST_MS && lifetimeMs <= LONGEST_MS))
    return `Cannot create token for ${quoted}: it may live for a second to 36500 days; write for example "90d", or "never"`;
  return null;
}

type Seen = readonly (readonly [key: string, at: number])[];

function createCoarseTouches(store: TokenStore): (seen: Seen, now: number) => void {
  const written = new Map<string, number>();
  return (seen, now) => {
    const due = seen
      .map(([key, at]) => [key, Math.min(at, now)] as const)
      .filter(([key, at]) => at - (written.get(key) ?? 0) >= TOUCH_EVERY_MS);
    if (due.length === 0) return;
    // A failing store says so elsewhere; the next use is written again.
    void store.touchTokens(due).then(
      () => due.forEach(([key, at]) => written.set(key, at)),
      () => undefined,
    );
  };
}
