/**
 * `npm run bench:identities`: what a request costs by how its sender is known, on one gateway with one worker
 * on core 0, load and app on core 1: a session of a local account and of a provider, with a signed assertion, with the
 * provider's token for the app, with `max_age`; a machine's token, a service's password that is known already, an access
 * token of a provider, a client certificate; and nginx beside them, which asks nobody. Rows take turns, and the median
 * counts; ratios of one run matter, absolute figures drift. `--only session,token`: rows whose name has one of these.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { hashPassword } from '../src/session/password-hash.ts';
import { startTwin } from '../src/sign-in/oidc/_twin.ts';
import { freePorts } from '../test/support/free-ports.ts';
import { addUser, signIn, startPostern } from '../test/support/postern.ts';
import { createVisitor } from '../test/support/visitor.ts';
import { startApp } from './support/app.ts';
import { makeCertificate } from './support/certificate.ts';
import { loadHttp1 } from './support/load.ts';
import { PEERS } from './support/peers.ts';
import { cpuSeconds, processTree } from './support/process-cpu.ts';
import { stop, waitForPort } from './support/processes.ts';
import { loadByNode } from './support/tls-load.ts';

const GATEWAY_CORE = 0;
const LOAD_CORE = 1;
const { values: flags } = parseArgs({
  options: { seconds: { type: 'string' }, rounds: { type: 'string' }, only: { type: 'string' } },
});
const seconds = Number(flags.seconds ?? 3);
const rounds = Number(flags.rounds ?? 3);

interface Row {
  readonly name: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Left out: the gateway of the others. */
  readonly gateway?: 'nginx';
  /** Who makes the requests; wrk, where it is left out, shows no client certificate. */
  readonly by?: 'node' | 'node with certificate';
}

const dir = mkdtempSync(join(tmpdir(), 'postern-bench-'));
const twin = await startTwin();
const [appPort = 0, nginxPort = 0] = await freePorts(2);
const app = await startApp(join(dir, 'app'), appPort, LOAD_CORE);
const { certificate, key, bundle } = makeCertificate(dir, ['localhost', 'certs.localhost']);
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
  ci: { type: oidc, issuer: "${twin.issuer}", client_id: "${twin.clientId}", client_secret: "${twin.clientSecret}", roles_claim: roles, bearer: { audience: postern } }
sign_in: { url: "https://auth.localhost:${https}", provider: local }
services: { promtail: { password: "${hashPassword('s3cret')}" } }
hosts:
  localhost:
    tls: { certificate: ${certificate}, key: ${key} }
    paths:
      /open/*: { ${to}, allow: [public] }
      /signed/*: { ${to}, allow: [signed-in], identity_headers: [forwarded, assertion] }
      /fresh/*: { ${to}, allow: [signed-in], require: { max_age: 12h } }
      /team/*: { ${to}, allow: [signed-in], sign_in: { provider: ci } }
      /passed/*: { ${to}, allow: [signed-in], identity_headers: [forwarded, { access_token: Authorization }] }
      /service/*: { ${to}, allow: ["service:promtail"] }
      /*: { ${to}, allow: [signed-in, "token:ci", "ci:role:pusher"] }
  certs.localhost:
    tls: { certificate: ${certificate}, key: ${key}, client_ca: ${certificate}, client_certificates: request }
    ${to}
    allow: [signed-in, "client-certificate:cn=bench"]
`,
});
const url = `https://localhost:${postern.https}/`;
const cookie = (await signIn(url, 'bench', await addUser(postern, 'bench'))).cookieHeader(url);
twin.redirectUri = `https://auth.localhost:${postern.https}/.postern/callback/ci`;
twin.expiresIn = 3_600;
twin.people = new Map([['s-2', { sub: 's-2', preferred_username: 'alice', email: 'alice@example.com' }]]);
// About as long as Keycloak's.
twin.accessClaims = { sub: 's-2', azp: twin.clientId, padding: 'x'.repeat(600) };
const alice = createVisitor();
const atProvider = await alice.open(`${url}team/`);
const back = await alice.open(`${atProvider.url}&as=s-2`);
if (back.status !== 200) throw new Error(`Cannot sign in by the provider: ${back.status} at ${back.url}: ${back.body}`);
const provided = alice.cookieHeader(url);
const nginx = PEERS.find(({ name }) => name === 'nginx')?.start({
  dir,
  httpsPort: nginxPort,
  appPort,
  certificate,
  key,
  bundle,
  core: GATEWAY_CORE,
});
if (nginx === undefined) throw new Error('Cannot compare: there is no nginx among the peers');
await waitForPort(nginxPort);
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
const all: readonly Row[] = [
  { name: 'nginx, asks nobody', path: '', headers: {}, gateway: 'nginx' },
  { name: 'public, nobody known', path: 'open/', headers: {} },
  { name: 'session', path: '', headers: { Cookie: cookie } },
  { name: 'session, max_age', path: 'fresh/', headers: { Cookie: cookie } },
  { name: 'session, assertion on', path: 'signed/', headers: { Cookie: cookie } },
  { name: 'session of a provider', path: 'team/', headers: { Cookie: provided } },
  { name: 'session, token passed on', path: 'passed/', headers: { Cookie: provided } },
  { name: 'service token', path: '', headers: { Authorization: `Bearer ${token}` } },
  { name: 'service token as Basic', path: '', headers: { Authorization: `Basic ${btoa(`ci:${token}`)}` } },
  { name: 'service password, cached', path: 'service/', headers: { Authorization: basic } },
  { name: 'JWT bearer', path: '', headers: { Authorization: `Bearer ${jwt}` } },
  { name: 'session, by Node', path: '', headers: { Cookie: cookie }, by: 'node' },
  { name: 'certificate, by Node', path: '', headers: {}, by: 'node with certificate' },
];
const only = flags.only?.split(',') ?? null;
const rows = all.filter(({ name }) => only === null || name === 'session' || only.some((one) => name.includes(one)));

async function load(
  { path, headers, gateway, by }: Row,
  lasting: number,
): Promise<{ requests: number; failed: number }> {
  const port = gateway === 'nginx' ? nginxPort : postern.https;
  const host = by === 'node with certificate' ? 'certs.localhost' : 'localhost';
  const base = {
    url: `https://${host}:${port}/${path}`,
    headers,
    core: LOAD_CORE,
    dir,
    connections: 64,
    seconds: lasting,
  };
  if (by === undefined) return loadHttp1(base);
  return loadByNode({ ...base, client: by === 'node' ? null : { certificate, key } });
}

const micros = new Map<string, number[]>(rows.map(({ name }) => [name, []]));
let failed = 0;
for (let round = 0; round <= rounds; round++) {
  for (const row of rows) {
    const pids = processTree((row.gateway === 'nginx' ? nginx : postern.child).pid ?? 0);
    const before = cpuSeconds(pids);
    // The first round warms up.
    const done = await load(row, round === 0 ? Math.min(2, seconds) : seconds);
    failed += done.failed;
    if (round > 0) micros.get(row.name)?.push(((cpuSeconds(pids) - before) / done.requests) * 1e6);
  }
}
const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? NaN;
const session = median(micros.get('session') ?? []);
const nobody = median(micros.get('nginx, asks nobody') ?? []);
const times = (a: number, b: number): string => `${(a / b).toFixed(2)}x`.padStart(14);
console.log('HTTP/1.1 over TLS, keep-alive, gateway on one core\n');
console.log('who is known how             µs CPU/request   to a session       to nginx      least of all');
for (const [name, list] of micros) {
  const own = median(list);
  console.log(
    `${name.padEnd(28)} ${own.toFixed(1).padStart(14)} ${times(own, session)} ${times(own, nobody)} ${Math.min(...list)
      .toFixed(1)
      .padStart(14)}`,
  );
}
if (failed > 0) console.log(`\n${failed} requests failed: the figures do not count`);
await postern.close();
await stop(nginx);
await stop(app);
await twin.stop();
rmSync(dir, { recursive: true, force: true });
