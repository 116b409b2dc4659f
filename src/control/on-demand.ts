/** Joins certificates on demand to the orders, the document and the workers. */
import { setTimeout as sleep } from 'node:timers/promises';
import { AcmeFailure } from '../certs/acme/failure.ts';
import { askUrl } from '../certs/issuance/ask-url.ts';
import { OnDemand, type Demand } from '../certs/issuance/on-demand.ts';
import { nameSetOf, type OnDemandSettings } from '../certs/issuance/wanted.ts';
import { systemClock } from '../core/clock.ts';
import type { Issuance } from '../certs/issuance/issuance.ts';
import type { OrderOutcome } from '../certs/issuance/order-run.ts';
import type { Logger } from '../core/log.ts';

export interface OnDemandPlace {
  readonly log: Logger;
  /** What is issued has changed: the set of certificates is to be looked at again. Resolves when workers have it. */
  readonly onChange: () => Promise<void>;
  readonly demandFor: (name: string) => Demand;
  readonly onDemand: () => OnDemandSettings | null;
}

export interface OnDemandJoined {
  readonly names: () => readonly string[];
  readonly demand: (name: string) => Promise<boolean>;
  readonly close: () => void;
}

/** Null: it was not its time, or its CA is away. `locked`: another node of the same store orders it now. */
function isUntried(outcome: OrderOutcome | null): boolean {
  if (outcome?.kind !== 'failed') return outcome === null || outcome.kind === 'locked';
  return outcome.error instanceof AcmeFailure && outcome.error.kind === 'unreachable';
}

const isOneName = (names: string): boolean => !names.includes(' ');

/** Nobody waits longer in a handshake; the order goes on. */
const LONGEST_MS = 60_000;
const RECHECK_MS = 12 * 3_600_000;
const USUAL: OnDemandSettings = { ask: null, perHour: 20 };

export function joinOnDemand(issuance: Issuance, place: OnDemandPlace): OnDemandJoined {
  const demand = new OnDemand({
    clock: systemClock,
    logger: place.log,
    ask: askUrl,
    demandFor: place.demandFor,
    settings: () => place.onDemand() ?? USUAL,
    issued: () => [...new Set(issuance.issued.map(({ stored }) => nameSetOf(stored.subject)))].filter(isOneName),
    async obtain(name) {
      await place.onChange();
      // One that failed a moment ago is left to its schedule. Of two kinds of key whoever waits may need either.
      const orders = issuance.subjectsOf(name).map((subject) => issuance.order(subject, false));
      const outcomes = await Promise.race([Promise.all(orders), sleep(LONGEST_MS, null, { ref: false })]);
      await place.onChange();
      const isThere = issuance.issued.some(
        ({ stored, entry }) => nameSetOf(stored.subject) === name && entry.notAfter > Date.now(),
      );
      if (isThere) return 'there';
      return outcomes !== null && outcomes.every(isUntried) ? 'untried' : 'failed';
    },
  });
  const recheck = async (): Promise<void> => {
    await demand.recheck();
    await place.onChange();
  };
  const timer = setInterval(() => void recheck(), RECHECK_MS).unref();
  return { names: () => demand.names(), demand: (name) => demand.demand(name), close: () => clearInterval(timer) };
}
