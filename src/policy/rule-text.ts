/** Rules as an operator wrote them, with where they stand. The document has this shape. */
import type { Diagnostic } from '../core/diagnostic.ts';

export type Place = Diagnostic['path'];

/** `"signed-in"`, `{ all: [...] }`, `{ when: "CEL" }`. */
export type RuleText = string | { readonly all: readonly RuleText[] } | { readonly when: string };

export interface Rule {
  readonly rule: RuleText;
  readonly at: Place;
}
