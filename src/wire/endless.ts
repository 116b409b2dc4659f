/**
 * Exchanges without an end of their own, tunnels and event streams, and how they end when the program does: after a
 * grace for what is under way, and not all at once, so that their clients come back one by one.
 */

export interface EndlessOptions {
  /** Monotonic milliseconds. */
  readonly now?: () => number;
  readonly everyMs?: number;
}

const END_EVERY_MS = 100;
/** Of those that are left, each time: nearly all are gone within two seconds. */
const END_SHARE = 0.2;
/** A stream younger than this may be the answer to a question, of a language model say, which does end. */
const ANSWER_MS = 30_000;

interface Open {
  /** When it began; null for a tunnel, which never was an answer. */
  readonly streamSince: number | null;
  readonly end: () => void;
}

/** Keyed by whatever stands for the exchange. */
export class Endless<Key> {
  readonly #open = new Map<Key, Open>();
  readonly #now: () => number;
  readonly #everyMs: number;

  constructor(options: EndlessOptions = {}) {
    this.#now = options.now ?? (() => performance.now());
    this.#everyMs = options.everyMs ?? END_EVERY_MS;
  }

  addTunnel(key: Key, end: () => void): void {
    this.#open.set(key, { streamSince: null, end });
  }

  addStream(key: Key, end: () => void): void {
    this.#open.set(key, { streamSince: this.#now(), end });
  }

  delete(key: Key): void {
    this.#open.delete(key);
  }

  /** Ends them after the grace, those that still come too. Clear what it answers. */
  end(graceMs: number): NodeJS.Timeout {
    const begunAt = this.#now();
    return setInterval(() => {
      const now = this.#now();
      if (now - begunAt < graceMs) return;
      const due = [...this.#open].filter(([, one]) => isDue(one, begunAt, now));
      for (const [key, one] of due.slice(0, Math.ceil(due.length * END_SHARE))) {
        // Closing takes them a moment, and they must not be counted again meanwhile.
        this.#open.delete(key);
        one.end();
      }
    }, this.#everyMs);
  }
}

/** Who opened a stream only after the end began is a client that came back: it should go elsewhere. */
function isDue({ streamSince }: Open, begunAt: number, now: number): boolean {
  return streamSince === null || streamSince >= begunAt || now - streamSince >= ANSWER_MS;
}
