/**
 * `npm run bench`: the same signed-in requests through Postern and through the peers that are installed,
 * each gateway on core 0, load and app on core 1. Prints CPU per request and ratios; absolute figures
 * drift from machine to machine, ratios of one run count. `--smoke`: seconds instead of minutes.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findPeer } from '../test/support/peers.ts';
import { freePorts } from '../test/support/free-ports.ts';
import { startApp } from './support/app.ts';
import { makeCertificate } from './support/certificate.ts';
import { loadHttp1, loadHttp2 } from './support/load.ts';
import { PEERS } from './support/peers.ts';
import { startPosternSite } from './support/postern.ts';
import { cpuSeconds, processTree, residentBytes } from './support/process-cpu.ts';
import { stop, waitForPort } from './support/processes.ts';
import type { LoadResult } from './support/load.ts';
import type { Site } from './support/peers.ts';

const KINDS =
  process.env['BENCH_HTTP1_ONLY'] === undefined
    ? (['HTTP/1.1 over TLS', 'HTTP/2'] as const)
    : (['HTTP/1.1 over TLS'] as const);
const GATEWAY_CORE = 0;
const LOAD_CORE = 1;

const { values: flags } = parseArgs({
  options: {
    smoke: { type: 'boolean', default: false },
    only: { type: 'string' },
    seconds: { type: 'string' },
    rounds: { type: 'string' },
  },
});
const seconds = Number(flags.seconds ?? (flags.smoke ? 2 : 8));
const rounds = Number(flags.rounds ?? (flags.smoke ? 1 : 3));

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
}

interface Running {
  readonly name: string;
  readonly pid: number;
  readonly httpsPort: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly close: () => Promise<unknown>;
}

async function measure(gateway: Running, kind: Row['kind'], dir: string): Promise<Row> {
  const url = `https://localhost:${gateway.httpsPort}/`;
  const base = { url, headers: gateway.headers, core: LOAD_CORE, dir };
  const drive = (duration: number): Promise<LoadResult> => {
    if (kind === 'HTTP/2')
      return loadHttp2({ ...base, connections: 8, streams: 8, seconds: duration, perSecond: null });
    return loadHttp1({ ...base, connections: 64, seconds: duration });
  };
  await drive(Math.max(2, seconds / 2));
  const pids = processTree(gateway.pid);
  const before = cpuSeconds(pids);
  const load = await drive(seconds);
  const spent = cpuSeconds(pids) - before;
  let p99At70: number | null = null;
  if (!flags.smoke && kind === 'HTTP/1.1 over TLS') {
    const open = await loadHttp2({
      ...base,
      connections: 32,
      streams: 1,
      seconds,
      perSecond: load.perSecond * 0.7,
      http1: true,
    });
    p99At70 = open.p99;
  }
  return {
    gateway: gateway.name,
    kind,
    microsPerRequest: (spent / load.requests) * 1e6,
    perSecond: load.perSecond,
    p50: load.p50,
    p99: load.p99,
    p99At70,
    residentMiB: residentBytes(pids) / 2 ** 20,
    failed: load.failed,
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
  return { name, pid: child.pid ?? 0, httpsPort, headers: {}, close: () => stop(child) };
}

async function startOurs(dir: string, site: Omit<Site, 'dir' | 'httpsPort'>): Promise<Running> {
  const { process: postern, httpsPort, cookie } = await startPosternSite({ ...site, dir });
  return {
    name: 'postern',
    pid: postern.child.pid ?? 0,
    httpsPort,
    headers: { Cookie: cookie },
    close: () => postern.close(),
  };
}

function median(rows: readonly Row[]): Row {
  const sorted = [...rows].sort((a, b) => a.microsPerRequest - b.microsPerRequest);
  return sorted[Math.floor(sorted.length / 2)] as Row;
}

function print(rows: readonly Row[]): void {
  for (const kind of ['HTTP/1.1 over TLS', 'HTTP/2'] as const) {
    const own = rows.find((row) => row.kind === kind && row.gateway === 'postern');
    console.log(`\n${kind}, 762-byte answer, keep-alive, gateway on one core (Postern: signed in; peers: no auth)`);
    console.log('gateway    µs CPU/request   req/s   p50 ms   p99 ms   p99 at 70 %   RSS MiB   failed   Postern is');
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
        ratio.padStart(12),
      );
    }
  }
}

async function main(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'postern-bench-'));
  const files = makeCertificate(dir, ['localhost']);
  const [appPort = 0] = await freePorts(1);
  const app = await startApp(join(dir, 'app'), appPort, LOAD_CORE);
  const site = { appPort, core: GATEWAY_CORE, ...files };
  const wanted = flags.only?.split(',') ?? ['postern', ...PEERS.map((peer) => peer.name)];
  const all: Row[] = [];
  // Round by round, so that a machine that slows down slows everybody.
  for (let round = 0; round < rounds; round++) {
    for (const name of wanted) {
      const gateway = name === 'postern' ? await startOurs(dir, site) : await startPeerSite(name, dir, site);
      if (gateway === null) {
        if (round === 0) console.log(`${name}: not installed, left out (npm run peers)`);
        continue;
      }
      for (const kind of KINDS) {
        process.stderr.write(`round ${round + 1}/${rounds}: ${name}, ${kind} …\n`);
        all.push(await measure(gateway, kind, dir));
      }
      await gateway.close();
    }
  }
  await stop(app);
  const groups = Map.groupBy(all, (row) => `${row.kind} ${row.gateway}`);
  const rows = [...groups.values()].map((group) => median(group));
  print(rows);
  const results = join(import.meta.dirname, 'results');
  mkdirSync(results, { recursive: true });
  const name = `${new Date().toISOString().slice(0, 16).replaceAll(':', '')}${flags.smoke ? '-smoke' : ''}.json`;
  writeFileSync(join(results, name), JSON.stringify({ seconds, rounds, node: process.version, rows, all }, null, 2));
  console.log(`\nWritten: bench/results/${name}`);
  rmSync(dir, { recursive: true, force: true });
  if (rows.some((row) => row.gateway === 'postern' && row.failed > 0)) process.exitCode = 1;
}

await main();
