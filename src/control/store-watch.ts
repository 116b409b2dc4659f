/** Whether the store answers, and since when it does not: asked twice a second for a session that nobody has. */
import type { Clock } from '../core/clock.ts';

const PROBE_MS = 500;
const NOBODYS_KEY = '0'.repeat(64);

export interface StoreWatch {
  readonly isAnswering: () => boolean;
  /** 0 while it answers. */
  readonly silentMs: () => number;
  readonly stop: () => void;
}

export interface StoreWatchDeps {
  readonly sessions: { readonly find: (key: string) => Promise<{ readonly kind: string }> };
  readonly clock: Clock;
}

export function watchStore({ sessions, clock }: StoreWatchDeps): StoreWatch {
  let isAnswering = true;
  let answeredAt = clock.now();
  const timer = setInterval(() => {
    // That it is not found is an answer.
    void sessions.find(NOBODYS_KEY).then(({ kind }) => {
      isAnswering = kind !== 'unavailable';
      if (isAnswering) answeredAt = clock.now();
    });
  }, PROBE_MS);
  return {
    isAnswering: () => isAnswering,
    silentMs: () => (isAnswering ? 0 : clock.now() - answeredAt),
    stop: () => clearInterval(timer),
  };
}
