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
import { retireSnapshot } from '../observe/metrics.ts';
import type { SigningKey } from '../session/assertion-keys.ts';
import type { MetricsSnapshot } from '../observe/metrics.ts';
import type { ChallengeAnswer } from './challenge-board.ts';
import type { ControlMethods, WorkerBoot, WorkerMethods, WorkerSnapshot } from './worker-protocol.ts';

/** Two half-spaces of 8 MB and their reserve: twice that is 3 % less CPU a request, and 30 MB more for 9 000 idle tunnels. */
const HEAP = { maxYoungGenerationSizeMb: 24 };
/** The sources in development, JavaScript in the package. */
const WORKER = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js';
const HEARTBEAT_MS = 250;
const RESTART_WINDOW_MS = 60_000;
const RESTARTS_BORNE = 5;

export interface WorkerPoolOptions {
  readonly count: number;
  readonly boot: Omit<WorkerBoot, 'index' | 'workers'>;
  readonly control: ControlMethods;
  readonly log: Logger;
  /** Whether the store answers: the heartbeat says that every change of a session has been told. */
  readonly isStoreAnswering: () => boolean;
  /** Called when workers cannot be kept alive: the process should end. */
  readonly onGiveUp: (error: PosternError) => void;
}

export interface WorkerPool {
  readonly apply: (snapshot: WorkerSnapshot) => Promise<void>;
  readonly replaceCertificates: (certificates: CertificateSet) => void;
  readonly replaceTicketKeys: (keys: Uint8Array) => void;
  readonly replaceAssertionKey: (key: SigningKey) => void;
  /** Resolves when every worker answers so. */
  readonly showChallenge: (answer: ChallengeAnswer) => Promise<void>;
  readonly hideChallenge: (id: string) => void;
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
  return new Pool(options);
}

class Pool implements WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #members = new Map<number, Member>();
  readonly #heart: NodeJS.Timeout;
  /** When workers died, to tell an accident from a machine that cannot run them. */
  #deaths: number[] = [];
  #snapshot: WorkerSnapshot | null = null;
  #ticketKeys: Uint8Array;
  #assertionKey: SigningKey | null;
  /** What CAs may ask for now: a worker that is started again needs it too. */
  readonly #challenges = new Map<string, ChallengeAnswer>();
  #isEnding = false;
  /** What workers that died had counted when they were last asked: totals never fall. */
  #retired: MetricsSnapshot[] = [];
  readonly #counted = new Map<number, MetricsSnapshot>();

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#ticketKeys = options.boot.ticketKeys;
    this.#assertionKey = options.boot.assertionKey;
    for (let index = 0; index < options.count; index++) this.#start(index);
    this.#heart = setInterval(() => {
      if (!options.isStoreAnswering()) return;
      for (const member of this.#members.values()) member.channel.send('heartbeat');
    }, HEARTBEAT_MS).unref();
  }

  async apply(next: WorkerSnapshot): Promise<void> {
    this.#snapshot = next;
    await Promise.all(this.#all().map((member) => member.channel.call('apply', next)));
  }

  replaceCertificates(certificates: CertificateSet): void {
    if (this.#snapshot !== null) this.#snapshot = { ...this.#snapshot, certificates };
    for (const member of this.#all()) member.channel.send('replaceCertificates', certificates);
  }

  replaceTicketKeys(keys: Uint8Array): void {
    this.#ticketKeys = keys;
    for (const member of this.#all()) member.channel.send('replaceTicketKeys', keys);
  }

  replaceAssertionKey(key: SigningKey): void {
    this.#assertionKey = key;
    for (const member of this.#all()) member.channel.send('replaceAssertionKey', key);
  }

  async showChallenge(answer: ChallengeAnswer): Promise<void> {
    this.#challenges.set(answer.id, answer);
    // A worker that dies here gets the answer when it is started again.
    await Promise.allSettled(this.#all().map((member) => member.channel.call('showChallenge', answer)));
  }

  hideChallenge(id: string): void {
    this.#challenges.delete(id);
    for (const member of this.#all()) member.channel.send('hideChallenge', id);
  }

  async sessionsChanged(changes: readonly SessionChange[]): Promise<void> {
    // A worker that dies here starts anew with an empty cache, so its answer is not missed.
    await Promise.allSettled(this.#all().map((member) => member.channel.call('sessionsChanged', changes)));
  }

  async metrics(): Promise<readonly MetricsSnapshot[]> {
    await Promise.allSettled(
      this.#all().map(async (member) => {
        this.#counted.set(member.index, await member.channel.call('metrics'));
      }),
    );
    return [...this.#retired, ...this.#counted.values()];
  }

  async drain(deadlineMs: number): Promise<void> {
    this.#isEnding = true;
    await Promise.allSettled(this.#all().map((member) => member.channel.call('drain', deadlineMs)));
    clearInterval(this.#heart);
    await Promise.all(this.#all().map((member) => member.worker.terminate()));
  }

  #all(): Member[] {
    return [...this.#members.values()];
  }

  #start(index: number): Member {
    const { boot, count, control, log } = this.#options;
    const workerData: WorkerBoot = {
      ...boot,
      ticketKeys: this.#ticketKeys,
      assertionKey: this.#assertionKey,
      index,
      workers: count,
    };
    const worker = new Worker(new URL(WORKER, import.meta.url), {
      workerData,
      name: `edge ${index}`,
      resourceLimits: HEAP,
    });
    const member: Member = { index, worker, channel: openChannel<WorkerMethods>(worker, control) };
    this.#members.set(index, member);
    worker.on('error', (error) => log.error({ code: 'INTERNAL', worker: index, err: error }, 'Edge worker failed'));
    worker.on('exit', () => this.#onExit(member));
    return member;
  }

  #onExit(member: Member): void {
    member.channel.fail(`Cannot reach edge worker ${member.index}: it ended`);
    this.#members.delete(member.index);
    if (this.#isEnding) return;
    this.#retire(member.index);
    const now = performance.now();
    this.#deaths = [...this.#deaths.filter((at) => now - at < RESTART_WINDOW_MS), now];
    if (this.#snapshot === null || this.#deaths.length > RESTARTS_BORNE) {
      const facts = { deaths: this.#deaths.length };
      this.#options.onGiveUp(
        new PosternError('INTERNAL', 'Cannot keep edge workers alive: see the errors above', facts),
      );
      return;
    }
    this.#replace(member.index, this.#snapshot);
  }

  #replace(index: number, snapshot: WorkerSnapshot): void {
    const { log } = this.#options;
    log.warn({ worker: index }, 'Edge worker is started again');
    const { channel } = this.#start(index);
    for (const answer of this.#challenges.values()) channel.send('showChallenge', answer);
    channel.call('apply', snapshot).catch((error: unknown) => {
      log.error({ code: 'INTERNAL', worker: index, err: error }, 'Edge worker cannot take the configuration');
    });
  }

  #retire(index: number): void {
    const counted = this.#counted.get(index);
    if (counted !== undefined) this.#retired.push(retireSnapshot(counted));
    this.#counted.delete(index);
  }
}
