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
  void run(job).then((result) => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    parentPort?.postMessage({ id: job.id, result } satisfies HashDone);
  });
});
