/** The inside of a hash thread: one job at a time, answered in order. Knows no accounts and keeps nothing. */
import { parentPort } from 'node:worker_threads';
import { hashPassword, verifyPassword } from './password-hash.ts';

export type HashJob =
  | { readonly id: number; readonly kind: 'verify'; readonly hash: string; readonly password: string }
  | { readonly id: number; readonly kind: 'hash'; readonly password: string };

export interface HashDone {
  readonly id: number;
  /** The new hash, or whether the password fits; null where the job failed. */
  readonly result: string | boolean | null;
  /** Of the processor: a machine that stood still meanwhile, or was busy, is nobody's doing. */
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
  const before = process.threadCpuUsage();
  void run(job).then((result) => {
    const { user, system } = process.threadCpuUsage(before);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    parentPort?.postMessage({ id: job.id, result, spentMs: (user + system) / 1_000 } satisfies HashDone);
  });
});
