/**
 * What somebody who is signed in notices while other things go on: one gateway with one worker alone on core 0;
 * on core 1 the load, which asks at a fixed rate (open loop), and behind it whatever makes the trouble. p99 over
 * windows of two seconds: their median and the worst, and how that is to the first that was measured. How much of the
 * gateway's core others had is told, since each time one of them has it a request may wait for the kernel's next tick.
 */
import { execFileSync } from 'node:child_process';
import { setPriority } from 'node:os';
import { loadHttp2 } from './load.ts';
import { coreSeconds, threadSeconds } from './process-cpu.ts';
import type { LoadResult } from './load.ts';
import type { ThreadTime } from './process-cpu.ts';

export const GATEWAY_CORE = 0;
export const LOAD_CORE = 1;
export const WINDOW_SECONDS = 2;
/** A command for what goes behind the load on its core: ten steps are a tenth of what the load wants at the same time. */
export const BEHIND: readonly string[] = ['taskset', '-c', String(LOAD_CORE), 'nice', '-n', '10'];
const BEFORE_OTHERS = -15;
const LABEL = 42;
const WARM_WINDOWS = 2;

/** Call it first: what is started later inherits it. */
export function goBeforeOthers(): void {
  // So that nothing of the bench itself runs on the gateway's core.
  execFileSync('taskset', ['-acp', String(LOAD_CORE), String(process.pid)], { stdio: 'ignore' });
  try {
    setPriority(BEFORE_OTHERS);
  } catch {
    console.log('no right to set priorities: whatever else runs on this machine is in the figures');
  }
}

export interface UnderLoadOptions {
  readonly url: string;
  readonly cookie: string;
  readonly perSecond: number;
  readonly connections: number;
  readonly dir: string;
  /** The gateway's process. */
  readonly pid: number;
}

interface During {
  readonly median: number;
  readonly worst: number;
  /** Part of the time in which others had the gateway's core, and the kernel's own work for the connections. */
  readonly foreign: number;
  readonly failed: number;
  readonly worker: number;
  /** The worker could have run, and something else had the core. */
  readonly waited: number;
  readonly control: number;
}

export interface UnderLoad {
  /** Load while the work goes on, window by window; prints a line. */
  readonly during: <T>(label: string, work: Promise<T>, tell?: (result: T) => string) => Promise<void>;
}

export async function createUnderLoad(options: UnderLoadOptions): Promise<UnderLoad> {
  let first: During | null = null;
  // Until the worker's code is compiled.
  for (let window = 0; window < WARM_WINDOWS; window++) await drive(options);
  return {
    async during(label, work, tell) {
      const it = await measure(options, work);
      first ??= it;
      const ratio = `${(it.median / first.median).toFixed(1)}x`;
      const facts = tell === undefined ? '' : `; ${tell(await work)}`;
      console.log(
        `${label.padEnd(LABEL)} p99 ${it.median.toFixed(2)} ms (${ratio}), worst ${it.worst.toFixed(2)} ms; failed ${it.failed}; ` +
          `CPU: worker ${it.worker.toFixed(2)} s (and ${it.waited.toFixed(2)} s waiting for the core), control ${it.control.toFixed(2)} s, others had ${(it.foreign * 100).toFixed(0)} % of the core${facts}`,
      );
    },
  };
}

const drive = ({ url, cookie, perSecond, connections, dir }: UnderLoadOptions): Promise<LoadResult> =>
  loadHttp2({
    url,
    headers: { Cookie: cookie },
    connections,
    streams: 1,
    perSecond,
    seconds: WINDOW_SECONDS,
    core: LOAD_CORE,
    dir,
    http1: true,
  });

interface Window extends LoadResult {
  /** Part of it in which others had the gateway's core. */
  readonly foreign: number;
}

async function driveWindow(options: UnderLoadOptions): Promise<Window> {
  const look = (): number => coreSeconds(GATEWAY_CORE) - sumOf(threadSeconds(options.pid), 'seconds');
  const [before, startedAt] = [look(), performance.now()];
  const result = await drive(options);
  return { ...result, foreign: (look() - before) / ((performance.now() - startedAt) / 1_000) };
}

const sumOf = (threads: readonly ThreadTime[], what: 'seconds' | 'waitedSeconds', name?: string): number =>
  threads.reduce((sum, one) => (name === undefined || one.name === name ? sum + one[what] : sum), 0);

async function measure(options: UnderLoadOptions, work: Promise<unknown>): Promise<During> {
  const before = threadSeconds(options.pid);
  const state = { isOver: false };
  void work.finally(() => (state.isOver = true)).catch(() => undefined);
  const all: Window[] = [];
  do all.push(await driveWindow(options));
  while (!state.isOver);
  const after = threadSeconds(options.pid);
  const spent = (name: string, what: 'seconds' | 'waitedSeconds'): number =>
    sumOf(after, what, name) - sumOf(before, what, name);
  const p99s = all.map(({ p99 }) => p99).sort((a, b) => a - b);
  return {
    median: p99s[Math.floor((p99s.length - 1) / 2)] ?? NaN,
    worst: p99s.at(-1) ?? NaN,
    foreign: all.reduce((sum, { foreign }) => sum + foreign, 0) / all.length,
    failed: all.reduce((sum, { failed }) => sum + failed, 0),
    worker: spent('edge 0', 'seconds'),
    waited: spent('edge 0', 'waitedSeconds'),
    control: spent('MainThread', 'seconds'),
  };
}
