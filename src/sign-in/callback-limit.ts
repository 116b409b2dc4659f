/**
 * What stands between a callback and the provider that it makes us ask. A state is used up, durably, by the session that it
 * opens (`sessions.spend`), so strangers have no way to fill what is kept of used states. Here it is used up while it is
 * on its way, so that no provider sees a code twice, and once it has failed. And whoever makes codes up is asked for
 * patience before the provider loses its own with all of us: by address, or by the browser where somebody has signed in there.
 * Memory is bounded: what was used longest ago goes first.
 */
import type { Clock } from '../core/clock.ts';

/** Codes that fail, before there is a wait. */
const FREE = 200;
const PER_SECOND = 2;
const LONGEST_WAIT_MS = 60_000;
/** More than a crowd behind one address has at the provider in one moment. */
const MOST_AT_ONCE = 2_000;
const MAX_WHO = 20_000;
/** The provider refuses the code of one that was forgotten: it comes to no session. */
const MAX_FAILED = 20_000;

export type Turn = { readonly kind: 'go' | 'used' } | { readonly kind: 'wait'; readonly retryAfterMs: number };
/** `made-up`: the provider knew nothing of it. `over`: nothing came of it, and not by the fault of whoever came. */
export type Outcome = 'signed-in' | 'made-up' | 'over';

export interface CallbackLimit {
  /** Ask before the provider is asked. After `go` there is one `end`. */
  readonly begin: (flowId: string, who: string) => Turn;
  readonly end: (flowId: string, who: string, outcome: Outcome) => void;
}

interface Account {
  running: number;
  /** Codes that failed, less what time has forgiven. */
  failed: number;
  at: number;
}

export function createCallbackLimit(clock: Clock): CallbackLimit {
  const running = new Set<string>();
  const failed = new Set<string>();
  /** In the order of last use. */
  const accounts = new Map<string, Account>();

  const open = (who: string): Account => {
    const now = clock.now();
    const { running: busy = 0, failed: before = 0, at = now } = accounts.get(who) ?? {};
    const forgiven = (Math.max(0, now - at) / 1_000) * PER_SECOND;
    const account = { running: busy, failed: Math.max(0, before - forgiven), at: now };
    accounts.delete(who);
    accounts.set(who, account);
    dropOldest(accounts, MAX_WHO);
    return account;
  };

  return {
    begin(flowId, who) {
      if (running.has(flowId) || failed.has(flowId)) return { kind: 'used' };
      const account = open(who);
      const over = account.failed + 1 - FREE;
      if (over > 0) return { kind: 'wait', retryAfterMs: Math.ceil((over / PER_SECOND) * 1_000) };
      if (account.running >= MOST_AT_ONCE) return { kind: 'wait', retryAfterMs: 1_000 };
      account.running++;
      running.add(flowId);
      return { kind: 'go' };
    },
    end(flowId, who, outcome) {
      running.delete(flowId);
      const account = open(who);
      account.running = Math.max(0, account.running - 1);
      if (outcome === 'signed-in') return;
      failed.add(flowId);
      dropOldest(failed, MAX_FAILED);
      const most = FREE + (LONGEST_WAIT_MS / 1_000) * PER_SECOND;
      if (outcome === 'made-up') account.failed = Math.min(most, account.failed + 1);
    },
  };
}

function dropOldest(kept: Map<string, unknown> | Set<string>, most: number): void {
  if (kept.size > most) kept.delete(kept.keys().next().value as string);
}
