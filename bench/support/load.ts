/** Drives load from one core: wrk for HTTP/1.1, h2load for HTTP/2 and for a fixed rate (open loop). */
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const exec = promisify(execFile);

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly failed: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

export interface LoadOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly seconds: number;
  readonly core: number;
  readonly dir: string;
  /** A wrk script that makes the requests. */
  readonly script?: string;
}

const REPORT = `done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('RESULT {"requests":%d,"seconds":%f,"failed":%d,"p50":%f,"p99":%f}\\n', summary.requests,
    summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
`;

/**
 * Each connection rests for a random time before each request, so that they arrive by themselves, whatever becomes of
 * the answers of others. h2load at a fixed rate sends what is due of 10 ms one after the other, on all connections in
 * the same moment. Before the first request each waits until all of them have shaken hands.
 */
const RESTS = `local waiting, mean, rest
function init(args)
  waiting, mean, rest = tonumber(args[1]), tonumber(args[2]), tonumber(args[3])
  math.randomseed(os.time())
end
function delay()
  local pause = math.floor(math.random() * 2 * mean + 0.5)
  if waiting == 0 then return pause end
  waiting = waiting - 1
  return rest + pause
end
`;
const FIRST_REST_MS = 1_500;

/** `restMs`: what a connection waits between an answer and its next request, on average. */
export async function loadResting(options: LoadOptions & { readonly restMs: number }): Promise<LoadResult> {
  const { connections, restMs, seconds } = options;
  const whole = { ...options, seconds: seconds + Math.ceil(FIRST_REST_MS / 1_000) };
  const result = await runWrk(whole, RESTS, [connections, restMs, FIRST_REST_MS].map(String));
  return { ...result, perSecond: result.requests / (result.seconds - FIRST_REST_MS / 1_000) };
}

export async function loadHttp1(options: LoadOptions): Promise<LoadResult> {
  return runWrk(options, options.script === undefined ? '' : readFileSync(options.script, 'utf8'), []);
}

async function runWrk(options: LoadOptions, lua: string, rest: readonly string[]): Promise<LoadResult> {
  const script = join(options.dir, 'report.lua');
  writeFileSync(script, REPORT + lua);
  const headers = Object.entries(options.headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const args = [
    '-c',
    String(options.core),
    'wrk',
    '-t1',
    `-c${options.connections}`,
    `-d${options.seconds}s`,
    '-s',
    script,
  ];
  const { stdout } = await exec('taskset', [...args, ...headers, options.url, ...rest]);
  const line = /^RESULT (.*)$/m.exec(stdout)?.[1];
  if (line === undefined) throw new Error(`Cannot read what wrk printed: ${stdout}`);
  const result = JSON.parse(line) as Omit<LoadResult, 'perSecond'>;
  return { ...result, perSecond: result.requests / result.seconds };
}

export interface Http2LoadOptions extends LoadOptions {
  readonly streams: number;
  /** Requests a second in all, for an open loop; null: as fast as it goes. */
  readonly perSecond: number | null;
  readonly http1?: boolean;
}

/** Its arguments for taskset, and the file in which it notes each request. */
function h2load(options: Http2LoadOptions): { readonly args: readonly string[]; readonly log: string } {
  // Apart from what a gateway may watch: it is written for each request.
  const own = join(options.dir, 'load');
  mkdirSync(own, { recursive: true });
  const log = join(own, 'h2load.tsv');
  writeFileSync(log, '');
  const headers = Object.entries(options.headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const shape = [
    `-c${options.connections}`,
    `-m${options.streams}`,
    '-t1',
    '-D',
    String(options.seconds),
    '--log-file',
    log,
  ];
  if (options.perSecond !== null)
    shape.push('--rps', String(Math.max(1, Math.round(options.perSecond / options.connections))));
  if (options.http1 === true) shape.push('--h1');
  const args = ['-c', String(options.core), 'h2load', ...shape, ...headers, options.url];
  return { args, log };
}

export async function loadHttp2(options: Http2LoadOptions): Promise<LoadResult> {
  const { args, log } = h2load(options);
  const { stdout } = await exec('taskset', args, { maxBuffer: 1 << 26 });
  const counts = /requests: (\d+) total.* (\d+) done, (\d+) succeeded, (\d+) failed/.exec(stdout);
  const rate = /finished in ([\d.]+)(m?s), ([\d.]+) req\/s/.exec(stdout);
  if (counts === null || rate === null) throw new Error(`Cannot read what h2load printed: ${stdout}`);
  const { p50, p99 } = await percentiles(log);
  const non2xx = Number(/status codes: (\d+) 2xx/.exec(stdout)?.[1] ?? 0);
  const done = Number(counts[3]);
  return {
    requests: done,
    seconds: options.seconds,
    perSecond: Number(rate[3]),
    failed: Number(counts[4]) + Math.max(0, done - non2xx),
    p50,
    p99,
  };
}

export interface LoadWindow {
  /** Milliseconds. */
  readonly p99: number;
  readonly failed: number;
}

export interface SteadyLoad {
  /** What was asked for in each of `count` windows of `ms`, the first of which began at `from` (milliseconds since 1970). */
  readonly windows: (from: number, ms: number, count: number) => readonly LoadWindow[];
  readonly stop: () => void;
}

/** A fixed rate over the same connections until it is stopped, or for the seconds that are said. */
export function startSteadyLoad(options: Http2LoadOptions): SteadyLoad {
  const { args, log } = h2load(options);
  const child = spawn('taskset', args, { stdio: 'ignore' });
  return {
    windows(from, ms, count) {
      // Microseconds since 1970; the status, -1 where there was none; microseconds it took.
      const rows = readFileSync(log, 'latin1')
        .split('\n')
        .slice(0, -1)
        .map((line) => line.split('\t').map(Number) as [number, number, number]);
      return Array.from({ length: count }, (_, i) => {
        const begin = (from + i * ms) * 1_000;
        return windowOf(rows.filter(([begun]) => begun >= begin && begun < begin + ms * 1_000));
      });
    },
    stop: () => void child.kill(),
  };
}

function windowOf(rows: readonly [number, number, number][]): LoadWindow {
  const took = rows.map(([, , microseconds]) => microseconds).sort((a, b) => a - b);
  const failed = rows.filter(([, status]) => status < 200 || status > 299).length;
  return { p99: (took[Math.floor(took.length * 0.99)] ?? NaN) / 1_000, failed };
}

async function percentiles(log: string): Promise<{ p50: number; p99: number }> {
  const { stdout } = await exec('bash', [
    '-c',
    `cut -f3 ${log} | sort -n | awk '{a[NR]=$1} END {print a[int(NR*0.5)+1], a[int(NR*0.99)+1]}'`,
  ]);
  const [p50 = 0, p99 = 0] = stdout
    .trim()
    .split(' ')
    .map((microseconds) => Number(microseconds) / 1000);
  return { p50, p99 };
}
