/**
 * `npm run bench:identities`: what a request costs by how its sender is known, on one gateway with one worker
 * on core 0, load and app on core 1: a session, a machine's token, a service's password that is known
 * already, an access token of a provider, and a session with a signed assertion for the app. Rows take
 * turns, and the median counts; ratios of one run matter, absolute figures drift.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { hashPassword } from '../src/session/password-hash.ts';
import { startTwin } from '../src/sign-in/oidc/_twin.ts';
import { freePorts } from '../test/support/free-ports.ts';
import { addUser, signIn, startPostern } from '../test/support/postern.ts';
import { startApp } from './support/app.ts';
import { makeCertificate } from './support/certificate.ts';
import { loadHttp1 } from './support/load.ts';
import { cpuSeconds, processTree } from './support/process-cpu.ts';
import { stop } from './support/processes.ts';

const GATEWAY_CORE = 0;
const LOAD_CORE = 1;
const { values: flags } = parseArgs({ options: { seconds: { type: 'string' }, rounds: { type: 'string' } } });
const seconds = Number(flags.seconds ?? 3);
const rounds = Number(flags.rounds ?? 3);

interface Row {
  readonly name: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

const dir = mkdtempSync(join(tmpdir(), 'postern-bench-'));
const twin = await startTwin();
const [appPort = 0] = await freePorts(1);
const app = await startApp(join(dir, 'app'), appPort, LOAD_CORE);
const { certificate, key } = makeCertificate(dir, ['localhost']);
const to = `to: "http://127.0.0.1:${appPort}"`;
const postern = await startPostern({
  core: GATEWAY_CORE,
  env: { UV_THREADPOOL_SIZE: '2' },
  document: ({ https, health }) => `version: 1
workers: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
log: { level: warn }
providers:
  local: { type: local }
  ci: { type: oidc, issuer: "${twin.issuer}", client_id: x, client_secret: y, roles_claim: roles, bearer: { audience: postern } }
sign_in: { url: "https://auth.localhost:${https}", provider: local }
services: { promtail: { password: "${hashPassword('s3cret')}" } }
hosts:
  localhost:
    tls: { certificate: ${certificate}, key: ${key} }
    paths:
      /open/*: { ${to}, allow: [public] }
      /signed/*: { ${to}, allow: [signed-in], identity_headers: [forwarded, assertion] }
      /service/*: { ${to}, allow: ["service:promtail"] }
      /*: { ${to}, allow: [signed-in, "token:ci", "ci:role:pusher"] }
`,
});
const url = `https://localhost:${postern.https}/`;
const cookie = (await signIn(url, 'bench', await addUser(postern, 'bench'))).cookieHeader(url);
const token = (await postern.cli('token', 'create', '--for', 'ci')).stdout.trim();
const jwt = twin.sign({
  iss: twin.issuer,
  aud: 'postern',
  azp: 'ci',
  sub: 's-1',
  preferred_username: 'runner',
  roles: ['pusher'],
  exp: Math.floor(Date.now() / 1_000) + 3_600,
});
const basic = `Basic ${Buffer.from('promtail:s3cret').toString('base64')}`;
const rows: readonly Row[] = [
  { name: 'public, nobody known', path: 'open/', headers: {} },
  { name: 'session', path: '', headers: { Cookie: cookie } },
  { name: 'session, assertion on', path: 'signed/', headers: { Cookie: cookie } },
  { name: 'service token', path: '', headers: { Authorization: `Bearer ${token}` } },
  { name: 'service token as Basic', path: '', headers: { Authorization: `Basic ${btoa(`ci:${token}`)}` } },
  { name: 'service password, cached', path: 'service/', headers: { Authorization: basic } },
  { name: 'JWT bearer', path: '', headers: { Authorization: `Bearer ${jwt}` } },
];

const micros = new Map<string, number[]>(rows.map(({ name }) => [name, []]));
let failed = 0;
for (let round = 0; round <= rounds; round++) {
  for (const { name, path, headers } of rows) {
    const base = { url: url + path, headers, core: LOAD_CORE, dir, connections: 64 };
    const pids = processTree(postern.child.pid ?? 0);
    const before = cpuSeconds(pids);
    const load = await loadHttp1({ ...base, seconds: round === 0 ? 2 : seconds });
    failed += load.failed;
    // The first round warms up.
    if (round > 0) micros.get(name)?.push(((cpuSeconds(pids) - before) / load.requests) * 1e6);
  }
}
const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? NaN;
const session = median(micros.get('session') ?? []);
console.log('HTTP/1.1 over TLS, keep-alive, gateway on one core\n');
console.log('who is known how             µs CPU/request   to a session');
for (const [name, list] of micros)
  console.log(
    `${name.padEnd(28)} ${median(list).toFixed(1).padStart(14)} ${`${(median(list) / session).toFixed(2)}x`.padStart(14)}`,
  );
if (failed > 0) console.log(`\n${failed} requests failed: the figures do not count`);
await postern.close();
await stop(app);
await twin.stop();
rmSync(dir, { recursive: true, force: true });
