/**
 * What works once: the state of a sign-in at a provider, a logout token, a passkey's challenge. Kept in the
 * store until it is too old to work anyway, so that neither a second try nor one after a restart counts.
 */
import { hash } from 'node:crypto';
import type { SessionStore } from '../core/session-store.ts';

export type SingleUseKind = 'flow' | 'logout' | 'passkey';

/** Anybody may begin a sign-in and come back with nonsense; the others take a provider's signature, or a form of ours. */
const MOST: Readonly<Record<SingleUseKind, number>> = { flow: 200_000, logout: 50_000, passkey: 50_000 };

export interface SingleUse {
  /** True, durably, for the first caller with this text; it must not be worth anything after `until`. */
  spend(use: SingleUseKind, text: string, until: number): Promise<boolean>;
  /** For what must have its effect before it is used up, and may have it twice. */
  wasSpent(use: SingleUseKind, text: string): Promise<boolean>;
}

export function createSingleUse(store: Pick<SessionStore, 'spend' | 'wasSpent'>): SingleUse {
  const keyOf = (text: string): string => hash('sha256', text, 'base64url');
  return {
    spend: (use, text, until) => store.spend(use, keyOf(text), { until, most: MOST[use] }),
    wasSpent: (use, text) => store.wasSpent(use, keyOf(text)),
  };
}
