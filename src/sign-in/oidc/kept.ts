/**
 * Something a provider says about itself, fetched when it is first needed and kept. While the provider was
 * never reached it is asked again and again; one that goes down later is used as it was last.
 */
import type { Clock } from '../../core/clock.ts';

const FRESH_MS = 60 * 60_000;
const CONFIRMED_MS = 5_000;
/** A visitor who comes right after a failure gets the same answer, and the provider is left in peace. */
const FAILURE_HOLDS_MS = 1_000;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;

export interface Kept<T> {
  /** Rejects with what stands in the way where the provider was never reached. */
  readonly get: () => Promise<T>;
  /** The same, but asked for a moment ago: whoever is sent to a provider must not find it dead. */
  readonly confirm: () => Promise<T>;
  /** What was found last, without asking. */
  readonly known: () => T | null;
  readonly close: () => void;
}

export interface KeptDeps<T> {
  readonly fetch: () => Promise<T>;
  readonly clock: Clock;
  /** Told when it fails, and when it works. */
  readonly onFailure: (error: unknown) => void;
  readonly onSuccess: () => void;
}

export function createKept<T>(deps: KeptDeps<T>): Kept<T> {
  const { clock } = deps;
  let held: { readonly value: T; readonly at: number } | null = null;
  let failure: { readonly error: unknown; readonly at: number } | null = null;
  let asking: Promise<T> | null = null;
  let retry: NodeJS.Timeout | null = null;
  let retryMs = FIRST_RETRY_MS;
  let isClosed = false;

  /** A clock that was set back makes nothing newer than it is. */
  const since = ({ at }: { readonly at: number }): number => Math.abs(clock.now() - at);

  const ask = (): Promise<T> => {
    asking ??= deps
      .fetch()
      .then((value) => {
        held = { value, at: clock.now() };
        failure = null;
        retryMs = FIRST_RETRY_MS;
        deps.onSuccess();
        return value;
      })
      .catch((error: unknown) => {
        failure = { error, at: clock.now() };
        deps.onFailure(error);
        askLater();
        throw error;
      })
      .finally(() => (asking = null));
    return asking;
  };

  const askLater = (): void => {
    if (isClosed || retry !== null) return;
    retry = setTimeout(() => {
      retry = null;
      if (!isClosed) void ask().catch(() => undefined);
    }, retryMs).unref();
    retryMs = Math.min(LAST_RETRY_MS, retryMs * 2);
  };

  return {
    known: () => held?.value ?? null,
    async confirm() {
      if (held !== null && since(held) < CONFIRMED_MS) return held.value;
      if (failure !== null && since(failure) < FAILURE_HOLDS_MS) throw failure.error;
      return ask();
    },
    async get() {
      if (held !== null) {
        // The old one serves while the new one is fetched.
        const isDue = since(held) >= FRESH_MS && asking === null && retry === null;
        if (isDue) void ask().catch(() => undefined);
        return held.value;
      }
      if (failure !== null && since(failure) < FAILURE_HOLDS_MS) throw failure.error;
      return ask();
    },
    close() {
      isClosed = true;
      if (retry !== null) clearTimeout(retry);
    },
  };
}
