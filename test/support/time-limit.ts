/**
 * How long a test waits for what should come. A machine that stands still for a minute, as virtual ones do, and goes
 * on, has not shown that it never comes: between two looks two seconds count at most.
 */
const MOST_BETWEEN_LOOKS_MS = 2_000;

/** Answers at each look whether the time is over. */
export function createTimeLimit(ms: number, now: () => number = () => performance.now()): () => boolean {
  let leftMs = ms;
  let lookedAt = now();
  return () => {
    const at = now();
    leftMs -= Math.min(at - lookedAt, MOST_BETWEEN_LOOKS_MS);
    lookedAt = at;
    return leftMs < 0;
  };
}
