/**
 * Password hashing in threads of its own: argon2 and bcrypt in libuv's pool would starve disk and DNS.
 * The queue is bounded, and one address may hold only a part of it. No thread runs until the first
 * password; close() ends them all. Passwords are never kept or logged.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { createCostCeiling } from './cost-ceiling.ts';
import type { HashDone, HashJob } from './hash-thread.ts';

/** A job waits at most for this many others. */
const QUEUE_LENGTH = 64;
/** Longer ones are refused unread: they would only cost time. */
const MAX_PASSWORD_BYTES = 1_024;
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
  const most = options.threads ?? Math.min(2, Math.max(1, availableParallelism() - 1));
  const queueLength = options.queueLength ?? QUEUE_LENGTH;
  const ceiling = createCostCeiling(() => performance.now());
  const threads = new Set<Thread>();
  const queue: Waiting[] = [];
  let closed = false;
  let lastId = 0;

  function submit(work: Work, peer: string): Promise<Result> {
    if (closed || queue.length >= queueLength || !ceiling.enter(peer)) return Promise.resolve(null);
    const { promise, resolve } = Promise.withResolvers<Result>();
    queue.push({ work, peer, resolve });
    dispatch();
    return promise;
  }

  function dispatch(): void {
    while (queue.length > 0) {
      const thread = idleThread() ?? (threads.size < most ? startThread() : null);
      if (thread === null) return;
      const next = queue.shift() as Waiting;
      thread.current = next;
      thread.startedAt = performance.now();
      thread.worker.ref();
      thread.worker.postMessage({ ...next.work, id: ++lastId } satisfies HashJob);
    }
  }

  function idleThread(): Thread | null {
    for (const thread of threads) if (thread.current === null) return thread;
    return null;
  }

  function startThread(): Thread {
    const file = import.meta.url.endsWith('.ts') ? './hash-thread.ts' : './hash-thread.js';
    const worker = new Worker(new URL(file, import.meta.url), { name: 'hash' });
    const thread: Thread = { worker, current: null, startedAt: 0 };
    threads.add(thread);
    worker.on('message', (done: HashDone) => {
      finish(thread, done.result);
      dispatch();
    });
    // A thread that dies takes its job with it, undecided; the next job starts another.
    worker.on('error', () => threads.delete(thread));
    worker.on('exit', () => {
      threads.delete(thread);
      finish(thread, null);
      dispatch();
    });
    worker.unref();
    return thread;
  }

  function finish(thread: Thread, result: Result): void {
    const { current } = thread;
    if (current === null) return;
    thread.current = null;
    // An idle thread keeps no process alive.
    thread.worker.unref();
    ceiling.leave(current.peer, performance.now() - thread.startedAt);
    current.resolve(result);
  }

  return {
    async verify(hash, password, peer) {
      if (isTooLong(password)) return 'wrong';
      const result = await submit({ kind: 'verify', hash: hash ?? DECOY, password }, peer);
      if (result === null) return 'busy';
      return result === true && hash !== null ? 'ok' : 'wrong';
    },
    async hash(password, peer) {
      if (isTooLong(password))
        throw new RangeError(`Cannot hash password: it is longer than ${MAX_PASSWORD_BYTES} bytes`);
      const result = await submit({ kind: 'hash', password }, peer);
      return typeof result === 'string' ? { kind: 'hash', hash: result } : { kind: 'busy' };
    },
    async close() {
      closed = true;
      for (const waiting of queue.splice(0)) {
        ceiling.leave(waiting.peer, 0);
        waiting.resolve(null);
      }
      await Promise.all([...threads].map((thread) => thread.worker.terminate()));
    },
  };
}

function isTooLong(password: string): boolean {
  return Buffer.byteLength(password, 'utf8') > MAX_PASSWORD_BYTES;
}
