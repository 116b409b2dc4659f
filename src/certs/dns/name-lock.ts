/** One change of a name at a time, so that two orders do not overwrite each other's values. Who waits may give up. */
export type NameLock = <T>(name: string, work: () => Promise<T>, signal: AbortSignal) => Promise<T>;

export function createNameLock(): NameLock {
  const last = new Map<string, Promise<void>>();
  return async (name, work, signal) => {
    const before = last.get(name) ?? Promise.resolve();
    const { promise: mine, resolve: leave } = Promise.withResolvers<void>();
    const queue = before.then(() => mine);
    last.set(name, queue);
    try {
      await unlessAborted(before, signal);
      return await work();
    } finally {
      leave();
      if (last.get(name) === queue) last.delete(name);
    }
  };
}

/** Waits, but no longer than the signal allows. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', abort);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
