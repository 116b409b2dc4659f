/**
 * Asks the CAs when they want certificates to be renewed (RFC 9773), as often as they wish within limits, and keeps
 * their answers in the store. A CA that has no opinion, or no answer, changes nothing.
 */
import { readRenewalWindow } from '../acme/chain.ts';
import { adviceFor, askAgainTime } from './schedule.ts';
import type { AcmeClient } from '../acme/client.ts';
import type { Clock } from '../../core/clock.ts';
import type { IssuanceStore } from '../../core/issuance-store.ts';
import type { Logger } from '../../core/log.ts';
import type { Issued, IssuedIndex, RenewalState } from './issued.ts';

export interface RenewalAdvisorDeps {
  readonly store: Pick<IssuanceStore, 'setRenewal'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly index: IssuedIndex;
  /** Those that the document wants. */
  readonly subjects: () => readonly string[];
  readonly clientFor: (issued: Issued) => AcmeClient;
  readonly onAdvice: (subject: string) => void;
  readonly signal: AbortSignal;
}

const AT_ONCE = 4;
const SHORTEST_LIFE_MS = 3_600_000;

export class RenewalAdvisor {
  readonly #deps: RenewalAdvisorDeps;
  #asking: Promise<void> | null = null;

  constructor(deps: RenewalAdvisorDeps) {
    this.#deps = deps;
  }

  isDue(now: number): boolean {
    return this.#asking === null && this.#deps.subjects().some((subject) => this.#askTime(subject) <= now);
  }

  /** Asks about those that are due, or about all; resolves when that is done. */
  async ask(isForced: boolean): Promise<void> {
    // One that is under way may have begun before what is to be asked about was there.
    if (isForced) await this.#asking;
    this.#asking ??= this.#askAll(isForced).finally(() => {
      this.#asking = null;
    });
    await this.#asking;
  }

  /** Never again once it has ended (section 4.3), nor where it lives for less than an answer is good for. */
  #askTime(subject: string): number {
    const issued = this.#deps.index.get(subject);
    if (issued === null || issued.entry.notAfter <= this.#deps.clock.now()) return Number.POSITIVE_INFINITY;
    if (issued.entry.notAfter - issued.notBefore < SHORTEST_LIFE_MS) return Number.POSITIVE_INFINITY;
    return issued.renewal.askAgainAt;
  }

  async #askAll(isForced: boolean): Promise<void> {
    const { clock, index, signal, subjects } = this.#deps;
    const now = clock.now();
    const due = subjects()
      .filter((subject) => this.#askTime(subject) <= (isForced ? Number.MAX_VALUE : now))
      .flatMap((subject) => index.get(subject) ?? []);
    const worker = async (): Promise<void> => {
      for (let one = due.shift(); one !== undefined && !signal.aborted; one = due.shift()) await this.#askOne(one);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }

  async #askOne(issued: Issued): Promise<void> {
    const { clock, clientFor, index, logger, random, signal, onAdvice } = this.#deps;
    const { subject } = issued.stored;
    let { advice } = issued.renewal;
    let wished: number | null = null;
    try {
      const window = await readRenewalWindow(clientFor(issued), issued.stored.chain, signal);
      wished = window?.askAgainAt ?? null;
      if (window !== null) advice = adviceFor(window, advice, random);
    } catch (error) {
      if (signal.aborted) return;
      logger.debug({ names: subject, err: error }, 'No renewal information');
    }
    const explanation = advice?.explanation ?? null;
    if (explanation !== null && explanation !== issued.renewal.advice?.explanation)
      logger.warn({ names: subject, explanation }, 'The CA says why this certificate is to be renewed');
    const renewal = { ...issued.renewal, advice, askAgainAt: askAgainTime(clock.now(), wished) };
    // Another certificate may have come meanwhile.
    if (index.get(subject)?.stored.id !== issued.stored.id) return;
    await this.#keep(issued, renewal);
    onAdvice(subject);
  }

  async #keep(issued: Issued, renewal: RenewalState): Promise<void> {
    const { index, logger, store } = this.#deps;
    const text = JSON.stringify(renewal);
    index.put({ ...issued, renewal, stored: { ...issued.stored, renewal: text } });
    await store.setRenewal(issued.stored.id, text).catch((error: unknown) => {
      logger.warn({ code: 'STORE_UNAVAILABLE', err: error }, 'Cannot keep renewal information');
    });
  }
}
