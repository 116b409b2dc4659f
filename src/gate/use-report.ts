/**
 * Which sessions were used, gathered and handed on in slices. A session idles by what arrives here, but
 * to the minute is enough of it: with a hundred thousand sessions in use, reporting each of them every
 * few seconds cost more than serving their requests.
 */
const EVERY_MS = 5_000;
/** Handed on at once; the rest waits for the next tick, so that copying them holds nobody up. */
const SLICE = 1_000;
const NOTE_AT_LEAST_MS = 1_000;
const NOTE_AT_MOST_MS = 60_000;
/** A session in use never seems idle for longer than this part of the time that it may be. */
const IDLE_SHARE = 60;
const RECHECK_SHARE = 4;

export interface UseReport {
  note(key: string, at: number): void;
  flushWhenDue(now: number): void;
}

/**
 * How long a session may be used before its use is noted again. `recheckMs`: how often the providers are
 * asked about people who are in; only sessions in use are asked about, so it has to be known in time.
 */
export function noteEveryMs(idleMs: number, recheckMs: number): number {
  return Math.min(
    NOTE_AT_MOST_MS,
    Math.max(NOTE_AT_LEAST_MS, Math.min(idleMs / IDLE_SHARE, recheckMs / RECHECK_SHARE)),
  );
}

export function createUseReport(report: (seen: readonly (readonly [key: string, at: number])[]) => void): UseReport {
  const seen = new Map<string, number>();
  let lastAt = 0;
  /** A report is under way: it goes on at each tick until nothing waits. */
  let isOpen = false;
  return {
    note(key, at) {
      seen.set(key, at);
    },
    flushWhenDue(now) {
      if (seen.size === 0) return;
      if (!isOpen && now >= lastAt && now - lastAt < EVERY_MS) return;
      lastAt = now;
      report(takeSlice(seen));
      isOpen = seen.size > 0;
    },
  };
}

function takeSlice(seen: Map<string, number>): [key: string, at: number][] {
  const slice: [string, number][] = [];
  for (const one of seen) {
    slice.push(one);
    seen.delete(one[0]);
    if (slice.length === SLICE) break;
  }
  return slice;
}
