/** Joins certificates on demand to the orders, the document and the workers. */
import { setTimeout as sleep } from 'node:timers/promises';
import { askUrl } from '../certs/issuance/ask-url.ts';
import { OnDemand, type Demand } from '../certs/issuance/on-demand.ts';
import { systemClock } from '../core/clock.ts';
import type { Issuance } from '../certs/issuance/issuance.ts';
import type { OnDemandSettings } from '../certs/issuance/wanted.ts';
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
    issued: () => issuance.issued.map(({ stored }) => stored.subject).filter((name) => !name.includes(' ')),
    async obtain(name) {
      await place.onChange();
      // One that failed a moment ago is left to its schedule.
      await Promise.race([issuance.order(name, false), sleep(LONGEST_MS, undefined, { ref: false })]);
      await place.onChange();
      return issuance.issued.some(({ stored, entry }) => stored.subject === name && entry.notAfter > Date.now());
    },
  });
  const recheck = async (): Promise<void> => {
    await demand.recheck();
    await place.onChange();
  };
  const timer = setInterval(() => void recheck(), RECHECK_MS).unref();
  return { names: () => demand.names(), demand: (name) => demand.demand(name), close: () => clearInterval(timer) };
}
