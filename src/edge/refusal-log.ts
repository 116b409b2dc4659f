/**
 * Lines of connections that were refused. Scanners come by the thousand: of each reason the first is told
 * at once, and those behind it by one line a minute, for as long as they come.
 */
import type { Refusal, RefusalReason } from './refusal.ts';

const MINUTE_MS = 60_000;
/** Names are the strangers' own: a few of them tell an operator whether one of his is among them. */
const MOST_NAMES = 10;

/** One line of the log. */
export interface RefusalLine extends Partial<Refusal> {
  readonly reason: RefusalReason;
  readonly code: 'TLS_NO_CERTIFICATE' | 'BAD_REQUEST';
  /** How many more there were since the line before. */
  readonly count?: number;
  readonly serverNames?: readonly string[];
}

interface Gathered {
  since: number;
  count: number;
  readonly names: Set<string>;
}

export class RefusalLog {
  readonly #write: (line: RefusalLine) => void;
  readonly #gathered = new Map<RefusalReason, Gathered>();

  constructor(write: (line: RefusalLine) => void) {
    this.#write = write;
  }

  /** `now`: monotonic milliseconds. */
  add(refusal: Refusal, now: number): void {
    const { reason, serverName } = refusal;
    const gathered = this.#gathered.get(reason);
    if (gathered === undefined) {
      this.#gathered.set(reason, { since: now, count: 0, names: new Set() });
      this.#write({ ...refusal, code: codeOf(reason) });
      return;
    }
    gathered.count++;
    if (serverName !== null && gathered.names.size < MOST_NAMES) gathered.names.add(serverName);
  }

  /** Call it every second or so. */
  tick(now: number): void {
    for (const [reason, gathered] of this.#gathered)
      if (now - gathered.since >= MINUTE_MS) this.#tell(reason, gathered, now);
  }

  /** What was not told yet, at the end. */
  flush(): void {
    for (const [reason, gathered] of this.#gathered) this.#tell(reason, gathered, 0);
    this.#gathered.clear();
  }

  /** A minute without any: the next one is told at once again. */
  #tell(reason: RefusalReason, gathered: Gathered, now: number): void {
    const { count, names } = gathered;
    if (count === 0) {
      this.#gathered.delete(reason);
      return;
    }
    this.#write({ reason, code: codeOf(reason), count, ...(names.size > 0 && { serverNames: [...names] }) });
    gathered.since = now;
    gathered.count = 0;
    names.clear();
  }
}

function codeOf(reason: RefusalReason): RefusalLine['code'] {
  return reason === 'no-certificate' ? 'TLS_NO_CERTIFICATE' : 'BAD_REQUEST';
}
