/**
 * `npm run bench`: the same signed-in requests through Postern and through the peers that are installed,
 * each gateway on core 0, load and app on core 1. All of them are up and take short turns, there and back, so
 * that a machine that slows down slows everybody; of the windows of all turns the half counts in which the
 * gateway waited least for its core. Prints CPU per request and ratios; absolute figures drift from machine
 * to machine, ratios of one run count. `--smoke`: seconds instead of minutes. A whole run ends with what each kind of
 * credential costs: see identities.ts.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findPeer } from '../test/support/peers.ts';
import { freePorts } from '../test/support/free-ports.ts';
import { startApp } from './support/app.ts';
import { makeCertificate } from './support/certificate.ts';
import { loadHttp1, loadHttp2, loadResting } from './support/load.ts';
import { PEERS } from './support/peers.ts';
import { startPosternSite } from './support/postern.ts';
import { processTree, residentBytes } from './support/process-cpu.ts';
import { stop, waitForPort } from './support/processes.ts';
import { calmHalf, median, watch, watchEnds } from './support/windows.ts';
import type { LoadResult } from './support/load.ts';
import type { Site } from './support/peers.ts';
import type { Window } from './support/windows.ts';

const GATEWAY_CORE = 0;
const LOAD_CORE = 1;

const { values: flags } = parseArgs({
  options: {
    smoke: { type: 'boolean', default: false },
    only: { type: 'string' },
    /** "http1" or "http2" alone. */
    kind: { type: 'string' },
    seconds: { type: 'string' },
    rounds: { type: 'string' },
  },
});
const KINDS = (['HTTP/1.1 over TLS', 'HTTP/2'] as const).filter(
  (kind) => flags.kind === undefined || (kind === 'HTTP/2') === (flags.kind === 'http2'),
);
/** Of a turn. */
const seconds = Number(flags.seconds ?? 2);
const rounds = Number(flags.rounds ?? (flags.smoke ? 1 : 6));
/** Compilers settle in the first turn, which does not count. */
const WARM_SECONDS = 3;
/** Above it a row says that the machine was not quiet. */
const DISTURBED = 0.05;

interface Row {
  readonly gateway: string;
  readonly kind: 'HTTP/1.1 over TLS' | 'HTTP/2';
  readonly microsPerRequest: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** At 70 % of its own top rate, open loop. Null where not measured. */
  readonly p99At70: number | null;
  readonly residentMiB: number;
  readonly failed: number;
  /** Part of the time in which the gateway was ready and had no core, in the windows that count. */
  readonly waited: number;
}

interface Turn {
  readonly load: LoadResult;
  readonly windows: readonly Window[];
  /** Part of the time in which the gateway waited for its core. */
  readonly waited: number;
}

/** One gateway, one protocol. */
interface Contest {
  readonly gateway: Running;
  readonly kind: Row['kind'];
  readonly turns: Turn[];
  readonly openTurns: Turn[];
  /** Between an answer and the next request, where it is 70 % of the top rate; found by trying. */
  restMs: number | null;
}

interface Running {
  readonly name: string;
  readonly pid: number;
  readonly url: string;
  /** For what its load writes. */
  readonly dir: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly close: () => Promise<unknown>;
}

const closedLoop = ({ gateway, kind }: Contest, duration: number): Promise<LoadResult> => {
  const base = { url: gateway.url, headers: gateway.headers, core: LOAD_CORE, dir: gateway.dir, seconds: duration };
  if (kind === 'HTTP/1.1 over TLS') return loadHttp1({ ...base, connections: 64 });
  return loadHttp2({ ...base, connections: 8, streams: 8, perSecond: null });
};

const OPEN_CONNECTIONS = 256;

/** At a rate that late answers hardly change: what is late waits in the gateway, not in the client. */
async function openLoop(contest: Contest, perSecond: number): Promise<LoadResult> {
  const { url, headers, dir } = contest.gateway;
  const base = { url, headers, dir, core: LOAD_CORE, seconds };
  // More streams than are ever open at this rate.
  if (contest.kind === 'HTTP/2') return loadHttp2({ ...base, perSecond, connections: 8, streams: 64 });
  contest.restMs ??= (OPEN_CONNECTIONS / perSecond) * 1_000;
  const result = await loadResting({ ...base, connections: OPEN_CONNECTIONS, restMs: contest.restMs });
  // An answer takes time too: how much is known afterwards.
  const missed = OPEN_CONNECTIONS * (1_000 / perSecond - 1_000 / result.perSecond);
  contest.restMs = Math.max(contest.restMs / 2, contest.restMs + missed);
  return result;
}

function turnOf({ result, windows }: { result: LoadResult; windows: readonly Window[] }): Turn {
  return { load: result, windows, waited: median(windows.map((one) => one.waited)) };
}

/** There and back, so that nobody always goes behind the same one. */
async function inTurns(contests: readonly Contest[], run: (contest: Contest) => Promise<unknown>): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const contest of round % 2 === 0 ? contests : contests.toReversed()) {
      process.stderr.write(`round ${round + 1}/${rounds}: ${contest.gateway.name}, ${contest.kind} …\n`);
      await run(contest);
    }
  }
}

function rowOf({ gateway, kind, turns, openTurns }: Contest): Row {
  const windows = calmHalf(turns.flatMap((turn) => turn.windows));
  const calm = calmHalf(turns).map(({ load }) => load);
  const open = calmHalf(openTurns);
  return {
    gateway: gateway.name,
    kind,
    microsPerRequest: median(windows.map((one) => one.micros)),
    // Where it was too slow for a window, the whole turn.
    perSecond: median((windows.length > 0 ? windows : calm).map((one) => one.perSecond)),
    p50: median(calm.map((one) => one.p50)),
    p99: median(calm.map((one) => one.p99)),
    p99At70: open.length === 0 ? null : median(open.map(({ load }) => load.p99)),
    residentMiB: residentBytes(processTree(gateway.pid)) / 2 ** 20,
    failed: [...turns, ...openTurns].reduce((sum, { load }) => sum + load.failed, 0),
    waited: median(windows.map((one) => one.waited)),
  };
}

async function startPeerSite(
  name: string,
  dir: string,
  site: Omit<Site, 'dir' | 'httpsPort'>,
): Promise<Running | null> {
  const peer = PEERS.find((one) => one.name === name);
  if (peer === undefined || findPeer(peer.program) === null) return null;
  const own = join(dir, name);
  mkdirSync(own, { recursive: true });
  const [httpsPort = 0] = await freePorts(1);
  const child = peer.start({ ...site, dir: own, httpsPort });
  await waitForPort(httpsPort);
  return { name, pid: child.pid ?? 0, url: urlOf(httpsPort), dir: own, headers: {}, close: () => stop(child) };
}

async function startOurs(dir: string, site: Omit<Site, 'dir' | 'httpsPort'>): Promise<Running> {
  const { process: postern, httpsPort, cookie } = await startPosternSite({ ...site, dir });
  return {
    name: 'postern',
    pid: postern.child.pid ?? 0,
    url: urlOf(httpsPort),
    dir,
    headers: { Cookie: cookie },
    close: () => postern.close(),
  };
}

function urlOf(httpsPort: number): string {
  return `https://localhost:${httpsPort}/`;
}

function print(rows: readonly Row[]): void {
  for (const kind of KINDS) {
    const own = rows.find((row) => row.kind === kind && row.gateway === 'postern');
    console.log(`\n${kind}, 762-byte answer, keep-alive, gateway on one core (Postern: signed in; peers: no auth)`);
    console.log(
      'gateway    µs CPU/request   req/s   p50 ms   p99 ms   p99 at 70 %   RSS MiB   failed   waited   Postern is',
    );
    for (const row of rows.filter((one) => one.kind === kind)) {
      const ratio = own === undefined ? '' : `${(own.microsPerRequest / row.microsPerRequest).toFixed(2)}x`;
      const cells = [
        row.gateway.padEnd(9),
        row.microsPerRequest.toFixed(1).padStart(15),
        row.perSecond.toFixed(0).padStart(8),
      ];
      cells.push(
        row.p50.toFixed(2).padStart(8),
        row.p99.toFixed(2).padStart(8),
        (row.p99At70?.toFixed(2) ?? '-').padStart(13),
      );
      console.log(
        cells.join(' '),
        row.residentMiB.toFixed(0).padStart(9),
        String(row.failed).padStart(8),
        `${(row.waited * 100).toFixed(1)} %`.padStart(8),
        ratio.padStart(12),
        row.waited > DISTURBED ? ' (disturbed)' : '',
      );
    }
  }
}

async function startAll(dir: string, site: Omit<Site, 'dir' | 'httpsPort'>): Promise<Running[]> {
  const wanted = flags.only?.split(',') ?? ['postern', ...PEERS.map((peer) => peer.name)];
  const running: Running[] = [];
  for (const name of wanted) {
    const gateway = name === 'postern' ? await startOurs(dir, site) : await startPeerSite(name, dir, site);
    if (gateway === null) console.log(`${name}: not installed, left out (npm run peers)`);
    else running.push(gateway);
  }
  return running;
}

async function contend(contests: readonly Contest[], statusPort: number): Promise<void> {
  for (const contest of contests) await closedLoop(contest, flags.smoke ? seconds : WARM_SECONDS);
  await inTurns(contests, async (contest) => {
    const pids = processTree(contest.gateway.pid);
    contest.turns.push(turnOf(await watch(pids, statusPort, () => closedLoop(contest, seconds))));
  });
  if (flags.smoke) return;
  // The first finds the rate.
  for (const contest of contests) await openLoop(contest, rowOf(contest).perSecond * 0.7);
  await inTurns(contests, async (contest) => {
    const rate = rowOf(contest).perSecond * 0.7;
    const pids = processTree(contest.gateway.pid);
    contest.openTurns.push(turnOf(await watchEnds(pids, statusPort, () => openLoop(contest, rate))));
  });
}

function write(contests: readonly Contest[], rows: readonly Row[]): void {
  const results = join(import.meta.dirname, 'results');
  mkdirSync(results, { recursive: true });
  const name = `${new Date().toISOString().slice(0, 16).replaceAll(':', '')}${flags.smoke ? '-smoke' : ''}.json`;
  const all = contests.map(({ gateway, kind, turns, openTurns }) => ({
    gateway: gateway.name,
    kind,
    turns: turns.map(({ load, windows, waited }) => ({
      ...load,
      micros: median(windows.map((one) => one.micros)),
      waited,
    })),
    openTurns: openTurns.map(({ load, waited }) => ({ ...load, waited })),
  }));
  writeFileSync(join(results, name), JSON.stringify({ seconds, rounds, node: process.version, rows, all }, null, 2));
  console.log(`\nWritten: bench/results/${name}`);
}

/** A bench of its own, with programs of its own: what is left out by a flag here has no place there. */
function runIdentities(): void {
  const isPart = flags.smoke || flags.only !== undefined || flags.kind !== undefined;
  if (isPart || findPeer('nginx') === null) return;
  const same = ['seconds', 'rounds'] as const;
  const args = same.flatMap((name) => (flags[name] === undefined ? [] : [`--${name}`, flags[name]]));
  console.log('');
  execFileSync(process.execPath, [join(import.meta.dirname, 'identities.ts'), ...args], { stdio: 'inherit' });
}

async function main(): Promise<void> {
  // What counts requests and reads /proc must not stand in the gateway's way.
  execFileSync('taskset', ['-acp', String(LOAD_CORE), String(process.pid)], { stdio: 'ignore' });
  const dir = mkdtempSync(join(tmpdir(), 'postern-bench-'));
  const files = makeCertificate(dir, ['localhost']);
  const [appPort = 0, statusPort = 0] = await freePorts(2);
  const app = await startApp(join(dir, 'app'), appPort, LOAD_CORE, statusPort);
  const running = await startAll(dir, { appPort, core: GATEWAY_CORE, ...files });
  const contests = KINDS.flatMap((kind) =>
    running.map((gateway): Contest => ({ gateway, kind, turns: [], openTurns: [], restMs: null })),
  );
  await contend(contests, statusPort);
  const rows = contests.map(rowOf);
  print(rows);
  write(contests, rows);
  for (const gateway of running) await gateway.close();
  await stop(app);
  rmSync(dir, { recursive: true, force: true });
  if (rows.some((row) => row.gateway === 'postern' && row.failed > 0)) process.exitCode = 1;
  runIdentities();
}

await main();
