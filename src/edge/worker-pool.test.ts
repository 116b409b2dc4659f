import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { EMPTY_CERTIFICATE_SET } from '../certs/certificate-set.ts';
import type { Logger } from '../core/log.ts';
import { documentOf } from '../route/document-fixture.ts';
import { startWorkerPool, type WorkerPool } from './worker-pool.ts';
import type { ControlMethods, WorkerSnapshot } from './worker-protocol.ts';

interface Message {
  readonly kind: string;
  readonly id: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

/** Takes what the pool says, and answers each call when it may. */
class FakeThread extends EventEmitter {
  /** What it was told, with the revision of a document. */
  readonly told: string[] = [];
  /** Methods that it does not answer yet. */
  readonly held: Set<string> = new Set();
  /** Methods that it fails at. */
  readonly failing: Set<string> = new Set();
  /** What it was to apply. */
  readonly documents: WorkerSnapshot[] = [];
  hasEnded = false;
  readonly #waiting: Message[] = [];

  ref(): void {}

  postMessage(message: Partial<Message>): void {
    const { kind, method = '' } = message;
    if (kind !== 'call' && kind !== 'send') return;
    if (method !== 'heartbeat') this.told.push(wordsOf(message as Message));
    if (method === 'apply') this.documents.push(message.args?.[0] as WorkerSnapshot);
    if (kind === 'send') return;
    this.#waiting.push(message as Message);
    this.go();
  }

  /** Answers whatever is not held. */
  go(): void {
    for (const message of this.#waiting.splice(0)) {
      if (this.held.has(message.method)) this.#waiting.push(message);
      else setImmediate(() => this.#answer(message));
    }
  }

  meetDefect(): void {
    this.emit('message', { kind: 'send', method: 'metDefect', args: [] });
  }

  terminate(): Promise<number> {
    if (!this.hasEnded) {
      this.hasEnded = true;
      this.emit('exit', 1);
    }
    return Promise.resolve(1);
  }

  #answer({ id, method }: Message): void {
    if (this.hasEnded) return;
    const error = { kind: 'error', id, code: 'INTERNAL', message: `cannot ${method}` };
    this.emit('message', this.failing.has(method) ? error : { kind: 'result', id, value: undefined });
  }
}

function wordsOf({ method, args: [first] }: Message): string {
  const revision = (first as { revision?: string } | undefined)?.revision;
  return revision === undefined ? method : `${method} ${revision}`;
}

interface Fakes {
  readonly pool: WorkerPool;
  readonly threads: FakeThread[];
  readonly reload: (revision: string, workers?: number) => Promise<void>;
}

async function withPool(count: number, work: (fakes: Fakes) => Promise<void>): Promise<void> {
  const threads: FakeThread[] = [];
  const nothing = (): void => undefined;
  const pool = startWorkerPool({
    count,
    boot: {
      instance: 'i',
      logLevel: 'info',
      logFormat: 'json',
      colours: false,
      ticketKeys: new Uint8Array(48),
      assertionKey: null,
      inheritedSockets: {},
    },
    control: {} as ControlMethods,
    log: { error: nothing, warn: nothing, info: nothing } as unknown as Logger,
    isStoreAnswering: () => true,
    onGiveUp: (error) => assert.fail(error),
    startThread() {
      const thread = new FakeThread();
      threads.push(thread);
      return thread as unknown as Worker;
    },
  });
  const reload = (revision: string, workers = count): Promise<void> =>
    pool.apply({ revision, document: documentOf([]), certificates: EMPTY_CERTIFICATE_SET }, workers);
  try {
    await reload('first');
    await work({ pool, threads, reload });
  } finally {
    for (const thread of threads) thread.held.clear();
    await pool.drain(0);
  }
}

async function settle(): Promise<void> {
  for (let turns = 0; turns < 30; turns++) await turn();
}

/** It meets a defect and stays, since something is under way in it. */
async function leave(thread: FakeThread): Promise<void> {
  thread.held.add('drain');
  thread.meetDefect();
  await settle();
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await turn();
}

const appliedBy = ({ told }: FakeThread): string[] => told.filter((one) => one.startsWith('apply'));

test('apply() reaches a worker that met a defect, for as long as something is under way in it', () =>
  withPool(1, async ({ threads, reload }) => {
    const [first] = threads as [FakeThread];
    await leave(first);
    assert.equal(first.told.at(-1), 'drain', 'it answers what runs, while another has its place');
    await reload('second');
    assert.deepEqual(appliedBy(first), ['apply first', 'apply second']);
    assert.deepEqual(appliedBy(threads[1] as FakeThread), ['apply first', 'apply second']);
    assert.equal(first.told.includes('openListeners'), false, 'no new address: it ends soon');
    assert.equal(first.hasEnded, false);
  }));

test('apply() ends a worker that leaves and cannot take the new document: it would judge by the old one', () =>
  withPool(1, async ({ threads, reload }) => {
    const [first] = threads as [FakeThread];
    await leave(first);
    first.failing.add('apply');
    await reload('second');
    assert.equal(first.hasEnded, true);
    assert.deepEqual(appliedBy(threads[1] as FakeThread), ['apply first', 'apply second']);
  }));

test('What workers are told of certificates, keys and challenges reaches those that leave', () =>
  withPool(1, async ({ pool, threads }) => {
    const [first] = threads as [FakeThread];
    await leave(first);
    first.told.length = 0;
    pool.replaceCertificates(EMPTY_CERTIFICATE_SET);
    pool.replaceTicketKeys(new Uint8Array(48));
    pool.replaceAssertionKey({} as Parameters<typeof pool.replaceAssertionKey>[0]);
    await pool.addCertificate({} as Parameters<typeof pool.addCertificate>[0]);
    await pool.showChallenge({ id: 'c' } as Parameters<typeof pool.showChallenge>[0]);
    pool.hideChallenge('c');
    const all = ['replaceCertificates', 'replaceTicketKeys', 'replaceAssertionKey', 'addCertificate', 'showChallenge'];
    assert.deepEqual(first.told, [...all, 'hideChallenge']);
  }));

test('A worker that takes a place while a reload runs has one document after the other, the newer one last', () =>
  withPool(1, async ({ threads, reload }) => {
    const [first] = threads as [FakeThread];
    first.held.add('drain');
    first.meetDefect();
    const second = threads[1] as FakeThread;
    second.held.add('apply');
    await settle();
    const reloaded = reload('second');
    await settle();
    assert.deepEqual(appliedBy(second), ['apply first'], 'the older one is on its way');
    second.held.clear();
    second.go();
    await reloaded;
    assert.deepEqual(appliedBy(second), ['apply first', 'apply second']);
  }));

test('A worker that takes a place hears of certificates that came while its document was on its way', () =>
  withPool(1, async ({ pool, threads }) => {
    (threads[0] as FakeThread).meetDefect();
    const second = threads[1] as FakeThread;
    second.held.add('apply');
    await settle();
    pool.replaceCertificates({ ...EMPTY_CERTIFICATE_SET });
    second.told.length = 0;
    second.held.clear();
    second.go();
    await settle();
    assert.deepEqual(second.told, ['replaceCertificates'], 'its document would bring the old ones back');
  }));

test('apply() goes on where a worker dies in the middle of it: the others have the new document already', () =>
  withPool(2, async ({ threads, reload }) => {
    const [first, second] = threads as [FakeThread, FakeThread];
    first.held.add('apply');
    const reloaded = reload('second');
    await settle();
    assert.deepEqual(appliedBy(second), ['apply first', 'apply second']);
    await first.terminate();
    await reloaded;
    assert.deepEqual(appliedBy(threads[2] as FakeThread), ['apply second']);
  }));

test('apply() goes on where a worker that it adds dies before it serves: another takes its place', () =>
  withPool(1, async ({ pool, threads, reload }) => {
    const reloaded = reload('second', 2);
    await until(() => threads.length === 2);
    await (threads[1] as FakeThread).terminate();
    await reloaded;
    assert.deepEqual(threads.map(appliedBy), [['apply first', 'apply second'], ['apply second'], ['apply second']]);
    assert.equal(pool.count, 2);
  }));

test('apply() is refused where a worker that stays cannot take the document, and leaves the one of before in all', () =>
  withPool(2, async ({ threads, reload }) => {
    const [first, second] = threads as [FakeThread, FakeThread];
    second.failing.add('apply');
    await assert.rejects(reload('second'), /cannot apply/);
    assert.deepEqual(appliedBy(first), ['apply first', 'apply second', 'apply first']);
    await second.terminate();
    await settle();
    assert.deepEqual(appliedBy(threads[2] as FakeThread), ['apply first'], 'so has one that is started again');
  }));

test('replaceCertificates() in the middle of a reload is about the document of before, and for where that stays', () =>
  withPool(2, async ({ pool, threads, reload }) => {
    const [first, second] = threads as [FakeThread, FakeThread];
    for (const isRefused of [false, true]) {
      second.held.add('apply');
      if (isRefused) second.failing.add('apply');
      const reloaded = reload('next');
      await settle();
      first.told.length = 0;
      pool.replaceCertificates({ ...EMPTY_CERTIFICATE_SET, minVersion: 'TLSv1.3' });
      second.held.clear();
      second.go();
      if (isRefused) await assert.rejects(reloaded);
      else await reloaded;
      assert.equal(first.told.includes('replaceCertificates'), false, 'it has those of the new one');
    }
    assert.equal(first.documents.at(-1)?.certificates.minVersion, 'TLSv1.3', 'what it goes back to has them');
  }));
