/**
 * Long work in turns: whoever does it says by `yield` where it may be interrupted, and the event loop gets its
 * turn after so many milliseconds of it. The same work runs to its end at once where nobody waits for anything else.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';

export type Work<T> = Generator<undefined, T, undefined>;

export function runAtOnce<T>(work: Work<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

export async function runInTurns<T>(work: Work<T>, turnMs: number): Promise<T> {
  let end = performance.now() + turnMs;
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    if (performance.now() < end) continue;
    await nextTurn();
    end = performance.now() + turnMs;
  }
}
