/**
 * Calls between threads over a MessagePort: `call` is answered once, `send` is not. Both sides name the
 * methods that they serve. A side that goes away rejects what the other still waits for, so nothing hangs.
 */
import { PosternError } from './errors.ts';
import type { ErrorCode } from './errors.ts';

type Methods = Readonly<Record<string, (...args: never[]) => unknown>>;

/** What MessagePort, Worker and parentPort have in common. */
export interface Port {
  postMessage: (message: unknown) => void;
  on: (event: 'message', listener: (message: unknown) => void) => unknown;
}

export interface Channel<Remote extends Methods> {
  readonly call: <K extends keyof Remote & string>(
    method: K,
    ...args: Parameters<Remote[K]>
  ) => Promise<Awaited<ReturnType<Remote[K]>>>;
  readonly send: <K extends keyof Remote & string>(method: K, ...args: Parameters<Remote[K]>) => void;
  /** Rejects everything that waits; later calls are rejected at once. */
  readonly fail: (reason: string) => void;
}

type Message =
  | { readonly kind: 'call'; readonly id: number; readonly method: string; readonly args: unknown[] }
  | { readonly kind: 'send'; readonly method: string; readonly args: unknown[] }
  | { readonly kind: 'result'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly code: ErrorCode; readonly message: string };

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Opens a channel: `local` serves the other side, `Remote` is what the other side serves. */
export function openChannel<Remote extends Methods>(port: Port, local: Methods): Channel<Remote> {
  const waiting = new Map<number, Waiting>();
  let nextId = 1;
  let failure: string | null = null;

  const settle = (id: number): Waiting | undefined => {
    const entry = waiting.get(id);
    waiting.delete(id);
    return entry;
  };
  port.on('message', (raw) => {
    const message = raw as Message;
    if (message.kind === 'result') settle(message.id)?.resolve(message.value);
    else if (message.kind === 'error') settle(message.id)?.reject(new PosternError(message.code, message.message));
    else if (message.kind === 'call') void answer(port, local, message);
    else void serve(local, message.method, message.args);
  });

  return {
    call(method, ...args) {
      if (failure !== null) return Promise.reject(new PosternError('INTERNAL', failure));
      const id = nextId++;
      // The remote's method map vouches for the type of the value.
      return new Promise<never>((resolve, reject) => {
        waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
        port.postMessage({ kind: 'call', id, method, args } satisfies Message);
      });
    },
    send(method, ...args) {
      if (failure === null) port.postMessage({ kind: 'send', method, args } satisfies Message);
    },
    fail(reason) {
      failure = reason;
      for (const entry of waiting.values()) entry.reject(new PosternError('INTERNAL', reason));
      waiting.clear();
    },
  };
}

async function serve(local: Methods, method: string, args: unknown[]): Promise<unknown> {
  const serveMethod = local[method];
  if (serveMethod === undefined) throw new PosternError('INTERNAL', `Cannot serve call: "${method}" is not known here`);
  return serveMethod(...(args as never[]));
}

async function answer(port: Port, local: Methods, message: Message & { kind: 'call' }): Promise<void> {
  try {
    port.postMessage({ kind: 'result', id: message.id, value: await serve(local, message.method, message.args) });
  } catch (error) {
    const code = error instanceof PosternError ? error.code : 'INTERNAL';
    const text = error instanceof Error ? error.message : String(error);
    port.postMessage({ kind: 'error', id: message.id, code, message: text } satisfies Message);
  }
}
