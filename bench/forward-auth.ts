/**
 * `npm run bench:forward-auth`: what a check costs (`/oauth2/auth`, signed in), Postern against the real oauth2-proxy
 * at equal ways of keeping sessions, and whole chains of a front proxy with either. Programs on core 0, load, app
 * and provider on core 1; CPU from /proc, Redis counted where it is used. No two requests have the same fields.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findPeer } from '../test/support/peers.ts';
import { freePorts } from '../test/support/free-ports.ts';
import { startProvider } from '../test/suites/oauth2-proxy/provider.ts';
import { startApp } from './support/app.ts';
import { signInAt, startChecker } from './support/checkers.ts';
import { makeCertificate } from './support/certificate.ts';
import { FRONTS } from './support/fronts.ts';
import { loadHttp1 } from './support/load.ts';
import { cpuSeconds, processTree, residentBytes } from './support/process-cpu.ts';
import { startPinned, stop, waitForPort } from './support/processes.ts';
import type { Checker, CheckerName, Keeping } from './support/checkers.ts';
import type { FrontName } from './support/fronts.ts';

const PROGRAM_CORE = 0;
const LOAD_CORE = 1;

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '1' },
    /** "check", "chain", or parts of the names of rows, with commas. */
    only: { type: 'string', default: '' },
    write: { type: 'boolean', default: false },
  },
});
const seconds = Number(flags.seconds);

/** The front that a checker stands behind; null: it is asked directly. */
interface Plan {
  readonly front: FrontName | null;
  readonly checker: CheckerName | null;
  readonly keeping: Keeping;
  readonly logs: boolean;
}

interface Row {
  readonly name: string;
  readonly microsPerRequest: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly residentMiB: number;
  readonly cookieBytes: number;
  readonly failed: number;
}

const check = (checker: CheckerName, keeping: Keeping, logs = true): Plan => ({ front: null, checker, keeping, logs });
const chain = (front: FrontName, checker: CheckerName | null, keeping: Keeping = 'default'): Plan => {
  return { front, checker, keeping, logs: true };
};
const PLANS: readonly Plan[] = [
  check('postern', 'default'),
  check('oauth2-proxy', 'default'),
  check('postern', 'stateless'),
  check('postern', 'redis'),
  check('oauth2-proxy', 'redis'),
  check('postern', 'default', false),
  check('oauth2-proxy', 'default', false),
  chain('nginx', null),
  chain('nginx', 'postern'),
  chain('nginx', 'oauth2-proxy'),
  chain('nginx', 'postern', 'redis'),
  chain('nginx', 'oauth2-proxy', 'redis'),
  chain('traefik', 'postern'),
  chain('traefik', 'oauth2-proxy'),
  chain('caddy', 'postern'),
  chain('caddy', 'oauth2-proxy'),
];

function nameOf({ front, checker, keeping, logs }: Plan): string {
  const kept = keeping === 'default' ? '' : `, ${keeping}`;
  const silent = logs ? '' : ', no logs';
  return `${front === null ? 'check' : `chain ${front}`} ${checker ?? 'nobody'}${kept}${silent}`;
}

interface Around {
  readonly dir: string;
  readonly issuer: string;
  readonly appPort: number;
  readonly redisPort: number;
  readonly redisPid: number;
  readonly certificate: string;
  readonly key: string;
}

async function measure(plan: Plan, around: Around): Promise<Row> {
  const name = nameOf(plan);
  const dir = join(around.dir, name.replaceAll(/[^a-z0-9]+/g, '-'));
  mkdirSync(dir, { recursive: true });
  const checker = plan.checker === null ? null : await startOne(plan, { ...around, dir });
  const cookie = checker === null ? '' : await signInAt(checker, around.issuer);
  const [httpsPort = 0] = await freePorts(1);
  const front =
    plan.front === null
      ? null
      : FRONTS[plan.front]({ ...around, dir, httpsPort, core: PROGRAM_CORE, checkerPort: checker?.port ?? null });
  if (front !== null) await waitForPort(httpsPort);
  const script = join(dir, 'vary.lua');
  writeFileSync(script, varyingRequests(plan.front === null));
  const url = front === null ? `http://127.0.0.1:${checker?.port}/oauth2/auth` : `https://localhost:${httpsPort}/`;
  const headers = { Cookie: `theme=dark; ${cookie}`, 'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64) bench' };
  const drive = (duration: number) =>
    loadHttp1({ url, headers, connections: 64, core: LOAD_CORE, dir, seconds: duration, script });
  await drive(Math.max(2, seconds / 2));
  const pids = [checker?.child, front].flatMap((child) => (child?.pid === undefined ? [] : processTree(child.pid)));
  if (plan.keeping === 'redis') pids.push(around.redisPid);
  const before = cpuSeconds(pids);
  const load = await drive(seconds);
  const spent = cpuSeconds(pids) - before;
  const residentMiB = residentBytes(pids) / 2 ** 20;
  if (front !== null) await stop(front);
  if (checker !== null) await stop(checker.child);
  return {
    name,
    microsPerRequest: (spent / load.requests) * 1e6,
    perSecond: load.perSecond,
    p50: load.p50,
    p99: load.p99,
    residentMiB,
    cookieBytes: cookie.length,
    failed: load.failed,
  };
}

function startOne({ checker, keeping, logs }: Plan, around: Around): Promise<Checker> {
  return startChecker(checker ?? 'postern', { ...around, keeping, logs, core: PROGRAM_CORE });
}

/** As a front proxy asks: the page that somebody wants differs each time. */
function varyingRequests(isDirect: boolean): string {
  const fields = isDirect
    ? `wrk.headers["Host"] = "app.example.com"
wrk.headers["X-Forwarded-Proto"] = "https"
wrk.headers["X-Forwarded-Host"] = "app.example.com"
wrk.headers["X-Forwarded-Uri"] = "/assets/" .. i .. ".js"
return wrk.format("GET", wrk.path)`
    : `return wrk.format("GET", "/assets/" .. i .. ".js")`;
  return `local i = 0\nrequest = function()\ni = i + 1\n${fields}\nend\n`;
}

function print(rows: readonly Row[]): void {
  console.log(`\n${'row'.padEnd(36)} µs CPU/request    req/s   p50 ms   p99 ms   RSS MiB   cookie B   failed`);
  for (const row of rows) {
    const cells = [
      row.microsPerRequest.toFixed(1).padStart(14),
      row.perSecond.toFixed(0).padStart(8),
      row.p50.toFixed(2).padStart(8),
      row.p99.toFixed(2).padStart(8),
      row.residentMiB.toFixed(0).padStart(9),
      String(row.cookieBytes).padStart(10),
      String(row.failed).padStart(8),
    ];
    console.log(row.name.padEnd(36), cells.join(' '));
  }
  const costOf = (name: string): number | undefined => rows.find((row) => row.name === name)?.microsPerRequest;
  const compare = (title: string, ours: string, theirs: string): void => {
    const [a, b] = [costOf(ours), costOf(theirs)];
    if (a !== undefined && b !== undefined) console.log(`${title}: ${(a / b).toFixed(3)}x (1/${(b / a).toFixed(1)})`);
  };
  console.log('\nPostern to oauth2-proxy:');
  compare('check, each by its default', 'check postern', 'check oauth2-proxy');
  compare('check, session in the cookie', 'check postern, stateless', 'check oauth2-proxy');
  compare('check, Redis', 'check postern, redis', 'check oauth2-proxy, redis');
  compare('check, server-side against Redis', 'check postern', 'check oauth2-proxy, redis');
  compare('check, without logs', 'check postern, no logs', 'check oauth2-proxy, no logs');
  for (const front of ['nginx', 'traefik', 'caddy'])
    compare(`chain of ${front}`, `chain ${front} postern`, `chain ${front} oauth2-proxy`);
  compare('chain of nginx, Redis', 'chain nginx postern, redis', 'chain nginx oauth2-proxy, redis');
}

function median(rows: readonly Row[]): Row {
  return rows.toSorted((a, b) => a.microsPerRequest - b.microsPerRequest)[Math.floor(rows.length / 2)] as Row;
}

function isWanted(plan: Plan): boolean {
  const programs = [plan.checker, plan.front, 'wrk', ...(plan.keeping === 'redis' ? ['redis-server'] : [])];
  const missing = programs.filter((one) => one !== null && one !== 'postern' && findPeer(one) === null);
  if (missing.length > 0) console.log(`${nameOf(plan)}: needs ${missing.join(', ')}, left out (npm run peers)`);
  const wanted = flags.only === '' || flags.only.split(',').some((part) => nameOf(plan).includes(part));
  return wanted && missing.length === 0;
}

async function main(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'postern-bench-'));
  const { certificate, key } = makeCertificate(dir, ['localhost']);
  const [appPort = 0, redisPort = 0] = await freePorts(2);
  const provider = await startProvider();
  const app = await startApp(join(dir, 'app'), appPort, LOAD_CORE);
  const plans = PLANS.filter(isWanted);
  const redis = plans.some((plan) => plan.keeping === 'redis')
    ? startPinned('redis-server', ['--port', String(redisPort), '--bind', '127.0.0.1', '--save', ''], {
        core: PROGRAM_CORE,
        logFile: join(dir, 'redis.log'),
      })
    : null;
  if (redis !== null) await waitForPort(redisPort);
  const around = { dir, issuer: provider.issuer, appPort, redisPort, redisPid: redis?.pid ?? 0, certificate, key };
  const all: Row[] = [];
  for (let round = 0; round < Number(flags.rounds); round++) {
    for (const plan of plans) {
      process.stderr.write(`round ${round + 1}: ${nameOf(plan)} …\n`);
      all.push(await measure(plan, around));
    }
  }
  if (redis !== null) await stop(redis);
  await stop(app);
  await provider.close();
  rmSync(dir, { recursive: true, force: true });
  const rows = [...Map.groupBy(all, (row) => row.name).values()].map(median);
  print(rows);
  if (flags.write) {
    const name = `${new Date().toISOString().slice(0, 16).replaceAll(':', '')}-forward-auth.json`;
    const results = join(import.meta.dirname, 'results');
    mkdirSync(results, { recursive: true });
    writeFileSync(join(results, name), `${JSON.stringify({ seconds, node: process.version, rows, all }, null, 2)}\n`);
    console.log(`\nWritten: bench/results/${name}`);
  }
  if (rows.some((row) => row.failed > 0)) process.exitCode = 1;
}

await main();
