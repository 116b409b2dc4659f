/**
 * Certificates that are ordered when somebody first asks for the name in a handshake: for hosts that the document
 * lists, and, where a program of the operator's says yes to the very name, for names below a wildcard or of nobody.
 * A stranger chooses the name, so everything here is bounded, remembered and refused in doubt.
 */
import { isIP } from 'node:net';
import { isPublicName } from './wanted.ts';
import type { OnDemandSettings } from './wanted.ts';
import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/log.ts';

/** What the operator's program says of a name. */
export type AskAnswer =
  | { readonly kind: 'yes' | 'no' }
  /** It said neither; `why` is for the operator. */
  | { readonly kind: 'unavailable'; readonly why: string };
export type Ask = (url: string, name: string) => Promise<AskAnswer>;

/** What the document says of a name. */
export type Demand =
  /** The very name is listed. */
  | { readonly kind: 'listed' }
  /** Below a wildcard, or of nobody: only with a yes. */
  | { readonly kind: 'ask' }
  | { readonly kind: 'none' };

export type Obtained =
  /** In use on every worker. */
  | 'there'
  | 'failed'
  /** No CA was asked, or none answered: what was tried a moment ago waits for its time, as does a CA that is away. */
  | 'untried';

export interface OnDemandDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly ask: Ask;
  readonly demandFor: (name: string) => Demand;
  readonly settings: () => OnDemandSettings;
  /** Orders, or finds what is there. */
  readonly obtain: (name: string) => Promise<Obtained>;
  /** Names that certificates are there for. */
  readonly issued: () => readonly string[];
}

const HOUR_MS = 3_600_000;
const NO_FOR_MS = 60_000;
/** Who was not asked, or did not answer, is asked again soon: the program may just start anew. */
const UNKNOWN_FOR_MS = 3_000;
/** A CA that is away may be back soon, and a visitor is there now. */
const UNTRIED_FOR_MS = 10_000;
/** Each has all certificates looked at twice, and while a CA is away an hour's names do not bound how many there are. */
const UNTRIED_A_MINUTE = 60;
const MINUTE_MS = 60_000;
const TELL_EVERY_MS = 60_000;
const REMEMBERED = 1_000;
const AT_ONCE = 8;
const ASKS_A_SECOND = 20;
const HOST_NAME = /^(?=.{4,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$/;

export class OnDemand {
  readonly #deps: OnDemandDeps;
  readonly #running = new Map<string, Promise<boolean>>();
  /** Until when a name is refused without asking anybody. */
  readonly #refused = new Map<string, number>();
  /** Names that their certificate may not be renewed for any more. */
  readonly #dropped = new Set<string>();
  readonly #wanted = new Set<string>();
  #orderedAt: number[] = [];
  #untriedAt: number[] = [];
  #asked = { second: 0, count: 0 };
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(deps: OnDemandDeps) {
    this.#deps = deps;
  }

  /** Names to be provisioned: those that are asked for now, and those that were and are still to be renewed. */
  names(): readonly string[] {
    const { issued, demandFor } = this.#deps;
    const kept = issued().filter((name) => !this.#dropped.has(name) && demandFor(name).kind !== 'none');
    return [...new Set([...kept, ...this.#wanted])];
  }

  /** True when a certificate for the name is in use now. All who ask for one name at a time share the answer. */
  demand(name: string): Promise<boolean> {
    const running = this.#running.get(name);
    if (running !== undefined) return running;
    if (!this.#mayTry(name)) return Promise.resolve(false);
    const run = this.#run(name)
      .catch((error: unknown) => {
        this.#deps.logger.error({ code: 'ACME_FAILED', err: error, name }, 'Cannot order a certificate on demand');
        return false;
      })
      .finally(() => this.#running.delete(name));
    this.#running.set(name, run);
    return run;
  }

  /** Asks again about every name that has a certificate: one that is not wanted any more is not renewed. */
  async recheck(): Promise<void> {
    const { issued, demandFor, ask, settings, logger } = this.#deps;
    const url = settings().ask;
    for (const name of issued()) {
      if (url === null || demandFor(name).kind !== 'ask') continue;
      const answer = await ask(url, name);
      if (answer.kind === 'yes') this.#dropped.delete(name);
      if (answer.kind !== 'no' || this.#dropped.has(name)) continue;
      this.#dropped.add(name);
      logger.info({ name }, 'Certificate is not renewed any more: the program that is asked does not want the name');
    }
  }

  #mayTry(name: string): boolean {
    if (!HOST_NAME.test(name) || isIP(name) !== 0 || !isPublicName(name)) return false;
    const now = this.#deps.clock.now();
    const until = this.#refused.get(name);
    // One that is further away is of a clock that was set back.
    if (until !== undefined && until > now && until <= now + NO_FOR_MS) return false;
    return this.#running.size < AT_ONCE;
  }

  async #run(name: string): Promise<boolean> {
    const { demandFor, clock, logger } = this.#deps;
    const demand = demandFor(name);
    if (demand.kind === 'none') return false;
    const answer = demand.kind === 'ask' ? await this.#ask(name) : 'yes';
    if (answer !== 'yes') return this.#refuse(name, answer === 'no' ? NO_FOR_MS : UNKNOWN_FOR_MS);
    if (!this.#mayTryInVain()) return this.#refuse(name, UNTRIED_FOR_MS);
    if (!this.#mayOrder()) {
      logger.warn({ code: 'ACME_FAILED', name }, 'Certificate not ordered: acme.on_demand.per_hour is reached');
      return this.#refuse(name);
    }
    this.#dropped.delete(name);
    this.#wanted.add(name);
    const at = clock.now();
    this.#orderedAt.push(at);
    try {
      const obtained = await this.#deps.obtain(name);
      if (obtained === 'there') return true;
      if (obtained === 'failed') return this.#refuse(name);
      // No CA has heard of it: it takes nothing from the names that can be ordered.
      const own = this.#orderedAt.indexOf(at);
      if (own !== -1) this.#orderedAt.splice(own, 1);
      this.#untriedAt.push(at);
      return this.#refuse(name, UNTRIED_FOR_MS);
    } finally {
      this.#wanted.delete(name);
    }
  }

  async #ask(name: string): Promise<AskAnswer['kind']> {
    const { ask, settings, clock } = this.#deps;
    const url = settings().ask;
    const second = Math.floor(clock.now() / 1000);
    if (second !== this.#asked.second) this.#asked = { second, count: 0 };
    if (url === null) return 'no';
    if (++this.#asked.count > ASKS_A_SECOND) return 'unavailable';
    const answer = await ask(url, name);
    if (answer.kind === 'unavailable') this.#tellSilence(name, answer.why);
    return answer.kind;
  }

  /** Strangers choose the names: one line a minute, not one each. */
  #tellSilence(name: string, why: string): void {
    const { clock, logger } = this.#deps;
    const now = clock.now();
    if (Math.abs(now - this.#toldAt) < TELL_EVERY_MS) return;
    this.#toldAt = now;
    const message = `Certificate not ordered for "${name}": acme.on_demand.ask says neither yes nor no: ${why} (let it answer 200 or 404 within five seconds; it is asked again at the next visit)`;
    logger.warn({ code: 'ACME_FAILED', name }, message);
  }

  #mayOrder(): boolean {
    const now = this.#deps.clock.now();
    this.#orderedAt = this.#orderedAt.filter((at) => Math.abs(now - at) < HOUR_MS);
    return this.#orderedAt.length < this.#deps.settings().perHour;
  }

  #mayTryInVain(): boolean {
    const now = this.#deps.clock.now();
    this.#untriedAt = this.#untriedAt.filter((at) => Math.abs(now - at) < MINUTE_MS);
    return this.#untriedAt.length < UNTRIED_A_MINUTE;
  }

  #refuse(name: string, forMs = NO_FOR_MS): false {
    if (this.#refused.size >= REMEMBERED) {
      const [oldest] = this.#refused.keys();
      if (oldest !== undefined) this.#refused.delete(oldest);
    }
    this.#refused.delete(name);
    this.#refused.set(name, this.#deps.clock.now() + forMs);
    return false;
  }
}
