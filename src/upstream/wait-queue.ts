/** Who waits for a connection to one target, or for a stream on one: in the order of asking, bounded, and not for ever. */
import type { PosternError } from '../core/errors.ts';
import type { AppConnection } from '../wire/app-call.ts';

export interface PoolWaiter {
  readonly connectMs: number;
  /** Most connections to the target, tunnels included. */
  readonly maxConnections: number;
  /** Repeating the request is not safe. */
  readonly wantsRecent: boolean;
  /** Nothing that was used before will do. */
  readonly wantsFresh: boolean;
  /** A connection of its own that becomes a tunnel. */
  readonly wantsUpgrade: boolean;
  /** Who came by which connection; see visitor.ts. */
  readonly visitor: object;
  onClient(connection: AppConnection): void;
  onNoClient(error: PosternError): void;
}

const MAX_QUEUE = 1_024;

interface Queued {
  readonly waiter: PoolWaiter;
  readonly until: number;
}

export class WaitQueue {
  #queue: Queued[] = [];

  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  get isFull(): boolean {
    return this.#queue.length >= MAX_QUEUE;
  }

  /** Whose turn it is. */
  get first(): PoolWaiter | undefined {
    return this.#queue[0]?.waiter;
  }

  /** As long as connecting may take. */
  add(waiter: PoolWaiter, now: number): void {
    this.#queue.push({ waiter, until: now + waiter.connectMs });
  }

  shift(): PoolWaiter | undefined {
    return this.#queue.shift()?.waiter;
  }

  /** The waiter lost interest. */
  remove(waiter: PoolWaiter): void {
    this.#queue = this.#queue.filter((one) => one.waiter !== waiter);
  }

  /** Tells the first ones, as far as their time is over. */
  refuseDue(now: number, error: () => PosternError): void {
    while (this.#queue.length > 0 && (this.#queue[0] as Queued).until <= now) this.shift()?.onNoClient(error());
  }

  refuseAll(error: PosternError): void {
    const waiting = this.#queue;
    this.#queue = [];
    for (const { waiter } of waiting) waiter.onNoClient(error);
  }
}
