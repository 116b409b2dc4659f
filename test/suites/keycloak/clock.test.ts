/**
 * Postern's clock three minutes off Keycloak's, ahead and behind: what `clock_tolerance` bears works in full (sign-in,
 * refresh, logout token, a machine's token); what it does not bear is refused, signs nobody out, and says in the log and
 * in `postern check --live` by how much the clocks differ and what to change. A real Keycloak; only our dates are shifted.
 */
import assert from 'node:assert/strict';
import { createServer, request as httpRequest } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { CLIENT_SECRET, startKeycloak, type Keycloak } from '../../support/keycloak.ts';
import { freePorts } from '../../support/free-ports.ts';
import { skipWithout } from '../../support/peers.ts';
import { runPostern, startPostern, type PosternProcess } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';
import { SHIFTED_CLOCK } from '../../support/shifted-clock.ts';
import { createVisitor, type Visit, type Visitor } from '../../support/visitor.ts';

const MINUTE = 60_000;
/** Shorter than the clocks are apart: Keycloak's usual five minutes would bear a clock that is ahead by three. */
const TOKEN_SECONDS = 60;
/** Looked at every ten seconds, on a machine that may be busy. */
const REFRESHED_MS = 60_000;

suite('three minutes off a real Keycloak', { skip: skipWithout('kc') }, () => {
  let app: Server;
  let keycloak: Keycloak;
  /** Its folder and ports are those of every later one, so that Keycloak trusts it and knows where it is. */
  let first: PosternProcess;

  const document = (kcPort: number, tolerance: string) => (ports: { https: number; health: number }) =>
    `version: 1
listen: { http: off, https: "127.0.0.1:${ports.https}", health: "127.0.0.1:${ports.health}" }
providers:
  keycloak:
    type: keycloak
    issuer: http://localhost:${kcPort}/realms/main
    client_id: postern
    client_secret: "${CLIENT_SECRET}"
    recheck: 10s
    ${tolerance}
    bearer: { audience: postern-api, azp: [ci] }
sign_in: { url: "https://auth.localhost:${ports.https}" }
hosts:
  wiki.localhost: { to: "http://127.0.0.1:${portOf(app)}", allow: ["group:/developers"] }
  api.localhost: { to: "http://127.0.0.1:${portOf(app)}", allow: [signed-in] }
`;

  before(async () => {
    app = createServer((req, res) => res.end(`app for ${String(req.headers['x-forwarded-user'])}`));
    await listen(app);
    const [kcPort = 0] = await freePorts(1);
    first = await startPostern({ document: document(kcPort, '') });
    const ca = join(first.dir, 'ca.pem');
    writeFileSync(ca, (await first.cli('ca', 'export')).stdout);
    const signInUrl = `https://auth.localhost:${first.https}`;
    keycloak = await startKeycloak({
      signInUrl,
      backChannelUrl: signInUrl,
      port: kcPort,
      trustedCa: ca,
      hosts: ['auth.localhost'],
      accessTokenSeconds: TOKEN_SECONDS,
    });
    await addMachine(keycloak);
    first.child.kill('SIGTERM');
    await new Promise((done) => first.child.once('exit', done));
  });
  after(async () => {
    await first?.close();
    await keycloak?.close();
    app?.closeAllConnections();
    app?.close();
  });

  const url = (host: string): string => `https://${host}.localhost:${first.https}/`;

  async function withClock(
    { offsetMs, tolerance = '' }: { readonly offsetMs: number; readonly tolerance?: string },
    work: (postern: PosternProcess) => Promise<void>,
  ): Promise<void> {
    const postern = await startPostern({
      keepDir: first.dir,
      ports: first,
      preload: 'clock.mjs',
      files: { 'clock.mjs': SHIFTED_CLOCK, offset: String(offsetMs) },
      document: document(keycloak.port, tolerance),
    });
    try {
      await until(async () => (await createVisitor().open(url('wiki'))).status === 200, 'discovery');
      await work(postern);
    } finally {
      await postern.close();
      await keycloak.removeFromGroup('bob', 'developers');
    }
  }

  const signIn = async (visitor: Visitor, name: string): Promise<Visit> => {
    const page = await visitor.open(url('wiki'));
    assert.match(page.url, /\/realms\/main\//, `to Keycloak: ${page.status} ${page.body}`);
    return visitor.submit(page, { username: name, password: `pw-${name}` });
  };

  const askAsMachine = async (): Promise<Visit> =>
    createVisitor().send(url('api'), { headers: { authorization: `Bearer ${await tokenOf(keycloak)}` } });

  /** As a program asks that nobody signs in for: 401 is signed out. */
  const statusFor = async (visitor: Visitor): Promise<number> =>
    (await visitor.send(url('wiki'), { headers: { accept: 'application/json' } })).status;

  /** A sign-in, what a refresh brings, and a machine's token. Answers bob, who is in. */
  const comeInAll = async (): Promise<Visitor> => {
    assert.equal((await signIn(createVisitor(), 'alice')).body, 'app for alice');
    const bob = createVisitor();
    assert.equal((await signIn(bob, 'bob')).status, 403);
    await keycloak.addToGroup('bob', 'developers');
    await until(async () => (await bob.open(url('wiki'))).status === 200, 'a refresh brings the group', REFRESHED_MS);
    const machine = await askAsMachine();
    assert.deepEqual([machine.status, machine.body], [200, 'app for service-account-ci']);
    return bob;
  };

  for (const [name, offsetMs] of [
    ['ahead', 3 * MINUTE],
    ['behind', -3 * MINUTE],
  ] as const) {
    test(`${name}, with "clock_tolerance: 5m": everything works, and nothing is said`, () =>
      withClock({ offsetMs, tolerance: 'clock_tolerance: 5m' }, async (postern) => {
        const bob = await comeInAll();
        assert.equal(await statusFor(bob), 200);
        await keycloak.logOut('bob');
        await until(async () => (await statusFor(bob)) === 401, 'the logout token counts', REFRESHED_MS);
        await postern.waitFor(/back-channel|signed out at the provider/i);
        assert.doesNotMatch(postern.output(), /Clock of provider/);
      }));
  }

  test('ahead, by default: tokens of a minute are over when they come, and page and log say why', () =>
    withClock({ offsetMs: 3 * MINUTE }, async (postern) => {
      const refused = await signIn(createVisitor(), 'alice');
      assert.equal(refused.status, 400);
      assert.match(refused.body, /clock_tolerance/);
      await postern.waitFor(/Clock of provider \\"keycloak\\" is about 3 min behind this machine's; set both by NTP/);
      await postern.waitFor(/not valid now \(\\"exp\\", [^)]*\); .*about 3 min behind/);
      assert.equal((await askAsMachine()).status, 401);
      await postern.waitFor(/Bearer token refused|timestamp check failed/);
    }));

  test('behind, by default: people come in, groups follow, and a logout token of the future is refused aloud', () =>
    withClock({ offsetMs: -3 * MINUTE }, async (postern) => {
      await comeInAll();
      await postern.waitFor(/Clock of provider \\"keycloak\\" is about 3 min ahead of this machine's; set both by NTP/);
      await keycloak.logOut('bob');
      await postern.waitFor(/\\"iat\\" is 1[78]\d s in the future .*raise \\"clock_tolerance\\"/);
    }));

  test('a clock that comes apart later signs nobody out; when it is right again, people come in as before', () =>
    withClock({ offsetMs: 0 }, async (postern) => {
      const [alice, bob] = [createVisitor(), createVisitor()];
      assert.equal((await signIn(alice, 'alice')).status, 200);
      assert.equal((await signIn(bob, 'bob')).status, 403);
      writeFileSync(join(postern.dir, 'offset'), String(3 * MINUTE));
      await until(
        async () => {
          assert.equal(await statusFor(alice), 200, 'nobody is signed out');
          return /Clock of provider .*about 3 min behind/.test(postern.output());
        },
        'a refresh finds it',
        REFRESHED_MS,
      );
      await postern.waitFor(/people who are signed in go on/);
      assert.equal(await statusFor(alice), 200);
      writeFileSync(join(postern.dir, 'offset'), '0');
      await until(async () => (await signIn(createVisitor(), 'alice')).status === 200, 'a sign-in by the right clock');
      await keycloak.addToGroup('bob', 'developers');
      await until(async () => (await bob.open(url('wiki'))).status === 200, 'groups follow', REFRESHED_MS);
      await postern.waitFor(/Clock of provider \\"keycloak\\" agrees with this machine's again/);
    }));

  test('postern check --live says it where answers have a Date: Keycloak sends none, the proxy before it does', async () => {
    const proxy = createServer((req, res) => {
      const to = { host: '127.0.0.1', port: keycloak.port, path: req.url, method: req.method, headers: req.headers };
      const passed = httpRequest(to, (answer) => {
        res.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(res);
      });
      req.pipe(passed);
    });
    await listen(proxy);
    try {
      const check = async (offsetMs: number, port: number): ReturnType<typeof runPostern> => {
        const file = join(first.dir, 'checked.yaml');
        writeFileSync(file, document(port, '')(first));
        writeFileSync(join(first.dir, 'clock.mjs'), SHIFTED_CLOCK);
        writeFileSync(join(first.dir, 'offset'), String(offsetMs));
        const env = { NODE_OPTIONS: `--import ${join(first.dir, 'clock.mjs')}`, DEFECTS: first.dir };
        return runPostern(['check', '--live', '--config', file, '--data', first.dataDir], env);
      };
      const behind = await check(-3 * MINUTE, portOf(proxy));
      assert.equal(behind.code, 1);
      assert.match(behind.stderr, /about 3 min ahead of this machine's; set both by NTP, or raise "clock_tolerance"/);
      assert.match((await check(3 * MINUTE, portOf(proxy))).stderr, /about 3 min behind this machine's/);
      const right = await check(0, portOf(proxy));
      assert.equal(right.code, 0, right.stderr);
      assert.match(right.stdout, /its clock agrees with this machine's/);
      const silent = await check(3 * MINUTE, keycloak.port);
      assert.equal(silent.code, 0, silent.stderr);
      assert.doesNotMatch(silent.stdout, /clock/);
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  });
});

function listen(server: Server): Promise<void> {
  return new Promise((done) => {
    server.listen(0, '127.0.0.1', done);
  });
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/** A client of its own for a machine, whose tokens are for "postern-api". */
async function addMachine({ admin }: Keycloak): Promise<void> {
  const mapper = {
    name: 'api',
    protocol: 'openid-connect',
    protocolMapper: 'oidc-audience-mapper',
    config: { 'included.custom.audience': 'postern-api', 'access.token.claim': 'true' },
  };
  const grants = { serviceAccountsEnabled: true, standardFlowEnabled: false, publicClient: false };
  await admin('POST', '/clients', { clientId: 'ci', secret: 'of-ci', ...grants, protocolMappers: [mapper] });
}

async function tokenOf({ issuer }: Keycloak): Promise<string> {
  const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: 'ci', client_secret: 'of-ci' });
  const answer = await fetch(`${issuer}/protocol/openid-connect/token`, { method: 'POST', body });
  return ((await answer.json()) as { access_token: string }).access_token;
}
