/**
 * CPU a request in windows of a tenth of a second, while something drives a gateway. Other work on the machine
 * shows in how long the gateway's busiest thread stood ready and waited for its core: windows are chosen by that,
 * never by what they cost. Requests are counted by the app behind all gateways.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const WINDOW_MS = 100;
/** Connections and caches settle first. */
const SETTLE_MS = 300;
/** Fewer requests in a window say nothing. */
const LEAST_REQUESTS = 200;

export interface Window {
  /** Microseconds of CPU a request, of all threads. */
  readonly micros: number;
  readonly perSecond: number;
  /** Part of the time in which the busiest thread was ready and had no core. */
  readonly waited: number;
}

interface ThreadTimes {
  readonly ran: number;
  readonly waited: number;
}

interface Sample {
  readonly at: number;
  readonly requests: number;
  readonly threads: ReadonlyMap<string, ThreadTimes>;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** The half that other work disturbed least. */
export function calmHalf<T extends { readonly waited: number }>(all: readonly T[]): readonly T[] {
  return [...all].sort((a, b) => a.waited - b.waited).slice(0, Math.ceil(all.length / 2));
}

/** Watches a gateway until `run` is over. */
export async function watch<T>(
  pids: readonly number[],
  statusPort: number,
  run: () => Promise<T>,
): Promise<{ readonly result: T; readonly windows: readonly Window[] }> {
  let isOver = false;
  const running = run().finally(() => (isOver = true));
  const windows: Window[] = [];
  await sleep(SETTLE_MS);
  let before = await sample(pids, statusPort);
  for (;;) {
    await sleep(WINDOW_MS);
    if (isOver) break;
    const now = await sample(pids, statusPort);
    const window = windowOf(before, now);
    // A slow gateway has longer windows.
    if (window === null) continue;
    windows.push(window);
    before = now;
  }
  return { result: await running, windows };
}

/** Looks at the beginning and the end alone: looking costs on the load's core, where a late answer would be its fault. */
export async function watchEnds<T>(
  pids: readonly number[],
  statusPort: number,
  run: () => Promise<T>,
): Promise<{ readonly result: T; readonly windows: readonly Window[] }> {
  const before = await sample(pids, statusPort);
  const result = await run();
  const window = windowOf(before, await sample(pids, statusPort));
  return { result, windows: window === null ? [] : [window] };
}

function windowOf(before: Sample, now: Sample): Window | null {
  const requests = now.requests - before.requests;
  if (requests < LEAST_REQUESTS) return null;
  const spent = { ran: 0, busiest: 0, waited: 0 };
  for (const [id, times] of now.threads) {
    const earlier = before.threads.get(id) ?? { ran: 0, waited: 0 };
    const ran = times.ran - earlier.ran;
    spent.ran += ran;
    if (ran <= spent.busiest) continue;
    spent.busiest = ran;
    spent.waited = times.waited - earlier.waited;
  }
  const elapsed = (now.at - before.at) * 1e6;
  return {
    micros: spent.ran / 1_000 / requests,
    perSecond: (requests / elapsed) * 1e9,
    waited: spent.waited / elapsed,
  };
}

async function sample(pids: readonly number[], statusPort: number): Promise<Sample> {
  const text = await (await fetch(`http://127.0.0.1:${statusPort}/`)).text();
  const requests = Number(text.split('\n')[2]?.trim().split(/\s+/)[2]);
  return { at: performance.now(), requests, threads: threadTimes(pids) };
}

/** In nanoseconds: the ticks of /proc/PID/stat are too coarse for a window. */
function threadTimes(pids: readonly number[]): ReadonlyMap<string, ThreadTimes> {
  const times = new Map<string, ThreadTimes>();
  for (const pid of pids) {
    for (const id of readdirSync(`/proc/${pid}/task`)) {
      try {
        const [ran, waited] = readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'utf8').split(' ');
        times.set(id, { ran: Number(ran), waited: Number(waited) });
      } catch {
        // It ended meanwhile.
      }
    }
  }
  return times;
}
