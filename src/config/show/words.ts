/** What several sections are shown by. */
import { formatDuration } from '../../core/durations.ts';
import type { Rule } from '../document/rules.ts';
import type { Hsts } from '../document/tls.ts';

export type Shown = string | number | boolean | readonly Shown[] | { readonly [key: string]: Shown | undefined };

/** Also what was written plainly: the output is for tickets and terminals. */
export const SECRET = '(secret)';

export function shownCount(count: number): Shown {
  return Number.isFinite(count) ? count : 'unlimited';
}

export function shownRules(rules: readonly Rule[]): Shown {
  return rules.map(({ rule }) => rule as Shown);
}

export function shownHsts(hsts: Hsts | 'automatic' | null): Shown {
  if (hsts === null || hsts === 'automatic') return hsts ?? 'off';
  const { maxAgeMs, includeSubdomains, preload } = hsts;
  return { max_age: formatDuration(maxAgeMs), include_subdomains: includeSubdomains, preload };
}
