/**
 * What somebody who is signed in notices while other things go on: one gateway with one worker alone on core 0;
 * on core 1 the load, which asks at a fixed rate (open loop) over the same connections all the time, and behind it
 * whatever makes the trouble. p99 over
 * windows of two seconds: their median and the worst, and how that is to the last quiet time. How much of the
 * gateway's core others had is told, since each time one of them has it a request may wait for the kernel's next tick.
 */
import { execFileSync } from 'node:child_process';
import { setPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { startSteadyLoad } from './load.ts';
import { coreSeconds, threadSeconds } from './process-cpu.ts';
import type { SteadyLoad } from './load.ts';
import type { ThreadTime } from './process-cpu.ts';

export const GATEWAY_CORE = 0;
export const LOAD_CORE = 1;
export const WINDOW_SECONDS = 2;
/**
 * A command for what goes behind the load on its core. Not by `nice`: what is nicer still keeps the core until the
 * kernel's next tick, and the load would measure its own waiting. It holds among processes of one session.
 */
export const BEHIND: readonly string[] = ['taskset', '-c', String(LOAD_CORE), 'chrt', '--idle', '0'];
const BEFORE_OTHERS = -15;
const LABEL = 42;
const WARM_MS = 6_000;
/** Until the last requests of a window are answered and noted. */
const SETTLE_MS = 500;
const LONGEST_SECONDS = 3_600;

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
  /** The gateway is alone on its core, so that it can be said what others have of it. Default true. */
  readonly alone?: boolean;
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
  /** The same while nothing else goes on: what comes after it is told as so many times its p99. */
  readonly quiet: (label: string, work: Promise<unknown>) => Promise<void>;
  /** Load while the work goes on, window by window; prints a line. */
  readonly during: <T>(label: string, work: Promise<T>, tell?: (result: T) => string) => Promise<void>;
  readonly close: () => void;
}

export async function createUnderLoad(options: UnderLoadOptions): Promise<UnderLoad> {
  let quietP99 = NaN;
  const { url, cookie, perSecond, connections, dir } = options;
  const load = startSteadyLoad({
    url,
    headers: { Cookie: cookie },
    connections,
    streams: 1,
    perSecond,
    seconds: LONGEST_SECONDS,
    core: LOAD_CORE,
    dir,
    http1: true,
  });
  // Until the worker's code is compiled.
  await sleep(WARM_MS);
  const say = (label: string, it: During, facts: string): void =>
    console.log(
      `${label.padEnd(LABEL)} p99 ${it.median.toFixed(2)} ms${facts}, worst ${it.worst.toFixed(2)} ms; failed ${it.failed}${cpuOf(it, options)}`,
    );
  return {
    close: () => load.stop(),
    async quiet(label, work) {
      const it = await measure(options, load, work);
      quietP99 = it.median;
      say(label, it, '');
    },
    async during(label, work, tell) {
      const it = await measure(options, load, work);
      say(label, it, ` (${(it.median / quietP99).toFixed(1)}x)`);
      if (tell !== undefined) console.log(`  ${tell(await work)}`);
    },
  };
}

/** What stands in Postern's place has no such threads. */
function cpuOf({ worker, waited, control, foreign }: During, { alone = true }: UnderLoadOptions): string {
  if (worker === 0) return '';
  const others = alone ? `, others had ${(foreign * 100).toFixed(0)} % of the core` : '';
  const threads = `worker ${worker.toFixed(2)} s (and ${waited.toFixed(2)} s waiting for the core)`;
  return `; CPU: ${threads}, control ${control.toFixed(2)} s${others}`;
}

/** Part of the gateway's core that others have had since the last look. */
function createForeign(pid: number): () => number {
  const look = (): number => coreSeconds(GATEWAY_CORE) - sumOf(threadSeconds(pid), 'seconds');
  let [before, at] = [look(), performance.now()];
  return () => {
    const [now, later] = [look(), performance.now()];
    const part = (now - before) / ((later - at) / 1_000);
    [before, at] = [now, later];
    return part;
  };
}

const sumOf = (threads: readonly ThreadTime[], what: 'seconds' | 'waitedSeconds', name?: string): number =>
  threads.reduce((sum, one) => (name === undefined || one.name.startsWith(name) ? sum + one[what] : sum), 0);

async function measure({ pid }: UnderLoadOptions, load: SteadyLoad, work: Promise<unknown>): Promise<During> {
  const before = threadSeconds(pid);
  const foreign = createForeign(pid);
  const from = Date.now();
  // Whole windows, at least one: what is begun after the end says nothing.
  await Promise.all([work, sleep(WINDOW_SECONDS * 1_000)]);
  const windows = Math.floor((Date.now() - from) / (WINDOW_SECONDS * 1_000));
  const others = foreign();
  const after = threadSeconds(pid);
  await sleep(SETTLE_MS);
  const all = load.windows(from, WINDOW_SECONDS * 1_000, windows);
  const spent = (name: string, what: 'seconds' | 'waitedSeconds'): number =>
    sumOf(after, what, name) - sumOf(before, what, name);
  const p99s = all.map(({ p99 }) => p99).sort((a, b) => a - b);
  return {
    median: p99s[Math.floor((p99s.length - 1) / 2)] ?? NaN,
    worst: p99s.at(-1) ?? NaN,
    foreign: others,
    failed: all.reduce((sum, { failed }) => sum + failed, 0),
    worker: spent('edge ', 'seconds'),
    waited: spent('edge ', 'waitedSeconds'),
    control: spent('MainThread', 'seconds'),
  };
}
