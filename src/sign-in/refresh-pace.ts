/**
 * How fast providers are asked about people whom nobody waits for. Where a provider was away and everybody is due at
 * once, what visitors do comes first: a hundred people are asked about within five seconds all the same, a thousand
 * within a minute. More of them than that leaves room for are not put off for ever.
 */

/** Of each seat behind each question. With sixteen some twenty questions a second. */
const PAUSE_MS = 800;
/** Some hundred a second. */
const SHORT_PAUSE_MS = 150;
/** A wave that lasts for so long is asked about faster, */
const LONG_BEHIND_MS = 60_000;
/** and one that lasts for so long as fast as it goes. */
const LONGEST_BEHIND_MS = 1_200_000;

/** Milliseconds. `behindMs`: since when more people have been due than were asked about. */
export function pauseBehindQuestion(behindMs: number): number {
  if (behindMs > LONGEST_BEHIND_MS) return 0;
  return behindMs > LONG_BEHIND_MS ? SHORT_PAUSE_MS : PAUSE_MS;
}
