/**
 * `npm run bench:storm`: what visitors of apps notice while many others sign in, and while a provider that was
 * away is asked about everybody at once. One gateway with one worker on core 0; on core 1 the load, which
 * asks at a fixed rate (open loop, wrk would wait with the server), and behind it, at lower priority, the
 * provider and those who sign in. p99 of the load alone, and in the seconds of each storm.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startTwin } from '../src/sign-in/oidc/_twin.ts';
import { claimsOf, membersOf, startCrowd } from '../test/support/crowd.ts';
import { freePorts, startPostern } from '../test/support/postern.ts';
import { startApp } from './support/app.ts';
import { makeCertificate } from './support/certificate.ts';
import { loadHttp2 } from './support/load.ts';
import type { LoadResult } from './support/load.ts';
import { cpuSeconds, processTree } from './support/process-cpu.ts';
import { stop } from './support/processes.ts';

const GATEWAY_CORE = 0;
const LOAD_CORE = 1;
const { values: flags } = parseArgs({
  options: { people: { type: 'string' }, rate: { type: 'string' }, seconds: { type: 'string' } },
});
const people = Number(flags.people ?? 1_000);
const rate = Number(flags.rate ?? 4_000);
const quietSeconds = Number(flags.seconds ?? 6);
/** A session is due so long after it was signed in or renewed. */
const RECHECK_SECONDS = 30;

const dir = mkdtempSync(join(tmpdir(), 'postern-bench-storm-'));
const files = makeCertificate(dir, ['localhost', 'auth.localhost']);
const [appPort = 0] = await freePorts(1);
const app = await startApp(join(dir, 'app'), appPort, LOAD_CORE);
// The provider is this process; it and the crowd stand back behind the load.
execFileSync('taskset', ['-acp', String(LOAD_CORE), String(process.pid)]);
const twin = await startTwin();
twin.expiresIn = 3_600;
twin.people = new Map(membersOf(people + 1).map((member) => [member.subject, claimsOf(member)]));
const postern = await startPostern({
  core: GATEWAY_CORE,
  env: { UV_THREADPOOL_SIZE: '2' },
  document: ({ https, health }) => `version: 1
workers: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
log: { level: warn }
tls: { certificates: [{ certificate: ${files.certificate}, key: ${files.key} }] }
providers:
  twin: { type: oidc, issuer: "${twin.issuer}", client_id: "${twin.clientId}", client_secret: "${twin.clientSecret}",
    scopes: [openid, profile, email], groups_claim: groups, recheck: ${RECHECK_SECONDS}s }
sign_in: { url: "https://auth.localhost:${https}" }
hosts:
  localhost: { to: "http://127.0.0.1:${appPort}", allow: [signed-in] }
`,
});
const url = `https://localhost:${postern.https}/`;
twin.redirectUri = `https://auth.localhost:${postern.https}/.postern/callback/twin`;
const crowd = await startCrowd(people, url.slice(0, -1), {
  wrap: ['taskset', '-c', String(LOAD_CORE), 'nice', '-n', '19'],
});
const someone = await startCrowd(1, url.slice(0, -1), { from: people });
await someone.enter('/');
const [cookie = ''] = await someone.cookies();
const pids = processTree(postern.child.pid ?? 0);

const drive = async (seconds: number): Promise<LoadResult> =>
  loadHttp2({
    url,
    headers: { Cookie: cookie },
    connections: 20,
    streams: 1,
    perSecond: rate,
    seconds,
    core: LOAD_CORE,
    dir,
    http1: true,
  });

/** Load while `storm` runs: seconds by seconds, as long as it lasts. */
async function during(storm: Promise<unknown>): Promise<{ results: LoadResult[]; seconds: number; cpu: number }> {
  const started = Date.now();
  const before = cpuSeconds(pids);
  const state = { isOver: false };
  void storm.then(() => (state.isOver = true));
  const results: LoadResult[] = [];
  while (!state.isOver) results.push(await drive(2));
  return { results, seconds: (Date.now() - started) / 1_000, cpu: cpuSeconds(pids) - before };
}

const print = (label: string, p99: number, facts: string): void =>
  console.log(`${label.padEnd(44)} p99 ${p99.toFixed(2).padStart(8)} ms   ${facts}`);
const worst = (results: readonly LoadResult[]): number => Math.max(...results.map(({ p99 }) => p99));
const failedOf = (results: readonly LoadResult[]): number => results.reduce((sum, { failed }) => sum + failed, 0);

await drive(3);
const quiet = await drive(quietSeconds);
print(`${rate} requests/s, nobody else`, quiet.p99, `failed ${quiet.failed}`);
let started = Date.now();
const enter = async (): Promise<{ failed: readonly string[]; seconds: number }> => {
  const failed = await crowd.enter('/');
  return { failed, seconds: (Date.now() - started) / 1_000 };
};
const entered = enter();
const entering = await during(entered);
const { failed, seconds } = await entered;
print(
  `${people} sign in at once`,
  worst(entering.results),
  `${(worst(entering.results) / quiet.p99).toFixed(1)}x; failed ${failedOf(entering.results)}, not signed in ${failed.length}; ` +
    `${seconds.toFixed(1)} s, ${((entering.cpu / people) * 1_000).toFixed(1)} ms CPU a person with the load`,
);
if (failed.length > 0) console.log(failed.slice(0, 3));
await twin.stop();
// What nobody uses is not renewed.
await sleep((RECHECK_SECONDS / 2) * 1_000);
await crowd.come('/');
await sleep((RECHECK_SECONDS / 2 + 5) * 1_000);
const between = await drive(quietSeconds);
print(`${rate} requests/s, provider away, all due`, between.p99, `${(between.p99 / quiet.p99).toFixed(1)}x`);
const before = new Map(twin.refreshesOf);
const counts = (): number[] =>
  crowd.members.map(({ subject }) => (twin.refreshesOf.get(subject) ?? 0) - (before.get(subject) ?? 0));
await twin.start();
while (counts().every((count) => count === 0)) await sleep(20);
started = Date.now();
const refresh = async (): Promise<number> => {
  const deadline = Date.now() + 60_000;
  while (counts().some((count) => count === 0) && Date.now() < deadline) await sleep(50);
  return (Date.now() - started) / 1_000;
};
const refreshed = refresh();
const refreshing = await during(refreshed);
const all = counts();
print(
  'provider is back: everybody is asked about',
  worst(refreshing.results),
  `${(worst(refreshing.results) / quiet.p99).toFixed(1)}x; failed ${failedOf(refreshing.results)}; ` +
    `${all.reduce((sum, count) => sum + count, 0)} refreshes, at most ${Math.max(...all)} a session, ` +
    `none twice ${twin.reused() === 0}, in ${(await refreshed).toFixed(1)} s`,
);
crowd.close();
someone.close();
await twin.stop();
await postern.close();
await stop(app);
rmSync(dir, { recursive: true, force: true });
process.exit(0);
