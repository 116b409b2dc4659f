/**
 * Durations as operators write them: "12h", "30s", "1h30m", "500ms", "0". Units fall from left to right
 * and appear once each. A bare number other than 0 is refused: nobody can see its unit.
 */
const UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ['w', 604_800_000],
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
];
const PART = /(\d{1,12})(ms|[wdhms])/y;
/** Longest timer that Node can run (2^31 - 1 ms); a longer one would fire at once. */
export const LONGEST_TIMER_MS: number = 2_147_483_647;

/** For a timer of the runtime: "unlimited" is as long as one can be. */
export function timerMs(ms: number): number {
  return Math.min(ms, LONGEST_TIMER_MS);
}

/** Milliseconds, or null where the text is no duration. */
export function parseDuration(text: string): number | null {
  if (text === '0') return 0;
  let total = 0;
  let lastUnit = -1;
  let at = 0;
  while (at < text.length) {
    PART.lastIndex = at;
    const part = PART.exec(text);
    if (part === null) return null;
    const unit = UNITS.findIndex(([name]) => name === part[2]);
    if (unit <= lastUnit) return null;
    total += Number(part[1]) * (UNITS[unit]?.[1] ?? 0);
    lastUnit = unit;
    at = PART.lastIndex;
  }
  return at === 0 || !Number.isSafeInteger(total) ? null : total;
}

/** The shortest text that parseDuration reads back as the same number; "unlimited" for Infinity. */
export function formatDuration(ms: number): string {
  if (ms === Number.POSITIVE_INFINITY) return 'unlimited';
  if (ms === 0) return '0';
  let rest = ms;
  let text = '';
  for (const [unit, size] of UNITS) {
    if (unit === 'w') continue;
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}
