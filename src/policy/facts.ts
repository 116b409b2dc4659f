/**
 * What rules are decided on, and what they answer. Facts that are unknown are null: an unknown address
 * is in no `ip:` allow and in every `ip:` deny.
 */
import type { Identity, Unsaid } from '../core/person.ts';
import type { ClientCertificate } from '../wire/exchange.ts';

export interface RequestFacts {
  readonly method: string;
  readonly host: string;
  /** The canonical path: the one that is routed and sent upstream. */
  readonly path: string;
  readonly query: string;
}

export interface Facts {
  readonly identity: Identity;
  /** In the one spelling of core/ip-address.ts; null: unknown. */
  readonly ip: string | null;
  readonly clientCertificate: ClientCertificate | null;
  /** Null where only the identity is judged: every rule that needs the request fails closed. */
  readonly request: RequestFacts | null;
  /** Milliseconds since the epoch. Left out: no sign-in counts as recent. */
  readonly now?: number;
}

/** What a route asks of persons besides its rules, or what of it is missing. */
export interface StepUp {
  readonly secondFactor: boolean;
  /** One of these; empty: none is asked for. */
  readonly acr: readonly string[];
  /** How old a sign-in may be; null: as old as its session. */
  readonly maxAgeMs: number | null;
}

/** Each names the rule that made it. `sign-in` and `challenge` name the rule that could still let in. */
export type Decision =
  | { readonly kind: 'allow'; readonly rule: string }
  | Refusal
  | {
      readonly kind: 'sign-in';
      readonly rule: string;
      /** The person is in as far as the rules go, but has not shown this. */
      readonly needs?: StepUp;
    }
  | { readonly kind: 'challenge'; readonly rule: string };

export interface Refusal {
  readonly kind: 'deny';
  readonly rule: string;
  readonly reason: string;
  /** What the person's provider said nothing of, and an allow rule looks at. */
  readonly unsaid?: readonly Unsaid[];
  /** The organisations among it. */
  readonly withheld?: readonly string[];
}

/** How one rule was judged. Plain data without secrets, to print or to send. */
export interface RuleTrace {
  readonly list: 'deny' | 'allow' | 'require';
  readonly rule: string;
  readonly matched: boolean;
  /** Why it matched or not: `user is "bob", wanted "alice"`. */
  readonly reason: string;
  /** True for the one rule that made the decision. */
  readonly decisive: boolean;
  /** For a refused visitor: what could make this allow rule match. */
  readonly couldHelp: 'sign-in' | 'challenge' | null;
  /** The parts of an `all`. */
  readonly parts: readonly RuleTrace[];
}

/** True where the person has proved more than one thing about themselves (RFC 8176, "mfa"). */
export function hasSecondFactor(amr: readonly string[]): boolean {
  return amr.includes('mfa');
}

/** Stands in a decision where no allow rule matched and none could. */
export const NO_RULE = '(no rule)';

export const ANONYMOUS: Identity = { kind: 'anonymous' };
