/**
 * Whether a request costs the same however much there is: 1 and 10 000 hosts, 1 and 100 000 sessions (each
 * request with another one's cookie). CPU by thread, window by window: what many sessions cost once (their first
 * look-up, the first note of their use) is in the first ones, what they cost for good in the least of them.
 * Run: npm run bench:scale
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../src/core/clock.ts';
import { createAccounts } from '../src/session/accounts.ts';
import { createSealKey } from '../src/session/seal.ts';
import { createSessions } from '../src/session/sessions.ts';
import { sessionCookieName } from '../src/session/token.ts';
import { openStore } from '../src/store/sqlite.ts';
import { freePorts } from '../test/support/free-ports.ts';
import { startApp } from './support/app.ts';
import { makeCertificate } from './support/certificate.ts';
import { loadHttp1 } from './support/load.ts';
import { startPosternSite } from './support/postern.ts';
import { threadSeconds } from './support/process-cpu.ts';
import { stop } from './support/processes.ts';
import type { PosternExtras } from './support/postern.ts';

const GATEWAY_CORE = 0;
const LOAD_CORE = 1;
const SECONDS = 6;
const AT_ONCE = 2_000;
/** Until the use of each session has been noted once, a minute after it was opened, and written. */
const SETTLING_WINDOWS = 10;

/** Opens sessions of one person for the driven host, straight in the store; answers their Cookie lines. */
async function openSessions(dataDir: string, count: number): Promise<string[]> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const store = openStore(dataDir);
  const limits = (): { lifetimeMs: number; idleMs: number } => ({ lifetimeMs: 3_600_000, idleMs: 3_600_000 });
  const sessions = createSessions({
    store: store.sessions,
    clock: systemClock,
    sealKey: createSealKey(store.sealKey),
    limits,
  });
  const accounts = createAccounts({ store: store.accounts, sessions, clock: systemClock, provider: 'local' });
  const added = await accounts.add({ name: 'many' }, 'bench');
  if (added.kind !== 'added') throw new Error(`Cannot add the account: ${added.kind}`);
  const person = accounts.personOf(added.account, ['pwd']);
  const name = sessionCookieName(store.instance, { secure: true, domain: null });
  const cookies: string[] = [];
  while (cookies.length < count) {
    const batch = Array.from({ length: Math.min(AT_ONCE, count - cookies.length) }, async () => {
      const parent = await sessions.openSignIn(person, 'auth.localhost');
      const child = await sessions.openChild(parent.view.key, 'localhost');
      return `${name}=${child?.token ?? ''}`;
    });
    cookies.push(...(await Promise.all(batch)));
  }
  store.close();
  return cookies;
}

/** A wrk script whose requests all differ in a field: what a connection repeats is read once, and one session repeats all. */
function restlessScript(dir: string, cookie: string): string {
  const script = join(dir, 'restless.lua');
  writeFileSync(
    script,
    `local at = 0
request = function() at = at + 1; return wrk.format("GET", "/", { ["Cookie"] = "${cookie}", ["X-Turn"] = tostring(at) }) end
`,
  );
  return script;
}

/** A wrk script that sends another cookie with each request. */
function cookieScript(dir: string, cookies: readonly string[]): string {
  const list = join(dir, 'cookies.txt');
  const script = join(dir, 'cookies.lua');
  writeFileSync(list, cookies.join('\n'));
  writeFileSync(
    script,
    `local all = {}
for line in io.lines("${list}") do all[#all + 1] = { ["Cookie"] = line } end
local at = 0
request = function() at = at % #all + 1; return wrk.format("GET", "/", all[at]) end
`,
  );
  return script;
}

async function measure(label: string, extras: PosternExtras, sessions: number, isRestless = false): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'postern-scale-'));
  const files = makeCertificate(dir, ['localhost']);
  const [appPort = 0] = await freePorts(1);
  const app = await startApp(join(dir, 'app'), appPort, LOAD_CORE);
  const keepDir = join(dir, 'postern');
  mkdirSync(keepDir);
  const cookies = sessions > 1 ? await openSessions(join(keepDir, 'data'), sessions) : [];
  const site = await startPosternSite({ appPort, core: GATEWAY_CORE, dir, ...files }, { ...extras, keepDir });
  const url = `https://localhost:${site.httpsPort}/`;
  const restless = isRestless ? restlessScript(dir, site.cookie) : null;
  const script = cookies.length === 0 ? restless : cookieScript(dir, cookies);
  const headers: Record<string, string> = cookies.length === 0 ? { Cookie: site.cookie } : {};
  const load = { url, headers, connections: 64, core: LOAD_CORE, dir, ...(script !== null && { script }) };
  // Until each session is known to the worker.
  for (let sent = 0; sent < sessions * 1.2;) sent += (await loadHttp1({ ...load, seconds: 4 })).requests;
  const pid = site.process.child.pid ?? 0;
  // What else runs on the machine only adds.
  let least = Number.POSITIVE_INFINITY;
  const windows = sessions > 1 ? SETTLING_WINDOWS : 2;
  for (let window = 0; window < windows; window++) {
    const before = threadSeconds(pid);
    const result = await loadHttp1({ ...load, seconds: SECONDS });
    const spent = threadSeconds(pid).map(({ id, name, seconds }) => {
      const earlier = before.find((one) => one.id === id)?.seconds ?? 0;
      return { name, micros: ((seconds - earlier) / result.requests) * 1e6 };
    });
    const all = spent.reduce((sum, one) => sum + one.micros, 0);
    least = Math.min(least, all);
    const of = (name: string): string =>
      spent.reduce((sum, one) => sum + (one.name === name ? one.micros : 0), 0).toFixed(1);
    console.log(
      `${label.padEnd(40)} ${all.toFixed(1).padStart(6)} µs CPU/request (worker ${of('edge 0')}, control ${of('MainThread')})   p99 ${result.p99.toFixed(2)} ms   failed ${result.failed}`,
    );
  }
  await site.process.close();
  await stop(app);
  rmSync(dir, { recursive: true, force: true });
  return least;
}

const one = await measure('1 host, 1 session', {}, 1);
const hosts = process.argv.includes('--sessions')
  ? one
  : await measure('10 000 hosts, 1 session', { otherHosts: 10_000 }, 1);
const restless = await measure('1 host, 1 session, no field block twice', {}, 1, true);
const sessions = await measure('1 host, 100 000 sessions', {}, 100_000);
console.log(`10 000 hosts: ${(hosts / one).toFixed(2)}x of one`);
console.log(
  `100 000 sessions: ${(sessions / restless).toFixed(2)}x of one whose requests differ too, ${(sessions / one).toFixed(2)}x of one that repeats itself`,
);
process.exit(0);
