/**
 * `npm run bench:storm`: what visitors of apps notice while many others sign in, and while a provider that was
 * away is asked about everybody at once. One gateway with one worker on core 0; on core 1 the load, which
 * asks at a fixed rate (open loop), and behind it, at lower priority, the provider and those who sign in.
 * p99 over windows of two seconds: their median and the worst, with nobody else and in each storm.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startCrowd } from '../test/support/crowd.ts';
import { freePorts } from '../test/support/free-ports.ts';
import { startPostern } from '../test/support/postern.ts';
import { startApp } from './support/app.ts';
import { makeCertificate } from './support/certificate.ts';
import { loadHttp2 } from './support/load.ts';
import type { LoadResult } from './support/load.ts';
import { threadSeconds } from './support/process-cpu.ts';
import { stop } from './support/processes.ts';
import { startTwinProcess } from './support/twin-control.ts';

const GATEWAY_CORE = 0;
const LOAD_CORE = 1;
const { values: flags } = parseArgs({
  options: { people: { type: 'string' }, rate: { type: 'string' }, windows: { type: 'string' } },
});
const people = Number(flags.people ?? 1_000);
const rate = Number(flags.rate ?? 4_000);
const quietWindows = Number(flags.windows ?? 5);
const WINDOW_SECONDS = 2;
/** A session is due so long after it was signed in or renewed. */
const RECHECK_SECONDS = 30;
const BEHIND = ['taskset', '-c', String(LOAD_CORE), 'nice', '-n', '19'];

const dir = mkdtempSync(join(tmpdir(), 'postern-bench-storm-'));
const files = makeCertificate(dir, ['localhost', 'auth.localhost']);
const [appPort = 0] = await freePorts(1);
const twin = startTwinProcess(BEHIND);
const { issuer, clientId, clientSecret } = await twin.tell({ kind: 'look' });
const postern = await startPostern({
  core: GATEWAY_CORE,
  env: { UV_THREADPOOL_SIZE: '2' },
  document: ({ https, health }) => `version: 1
workers: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
log: { level: warn }
tls: { certificates: [{ certificate: ${files.certificate}, key: ${files.key} }] }
providers:
  twin: { type: oidc, issuer: "${issuer}", client_id: "${clientId}", client_secret: "${clientSecret}",
    scopes: [openid, profile, email], groups_claim: groups, recheck: ${RECHECK_SECONDS}s }
sign_in: { url: "https://auth.localhost:${https}" }
hosts:
  localhost: { to: "http://127.0.0.1:${appPort}", allow: [signed-in] }
`,
});
const redirectUri = `https://auth.localhost:${postern.https}/.postern/callback/twin`;
await twin.tell({ kind: 'people', count: people + 1, redirectUri });
const url = `https://localhost:${postern.https}/`;
const crowd = await startCrowd(people, url.slice(0, -1), { wrap: BEHIND });
const someone = await startCrowd(1, url.slice(0, -1), { from: people, wrap: BEHIND });
// The app and the load come from this process and go before the others on their core, where that is allowed.
try {
  setPriority(-10);
} catch {
  console.log('load and storm share their core as equals: no right to set priorities');
}
const app = await startApp(join(dir, 'app'), appPort, LOAD_CORE);
await someone.enter('/');
const [cookie = ''] = await someone.cookies();

const drive = async (): Promise<LoadResult> =>
  loadHttp2({
    url,
    headers: { Cookie: cookie },
    connections: 20,
    streams: 1,
    perSecond: rate,
    seconds: WINDOW_SECONDS,
    core: LOAD_CORE,
    dir,
    http1: true,
  });

interface During {
  readonly median: number;
  readonly worst: number;
  readonly failed: number;
  readonly worker: number;
  readonly control: number;
}

/** Load while the work goes on, window by window. */
async function during(work: Promise<unknown>): Promise<During> {
  const pid = postern.child.pid ?? 0;
  const before = threadSeconds(pid);
  const state = { isOver: false };
  void work.finally(() => (state.isOver = true)).catch(() => undefined);
  const results: LoadResult[] = [];
  do results.push(await drive());
  while (!state.isOver);
  const after = threadSeconds(pid);
  const spent = (name: string): number =>
    after.reduce((sum, { id, name: own, seconds }) => {
      return own === name ? sum + seconds - (before.find((one) => one.id === id)?.seconds ?? 0) : sum;
    }, 0);
  const p99s = results.map(({ p99 }) => p99).sort((a, b) => a - b);
  return {
    median: p99s[Math.floor((p99s.length - 1) / 2)] ?? NaN,
    worst: p99s.at(-1) ?? NaN,
    failed: results.reduce((sum, { failed }) => sum + failed, 0),
    worker: spent('edge 0'),
    control: spent('MainThread'),
  };
}

let first: During | null = null;
function print(label: string, it: During, facts: string): void {
  first ??= it;
  const ratio = `${(it.median / first.median).toFixed(1)}x`;
  console.log(
    `${label.padEnd(42)} p99 ${it.median.toFixed(2)} ms (${ratio}), worst ${it.worst.toFixed(2)} ms; failed ${it.failed}; ` +
      `CPU: worker ${it.worker.toFixed(2)} s, control ${it.control.toFixed(2)} s; ${facts}`,
  );
}

await drive();
print(`${rate} requests/s, nobody else`, await during(sleep((quietWindows - 0.5) * WINDOW_SECONDS * 1_000)), '');

let started = Date.now();
const entered = crowd.enter('/').then((failed) => ({ failed, seconds: (Date.now() - started) / 1_000 }));
const entering = await during(entered);
const { failed, seconds } = await entered;
print(`${people} sign in at once`, entering, `not signed in ${failed.length}, ${seconds.toFixed(1)} s`);
if (failed.length > 0) console.log(failed.slice(0, 3));

await twin.tell({ kind: 'stop' });
// What nobody uses is not renewed.
await sleep((RECHECK_SECONDS / 2) * 1_000);
await crowd.come('/');
await sleep((RECHECK_SECONDS / 2 + 5) * 1_000);
print('the provider is away, everybody is due', await during(sleep((quietWindows - 0.5) * WINDOW_SECONDS * 1_000)), '');

const before = new Map((await twin.tell({ kind: 'start' })).refreshes);
const counts = async (): Promise<readonly number[]> => {
  const now = new Map((await twin.tell({ kind: 'look' })).refreshes);
  return crowd.members.map(({ subject }) => (now.get(subject) ?? 0) - (before.get(subject) ?? 0));
};
while ((await counts()).every((count) => count === 0)) await sleep(50);
started = Date.now();
const refreshed = (async (): Promise<number> => {
  const deadline = Date.now() + 60_000;
  while ((await counts()).some((count) => count === 0) && Date.now() < deadline) await sleep(200);
  return (Date.now() - started) / 1_000;
})();
const refreshing = await during(refreshed);
const all = await counts();
const { reused } = await twin.tell({ kind: 'look' });
print(
  'it is back: everybody is asked about',
  refreshing,
  `${all.reduce((sum, count) => sum + count, 0)} refreshes, at most ${Math.max(...all)} a session, ` +
    `tokens used twice ${reused}, ${(await refreshed).toFixed(1)} s`,
);
crowd.close();
someone.close();
twin.close();
await postern.close();
await stop(app);
rmSync(dir, { recursive: true, force: true });
process.exit(0);
