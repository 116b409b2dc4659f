/** Who may enter, and what they must have shown. */
import type { Path } from './path.ts';

/** `"signed-in"`, `{ all: [...] }`, `{ when: "CEL" }`; parsed by policy. */
export type Rule = { readonly rule: RuleText; readonly at: Path };

export type RuleText = string | { readonly all: readonly RuleText[] } | { readonly when: string };

export interface StepUp {
  readonly secondFactor: boolean;
  /** One of these levels of the provider; empty: none is asked for. */
  readonly acr: readonly string[];
  /** How old a sign-in may be; null: as old as its session. */
  readonly maxAgeMs: number | null;
}

/** Judged and logged, not enforced. */
export interface ShadowRules {
  /** In place of the route's; null: the same. */
  readonly allow: readonly Rule[] | null;
  /** Besides the route's. */
  readonly deny: readonly Rule[];
}
