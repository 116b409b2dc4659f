/**
 * How long to wait for an answer of another thread or program. Timers run before what those have sent is read: one
 * that comes late, since the machine or this thread stood still, says nothing of them. So the time is counted in
 * steps, and however long such a stop was, it costs one of them.
 */
const STEPS = 4;

/** Calls back once when so long has passed in which this thread ran; never after what it answers was called. */
export function startPatience(ms: number, isOver: () => void): () => void {
  let left = STEPS;
  let last: NodeJS.Immediate | undefined;
  const timer = setInterval(() => {
    if (--left > 0) return;
    clearInterval(timer);
    // What is there by now is read first.
    last = setImmediate(isOver);
  }, ms / STEPS);
  return () => {
    clearInterval(timer);
    clearImmediate(last);
  };
}

/** What was asked for, or `otherwise` where it fails or so long has passed. */
export async function inTime<T>(asked: Promise<T>, ms: number, otherwise: T): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<T>();
  const stop = startPatience(ms, () => resolve(otherwise));
  asked.then(resolve, () => resolve(otherwise));
  try {
    return await promise;
  } finally {
    stop();
  }
}
