/**
 * Last use on its way to the store: gathered for a turn of the event loop, written in slices so that
 * ten thousand of them never hold the control thread up. While the store fails they wait here, where
 * `lastSeen` still counts them: a failing disk lets nobody's session run idle.
 */
import type { SessionStore } from '../core/session-store.ts';

const SLICE = 500;
const MAX_WAITING = 200_000;

export interface Touches {
  add(key: string, at: number): void;
  /** What waits for this key, 0 for nothing. */
  lastSeen(key: string): number;
  /** Writes what waits; never rejects. */
  flush(): Promise<void>;
}

export function createTouches(store: Pick<SessionStore, 'touch'>): Touches {
  const waiting = new Map<string, number>();
  let running: Promise<void> | null = null;
  let scheduled: NodeJS.Immediate | null = null;

  async function writeAll(): Promise<void> {
    // What is there now; what comes meanwhile has its own turn.
    const batch = [...waiting];
    for (let from = 0; from < batch.length; from += SLICE) {
      const slice = batch.slice(from, from + SLICE);
      await store.touch(slice);
      for (const [key, at] of slice) if (waiting.get(key) === at) waiting.delete(key);
    }
  }

  function flush(): Promise<void> {
    running ??= writeAll()
      .catch(() => {
        // They wait for the next report or sweep.
      })
      .finally(() => {
        running = null;
      });
    return running;
  }

  return {
    lastSeen: (key) => waiting.get(key) ?? 0,
    flush,
    add(key, at) {
      if (at <= (waiting.get(key) ?? 0)) return;
      if (waiting.size >= MAX_WAITING && !waiting.has(key)) return;
      waiting.set(key, at);
      scheduled ??= setImmediate(() => {
        scheduled = null;
        void flush();
      });
    },
  };
}
