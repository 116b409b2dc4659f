/** The inside of a hash thread: one job at a time, answered in order. Knows no accounts and keeps nothing. */
import { parentPort } from 'node:worker_threads';
import { hashPassword, isOfSeveralLanes, verifyPassword } from './password-hash.ts';

export type HashJob =
  | { readonly id: number; readonly kind: 'verify'; readonly hash: string; readonly password: string }
  | { readonly id: number; readonly kind: 'hash'; readonly password: string };

export interface HashDone {
  readonly id: number;
  /** The new hash, or whether the password fits; null where the job failed. */
  readonly result: string | boolean | null;
  /** Of the processor: a machine that stood still meanwhile, or was busy, is nobody's doing. Of several lanes: of the clock. */
  readonly spentMs: number;
}

async function run(job: HashJob): Promise<HashDone['result']> {
  try {
    return job.kind === 'hash' ? hashPassword(job.password) : await verifyPassword(job.hash, job.password);
  } catch {
    // Not enough memory, say. The message could hold what was hashed.
    return null;
  }
}

parentPort?.on('message', (job: HashJob) => {
  const startedAt = performance.now();
  const before = process.threadCpuUsage();
  void run(job).then((result) => {
    const { user, system } = process.threadCpuUsage(before);
    const ownMs = (user + system) / 1_000;
    // This thread waits for those of the lanes, whose time nobody counts: it would cost next to nothing.
    const isShared = job.kind === 'verify' && isOfSeveralLanes(job.hash);
    const spentMs = isShared ? Math.max(ownMs, performance.now() - startedAt) : ownMs;
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    parentPort?.postMessage({ id: job.id, result, spentMs } satisfies HashDone);
  });
});
