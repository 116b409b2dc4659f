/**
 * An https app in a thread of its own, for tests: it reads the beginning of a request, and once told to it answers and
 * closes with whatever came since unread. Told so, it keeps the thread of the test waiting until that is done: then the
 * answer and the reset behind it are in the kernel, and nobody has read them.
 */
import { once } from 'node:events';
import { createServer } from 'node:tls';
import type { SecureVersion, TLSSocket } from 'node:tls';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

interface Given {
  readonly cert: string;
  readonly key: string;
  readonly version: SecureVersion;
  readonly answer: string;
  /** 0, 1: it is to answer, 2: it has answered and closed. */
  readonly state: Int32Array;
}

export interface ClosingApp {
  readonly port: number;
  /** It has read the beginning of a request. Told while the loop polls: a write that fails then is told before the next read. */
  readonly hasRead: Promise<unknown>;
  readonly answerAndClose: () => void;
  readonly close: () => Promise<unknown>;
}

export async function closingApp(given: Omit<Given, 'state'>): Promise<ClosingApp> {
  const state = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL(import.meta.url), { workerData: { ...given, state } satisfies Given });
  const [port] = (await once(worker, 'message')) as [number];
  return {
    port,
    hasRead: once(worker, 'message'),
    answerAndClose: () => {
      Atomics.store(state, 0, 1);
      Atomics.notify(state, 0);
      Atomics.wait(state, 0, 1);
    },
    close: () => worker.terminate(),
  };
}

function serve({ cert, key, version, answer, state }: Given): void {
  const onRequest = (socket: TLSSocket): void => {
    socket.pause();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    parentPort?.postMessage('read');
    Atomics.wait(state, 0, 0);
    // More of the request has come to the kernel since.
    socket.write(answer);
    socket.destroy();
  };
  const server = createServer({ cert, key, maxVersion: version, noDelay: true }, (socket) => {
    socket.on('error', () => {}).once('data', () => onRequest(socket));
    socket.once('close', () => {
      Atomics.store(state, 0, 2);
      Atomics.notify(state, 0);
    });
  });
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    if (address === null || typeof address === 'string') return;
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    parentPort?.postMessage(address.port);
  });
}

if (!isMainThread) serve(workerData as Given);
