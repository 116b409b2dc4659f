/**
 * The control thread's hold on its edge workers: starts them, hands each the same snapshot, tells all of
 * them of changes and waits for all. A worker that dies is replaced with the newest snapshot; one that
 * dies at once again and again is given up with a clear line, since something is wrong with the machine.
 */
import { availableParallelism } from 'node:os';
import { openChannel } from '../core/channel.ts';
import { PosternError } from '../core/errors.ts';
import { startWorkerThread } from './worker-thread.ts';
import type { Worker } from 'node:worker_threads';
import type { CertificateSet, LateCertificate } from '../certs/certificate-set.ts';
import type { Channel } from '../core/channel.ts';
import type { Logger } from '../core/log.ts';
import type { SessionChange } from '../gate/ports.ts';
import { retireSnapshot } from '../observe/metrics.ts';
import type { SigningKey } from '../session/assertion-keys.ts';
import type { MetricsSnapshot } from '../observe/metrics.ts';
import type { ChallengeAnswer } from './challenge-board.ts';
import { splitSnapshot } from './snapshot-parts.ts';
import { type CountsMemory, createCountsMemory, SharedCounts } from './shared-counts.ts';
import type { ControlMethods, PoolMethods, WorkerBoot, WorkerMethods, WorkerSnapshot } from './worker-protocol.ts';

const HEARTBEAT_MS = 250;
const RESTART_WINDOW_MS = 60_000;
const RESTARTS_BORNE = 5;

export interface WorkerPoolOptions {
  readonly count: number;
  /** The thread of the first worker, where it was started before there was a pool. */
  readonly firstThread?: Worker | undefined;
  readonly boot: Omit<WorkerBoot, 'index' | 'counts' | 'part'>;
  readonly control: ControlMethods;
  readonly log: Logger;
  /** Whether the store answers: the heartbeat says that every change of a session has been told. */
  readonly isStoreAnswering: () => boolean;
  /** Called when workers cannot be kept alive: the process should end. */
  readonly onGiveUp: (error: PosternError) => void;
  /** For tests: what stands in for a thread. */
  readonly startThread?: (index: number) => Worker;
}

export interface WorkerPool {
  readonly count: number;
  /** Most workers that a reload can come to. */
  readonly most: number;
  /**
   * Opens the addresses that are new, swaps the snapshot in every worker, starts workers that are missing
   * to `workers`. Rejects with LISTEN_FAILED where an address cannot be had, or with why a worker cannot take it; then
   * all have the document of before.
   */
  readonly apply: (snapshot: Snapshot, workers: number) => Promise<void>;
  readonly replaceCertificates: (certificates: CertificateSet) => void;
  /** One more for the set that workers have. Resolves when every worker serves it. */
  readonly addCertificate: (late: LateCertificate) => Promise<void>;
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

type Snapshot = Omit<WorkerSnapshot, 'workers'>;

interface Member {
  readonly index: number;
  /** Its part of the shared counts. */
  readonly part: number;
  readonly worker: Worker;
  readonly channel: Channel<WorkerMethods>;
  /** Resolves when it has what it was given last. */
  taken: Promise<void>;
}

/** Parts of the shared counts: for as many workers again as begin, and for those that take others' places. */
const SPARE_PARTS = 4;

export function startWorkerPool(options: WorkerPoolOptions): WorkerPool {
  return new Pool(options);
}

class Pool implements WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #members = new Map<number, Member>();
  readonly #heart: NodeJS.Timeout;
  readonly #counts: CountsMemory;
  /** Parts that nobody writes. */
  readonly #freeParts: number[];
  readonly most: number;
  /** Workers that met a defect and answer what runs; others have their places. */
  readonly #leaving = new Set<Member>();
  /** The newest that takes a place, until it listens. */
  readonly #replacing = new Map<number, Promise<void>>();
  /** When workers died, to tell an accident from a machine that cannot run them. */
  #deaths: number[] = [];
  #snapshot: WorkerSnapshot | null = null;
  /** While another takes its place: what all go back to where one cannot take that. */
  #before: WorkerSnapshot | null = null;
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
    this.most = 2 * Math.max(options.count, availableParallelism());
    const parts = this.most + SPARE_PARTS;
    this.#counts = createCountsMemory(parts);
    this.#freeParts = Array.from({ length: parts }, (_, at) => at);
    this.#ticketKeys = options.boot.ticketKeys;
    this.#assertionKey = options.boot.assertionKey;
    for (let index = 0; index < options.count; index++)
      this.#start(index, index === 0 ? options.firstThread : undefined);
    this.#heart = setInterval(() => {
      if (!options.isStoreAnswering()) return;
      for (const member of this.#everyone()) member.channel.send('heartbeat');
    }, HEARTBEAT_MS).unref();
  }

  get count(): number {
    return this.#members.size;
  }

  async apply(snapshot: Snapshot, workers: number): Promise<void> {
    const before = this.#snapshot;
    if (before !== null) await this.#openListeners(before, snapshot);
    const next = { ...snapshot, workers: Math.max(this.count, Math.min(workers, this.most)) };
    this.#snapshot = next;
    this.#before = before;
    try {
      await this.#giveToAll(next, before === null);
    } catch (error) {
      if (this.#before !== null) await this.#giveBack(this.#before);
      throw error;
    } finally {
      this.#before = null;
    }
  }

  async #giveToAll(next: WorkerSnapshot, isFirst: boolean): Promise<void> {
    const left = Promise.all([...this.#leaving].map((member) => giveOrEnd(member, next)));
    await Promise.all(this.#all().map((member) => this.#reload(member, next, isFirst)));
    const missing = Array.from({ length: next.workers }, (_, index) => index).filter((at) => !this.#members.has(at));
    await Promise.all(missing.map((index) => this.#reload(this.#start(index), next, isFirst)));
    await left;
  }

  /** A document that is called refused serves nobody: neither in those that took it, nor in one that is started again. */
  async #giveBack(before: WorkerSnapshot): Promise<void> {
    this.#snapshot = before;
    const left = [...this.#leaving].map((member) => giveOrEnd(member, before));
    await Promise.allSettled([...left, ...this.#all().map((member) => give(member, before))]);
  }

  /** One that dies meanwhile is no reason to refuse what the others have: whoever takes its place gets the same. */
  async #reload(member: Member, snapshot: WorkerSnapshot, isFirst: boolean): Promise<void> {
    try {
      await give(member, snapshot);
    } catch (error) {
      if (isFirst || this.#members.get(member.index) === member) throw error;
      if (this.#leaving.has(member)) await member.worker.terminate();
      await this.#replaced(member.index);
    }
  }

  /** All workers have the new addresses, or none. */
  async #openListeners(before: Snapshot, next: Snapshot): Promise<void> {
    const calls = this.#all().map((member) => member.channel.call('openListeners', next.document.listen));
    const failed = (await Promise.allSettled(calls)).find(({ status }) => status === 'rejected');
    if (failed === undefined) return;
    const { listen } = before.document;
    await Promise.allSettled(this.#all().map((member) => member.channel.call('keepListeners', listen)));
    throw (failed as PromiseRejectedResult).reason;
  }

  replaceCertificates(certificates: CertificateSet): void {
    if (this.#before !== null) {
      // Those of the document of before: workers that have the new one already would be without what it adds.
      this.#before = { ...this.#before, certificates };
      return;
    }
    if (this.#snapshot !== null) this.#snapshot = { ...this.#snapshot, certificates };
    for (const member of this.#everyone()) member.channel.send('replaceCertificates', certificates);
  }

  async addCertificate(late: LateCertificate): Promise<void> {
    // A worker that dies here is started again with the set, which has grown by it.
    await Promise.allSettled(this.#everyone().map((member) => member.channel.call('addCertificate', late)));
  }

  replaceTicketKeys(keys: Uint8Array): void {
    this.#ticketKeys = keys;
    for (const member of this.#everyone()) member.channel.send('replaceTicketKeys', keys);
  }

  replaceAssertionKey(key: SigningKey): void {
    this.#assertionKey = key;
    for (const member of this.#everyone()) member.channel.send('replaceAssertionKey', key);
  }

  async showChallenge(answer: ChallengeAnswer): Promise<void> {
    this.#challenges.set(answer.id, answer);
    // A worker that dies here gets the answer when it is started again.
    await Promise.allSettled(this.#everyone().map((member) => member.channel.call('showChallenge', answer)));
  }

  hideChallenge(id: string): void {
    this.#challenges.delete(id);
    for (const member of this.#everyone()) member.channel.send('hideChallenge', id);
  }

  async sessionsChanged(changes: readonly SessionChange[]): Promise<void> {
    // A worker that dies here starts anew with an empty cache, so its answer is not missed. Those that leave have visitors still.
    await Promise.allSettled(this.#everyone().map((member) => member.channel.call('sessionsChanged', changes)));
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
    const all = this.#everyone();
    await Promise.allSettled(all.map((member) => member.channel.call('drain', deadlineMs)));
    clearInterval(this.#heart);
    await Promise.all(all.map((member) => member.worker.terminate()));
  }

  get #hasInherited(): boolean {
    return Object.keys(this.#options.boot.inheritedSockets).length > 0;
  }

  #all(): Member[] {
    return [...this.#members.values()];
  }

  #everyone(): Member[] {
    return [...this.#members.values(), ...this.#leaving];
  }

  #start(index: number, thread?: Worker): Member {
    const { boot, control, log } = this.#options;
    const part = this.#freeParts.shift();
    if (part === undefined) throw new PosternError('INTERNAL', 'Cannot start edge worker: too many are ending');
    const ownBoot: WorkerBoot = {
      ...boot,
      ticketKeys: this.#ticketKeys,
      assertionKey: this.#assertionKey,
      index,
      counts: this.#counts,
      part,
    };
    const worker = thread ?? (this.#options.startThread ?? startWorkerThread)(index);
    worker.ref();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    worker.postMessage(ownBoot);
    const methods: ControlMethods & PoolMethods = { ...control, metDefect: () => this.#onDefect(member) };
    const channel = openChannel<WorkerMethods>(worker, methods);
    const member: Member = { index, part, worker, channel, taken: Promise.resolve() };
    this.#members.set(index, member);
    worker.on('error', (error) => log.error({ code: 'INTERNAL', worker: index, err: error }, 'Edge worker failed'));
    worker.on('exit', (exitCode) => this.#onExit(member, exitCode));
    for (const answer of this.#challenges.values()) member.channel.send('showChallenge', answer);
    return member;
  }

  #onExit(member: Member, exitCode: number): void {
    const { index, part } = member;
    member.channel.fail(`Cannot reach edge worker ${index}: it ended`);
    new SharedCounts(this.#counts, part).clear();
    this.#freeParts.push(part);
    if (this.#leaving.delete(member)) return;
    this.#members.delete(index);
    if (this.#isEnding) return;
    this.#options.log.error({ code: 'INTERNAL', worker: index, exitCode }, 'Edge worker ended by itself');
    this.#retire(index);
    if (this.#hasInherited) {
      const text = 'Cannot serve without the sockets of systemd, which ended with their worker: see the error above';
      this.#options.onGiveUp(new PosternError('INTERNAL', text));
      return;
    }
    if (this.#mayReplace()) this.#replace(index);
  }

  /** Another worker listens beside it first, so that nobody is turned away; then it answers what runs and ends. */
  #onDefect(member: Member): void {
    if (this.#isEnding || this.#members.get(member.index) !== member) return;
    // The socket would be closed with its worker, and nobody but systemd can open it: it goes on as it is.
    if (this.#hasInherited || this.#snapshot === null || !this.#mayReplace()) return;
    const { drainMs } = this.#snapshot.document.limits;
    this.#leaving.add(member);
    this.#retire(member.index);
    this.#replace(member.index);
    void this.#replaced(member.index)
      .then(() => member.channel.call('drain', drainMs))
      .catch(() => undefined)
      .then(() => member.worker.terminate());
  }

  /** False where workers die again and again: then the process is given up. */
  #mayReplace(): boolean {
    const now = performance.now();
    this.#deaths = [...this.#deaths.filter((at) => now - at < RESTART_WINDOW_MS), now];
    if (this.#snapshot !== null && this.#deaths.length <= RESTARTS_BORNE) return true;
    const facts = { deaths: this.#deaths.length };
    this.#options.onGiveUp(new PosternError('INTERNAL', 'Cannot keep edge workers alive: see the errors above', facts));
    return false;
  }

  #replace(index: number): void {
    this.#replacing.set(index, this.#startAgain(index));
  }

  /** One that dies before it listens has a successor of its own, which is waited for. */
  async #replaced(index: number): Promise<void> {
    let seen: Promise<void> | undefined;
    do {
      seen = this.#replacing.get(index);
      await seen;
    } while (seen !== this.#replacing.get(index));
  }

  async #startAgain(index: number): Promise<void> {
    const { log } = this.#options;
    log.warn({ worker: index }, 'Edge worker is started again');
    try {
      await this.#giveNewest(this.#start(index));
    } catch (error) {
      log.error({ code: 'INTERNAL', worker: index, err: error }, 'Edge worker cannot take the configuration');
    }
  }

  async #giveNewest(member: Member): Promise<void> {
    const snapshot = this.#snapshot as WorkerSnapshot;
    await give(member, snapshot);
    const newest = this.#snapshot as WorkerSnapshot;
    // Told while it was on its way, and undone by what it brought. Another document brings its own.
    const isMissed = newest.revision === snapshot.revision && newest.certificates !== snapshot.certificates;
    if (isMissed) member.channel.send('replaceCertificates', newest.certificates);
  }

  #retire(index: number): void {
    const counted = this.#counted.get(index);
    if (counted !== undefined) this.#retired.push(retireSnapshot(counted));
    this.#counted.delete(index);
  }
}

/**
 * One snapshot at a time, in the order of asking: parts of two would be taken for one, and the older one could be
 * ready last, and stay.
 */
function give(member: Member, snapshot: WorkerSnapshot, stays = true): Promise<void> {
  const taken = member.taken.catch(() => undefined).then(() => send(member, snapshot, stays));
  member.taken = taken;
  return taken;
}

/** What is under way in a worker that leaves is judged by the new document, too. Where that fails it serves nobody any more. */
async function giveOrEnd(member: Member, snapshot: WorkerSnapshot): Promise<void> {
  await give(member, snapshot, false).catch(() => member.worker.terminate());
}

/** Part by part, each when the one before has been taken. */
async function send({ channel }: Member, snapshot: WorkerSnapshot, stays: boolean): Promise<void> {
  const { parts, rest } = splitSnapshot(snapshot);
  for (const part of parts) await channel.call('stage', snapshot.revision, part);
  await channel.call('apply', rest, stays);
}
