/**
 * Compares working trees of Postern with each other and with nginx on a machine that is not quiet: short
 * turns of load, CPU per request in windows of 100 ms, and of those the least disturbed tenth, quarter and
 * half. Requests are counted by the app behind them all. Run: npm run bench:compare -- before=../other after=.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { findPeer } from '../test/support/peers.ts';
import { freePorts } from '../test/support/free-ports.ts';
import { makeCertificate } from './support/certificate.ts';
import { loadHttp1 } from './support/load.ts';
import { PEERS } from './support/peers.ts';
import { processTree } from './support/process-cpu.ts';
import { startPinned, stop, waitForPort } from './support/processes.ts';
import type { PosternSite } from './support/postern.ts';
import type { Site } from './support/peers.ts';

const TURNS = 5;
const TURN_SECONDS = 2;
const WINDOW_MS = 100;
const SETTLE_MS = 300;
/** Fewer requests in a window say nothing. */
const LEAST_REQUESTS = 200;

interface Contender {
  readonly name: string;
  readonly pids: readonly number[];
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly close: () => Promise<unknown>;
  /** Microseconds a request. */
  readonly windows: number[];
}

type Ground = Omit<Site, 'httpsPort'>;

const sleep = (ms: number): Promise<void> =>
  new Promise((done) => {
    setTimeout(done, ms);
  });

/** Of all threads, in nanoseconds: the ticks of /proc/PID/stat are too coarse for a window. */
function cpuNanoseconds(pids: readonly number[]): number {
  let sum = 0;
  for (const pid of pids) {
    for (const thread of readdirSync(`/proc/${pid}/task`))
      sum += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
  }
  return sum;
}

async function startTree(name: string, tree: string, ground: Ground): Promise<Contender> {
  const file = pathToFileURL(join(resolve(tree), 'bench/support/postern.ts')).href;
  const { startPosternSite } = (await import(file)) as { startPosternSite: (site: Ground) => Promise<PosternSite> };
  const { process: postern, httpsPort, cookie } = await startPosternSite(ground);
  const pids = processTree(postern.child.pid ?? 0);
  const url = `https://localhost:${httpsPort}/`;
  return { name, pids, url, headers: { Cookie: cookie }, close: () => postern.close(), windows: [] };
}

async function startNginx(ground: Ground): Promise<Contender> {
  const [httpsPort = 0] = await freePorts(1);
  const child = PEERS.find((peer) => peer.name === 'nginx')?.start({ ...ground, httpsPort });
  if (child === undefined) throw new Error('Cannot compare: nginx is not among the peers');
  await waitForPort(httpsPort);
  const url = `https://localhost:${httpsPort}/`;
  await loadHttp1({ url, headers: {}, connections: 8, seconds: 1, core: 1, dir: ground.dir });
  return { name: 'nginx', pids: processTree(child.pid ?? 0), url, headers: {}, close: () => stop(child), windows: [] };
}

async function countRequests(statusPort: number): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${statusPort}/`)).text();
  return Number(text.split('\n')[2]?.trim().split(/\s+/)[2]);
}

async function takeTurn(one: Contender, dir: string, statusPort: number): Promise<void> {
  let isOver = false;
  const load = { url: one.url, headers: one.headers, connections: 64, seconds: TURN_SECONDS, core: 1, dir };
  const run = loadHttp1(load).finally(() => (isOver = true));
  await sleep(SETTLE_MS);
  let before = { requests: await countRequests(statusPort), cpu: cpuNanoseconds(one.pids) };
  for (;;) {
    await sleep(WINDOW_MS);
    if (isOver) break;
    const now = { requests: await countRequests(statusPort), cpu: cpuNanoseconds(one.pids) };
    const requests = now.requests - before.requests;
    if (requests >= LEAST_REQUESTS) one.windows.push((now.cpu - before.cpu) / 1_000 / requests);
    before = now;
  }
  await run;
}

function quantile(values: readonly number[], share: number): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * share)] ?? Number.NaN;
}

function appConfig(dir: string, ports: { readonly app: number; readonly status: number }): string {
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${dir};`);
  return `daemon off; worker_processes 1; pid ${dir}/app.pid; error_log ${dir}/app-error.log crit; events { worker_connections 4000; }
http { access_log off; keepalive_requests 100000000; keepalive_timeout 1h; ${paths.join(' ')}
  server { listen 127.0.0.1:${ports.app} backlog=4096; default_type text/plain; location / { return 200 "${'p'.repeat(761)}\\n"; } }
  server { listen 127.0.0.1:${ports.status}; location / { stub_status; } } }
`;
}

const dir = mkdtempSync(join(tmpdir(), 'postern-compare-'));
const [appPort = 0, statusPort = 0] = await freePorts(2);
writeFileSync(join(dir, 'app.conf'), appConfig(dir, { app: appPort, status: statusPort }));
const appArgs = ['-c', join(dir, 'app.conf'), '-p', dir];
const app = startPinned(findPeer('nginx') ?? 'nginx', appArgs, { core: 1, logFile: join(dir, 'app.log') });
await waitForPort(appPort);
const files = makeCertificate(dir, ['localhost']);
const groundOf = (name: string): Ground => {
  const own = join(dir, name);
  mkdirSync(own);
  return { dir: own, appPort, core: 0, ...files };
};
const contenders: Contender[] = [];
for (const argument of process.argv.slice(2)) {
  const [name = '', tree = '.'] = argument.split('=');
  contenders.push(await startTree(name, tree, groundOf(name)));
}
contenders.push(await startNginx(groundOf('nginx')));
for (const one of contenders) await takeTurn({ ...one, windows: [] }, dir, statusPort);
for (let turn = 0; turn < TURNS; turn++)
  for (const one of turn % 2 === 0 ? contenders : contenders.toReversed()) await takeTurn(one, dir, statusPort);
const nginx = contenders.at(-1);
for (const share of [0.1, 0.25, 0.5]) {
  const cells = contenders.map(({ name, windows }) => {
    const micros = quantile(windows, share);
    return `${name} ${micros.toFixed(1)} µs (${(micros / quantile(nginx?.windows ?? [], share)).toFixed(2)}x)`;
  });
  console.log(`least disturbed ${share * 100} %:  ${cells.join('   ')}`);
}
for (const one of contenders) await one.close();
await stop(app);
rmSync(dir, { recursive: true, force: true });
process.exit(0);
