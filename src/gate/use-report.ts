/** Which sessions were used, gathered and handed on about every 5 s. A session idles by what arrives here. */
const EVERY_MS = 5_000;

export interface UseReport {
  note(key: string, at: number): void;
  flushWhenDue(now: number): void;
}

export function createUseReport(report: (seen: readonly (readonly [key: string, at: number])[]) => void): UseReport {
  let seen = new Map<string, number>();
  let lastAt = 0;
  return {
    note(key, at) {
      seen.set(key, at);
    },
    flushWhenDue(now) {
      if (seen.size === 0 || (now >= lastAt && now - lastAt < EVERY_MS)) return;
      lastAt = now;
      const batch = [...seen];
      seen = new Map();
      report(batch);
    },
  };
}
