/**
 * The control thread's hold on its edge workers: starts them, hands each the same snapshot, tells all of
 * them of changes and waits for all. A worker that dies is replaced with the newest snapshot; one that
 * dies at once again and again is given up with a clear line, since something is wrong with the machine.
 */
import { Worker } from 'node:worker_threads';
import { openChannel } from '../core/channel.ts';
import { PosternError } from '../core/errors.ts';
import type { CertificateSet } from '../certs/certificate-set.ts';
import type { Channel } from '../core/channel.ts';
import type { Logger } from '../core/log.ts';
import type { SessionChange } from '../gate/ports.ts';
import type { MetricsSnapshot } from '../observe/metrics.ts';
import type { ControlMethods, WorkerBoot, WorkerMethods, WorkerSnapshot } from './worker-protocol.ts';

const HEARTBEAT_MS = 250;
const RESTART_WINDOW_MS = 60_000;
const RESTARTS_BORNE = 5;

export interface WorkerPoolOptions {
  readonly count: number;
  readonly boot: Omit<WorkerBoot, 'index' | 'workers'>;
  readonly control: ControlMethods;
  readonly log: Logger;
  /** Called when workers cannot be kept alive: the process should end. */
  readonly onGiveUp: (error: PosternError) => void;
}

export interface WorkerPool {
  readonly apply: (snapshot: WorkerSnapshot) => Promise<void>;
  readonly replaceCertificates: (certificates: CertificateSet) => void;
  readonly replaceTicketKeys: (keys: Uint8Array) => void;
  /** Resolves when every worker has taken the change over. */
  readonly sessionsChanged: (changes: readonly SessionChange[]) => Promise<void>;
  readonly metrics: () => Promise<readonly MetricsSnapshot[]>;
  readonly drain: (deadlineMs: number) => Promise<void>;
}

interface Member {
  readonly index: number;
  readonly worker: Worker;
  readonly channel: Channel<WorkerMethods>;
}

export function startWorkerPool(options: WorkerPoolOptions): WorkerPool {
  const members = new Map<number, Member>();
  const deaths: number[] = [];
  let snapshot: WorkerSnapshot | null = null;
  let ticketKeys = options.boot.ticketKeys;
  let isEnding = false;

  const start = (index: number): Member => {
    const boot: WorkerBoot = { ...options.boot, ticketKeys, index, workers: options.count };
    const worker = new Worker(new URL(import.meta.resolve('./worker.ts')), { workerData: boot, name: `edge ${index}` });
    const member: Member = { index, worker, channel: openChannel<WorkerMethods>(worker, options.control) };
    members.set(index, member);
    worker.on('error', (error) =>
      options.log.error({ code: 'INTERNAL', worker: index, err: error }, 'Edge worker failed'),
    );
    worker.on('exit', () => onExit(member));
    return member;
  };
  const onExit = (member: Member): void => {
    member.channel.fail(`Cannot reach edge worker ${member.index}: it ended`);
    members.delete(member.index);
    if (isEnding) return;
    const now = performance.now();
    deaths.push(now);
    const recent = deaths.filter((at) => now - at < RESTART_WINDOW_MS);
    if (snapshot === null || recent.length > RESTARTS_BORNE) {
      options.onGiveUp(
        new PosternError('INTERNAL', 'Cannot keep edge workers alive: see the errors above', { deaths: recent.length }),
      );
      return;
    }
    options.log.warn({ worker: member.index }, 'Edge worker is started again');
    const replacement = start(member.index);
    replacement.channel.call('apply', snapshot).catch((error: unknown) => {
      options.log.error(
        { code: 'INTERNAL', worker: member.index, err: error },
        'Edge worker cannot take the configuration',
      );
    });
  };
  for (let index = 0; index < options.count; index++) start(index);
  const heart = setInterval(() => {
    for (const member of members.values()) member.channel.send('heartbeat');
  }, HEARTBEAT_MS);
  heart.unref();
  const all = (): Member[] => [...members.values()];

  return {
    async apply(next) {
      snapshot = next;
      await Promise.all(all().map((member) => member.channel.call('apply', next)));
    },
    replaceCertificates(certificates) {
      if (snapshot !== null) snapshot = { ...snapshot, certificates };
      for (const member of all()) member.channel.send('replaceCertificates', certificates);
    },
    replaceTicketKeys(keys) {
      ticketKeys = keys;
      for (const member of all()) member.channel.send('replaceTicketKeys', keys);
    },
    async sessionsChanged(changes) {
      // A worker that dies here starts anew with an empty cache, so its answer is not missed.
      await Promise.allSettled(all().map((member) => member.channel.call('sessionsChanged', changes)));
    },
    async metrics() {
      const answers = await Promise.allSettled(all().map((member) => member.channel.call('metrics')));
      return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
    },
    async drain(deadlineMs) {
      isEnding = true;
      await Promise.allSettled(all().map((member) => member.channel.call('drain', deadlineMs)));
      clearInterval(heart);
      await Promise.all(all().map((member) => member.worker.terminate()));
    },
  };
}
