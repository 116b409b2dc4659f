/**
 * What stands between a callback and the provider that it makes us ask. A state is used up, durably, by the session that it
 * opens (`sessions.spend`), so strangers have no way to fill what is kept of used states. Here it is used up while it is
 * on its way, so that no provider sees a code twice, and once it has failed. And whoever makes codes up is asked for
 * patience before the provider loses its own with all of us: by address and by the network it is a part of, or by the
 * browser where somebody has signed in there.
 * Memory is bounded: what was used longest ago goes first.
 */
import type { Clock } from '../core/clock.ts';

/** Codes that fail before there is a wait, and how fast time forgives them. */
interface Pace {
  readonly free: number;
  readonly perSecond: number;
}

const OWN: Pace = { free: 200, perSecond: 2 };
/** One subscriber may have 65 536 networks of /64: all of them together. */
const NETWORK: Pace = { free: 1_000, perSecond: 5 };
/** Of strangers everywhere. Beyond it each still has a few tries, or whoever has many addresses would keep all newcomers out. */
const EVERYBODY: Pace = { free: 5_000, perSecond: 20 };
const TRIES_OF_EACH = 3;
const LONGEST_WAIT_MS = 60_000;
/** More than a crowd behind one address has at the provider in one moment. */
const MOST_AT_ONCE = 2_000;
const MAX_WHO = 20_000;
/** The provider refuses the code of one that was forgotten: it comes to no session. */
const MAX_FAILED = 20_000;

export type Turn = { readonly kind: 'go' | 'used' } | { readonly kind: 'wait'; readonly retryAfterMs: number };
/** `made-up`: the provider knew nothing of it. `over`: nothing came of it, and not by the fault of whoever came. */
export type Outcome = 'signed-in' | 'made-up' | 'over';

/** Whose limits count. */
export interface Comer {
  /** The browser, where somebody has signed in there, else the address. */
  readonly who: string;
  /** What the address is a part of; null: nothing that is anybody's. */
  readonly network: string | null;
  readonly isKnown: boolean;
}

export interface CallbackLimit {
  /** Ask before the provider is asked. After `go` there is one `end`. */
  readonly begin: (flowId: string, comer: Comer) => Turn;
  readonly end: (flowId: string, comer: Comer, outcome: Outcome) => void;
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
  const own = createLedger(OWN, clock);
  const networks = createLedger(NETWORK, clock);
  const everybody = createLedger(EVERYBODY, clock);

  return {
    begin(flowId, { who, network, isKnown }) {
      if (running.has(flowId) || failed.has(flowId)) return { kind: 'used' };
      const account = own.open(who);
      const isOneOfMany = !isKnown && account.failed >= TRIES_OF_EACH;
      const retryAfterMs = Math.max(
        own.waitMs(who),
        network === null ? 0 : networks.waitMs(network),
        isOneOfMany ? everybody.waitMs('') : 0,
        account.running >= MOST_AT_ONCE ? 1_000 : 0,
      );
      if (retryAfterMs > 0) return { kind: 'wait', retryAfterMs };
      account.running++;
      running.add(flowId);
      return { kind: 'go' };
    },
    end(flowId, { who, network, isKnown }, outcome) {
      running.delete(flowId);
      const account = own.open(who);
      account.running = Math.max(0, account.running - 1);
      if (outcome === 'signed-in') return;
      failed.add(flowId);
      dropOldest(failed, MAX_FAILED);
      if (outcome !== 'made-up') return;
      own.fail(who);
      if (network !== null) networks.fail(network);
      if (!isKnown) everybody.fail('');
    },
  };
}

interface Ledger {
  /** As of now. */
  readonly open: (key: string) => Account;
  readonly waitMs: (key: string) => number;
  readonly fail: (key: string) => void;
}

function createLedger({ free, perSecond }: Pace, clock: Clock): Ledger {
  /** In the order of last use. */
  const accounts = new Map<string, Account>();
  const open = (key: string): Account => {
    const now = clock.now();
    const account = accounts.get(key) ?? { running: 0, failed: 0, at: now };
    account.failed = Math.max(0, account.failed - (Math.max(0, now - account.at) / 1_000) * perSecond);
    account.at = now;
    accounts.delete(key);
    accounts.set(key, account);
    dropOldest(accounts, MAX_WHO);
    return account;
  };
  return {
    open,
    waitMs(key) {
      if (!accounts.has(key)) return 0;
      const over = open(key).failed + 1 - free;
      return over > 0 ? Math.ceil((over / perSecond) * 1_000) : 0;
    },
    fail(key) {
      const account = open(key);
      account.failed = Math.min(free + (LONGEST_WAIT_MS / 1_000) * perSecond, account.failed + 1);
    },
  };
}

function dropOldest(kept: Map<string, unknown> | Set<string>, most: number): void {
  if (kept.size > most) kept.delete(kept.keys().next().value as string);
}
