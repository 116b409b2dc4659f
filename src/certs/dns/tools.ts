/** What providers need of the world; tests hand in their own. */
import { setTimeout as wait } from 'node:timers/promises';
import { type Clock, systemClock } from '../../core/clock.ts';

export interface ProviderTools {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  /** From 0 up to 1, for jitter. */
  readonly random: () => number;
  /** Longest wait for one answer of an API, or for one run of a hook. */
  readonly timeoutMs: number;
  /** What a command inherits. */
  readonly environment: Readonly<Record<string, string>>;
}

export const systemTools: ProviderTools = {
  fetch: (url, init) => fetch(url, init),
  sleep: async (ms, signal) => {
    await wait(ms, undefined, { signal });
  },
  clock: systemClock,
  random: () => Math.random(),
  timeoutMs: 30_000,
  environment: { PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin', HOME: process.env['HOME'] ?? '/' },
};
