/**
 * Password hashing in threads of its own: argon2 and bcrypt in libuv's pool would starve disk and DNS.
 * The queue is bounded, and one address may hold only a part of it. No thread runs until the first
 * password; close() ends them all. Passwords are never kept or logged.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { createCostCeiling, type CostCeiling } from './cost-ceiling.ts';
import type { HashDone, HashJob } from './hash-thread.ts';

/** A job waits at most for this many others. */
const QUEUE_LENGTH = 64;
/** Longer ones are refused unread: they would only cost time. */
export const MAX_PASSWORD_BYTES = 1_024;
/** Today's cost and no password's tag: an unknown name costs the same as a known one. */
const DECOY = `$argon2id$v=19$m=65536,t=2,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`;

export interface HashPool {
  /** Checks a password. A hash of null stands for an unknown name: it costs the same and is wrong. */
  verify(hash: string | null, password: string, peer: string): Promise<'ok' | 'wrong' | 'busy'>;
  /** A PHC string, argon2id. */
  hash(
    password: string,
    peer: string,
  ): Promise<{ readonly kind: 'hash'; readonly hash: string } | { readonly kind: 'busy' }>;
  close(): Promise<void>;
}

export interface HashPoolOptions {
  readonly threads?: number;
  readonly queueLength?: number;
  readonly ceiling?: CostCeiling;
}

type Work =
  | { readonly kind: 'verify'; readonly hash: string; readonly password: string }
  | { readonly kind: 'hash'; readonly password: string };
/** Null: not decided, for want of room, memory or a thread. */
type Result = string | boolean | null;

interface Waiting {
  readonly work: Work;
  readonly peer: string;
  readonly resolve: (result: Result) => void;
}

interface Thread {
  readonly worker: Worker;
  current: Waiting | null;
  startedAt: number;
}

export function createHashPool(options: HashPoolOptions = {}): HashPool {
  const crew = new Crew(
    options.threads ?? Math.min(2, Math.max(1, availableParallelism() - 1)),
    options.queueLength ?? QUEUE_LENGTH,
    options.ceiling ?? createCostCeiling(() => performance.now()),
  );
  return {
    async verify(hash, password, peer) {
      if (isTooLong(password)) return 'wrong';
      const result = await crew.submit({ kind: 'verify', hash: hash ?? DECOY, password }, peer);
      if (result === null) return 'busy';
      return result === true && hash !== null ? 'ok' : 'wrong';
    },
    async hash(password, peer) {
      if (isTooLong(password))
        throw new RangeError(`Cannot hash password: it is longer than ${MAX_PASSWORD_BYTES} bytes`);
      const result = await crew.submit({ kind: 'hash', password }, peer);
      return typeof result === 'string' ? { kind: 'hash', hash: result } : { kind: 'busy' };
    },
    close: () => crew.close(),
  };
}

/** The threads and the queue before them. */
class Crew {
  readonly #most: number;
  readonly #queueLength: number;
  readonly #ceiling: CostCeiling;
  readonly #threads = new Set<Thread>();
  readonly #queue: Waiting[] = [];
  #closed = false;
  #lastId = 0;

  constructor(most: number, queueLength: number, ceiling: CostCeiling) {
    this.#most = most;
    this.#queueLength = queueLength;
    this.#ceiling = ceiling;
  }

  submit(work: Work, peer: string): Promise<Result> {
    if (this.#closed || this.#queue.length >= this.#queueLength || !this.#ceiling.enter(peer))
      return Promise.resolve(null);
    const { promise, resolve } = Promise.withResolvers<Result>();
    this.#queue.push({ work, peer, resolve });
    this.#dispatch();
    return promise;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const waiting of this.#queue.splice(0)) {
      this.#ceiling.leave(waiting.peer, 0);
      waiting.resolve(null);
    }
    await Promise.all([...this.#threads].map((thread) => thread.worker.terminate()));
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      const thread = this.#freeThread();
      if (thread === null) return;
      const next = this.#queue.shift() as Waiting;
      thread.current = next;
      thread.startedAt = performance.now();
      thread.worker.ref();
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
      thread.worker.postMessage({ ...next.work, id: ++this.#lastId } satisfies HashJob);
    }
  }

  #freeThread(): Thread | null {
    for (const thread of this.#threads) if (thread.current === null) return thread;
    return this.#threads.size < this.#most ? this.#start() : null;
  }

  #start(): Thread {
    const file = import.meta.url.endsWith('.ts') ? './hash-thread.ts' : './hash-thread.js';
    const worker = new Worker(new URL(file, import.meta.url), { name: 'hash' });
    const thread: Thread = { worker, current: null, startedAt: 0 };
    this.#threads.add(thread);
    worker.on('message', (done: HashDone) => {
      this.#finish(thread, done.result, done.spentMs);
      this.#dispatch();
    });
    // A thread that dies takes its job with it, undecided; the next job starts another.
    worker.on('error', () => this.#threads.delete(thread));
    worker.on('exit', () => {
      this.#threads.delete(thread);
      // It could not say what it took.
      this.#finish(thread, null, performance.now() - thread.startedAt);
      if (!this.#closed) this.#dispatch();
    });
    worker.unref();
    return thread;
  }

  #finish(thread: Thread, result: Result, spentMs: number): void {
    const { current } = thread;
    if (current === null) return;
    thread.current = null;
    // An idle thread keeps no process alive.
    thread.worker.unref();
    this.#ceiling.leave(current.peer, spentMs);
    current.resolve(result);
  }
}

function isTooLong(password: string): boolean {
  return Buffer.byteLength(password, 'utf8') > MAX_PASSWORD_BYTES;
}
